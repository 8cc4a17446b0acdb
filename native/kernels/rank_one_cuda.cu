// Launches and indices only: the arithmetic is in sigma_delta.h and block_*.h, the division of work in rank_one_gpu.h.
// Compile with --fmad=false, or results differ from the CPU's.
#include <cuda_runtime.h>

#include <cmath>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/device_array.cuh"
#include "kernels/rank_one_cuda.h"
#include "kernels/rank_one_gpu.h"

namespace rosi::kernels {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;

struct Rows {
  const float* s;
  const float* p;
};

struct Columns {
  const float* t;
  const float* mu;
  const float* repay;
  float* lack;
};

__device__ float receive_carry(const gpu::HandWord* from) {
  gpu::HandWord word = 0;
  if (threadIdx.x == 0) {
    const volatile gpu::HandWord* watched = from;
    while (!gpu::is_handed(word = *watched)) __nanosleep(20);
  }
  return gpu::handed_carry(__shfl_sync(kAllLanes, word, 0));
}

/// A warp a block: 32 threads. Launched with one block for each tile.
template <class Block>
__global__ void __launch_bounds__(kRun)
    sweep_tiles(const Block* source, Block* target, gpu::Shape shape, Rows rows, Columns columns, float largest_mu,
                Penalties pull, gpu::HandWord* hands, unsigned* next_tile) {
  __shared__ std::int8_t codes[kRun];
  const int lane = static_cast<int>(threadIdx.x);
  unsigned tile = lane == 0 ? atomicAdd(next_tile, 1u) : 0u;
  tile = __shfl_sync(kAllLanes, tile, 0);
  const int n_runs = gpu::runs_in_tile(shape, tile);
  const std::int64_t first_run = std::int64_t{tile} * gpu::kTileRuns;

  float t[gpu::kTileRuns], mu[gpu::kTileRuns], lack[gpu::kTileRuns];
#pragma unroll
  for (int r = 0; r < gpu::kTileRuns; ++r) {
    const bool inside = r < n_runs;
    t[r] = inside ? columns.t[(first_run + r) * kRun + lane] : 0.0f;
    mu[r] = inside ? columns.mu[(first_run + r) * kRun + lane] : 0.0f;
    lack[r] = 0.0f;
  }
  const float* repay = columns.repay + first_run * kRun + lane;  // read each time: registers are short
  for (std::int64_t row = 0; row < shape.n_out; ++row) {
    const float row_s = rows.s[row];
    if (row_s == 0.0f) continue;
    const RowWeights weights = RowWeights::of(row_s, rows.p[row], pull);
    float carry = tile == 0 ? row_phase(row, largest_mu, first_flip(source[gpu::place<Block>(shape, row, 0).block]))
                            : receive_carry(hands + gpu::hand_index(shape, tile - 1, row));
#pragma unroll
    for (int r = 0; r < gpu::kTileRuns; ++r) {
      if (r >= n_runs) break;
      const gpu::Place at = gpu::place<Block>(shape, row, first_run + r);
      const Block& block = source[at.block];
      const float step = block.grid(at.run, lane / Block::kStepWeights).step;
      const int code = block.code(at.run, lane);
      const Flip flip = choose_flip(codes_of<Block>(), weights, pull.row * repay[r * kRun], t[r], mu[r], lack[r], carry,
                                    static_cast<float>(code), step, inverse_step(step));
      lack[r] = lack[r] + weights.p * flip.error;
      float sum = mu[r] * flip.error;
      // tree_sum(): each lane adds its partner's number, and addition commutes.
      for (int width = kRun / 2; width > 0; width /= 2) sum = sum + __shfl_xor_sync(kAllLanes, sum, width);
      carry = carry + sum;
      if (__any_sync(kAllLanes, flip.codes != 0.0f)) {
        codes[lane] = static_cast<std::int8_t>(code + static_cast<int>(flip.codes));
        __syncwarp();
        target[at.block].pack_lane(at.run, lane, codes);
        __syncwarp();
      }
    }
    if (lane == 0) {
      *static_cast<volatile gpu::HandWord*>(hands + gpu::hand_index(shape, tile, row)) = gpu::hand_word(carry);
    }
  }
#pragma unroll
  for (int r = 0; r < gpu::kTileRuns; ++r) {
    if (r < n_runs) columns.lack[(first_run + r) * kRun + lane] = lack[r];
  }
}

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

unsigned blocks_for(std::int64_t threads, int block) { return static_cast<unsigned>((threads + block - 1) / block); }

template <class Block>
void flip_and_close(std::span<const std::byte> source, std::span<std::byte> target, const UnitUpdate& update) {
  const gpu::Shape shape{update.n_in(), update.n_out()};
  const auto columns = static_cast<std::size_t>(shape.n_in);
  const auto tiles = static_cast<std::size_t>(gpu::tiles(shape));
  DeviceArray<std::byte> from(source), to(source);
  DeviceArray<float> s(std::span(update.s)), p(std::span(update.p)), t(std::span(update.t)), mu(std::span(update.mu)),
      repay(std::span(update.repay)), lack(columns);
  const auto* blocks = reinterpret_cast<const Block*>(from.get());
  auto* new_blocks = reinterpret_cast<Block*>(to.get());
  float largest_mu = 0;
  for (const float value : update.mu) largest_mu = larger(largest_mu, magnitude(value));
  {
    DeviceArray<gpu::HandWord> hands(tiles * static_cast<std::size_t>(shape.n_out));
    DeviceArray<unsigned> next_tile(1);
    hands.clear();
    next_tile.clear();
    sweep_tiles<<<static_cast<unsigned>(tiles), kRun>>>(
        blocks, new_blocks, shape, Rows{s.get(), p.get()}, Columns{t.get(), mu.get(), repay.get(), lack.get()},
        largest_mu, penalties(shape.n_in, shape.n_out), hands.get(), next_tile.get());
    check(cudaDeviceSynchronize(), "the sweep");
  }
  DeviceArray<gpu::MoveKey> first(columns), best(columns);
  DeviceArray<bool> stuck(columns);
  DeviceArray<unsigned> moved(1);
  stuck.clear();
  const float tolerance = column_tolerance(update.size, shape.n_in);
  for (int round = 0; round < kClosureRounds; ++round) {
    moved.clear();
    start_search<<<blocks_for(shape.n_in, 256), 256>>>(shape.n_in, lack.get(), tolerance, stuck.get(), first.get(),
                                                       best.get());
    const dim3 grid(static_cast<unsigned>(gpu::runs(shape)), static_cast<unsigned>(gpu::search_parts(shape)));
    search_moves<<<grid, kRun>>>(blocks, new_blocks, shape, p.get(), lack.get(), first.get(), best.get());
    apply_moves<<<blocks_for(gpu::tiles(shape), 32), 32>>>(blocks, new_blocks, shape, p.get(), lack.get(), first.get(),
                                                           best.get(), stuck.get(), moved.get());
    check(cudaGetLastError(), "the closure");
    unsigned any = 0;
    moved.read(std::span(&any, 1));
    if (any == 0) break;
  }
  to.read(target);
}

/// One thread a weight, grid-stride.
template <class Weight>
__global__ void add_weights(Weight* weights, gpu::Shape shape, const float* left, const float* right) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t n = shape.n_in * shape.n_out;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    add_to_weight(weights[k], left[k / shape.n_in], right[k % shape.n_in]);
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
  with_block(type, [&](auto tag) { flip_and_close<typename decltype(tag)::Type>(source, target, update); });
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
