// Launches and indices only: the arithmetic is in sigma_delta.h and block_*.h, the division of work in rank_one_gpu.h.
// Compile with --fmad=false, or results differ from the CPU's.
#include <cuda_runtime.h>

#include "gpu/closure_cuda.h"
#include "gpu/device_array.cuh"
#include "gpu/rank_one_cuda.h"
#include "gpu/rank_one_gpu.h"
#include "gpu/sweep.cuh"
#include "kernels/blocks.h"

namespace rosi::gpu {
namespace {

/// A warp a block: 32 threads. Launched with one block for each tile.
template <class Block>
__global__ void __launch_bounds__(kRun, 1)
    sweep_tiles(const Block* __restrict__ source, Block* __restrict__ target, Sweep sweep) {
  __shared__ std::int8_t codes[kRun];
  const int lane = static_cast<int>(threadIdx.x);
  const auto first = [&](std::int64_t row) { return first_flip(source[gpu::place<Block>(sweep.shape, row, 0).block]); };
  sweep_tile(
      sweep, first,
      [&](std::int64_t row, const RowWeights& weights, std::int64_t run, float t, float mu, float lack, float carry) {
        const Place at = gpu::place<Block>(sweep.shape, row, run);
        const Block& block = source[at.block];
        const float step = block.grid(at.run, lane / Block::kStepWeights).step;
        const int code = block.code(at.run, lane);
        const float row_pull = sweep.pull.row * sweep.repay[run * kRun + lane] * mu;
        const Flip flip = choose_flip(codes_of<Block>(), weights, row_pull, t, mu, lack, carry,
                                      static_cast<float>(code), step, inverse_step(step));
        if (__any_sync(kAllLanes, flip.codes != 0.0f)) {
          codes[lane] = static_cast<std::int8_t>(code + static_cast<int>(flip.codes));
          __syncwarp();
          target[at.block].pack_lane(at.run, lane, codes);
          __syncwarp();
        }
        return flip.error;
      });
}

template <class Block>
double flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      const UnitUpdate& update) {
  const Shape shape{update.n_in(), update.n_out()};
  DeviceArray<std::byte> from(source), to(source.size());
  DeviceArray<float> p(std::span(update.p)), lack(update.t.size());
  KernelClock clock;
  to.copy(from);
  run_sweep(update, p, lack, [&](const Sweep& sweep, unsigned tiles) {
    sweep_tiles<<<tiles, kRun, 0, kStream>>>(reinterpret_cast<const Block*>(from.get()),
                                             reinterpret_cast<Block*>(to.get()), sweep);
  });
  close_columns_cuda(type, from.get(), to.get(), shape, p.get(), lack.get(), column_tolerance(update.size, shape.n_in));
  const double seconds = clock.stop();
  to.read(target);
  return seconds;
}

/// One thread a weight, grid-stride.
template <class Weight>
__global__ void add_weights(Weight* weights, Shape shape, const float* left, const float* right) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t n = shape.n_in * shape.n_out;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    add_to_weight(weights, shape, left, right, k);
  }
}

/// One thread a column.
template <class Block>
__global__ void mean_columns(const Block* blocks, Shape shape, float* out) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j < shape.n_in) out[j] = mean_of_column(blocks, shape, j);
}

}  // namespace

double flip_and_close_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                           const UnitUpdate& update) {
  double seconds = 0;
  with_block(type,
             [&](auto tag) { seconds = flip_and_close<typename decltype(tag)::Type>(type, source, target, update); });
  return seconds;
}

double add_floats_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                       const RankOne& update) {
  const Shape shape{static_cast<std::int64_t>(update.right.size()), static_cast<std::int64_t>(update.left.size())};
  DeviceArray<std::byte> weights(source);
  DeviceArray<float> left(update.left), right(update.right);
  KernelClock clock;
  with_float(type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    add_weights<<<1024, 256, 0, kStream>>>(reinterpret_cast<Weight*>(weights.get()), shape, left.get(), right.get());
  });
  check(cudaGetLastError(), "the addition");
  const double seconds = clock.stop();
  weights.read(target);
  return seconds;
}

double column_mean_cuda(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                        std::span<float> out) {
  DeviceArray<std::byte> bytes(tensor);
  DeviceArray<float> mean(static_cast<std::size_t>(n_in));
  KernelClock clock;
  const auto launch = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    mean_columns<<<blocks_for(n_in, 128), 128, 0, kStream>>>(reinterpret_cast<const Block*>(bytes.get()),
                                                             Shape{n_in, n_out}, mean.get());
  };
  with_block(type, launch) || with_float(type, launch);
  check(cudaGetLastError(), "the mean row");
  const double seconds = clock.stop();
  mean.read(out);
  return seconds;
}

}  // namespace rosi::gpu
