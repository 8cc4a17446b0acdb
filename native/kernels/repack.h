// For tests: that unpacking and packing a block gives its bytes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

/// Overwrites the codes of every block of `tensor` with others and stores the old ones again, weight by weight or by
/// lanes; the bytes must come out as they were. Throws core::Error{tensor_unsupported} for types that are not
/// quantised.
void repack(std::uint32_t type, std::span<std::byte> tensor, bool by_lanes);

}  // namespace rosi::kernels
