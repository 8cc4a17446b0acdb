// For tests: the GPU's promotion to a float type (promote_gpu.h) carried out on the CPU, weight by weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

/// target = source + left right^T, rounded to the nearest of the float type `target_type`: the bytes of
/// promote() before its flips.
void promote_to_floats_emulated(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t target_type,
                                std::span<std::byte> target, std::span<const float> left, std::span<const float> right);

}  // namespace rosi::kernels
