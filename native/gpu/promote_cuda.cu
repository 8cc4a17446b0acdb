// Launches and indices only: what a thread does is in promote_gpu.h. Compile with --fmad=false, as rank_one_cuda.cu.
#include "gpu/promote_cuda.h"

#include <cuda_runtime.h>

#include <vector>

#include "gpu/closure_cuda.h"
#include "gpu/device_array.cuh"
#include "gpu/promote_gpu.h"
#include "gpu/sweep.cuh"
#include "kernels/blocks.h"
#include "kernels/flip_weight.h"

namespace rosi::gpu {
namespace {

constexpr int kThreads = 256;

/// One thread a weight, grid-stride.
template <class Block>
__global__ void decode_weights(const Block* source, std::int64_t n, float* values) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    values[k] = decoded(source, k);
  }
}

/// One thread a unit of the target, grid-stride.
template <class Target>
__global__ void __launch_bounds__(kThreads) encode_units(Request request, std::int64_t n, Target* target) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t u = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; u < n; u += stride) {
    gpu::encode(request, u, target);
  }
}

/// A warp a block, one for each row.
template <class Weight>
__global__ void __launch_bounds__(kRun)
    sum_rows(Request request, const Weight* target, const float* mu, double* along) {
  __shared__ double lanes[kRun];
  const int lane = static_cast<int>(threadIdx.x);
  lanes[lane] = sum_lane(request, target, mu, blockIdx.x, lane);
  __syncwarp();
  if (lane == 0) along[blockIdx.x] = join_lanes(lanes);
}

/// One thread a column; grid (columns, parts).
template <class Block>
__global__ void sum_columns(Request request, const Block* target, const float* p, double* sums) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= request.shape.n_in) return;
  sums[blockIdx.y * request.shape.n_in + j] = sum_column(request, target, p, blockIdx.y, j);
}

__global__ void find_lacks(const double* sums, std::int64_t n_in, double alignment, const float* t, float* lack) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j < n_in) lack[j] = join_column(sums, n_in, j, alignment, t[j]);
}

/// sweep_tiles() for float types.
template <class Weight>
__global__ void __launch_bounds__(kRun, 1)
    sweep_weights(const Weight* __restrict__ source, Weight* __restrict__ target, Sweep sweep) {
  const int lane = static_cast<int>(threadIdx.x);
  const auto first = [&](std::int64_t row) { return last_place(source[row * sweep.shape.n_in]); };
  sweep_tile(
      sweep, first,
      [&](std::int64_t row, const RowWeights& weights, std::int64_t run, float t, float mu, float lack, float carry) {
        const std::int64_t j = run * kRun + lane;
        if (j >= sweep.shape.n_in) return 0.0f;
        const std::int64_t k = row * sweep.shape.n_in + j;
        return flip_weight(source[k], target[k], weights, sweep.pull.row, t, mu, lack, carry);
      });
}

/// The passes of one promotion, see gpu::promote().
template <class Target>
struct Passes {
  static constexpr bool kIsFloat = kUnitWeights<Target> == 1;
  Request request;
  std::uint32_t type;
  const UnitUpdate& update;
  std::span<std::byte> out;
  KernelClock& clock;
  double seconds = 0;

  std::int64_t units() const { return request.shape.n_in * request.shape.n_out / kUnitWeights<Target>; }
  DeviceArray<Target> tensor() const { return DeviceArray<Target>(static_cast<std::size_t>(units())); }

  void encode(DeviceArray<Target>& target, bool update_too) const {
    Request wanted = request;
    if (!update_too) wanted.left = nullptr;
    encode_units<<<1024, kThreads, 0, kStream>>>(wanted, units(), target.get());
    check(cudaGetLastError(), "the rounding");
  }

  std::vector<double> sums_along(const DeviceArray<Target>& target) const {
    DeviceArray<float> mu(std::span(update.mu));
    DeviceArray<double> along(update.s.size());
    sum_rows<<<static_cast<unsigned>(request.shape.n_out), kRun, 0, kStream>>>(request, target.get(), mu.get(),
                                                                               along.get());
    check(cudaGetLastError(), "the sums of rows");
    std::vector<double> sums(update.s.size());
    along.read(sums);
    return sums;
  }

  void flip(const DeviceArray<Target>& source, DeviceArray<Target>& target) const {
    DeviceArray<float> p(std::span(update.p)), lack(update.t.size());
    run_sweep(update, p, lack, [&](const Sweep& sweep, unsigned tiles) {
      sweep_weights<<<tiles, kRun, 0, kStream>>>(source.get(), target.get(), sweep);
    });
  }

  void close(DeviceArray<Target>& target) const {
    const std::int64_t n_in = request.shape.n_in;
    const unsigned blocks = blocks_for(n_in, kThreads);
    DeviceArray<float> p(std::span(update.p)), t(std::span(update.t)), lack(update.t.size());
    DeviceArray<double> sums(static_cast<std::size_t>(kParts * n_in));
    sum_columns<<<dim3(blocks, kParts), kThreads, 0, kStream>>>(request, target.get(), p.get(), sums.get());
    find_lacks<<<blocks, kThreads, 0, kStream>>>(sums.get(), n_in, update.alignment, t.get(), lack.get());
    check(cudaGetLastError(), "the sums of columns");
    auto* bytes = reinterpret_cast<std::byte*>(target.get());
    close_columns_cuda(type, bytes, bytes, request.shape, p.get(), lack.get(), column_tolerance(update.size, n_in));
  }

  void finish(DeviceArray<Target>& target) {
    seconds = clock.stop();
    target.read(std::span(reinterpret_cast<Target*>(out.data()), static_cast<std::size_t>(units())));
  }
};

}  // namespace

double promote_cuda(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                    std::span<std::byte> target, const RankOne& update) {
  const UnitUpdate unit = UnitUpdate::of(update.left, update.right, {}, update.readout);
  const Shape shape{static_cast<std::int64_t>(update.right.size()), static_cast<std::int64_t>(update.left.size())};
  const std::int64_t n = shape.n_in * shape.n_out;
  DeviceArray<std::byte> from(source);
  DeviceArray<float> values(static_cast<std::size_t>(n)), left(update.left), right(update.right);
  KernelClock clock;
  const auto decode = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    decode_weights<<<1024, kThreads, 0, kStream>>>(reinterpret_cast<const Block*>(from.get()), n, values.get());
  };
  with_block(source_type, decode) || with_float(source_type, decode);
  check(cudaGetLastError(), "the decoding");
  const Request request{shape, values.get(), left.get(), right.get()};
  double seconds = 0;
  with_target(type, [&](auto tag) {
    Passes<typename decltype(tag)::Type> passes{request, type, unit, target, clock};
    gpu::promote(passes, unit);
    seconds = passes.seconds;
  });
  return seconds;
}

}  // namespace rosi::gpu
