// For tests: the sweep of sweep.cuh carried out on the CPU, warp after warp in the order of the device's tickets.
#pragma once

#include <span>
#include <stdexcept>
#include <vector>

#include "gpu/rank_one_gpu.h"
#include "kernels/unit_update.h"

namespace rosi::gpu {

/// `first_flip(row)` is that of row_phase(). `flip(row, weights, pull, run, carry, errors)` flips a run, before its
/// lacks change, and sets the errors of those of its 32 lanes that have a column.
template <class FirstFlip, class FlipRun>
void sweep_emulated(const UnitUpdate& update, std::span<float> lack, const FirstFlip& first_flip, const FlipRun& flip) {
  const Shape shape{update.n_in(), update.n_out()};
  const Penalties pull = penalties(shape.n_in, shape.n_out);
  std::vector<HandWord> hands(static_cast<std::size_t>(tiles(shape) * shape.n_out), 0);
  const auto hand = [&](std::int64_t tile, std::int64_t row) -> HandWord& {
    return hands[static_cast<std::size_t>(hand_index(shape, tile, row))];
  };
  const auto receive = [&](std::int64_t tile, std::int64_t row) {
    if (!is_handed(hand(tile, row))) throw std::logic_error("a GPU would wait here for ever");
    return handed_carry(hand(tile, row));
  };
  float largest_mu = 0;
  for (const float mu : update.mu) largest_mu = larger(largest_mu, magnitude(mu));
  for (std::int64_t tile = 0; tile < tiles(shape); ++tile) {
    for (std::int64_t row = 0; row < shape.n_out; ++row) {
      const float s = update.s[row];
      if (s == 0.0f) continue;
      const RowWeights weights = RowWeights::of(s, update.p[row], pull);
      float carry = tile == 0 ? row_phase(row, largest_mu, first_flip(row)) : receive(tile - 1, row);
      for (int r = 0; r < runs_in_tile(shape, tile); ++r) {
        const std::int64_t run = tile * kTileRuns + r;
        float errors[kRun] = {}, sums[kRun] = {};
        flip(row, weights, pull, run, carry, errors);
        for (int lane = 0; lane < kRun && run * kRun + lane < shape.n_in; ++lane) {
          const std::int64_t j = run * kRun + lane;
          lack[j] = lack[j] + weights.p * errors[lane];
          sums[lane] = update.mu[j] * errors[lane];
        }
        for (int width = kRun / 2; width > 0; width /= 2) {  // __shfl_xor_sync: all lanes read before one writes
          float partners[kRun];
          for (int lane = 0; lane < kRun; ++lane) partners[lane] = sums[lane ^ width];
          for (int lane = 0; lane < kRun; ++lane) sums[lane] = sums[lane] + partners[lane];
        }
        carry = carry + sums[0];
      }
      hand(tile, row) = hand_word(carry);
    }
  }
}

}  // namespace rosi::gpu
