// Launches and indices only, as rank_one_cuda.cu; the division of work is in rank_one_gpu.h.
#include "gpu/closure_cuda.h"

#include <cuda_runtime.h>

#include "gpu/device_array.cuh"
#include "kernels/blocks.h"

namespace rosi::gpu {
namespace {

/// `open` is set where a column is to be closed.
__global__ void start_round(std::int64_t n_in, const float* lack, float tolerance, const bool* stuck, MoveKey* first,
                            MoveKey* best, unsigned* open) {
  const std::int64_t j = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (j >= n_in) return;
  first[j] = first_key(lack[j], tolerance, stuck[j]);
  best[j] = first[j];
  if (first[j] != 0) *open = 1u;
}

/// A warp a block; grid (runs, parts of the places).
template <class Block>
__global__ void __launch_bounds__(kRun)
    search_moves(const Block* source, const Block* target, Shape shape, int round, Places all, const float* p,
                 const float* lack, const MoveKey* first, MoveKey* best) {
  const int lane = static_cast<int>(threadIdx.x);
  const std::int64_t run = blockIdx.x;
  const std::int64_t column = run * kRun + lane;
  const MoveKey start = first[column];
  if (!__any_sync(kAllLanes, start != 0)) return;
  MoveKey key = start;
  const Places places = part_places(all, blockIdx.y);
  for (std::int64_t place = places.begin; place < places.end; ++place) {
    const std::int64_t row = closure_row(column, round, place, shape.n_out);
    if (p[row] == 0.0f) continue;
    const Place at = gpu::place<Block>(shape, row, run);
    key = search_row(source[at.block], target[at.block], at.run, lane, p[row], place, lack[column], key);
  }
  if (key < start) atomicMin(best + column, key);
}

/// A thread for each tile. `open` is set where a column waits for further rows.
template <class Block>
__global__ void apply_moves(const Block* source, Block* target, Shape shape, int round, const float* p, float tolerance,
                            bool is_last, float* lack, MoveKey* first, const MoveKey* best, bool* stuck,
                            unsigned* open) {
  const std::int64_t tile = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (tile >= tiles(shape)) return;
  const std::int64_t begin = tile * kTileColumns;
  const std::int64_t end = begin + kTileColumns < shape.n_in ? begin + kTileColumns : shape.n_in;
  for (std::int64_t j = begin; j < end; ++j) {
    apply_key(source, target, shape, round, j, p, tolerance, is_last, best[j], first[j], lack[j], stuck[j]);
    if (first[j] != 0) *open = 1u;
  }
}

bool is_set(DeviceArray<unsigned>& flag) {
  unsigned value = 0;
  flag.read(std::span(&value, 1));
  return value != 0;
}

template <class Block>
void close(const Block* source, Block* target, const Shape& shape, const float* p, float* lack, float tolerance) {
  const auto columns = static_cast<std::size_t>(shape.n_in);
  DeviceArray<MoveKey> first(columns), best(columns);
  DeviceArray<bool> stuck(columns);
  DeviceArray<unsigned> open(1);
  stuck.clear();
  const dim3 grid(static_cast<unsigned>(runs(shape)), static_cast<unsigned>(kSearchParts));
  for (int round = 0; round < kClosureRounds; ++round) {
    open.clear();
    start_round<<<blocks_for(shape.n_in, 256), 256, 0, kStream>>>(shape.n_in, lack, tolerance, stuck.get(), first.get(),
                                                                  best.get(), open.get());
    if (!is_set(open)) break;
    for (std::int64_t begin = 0; begin < round_rows(shape.n_out); begin += kClosureRows) {
      const Places places = search_places(shape, begin);
      open.clear();
      search_moves<<<grid, kRun, 0, kStream>>>(source, target, shape, round, places, p, lack, first.get(), best.get());
      apply_moves<<<blocks_for(tiles(shape), 32), 32, 0, kStream>>>(source, target, shape, round, p, tolerance,
                                                                    places.end == round_rows(shape.n_out), lack,
                                                                    first.get(), best.get(), stuck.get(), open.get());
      check(cudaGetLastError(), "the closure");
      if (!is_set(open)) break;
    }
  }
}

}  // namespace

void close_columns_cuda(std::uint32_t type, const std::byte* source, std::byte* target, const Shape& shape,
                        const float* p, float* lack, float tolerance) {
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    close(reinterpret_cast<const Block*>(source), reinterpret_cast<Block*>(target), shape, p, lack, tolerance);
  });
}

void require_code() {
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, start_round), "the kernels for this device");
}

}  // namespace rosi::gpu
