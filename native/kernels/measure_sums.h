// The sums of measure.h that decide what is written, so that a GPU writes the same: which weights they are of, and in
// which order.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/block.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Rows are summed in this many parts whatever the number of threads, so that the sums' order is fixed.
inline constexpr std::int64_t kParts = 16;
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
};
ROSI_HD inline RowRange part_rows(std::int64_t n_out, std::int64_t part) {
  const std::int64_t rows = (n_out + kParts - 1) / kParts;
  const std::int64_t begin = part * rows, end = begin + rows;
  return {begin < n_out ? begin : n_out, end < n_out ? end : n_out};
}

ROSI_HD ROSI_INLINE double change_between(float before, float after) { return double{after} - double{before}; }

/// Of column j: sum_i p_i dW_ij.
ROSI_HD ROSI_INLINE void add_to_column(double& column, double p, double change) { column += p * change; }

/// What the column's sum along p exceeds its request by; `change` is that sum.
ROSI_HD ROSI_INLINE float lack_of(double change, double alignment, float t) {
  return static_cast<float>(change - alignment * double{t});
}

/// Of row i: sum_j dW_ij mu_j, in 32 lanes; lane k has the columns k, 32 + k, ..
ROSI_HD ROSI_INLINE void add_along(double& lane, double change, float mu) { lane += change * double{mu}; }
ROSI_HD ROSI_INLINE double join_lanes(const double* lanes) {
  double sum = 0;
  for (int k = 0; k < kRun; ++k) sum += lanes[k];
  return sum;
}

/// Realised::gain, of the rows' sums [n_out].
inline double gain_of(const UnitUpdate& update, std::span<const double> along) {
  double read = 0;
  for (std::size_t i = 0; i < along.size(); ++i) read += double{update.p[i]} * along[i];
  return read / update.alignment / update.size;
}

}  // namespace rosi::kernels
