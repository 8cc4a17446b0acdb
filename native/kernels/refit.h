// Mode R: the updated weights on new grids, for updates of the order of a step or beyond the code range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/progress.h"
#include "core/thread_pool.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// target = source + s t^T, each block on the better of its grid and a new one, nearest codes; rows whose s is zero are
/// copied. Quantised types only. The columns' sums along s are not exact yet: close_columns() makes them so.
void requantise_rows(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress);

/// row = x [n_in] in the tensor's type: new grids and nearest codes for quantised types, nearest numbers for float
/// types.
void quantize_row(std::uint32_t type, const float* x, std::byte* row, std::int64_t n_in);

}  // namespace rosi::kernels
