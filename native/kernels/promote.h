// A rank-one update on the way into another type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/progress.h"
#include "kernels/accelerator.h"
#include "kernels/encoded_rows.h"
#include "kernels/rank_one.h"

namespace rosi::kernels {

/// Whether promote() writes the type: F32, F16, BF16 and Q8_0.
bool is_promotion_target(std::uint32_t type);

/// target = source + left right^T in `type`, added in float32, row by row: floats rounded to nearest even, Q8_0 with a
/// new scale for each block and nearest codes, some of which then move so that every column's sum along `left` is
/// right. Where rounding to a float type loses the update, what it loses is carried on (flip_floats). An update of norm
/// zero converts. Realised is measured against the source's values; its steps are those of `target`.
/// Computed on `accelerator` where there is one and it reads the source's type, but for what is measured; the result
/// depends neither on that nor on `threads`. Memory: a row a thread; two more targets where rounding loses the update.
/// Throws core::Error as add_rank_one() does.
Realised promote(const EncodedRows& source, std::uint32_t type, std::span<std::byte> target, std::int64_t n_in,
                 std::int64_t n_out, const RankOne& update, int threads, const core::Progress& progress,
                 const Accelerator* accelerator = nullptr);

}  // namespace rosi::kernels
