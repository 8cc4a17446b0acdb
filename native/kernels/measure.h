// What a tensor really changed by, read off its bytes before and after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/progress.h"
#include "core/thread_pool.h"
#include "kernels/encoded_rows.h"
#include "kernels/rank_one.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Everything of Realised but `mode`. One pass over both tensors, sums in float64 in an order that does not depend on
/// the number of threads; |W|^2 in float32 by 256 weights, so that relative_change is 0 where that leaves its range.
/// When given, `column_change` [n_in] receives p^T dW, p the readout.
Realised measure(std::uint32_t type, std::span<const std::byte> source, std::span<const std::byte> target,
                 const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                 const core::Progress& progress, std::vector<double>* column_change = nullptr);

/// Weights of a row that are written and measured at a time: few enough for float32, and for all that is read for them
/// to stay in the innermost cache.
inline constexpr std::int64_t kMeasuredAtOnce = 1024;

/// What some weights of one row changed by.
struct RowChange {
  double along = 0;           // sum_j dW_ij mu_j
  double error_squares = 0;   // |dW - D|^2, D what was asked for
  double weight_squares = 0;  // |W|^2
  std::int64_t changed = 0;   // weights that are no more what they were
};
/// Sums of columns over rows.
struct ColumnSums {
  float* changes;  // [n] p_i dW_ij
  float* errors;   // [n] (dW_ij - D_ij)^2; null: not wanted
};
/// Writes n weights of row i of the target, kMeasuredAtOnce at most, from column j on, and adds them to the columns.
using WriteStretch = std::function<RowChange(std::int64_t i, std::int64_t j, std::int64_t n, ColumnSums columns)>;

/// The same of a target of a float type that is not written yet, so that memory is read and written while the processor
/// adds up. Sums are float32 over 1024 weights of a row, or 16 of a column, and float64 beyond: they say nothing of
/// tensors whose squares leave float32's range.
Realised write_and_measure(std::uint32_t type, std::span<const std::byte> source, std::span<const std::byte> target,
                           const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                           const core::Progress& progress, const WriteStretch& write);

/// The same where the source has another type than `target`, whose steps are then measured.
Realised measure(const EncodedRows& source, std::uint32_t type, std::span<const std::byte> target,
                 const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                 const core::Progress& progress, std::vector<double>* column_change = nullptr);

}  // namespace rosi::kernels
