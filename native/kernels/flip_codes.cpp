#include <algorithm>
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/clones.h"
#include "kernels/run_cpu.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/sweep_cpu.h"

namespace rosi::kernels {
namespace {

/// One row of a tile; returns the carry for the tile to the right.
template <class Block>
ROSI_CLONES float flip_row(const Block* source, Block* target, std::int64_t n_blocks, RowWeights row, float row_penalty,
                           const float* __restrict t, const float* __restrict mu, float* __restrict lack, float carry) {
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int run = 0; run < Block::kWeights / kRun; ++run) {
      float step[kRun], inverse[kRun], weighted[kRun];
      int codes[kRun], flips[kRun];
      load_steps(source[b], run, step, inverse);
      load_codes(source[b], run, codes);
      int any = 0;
      for (int k = 0; k < kRun; ++k) {
        const Flip flip = choose_flip<Block>(row, row_penalty, t[k], mu[k], lack[k], carry,
                                             static_cast<float>(codes[k]), step[k], inverse[k]);
        lack[k] = lack[k] + row.s * flip.error;
        weighted[k] = mu[k] * flip.error;
        flips[k] = static_cast<int>(flip.codes);
        any |= flips[k];
      }
      carry = carry + tree_sum(weighted);
      if (any != 0) {
        for (int k = 0; k < kRun; ++k) codes[k] += flips[k];
        for (int k = 0; k < kRun; ++k) target[b].pack_lane(run, k, codes);
      }
      t += kRun;
      mu += kRun;
      lack += kRun;
    }
  }
  return carry;
}

template <class Block>
void flip_all(const Block* source, Block* target, const UnitUpdate& update, float* lack,
              const core::ThreadPool& threads, const core::Progress& progress) {
  const std::int64_t row_blocks = update.n_in() / Block::kWeights;
  const Penalties pull = penalties(update.n_in(), update.n_out());
  const float largest_mu = largest_magnitude(update.mu);
  sweep(update, threads, progress, [&](const RowTile& tile, float carry) {
    const std::int64_t n_blocks = tile.columns / Block::kWeights;
    const std::int64_t first = tile.row * row_blocks + tile.first_column / Block::kWeights;
    std::memcpy(static_cast<void*>(target + first), source + first, static_cast<std::size_t>(n_blocks) * sizeof(Block));
    const float s = update.s[tile.row];
    if (s == 0.0f) return carry;
    if (tile.first_column == 0) carry = row_phase(tile.row, largest_mu, source[first].grid(0, 0).step);
    return flip_row(source + first, target + first, n_blocks, RowWeights::of(s, pull), pull.row,
                    update.t.data() + tile.first_column, update.mu.data() + tile.first_column, lack + tile.first_column,
                    carry);
  });
}

}  // namespace

void flip_codes(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                const core::Progress& progress) {
  std::fill(lack.begin(), lack.end(), 0.0f);
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    flip_all(reinterpret_cast<const Block*>(source.data()), reinterpret_cast<Block*>(target.data()), update,
             lack.data(), threads, progress);
  });
}

}  // namespace rosi::kernels
