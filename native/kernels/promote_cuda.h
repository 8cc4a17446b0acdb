// Promotion to a float type on a CUDA device. In builds without ROSI_CUDA this header has no definitions behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

/// target = source + left right^T, rounded to the nearest of the float type `target_type`: the bytes of promote()
/// before its flips. Needs source, target and 4 bytes for each weight in device memory. Throws
/// core::Error{engine_failed} with CUDA's words.
void promote_to_floats_cuda(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t target_type,
                            std::span<std::byte> target, std::span<const float> left, std::span<const float> right);

}  // namespace rosi::kernels
