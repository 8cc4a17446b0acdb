#include "kernels/add_floats.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "core/clones.h"
#include "kernels/blocks.h"
#include "kernels/flip_weight.h"
#include "kernels/halves.h"
#include "kernels/sweep_cpu.h"

namespace rosi::kernels {
namespace {

/// A row's part in an update.
struct Row {
  float left;
  float p;
};

/// Sums of RowChange in 32 lanes.
struct Lanes {
  float along[kRun] = {};
  float error_squares[kRun] = {};
  float weight_squares[kRun] = {};
  std::int32_t changed[kRun] = {};

  /// Adds weight j to lane k and to its column.
  template <bool with_errors, class Weights>
  ROSI_INLINE void add(int k, std::int64_t j, const Weights& weights, Row row, const float* right, const float* mu,
                       float* changes, float* errors) {
    const auto [before, after] = weights.at(j, row.left, right[j]);
    const float change = after - before;
    const float error = change - row.left * right[j];
    along[k] += change * mu[j];
    error_squares[k] += error * error;
    weight_squares[k] += before * before;
    changed[k] += change != 0.0f ? 1 : 0;
    changes[j] += row.p * change;
    if constexpr (with_errors) errors[j] += error * error;
  }
  ROSI_INLINE RowChange join() {
    return {double{tree_sum(along)}, double{tree_sum(error_squares)}, double{tree_sum(weight_squares)},
            std::accumulate(changed, changed + kRun, std::int64_t{0})};
  }
};

struct BeforeAfter {
  float before;
  float after;
};

/// Weights that are added to as they are summed.
template <class Weight>
struct Adding {
  const Weight* __restrict source;
  Weight* __restrict target;

  ROSI_INLINE BeforeAfter at(std::int64_t j, float left, float right) const {
    using Bits = typename Weight::Bits;
    const Bits before = load_bits<Bits>(source[j].bytes);
    const Bits after = sum_bits<Weight>(before, left, right);
    store_bits(target[j].bytes, after);
    return {Weight::decode(before), Weight::decode(after)};
  }
};

/// Weights that were added to.
struct Added {
  const float* __restrict before;
  const float* __restrict after;

  ROSI_INLINE BeforeAfter at(std::int64_t j, float /*left*/, float /*right*/) const { return {before[j], after[j]}; }
};

template <bool with_errors, class Weights>
ROSI_WIDE_CLONES RowChange sum(Weights weights, std::int64_t n, Row row, const float* __restrict right,
                               const float* __restrict mu, float* __restrict changes, float* __restrict errors) {
  Lanes lanes;
  std::int64_t begin = 0;
  for (; begin + kRun <= n; begin += kRun) {
    for (int k = 0; k < kRun; ++k) lanes.add<with_errors>(k, begin + k, weights, row, right, mu, changes, errors);
  }
  for (int k = 0; begin + k < n; ++k) lanes.add<with_errors>(k, begin + k, weights, row, right, mu, changes, errors);
  return lanes.join();
}

template <bool with_errors, class Weight>
RowChange add(const Weight* source, Weight* target, std::int64_t n, Row row, const float* right, const float* mu,
              float* changes, float* errors) {
  return sum<with_errors>(Adding<Weight>{source, target}, n, row, right, mu, changes, errors);
}

/// In two steps, since the processor's own conversions are no part of the clones.
template <bool with_errors>
RowChange add(const WeightF16* source, WeightF16* target, std::int64_t n, Row row, const float* right, const float* mu,
              float* changes, float* errors) {
  float before[kMeasuredAtOnce], after[kMeasuredAtOnce];
  add_to_halves(source, target, n, row.left, right, before, after);
  return sum<with_errors>(Added{before, after}, n, row, right, mu, changes, errors);
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

RowChange add_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const RankOne& update, const UnitUpdate& unit, std::int64_t i, std::int64_t j, std::int64_t n,
                     ColumnSums columns) {
  const std::int64_t first = i * static_cast<std::int64_t>(update.right.size()) + j;
  const Row row{update.left[i], unit.p[i]};
  RowChange change;
  with_float(type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    const auto* from = reinterpret_cast<const Weight*>(source.data()) + first;
    auto* to = reinterpret_cast<Weight*>(target.data()) + first;
    const auto add_as = [&](auto with_errors) {
      return add<with_errors.value>(from, to, n, row, update.right.data() + j, unit.mu.data() + j, columns.changes,
                                    columns.errors);
    };
    change = columns.errors == nullptr ? add_as(std::false_type{}) : add_as(std::true_type{});
  });
  return change;
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
