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

  /// Adds weight k of a run, to its column, too.
  template <bool with_errors>
  ROSI_INLINE void add(int k, float before, float after, Row row, float right, float mu, float* changes,
                       float* errors) {
    const float change = after - before;
    const float error = change - row.left * right;
    along[k] += change * mu;
    error_squares[k] += error * error;
    weight_squares[k] += before * before;
    changed[k] += change != 0.0f ? 1 : 0;
    changes[k] += row.p * change;
    if constexpr (with_errors) errors[k] += error * error;
  }
  ROSI_INLINE RowChange join() {
    return {double{tree_sum(along)}, double{tree_sum(error_squares)}, double{tree_sum(weight_squares)},
            std::accumulate(changed, changed + kRun, std::int64_t{0})};
  }
};

/// The columns from j on.
template <bool with_errors>
ROSI_INLINE float* skip(float* errors, std::int64_t j) {
  return with_errors ? errors + j : nullptr;
}

template <bool with_errors, class Weight>
ROSI_INLINE void add_run(const Weight* source, Weight* target, int n, Row row, const float* right, const float* mu,
                         float* changes, float* errors, Lanes& lanes) {
  using Bits = typename Weight::Bits;
  for (int k = 0; k < n; ++k) {
    const Bits before = load_bits<Bits>(source[k].bytes);
    const Bits after = sum_bits<Weight>(before, row.left, right[k]);
    store_bits(target[k].bytes, after);
    lanes.add<with_errors>(k, Weight::decode(before), Weight::decode(after), row, right[k], mu[k], changes, errors);
  }
}

template <bool with_errors, class Weight>
ROSI_WIDE_CLONES RowChange add(const Weight* __restrict source, Weight* __restrict target, std::int64_t n, Row row,
                               const float* __restrict right, const float* __restrict mu, float* __restrict changes,
                               float* __restrict errors) {
  Lanes lanes;
  std::int64_t j = 0;
  for (; j + kRun <= n; j += kRun) {
    add_run<with_errors>(source + j, target + j, kRun, row, right + j, mu + j, changes + j,
                         skip<with_errors>(errors, j), lanes);
  }
  if (j < n) {
    add_run<with_errors>(source + j, target + j, static_cast<int>(n - j), row, right + j, mu + j, changes + j,
                         skip<with_errors>(errors, j), lanes);
  }
  return lanes.join();
}

template <bool with_errors>
ROSI_INLINE void sum_run(const float* before, const float* after, int n, Row row, const float* right, const float* mu,
                         float* changes, float* errors, Lanes& lanes) {
  for (int k = 0; k < n; ++k) lanes.add<with_errors>(k, before[k], after[k], row, right[k], mu[k], changes, errors);
}

template <bool with_errors>
ROSI_WIDE_CLONES RowChange sum_halves(const float* __restrict before, const float* __restrict after, std::int64_t n,
                                      Row row, const float* __restrict right, const float* __restrict mu,
                                      float* __restrict changes, float* __restrict errors) {
  Lanes lanes;
  std::int64_t j = 0;
  for (; j + kRun <= n; j += kRun) {
    sum_run<with_errors>(before + j, after + j, kRun, row, right + j, mu + j, changes + j, skip<with_errors>(errors, j),
                         lanes);
  }
  if (j < n) {
    sum_run<with_errors>(before + j, after + j, static_cast<int>(n - j), row, right + j, mu + j, changes + j,
                         skip<with_errors>(errors, j), lanes);
  }
  return lanes.join();
}

/// In steps, since the processor's own conversions are no part of the clones.
template <bool with_errors>
RowChange add(const WeightF16* source, WeightF16* target, std::int64_t n, Row row, const float* right, const float* mu,
              float* changes, float* errors) {
  constexpr std::int64_t kStep = 1024;
  RowChange all;
  for (std::int64_t j = 0; j < n; j += kStep) {
    const std::int64_t count = std::min(kStep, n - j);
    float before[kStep], after[kStep];
    add_to_halves(source + j, target + j, count, row.left, right + j, before, after);
    all += sum_halves<with_errors>(before, after, count, row, right + j, mu + j, changes + j,
                                   skip<with_errors>(errors, j));
  }
  return all;
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
