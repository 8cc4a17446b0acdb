// The two passes over a quantised tensor that flip codes: the sweep and the closure (see sigma_delta.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/progress.h"
#include "core/thread_pool.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Pass 1. Copies `source` to `target` with codes flipped, and sets `lack` [n_in] to what each column's sum along s
/// still exceeds its request by (negative: lacks). The same bits for any number of threads.
void flip_codes(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                const core::Progress& progress);

/// Pass 2. Flips single codes of `target` until every column is within tolerance or nothing helps; `source` has the
/// codes before any flip (the same bytes as target where there is no such thing), `lack` is read and updated.
void close_columns(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                   const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                   const core::Progress& progress);

}  // namespace rosi::kernels
