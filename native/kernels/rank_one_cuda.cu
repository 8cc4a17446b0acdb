// Launches and indices only: the arithmetic is in sigma_delta.h and block_*.h, the division of work in rank_one_gpu.h.
// Compile with --fmad=false, or results differ from the CPU's.
#include <cuda_runtime.h>

#include "kernels/blocks.h"
#include "kernels/closure_cuda.h"
#include "kernels/device_array.cuh"
#include "kernels/rank_one_cuda.h"
#include "kernels/rank_one_gpu.h"
#include "kernels/sweep.cuh"

namespace rosi::kernels {
namespace {

/// A warp a block: 32 threads. Launched with one block for each tile.
template <class Block>
__global__ void __launch_bounds__(kRun) sweep_tiles(const Block* source, Block* target, Sweep sweep) {
  __shared__ std::int8_t codes[kRun];
  const int lane = static_cast<int>(threadIdx.x);
  const auto first = [&](std::int64_t row) { return first_flip(source[gpu::place<Block>(sweep.shape, row, 0).block]); };
  sweep_tile(
      sweep, first,
      [&](std::int64_t row, const RowWeights& weights, std::int64_t run, float t, float mu, float lack, float carry) {
        const gpu::Place at = gpu::place<Block>(sweep.shape, row, run);
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
void flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                    const UnitUpdate& update) {
  const gpu::Shape shape{update.n_in(), update.n_out()};
  DeviceArray<std::byte> from(source), to(source);
  DeviceArray<float> p(std::span(update.p)), lack(update.t.size());
  run_sweep(update, p, lack, [&](const Sweep& sweep, unsigned tiles) {
    sweep_tiles<<<tiles, kRun>>>(reinterpret_cast<const Block*>(from.get()), reinterpret_cast<Block*>(to.get()), sweep);
  });
  close_columns_cuda(type, from.get(), to.get(), shape, p.get(), lack.get(), column_tolerance(update.size, shape.n_in));
  to.read(target);
}

/// One thread a weight, grid-stride.
template <class Weight>
__global__ void add_weights(Weight* weights, gpu::Shape shape, const float* left, const float* right) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t n = shape.n_in * shape.n_out;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    using Bits = typename Weight::Bits;
    const Bits sum = sum_bits<Weight>(load_bits<Bits>(weights[k].bytes), left[k / shape.n_in], right[k % shape.n_in]);
    store_bits(weights[k].bytes, sum);
  }
}

/// One thread a column; rows in order, so that the float64 sum is the CPU's.
template <class Block>
__global__ void mean_blocks(const Block* blocks, gpu::Shape shape, float* out) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= shape.n_in) return;
  double sum = 0;
  for (std::int64_t row = 0; row < shape.n_out; ++row) {
    const gpu::Place at = gpu::place<Block>(shape, row, j / kRun);
    sum += double{value(blocks[at.block], at.run * kRun + static_cast<int>(j % kRun))};
  }
  out[j] = static_cast<float>(sum / double(shape.n_out));
}

template <class Weight>
__global__ void mean_weights(const Weight* weights, gpu::Shape shape, float* out) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= shape.n_in) return;
  double sum = 0;
  for (std::int64_t row = 0; row < shape.n_out; ++row) sum += double{weights[row * shape.n_in + j].load()};
  out[j] = static_cast<float>(sum / double(shape.n_out));
}

}  // namespace

bool has_cuda() noexcept {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

void flip_and_close_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                         const UnitUpdate& update) {
  with_block(type, [&](auto tag) { flip_and_close<typename decltype(tag)::Type>(type, source, target, update); });
}

void add_floats_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const RankOne& update) {
  const gpu::Shape shape{static_cast<std::int64_t>(update.right.size()), static_cast<std::int64_t>(update.left.size())};
  DeviceArray<std::byte> weights(source);
  DeviceArray<float> left(update.left), right(update.right);
  with_float(type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    add_weights<<<1024, 256>>>(reinterpret_cast<Weight*>(weights.get()), shape, left.get(), right.get());
  });
  check(cudaGetLastError(), "the addition");
  weights.read(target);
}

void column_mean_cuda(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                      std::span<float> out) {
  const gpu::Shape shape{n_in, n_out};
  DeviceArray<std::byte> bytes(tensor);
  DeviceArray<float> mean(static_cast<std::size_t>(n_in));
  const unsigned grid = blocks_for(n_in, 128);
  const auto quantised = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    mean_blocks<<<grid, 128>>>(reinterpret_cast<const Block*>(bytes.get()), shape, mean.get());
  };
  const auto floating = [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    mean_weights<<<grid, 128>>>(reinterpret_cast<const Weight*>(bytes.get()), shape, mean.get());
  };
  with_block(type, quantised) || with_float(type, floating);
  check(cudaGetLastError(), "the mean row");
  mean.read(out);
}

}  // namespace rosi::kernels
