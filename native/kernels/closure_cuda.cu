// Launches and indices only, as rank_one_cuda.cu; the division of work is in rank_one_gpu.h.
#include "kernels/closure_cuda.h"

#include <cuda_runtime.h>

#include "kernels/blocks.h"
#include "kernels/device_array.cuh"

namespace rosi::kernels {
namespace {

__global__ void start_search(std::int64_t n_in, const float* lack, float tolerance, const bool* stuck,
                             gpu::MoveKey* first, gpu::MoveKey* best) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= n_in) return;
  first[j] = gpu::first_key(lack[j], tolerance, stuck[j]);
  best[j] = first[j];
}

/// A warp a block; grid (runs, search parts).
template <class Block>
__global__ void __launch_bounds__(kRun)
    search_moves(const Block* source, const Block* target, gpu::Shape shape, const float* p, const float* lack,
                 const gpu::MoveKey* first, gpu::MoveKey* best) {
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t run = blockIdx.x;
  const std::int64_t column = run * kRun + lane;
  const gpu::MoveKey start = first[column];
  if (!__any_sync(kAllLanes, start != 0)) return;
  const std::int64_t begin = std::int64_t{blockIdx.y} * gpu::kSearchRows;
  const std::int64_t end = begin + gpu::kSearchRows < shape.n_out ? begin + gpu::kSearchRows : shape.n_out;
  gpu::MoveKey key = start;
  for (std::int64_t row = begin; row < end; ++row) {
    if (p[row] == 0.0f) continue;
    const gpu::Place at = gpu::place<Block>(shape, row, run);
    key = gpu::search_row(source[at.block], target[at.block], at.run, lane, p[row], row, lack[column], key);
  }
  if (key < start) atomicMin(best + column, key);
}

/// A thread for each tile.
template <class Block>
__global__ void apply_moves(const Block* source, Block* target, gpu::Shape shape, const float* p, float* lack,
                            const gpu::MoveKey* first, const gpu::MoveKey* best, bool* stuck, unsigned* moved) {
  const std::int64_t tile = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (tile >= gpu::tiles(shape)) return;
  const std::int64_t begin = tile * gpu::kTileColumns;
  const std::int64_t end = begin + gpu::kTileColumns < shape.n_in ? begin + gpu::kTileColumns : shape.n_in;
  for (std::int64_t j = begin; j < end; ++j) {
    if (gpu::apply_key(source, target, shape, j, p, first[j], best[j], lack[j], stuck[j])) *moved = 1u;
  }
}

template <class Block>
void close(const Block* source, Block* target, const gpu::Shape& shape, const float* p, float* lack, float tolerance) {
  const auto columns = static_cast<std::size_t>(shape.n_in);
  DeviceArray<gpu::MoveKey> first(columns), best(columns);
  DeviceArray<bool> stuck(columns);
  DeviceArray<unsigned> moved(1);
  stuck.clear();
  for (int round = 0; round < kClosureRounds; ++round) {
    moved.clear();
    start_search<<<blocks_for(shape.n_in, 256), 256>>>(shape.n_in, lack, tolerance, stuck.get(), first.get(),
                                                       best.get());
    const dim3 grid(static_cast<unsigned>(gpu::runs(shape)), static_cast<unsigned>(gpu::search_parts(shape)));
    search_moves<<<grid, kRun>>>(source, target, shape, p, lack, first.get(), best.get());
    apply_moves<<<blocks_for(gpu::tiles(shape), 32), 32>>>(source, target, shape, p, lack, first.get(), best.get(),
                                                           stuck.get(), moved.get());
    check(cudaGetLastError(), "the closure");
    unsigned any = 0;
    moved.read(std::span(&any, 1));
    if (any == 0) break;
  }
}

}  // namespace

void close_columns_cuda(std::uint32_t type, const std::byte* source, std::byte* target, const gpu::Shape& shape,
                        const float* p, float* lack, float tolerance) {
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    close(reinterpret_cast<const Block*>(source), reinterpret_cast<Block*>(target), shape, p, lack, tolerance);
  });
}

}  // namespace rosi::kernels
