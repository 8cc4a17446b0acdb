// The values of a tensor of any type that the engine can read.
#pragma once

#include <cstdint>

namespace rosi::engine {

/// values[0 .. n) = the weights at `bytes`, n a whole number of blocks. Thread-safe.
using Dequantize = void (*)(const void* bytes, float* values, std::int64_t n);

/// Null for types that the engine doesn't convert: integers, F64, and those it only multiplies by (Q8_1, Q8_K).
Dequantize find_dequantizer(std::uint32_t type) noexcept;

}  // namespace rosi::engine
