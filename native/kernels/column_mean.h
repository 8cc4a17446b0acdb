// The mean row of a tensor: the right factor of the paper's update.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

/// out[j] = mean over rows i of W[i][j], summed in float64 in row order; out has n_in numbers.
/// Throws core::Error{tensor_unsupported, option_invalid} as add_rank_one does.
void column_mean(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                 std::span<float> out);

}  // namespace rosi::kernels
