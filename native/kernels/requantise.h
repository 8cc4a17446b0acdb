// New grids for the blocks of a row: our own quantisers, one per type. Values and layouts are the types'; the search is
// ours.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rosi::kernels {

/// Sets each block of a row to the better of its present grid and a new one for x [n_in], codes nearest. Quantised
/// types only.
void requantise_row(std::uint32_t type, const float* x, std::byte* row, std::int64_t n_in);

}  // namespace rosi::kernels
