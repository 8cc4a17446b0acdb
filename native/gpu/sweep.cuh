// The sweep of rank_one_gpu.h, whatever its codes are: what a warp reads, carries and hands on.
#pragma once

#include <span>

#include "gpu/device_array.cuh"
#include "gpu/rank_one_gpu.h"
#include "kernels/unit_update.h"

namespace rosi::gpu {

/// What a sweep is of; its pointers are to device memory.
struct Sweep {
  Shape shape;
  Penalties pull;
  float largest_mu;
  const float *s, *p, *t, *mu, *repay;
  float* lack;  // [n_in] written
  HandWord* hands;
  unsigned* next_tile;
};

inline __device__ float receive_carry(const HandWord* from) {
  HandWord word = 0;
  if (threadIdx.x == 0) {
    const volatile HandWord* watched = from;
    while (!is_handed(word = *watched)) __nanosleep(20);
  }
  return handed_carry(__shfl_sync(kAllLanes, word, 0));
}

/// A warp's tile. `first_flip(row)` is that of row_phase(). `flip(row, weights, run, t, mu, lack, carry)` flips the
/// lane's weight of a run and returns its error; all lanes of the warp call it, also those past the last column.
template <class FirstFlip, class FlipLane>
__device__ ROSI_INLINE void sweep_tile(const Sweep& sweep, const FirstFlip& first_flip, const FlipLane& flip) {
  const int lane = static_cast<int>(threadIdx.x);
  unsigned tile = lane == 0 ? atomicAdd(sweep.next_tile, 1u) : 0u;
  tile = __shfl_sync(kAllLanes, tile, 0);
  const int n_runs = runs_in_tile(sweep.shape, tile);
  const std::int64_t first_run = std::int64_t{tile} * kTileRuns;
  const std::int64_t first_column = first_run * kRun + lane;

  float t[kTileRuns], mu[kTileRuns], lack[kTileRuns];
#pragma unroll
  for (int r = 0; r < kTileRuns; ++r) {
    const bool inside = first_column + r * kRun < sweep.shape.n_in;
    t[r] = inside ? sweep.t[first_column + r * kRun] : 0.0f;
    mu[r] = inside ? sweep.mu[first_column + r * kRun] : 0.0f;
    lack[r] = 0.0f;
  }
  for (std::int64_t row = 0; row < sweep.shape.n_out; ++row) {
    const float row_s = sweep.s[row];
    if (row_s == 0.0f) continue;
    const RowWeights weights = RowWeights::of(row_s, sweep.p[row], sweep.pull);
    float carry = tile == 0 ? row_phase(row, sweep.largest_mu, first_flip(row))
                            : receive_carry(sweep.hands + hand_index(sweep.shape, tile - 1, row));
#pragma unroll
    for (int r = 0; r < kTileRuns; ++r) {
      if (r >= n_runs) break;
      const float error = flip(row, weights, first_run + r, t[r], mu[r], lack[r], carry);
      lack[r] = lack[r] + weights.p * error;
      float sum = mu[r] * error;
      // tree_sum(): each lane adds its partner's number, and addition commutes.
      for (int width = kRun / 2; width > 0; width /= 2) sum = sum + __shfl_xor_sync(kAllLanes, sum, width);
      carry = carry + sum;
    }
    if (lane == 0) {
      *static_cast<volatile HandWord*>(sweep.hands + hand_index(sweep.shape, tile, row)) = hand_word(carry);
    }
  }
#pragma unroll
  for (int r = 0; r < kTileRuns; ++r) {
    if (first_column + r * kRun < sweep.shape.n_in) sweep.lack[first_column + r * kRun] = lack[r];
  }
}

/// Calls `launch(sweep, n_tiles)`, which launches a warp for each tile.
template <class Launch>
void run_sweep(const UnitUpdate& update, const DeviceArray<float>& p, DeviceArray<float>& lack, const Launch& launch) {
  const Shape shape{update.n_in(), update.n_out()};
  const std::int64_t n_tiles = gpu::tiles(shape);
  DeviceArray<float> s(std::span(update.s)), t(std::span(update.t)), mu(std::span(update.mu)),
      repay(std::span(update.repay));
  DeviceArray<HandWord> hands(static_cast<std::size_t>(n_tiles * shape.n_out));
  DeviceArray<unsigned> next_tile(1);
  hands.clear();
  next_tile.clear();
  float largest_mu = 0;
  for (const float value : update.mu) largest_mu = larger(largest_mu, magnitude(value));
  launch(Sweep{shape, penalties(shape.n_in, shape.n_out), largest_mu, s.get(), p.get(), t.get(), mu.get(), repay.get(),
               lack.get(), hands.get(), next_tile.get()},
         static_cast<unsigned>(n_tiles));
  check(cudaGetLastError(), "the sweep");
}

}  // namespace rosi::gpu
