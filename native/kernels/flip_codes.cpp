#include <algorithm>
#include <cstring>
#include <vector>

#include "core/clones.h"
#include "kernels/blocks.h"
#include "kernels/row_codes.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/sweep_cpu.h"
#include "kernels/types.h"

namespace rosi::kernels {
namespace {

/// Flips the codes of n_runs runs of a row and marks the runs where any did; returns the carry after them.
template <class Codes>
ROSI_CLONES float flip_runs(Codes kind, const RowWeights& row, const float* steps, int n_runs,
                            const float* __restrict t, const float* __restrict mu, const float* __restrict row_pull,
                            float* __restrict lack, float carry, std::int8_t* __restrict codes, bool* flipped) {
  for (int run = 0; run < n_runs; ++run) {
    float step[kRun], inverse[kRun], code[kRun], weighted[kRun];
    int flips[kRun];
    spread_steps(steps + run * kRunGrids, step, inverse);
    for (int k = 0; k < kRun; ++k) code[k] = static_cast<float>(codes[k]);
    int any = 0;
    for (int k = 0; k < kRun; ++k) {
      const Flip flip = choose_flip(kind, row, row_pull[k], t[k], mu[k], lack[k], carry, code[k], step[k], inverse[k]);
      lack[k] = lack[k] + row.p * flip.error;
      weighted[k] = mu[k] * flip.error;
      flips[k] = static_cast<int>(flip.codes);
      any |= flips[k];
    }
    carry = carry + tree_sum(weighted);
    flipped[run] = any != 0;
    for (int k = 0; k < kRun; ++k) codes[k] = static_cast<std::int8_t>(codes[k] + flips[k]);
    t += kRun;
    mu += kRun;
    row_pull += kRun;
    lack += kRun;
    codes += kRun;
  }
  return carry;
}

}  // namespace

void flip_codes(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                const core::Progress& progress) {
  std::fill(lack.begin(), lack.end(), 0.0f);
  const float spacing = code_format(type).spacing;
  const BlockSize block = block_size(type);
  const Penalties penalty = penalties(update.n_in(), update.n_out());
  std::vector<float> row_pull(update.mu.size());
  for (std::size_t j = 0; j < row_pull.size(); ++j) row_pull[j] = penalty.row * update.repay[j] * update.mu[j];
  const float largest_mu = largest_magnitude(update.mu);
  sweep(update, threads, progress, [&](const RowTile& tile, float carry) {
    const std::int64_t begin = (tile.row * update.n_in() + tile.first_column) / block.weights * block.bytes;
    const std::byte* from = source.data() + begin;
    std::byte* to = target.data() + begin;
    std::memcpy(to, from, static_cast<std::size_t>(tile.columns / block.weights * block.bytes));
    const float s = update.s[tile.row];
    if (s == 0.0f) return carry;
    const RowWeights row = RowWeights::of(s, update.p[tile.row], penalty);
    for (std::int64_t first_run = 0; first_run < tile.columns / kRun; first_run += kStretchRuns) {
      const std::int64_t n_runs = std::min<std::int64_t>(kStretchRuns, tile.columns / kRun - first_run);
      const std::int64_t j = tile.first_column + first_run * kRun;
      std::int8_t codes[kStretch];
      float steps[kStretchRuns * kRunGrids];
      bool flipped[kStretchRuns];
      load_codes(type, from, first_run, n_runs, codes);
      load_steps(type, from, first_run, n_runs, steps);
      if (j == 0) carry = row_phase(tile.row, largest_mu, spacing * steps[0]);
      with_codes(type, [&](auto kind) {
        carry = flip_runs(kind, row, steps, static_cast<int>(n_runs), update.t.data() + j, update.mu.data() + j,
                          row_pull.data() + j, lack.data() + j, carry, codes, flipped);
      });
      for (std::int64_t run = 0; run < n_runs; ++run) {
        if (flipped[run]) store_codes(type, to, first_run + run, 1, codes + run * kRun);
      }
    }
    return carry;
  });
}

}  // namespace rosi::kernels
