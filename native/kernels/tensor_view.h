// Checks that a span of bytes is a tensor of a type and shape, once, before any kernel touches it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rosi::kernels {

/// Bytes of a row. Throws core::Error{tensor_unsupported} for a type these kernels do not edit, or rows that are no
/// whole number of blocks; {option_invalid} for a shape that is not positive, or too large for its size to be counted.
std::size_t row_bytes(std::uint32_t type, std::int64_t n_in);

/// Bytes of n_out rows; throws {option_invalid} unless `bytes` is that.
void check_tensor(std::uint32_t type, std::int64_t n_in, std::int64_t n_out, std::size_t bytes);

}  // namespace rosi::kernels
