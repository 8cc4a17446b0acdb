// Rank-one updates of F32, F16 and BF16 tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/progress.h"
#include "core/thread_pool.h"
#include "kernels/measure.h"
#include "kernels/rank_one.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Plain rounding to F16 or BF16 is kept while it loses less than this share: it has the least noise.
inline constexpr double kFloatGainError = 0.005;

/// n weights of row i of target = source + left right^T, from column j on, each rounded to nearest even, and what they
/// changed by, in one pass; n is kMeasuredAtOnce at most. `unit` is UnitUpdate::of(update).
RowChange add_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const RankOne& update, const UnitUpdate& unit, std::int64_t i, std::int64_t j, std::int64_t n,
                     ColumnSums columns);

/// The same with what rounding loses carried on as in sigma_delta.h: a weight's grid are the numbers of its type. For
/// updates below the last place of F16 or BF16, of which plain rounding keeps only a part.
void flip_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                 const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress);

}  // namespace rosi::kernels
