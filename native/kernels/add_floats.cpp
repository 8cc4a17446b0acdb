#include "kernels/add_floats.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/clones.h"
#include "kernels/blocks.h"
#include "kernels/flip_weight.h"
#include "kernels/halves.h"
#include "kernels/sweep_cpu.h"

namespace rosi::kernels {
namespace {

void add(const WeightF16* source, WeightF16* target, std::int64_t n, float left, const float* right) {
  add_to_halves(source, target, n, left, right);
}
template <class Weight>
ROSI_WIDE_CLONES void add(const Weight* __restrict source, Weight* __restrict target, std::int64_t n, float left,
                          const float* __restrict right) {
  using Bits = typename Weight::Bits;
  for (std::int64_t j = 0; j < n; ++j)
    store_bits(target[j].bytes, sum_bits<Weight>(load_bits<Bits>(source[j].bytes), left, right[j]));
}

/// Up to 32 weights of a row; returns the carry after them.
template <class Weight>
ROSI_WIDE_CLONES float flip_run(const Weight* __restrict source, Weight* __restrict target, int n, RowWeights row,
                                float row_penalty, const float* __restrict t, const float* __restrict mu,
                                float* __restrict lack, float carry) {
  float weighted[kRun] = {};
  for (int k = 0; k < n; ++k) {
    const float error = flip_weight(source[k], target[k], row, row_penalty, t[k], mu[k], lack[k], carry);
    lack[k] = lack[k] + row.p * error;
    weighted[k] = mu[k] * error;
  }
  return carry + tree_sum(weighted);
}

template <class Weight>
void flip_all(const Weight* source, Weight* target, const UnitUpdate& update, const core::ThreadPool& threads,
              const core::Progress& progress) {
  std::vector<float> lack(update.t.size(), 0.0f);
  const Penalties pull = penalties(update.n_in(), update.n_out());
  const float largest_mu = largest_magnitude(update.mu);
  sweep(update, threads, progress, [&](const RowTile& tile, float carry) {
    const std::int64_t first = tile.row * update.n_in() + tile.first_column;
    const float s = update.s[tile.row];
    if (s == 0.0f) {
      std::memcpy(static_cast<void*>(target + first), source + first,
                  static_cast<std::size_t>(tile.columns) * sizeof(Weight));
      return carry;
    }
    if (tile.first_column == 0) carry = row_phase(tile.row, largest_mu, last_place(source[first]));
    const RowWeights row = RowWeights::of(s, update.p[tile.row], pull);
    for (std::int64_t k = 0; k < tile.columns; k += kRun) {
      const std::int64_t j = tile.first_column + k;
      carry = flip_run(source + first + k, target + first + k,
                       static_cast<int>(std::min<std::int64_t>(kRun, tile.columns - k)), row, pull.row,
                       update.t.data() + j, update.mu.data() + j, lack.data() + j, carry);
    }
    return carry;
  });
}

}  // namespace

void add_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                const RankOne& update, std::int64_t i, std::int64_t j, std::int64_t n) {
  const std::int64_t first = i * static_cast<std::int64_t>(update.right.size()) + j;
  with_float(type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    add(reinterpret_cast<const Weight*>(source.data()) + first, reinterpret_cast<Weight*>(target.data()) + first, n,
        update.left[i], update.right.data() + j);
  });
}

void flip_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                 const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress) {
  with_float(type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    flip_all(reinterpret_cast<const Weight*>(source.data()), reinterpret_cast<Weight*>(target.data()), update, threads,
             progress);
  });
}

}  // namespace rosi::kernels
