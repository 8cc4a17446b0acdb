// Weights in the blocks of a wider type that can hold the very same ones: engines multiply some types much faster than
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace rosi::kernels {

/// The type whose blocks hold every value of `type` bit for bit: Q8_0 for Q5_0 and IQ4_NL, Q6_K for Q3_K. Blocks are of
/// as many weights. Empty for the others.
std::optional<std::uint32_t> wider_type(std::uint32_t type);

/// source [n blocks of `type`] in blocks of wider_type(type), which must be one; `target` has the bytes of as many.
void widen(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target);

}  // namespace rosi::kernels
