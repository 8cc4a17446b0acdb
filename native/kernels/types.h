// The tensor types whose weights can be edited one by one, by the numbers that GGUF gives them.
#pragma once

#include <cstdint>

namespace rosi::kernels {

inline constexpr std::uint32_t kF32 = 0, kF16 = 1, kBF16 = 30;
inline constexpr std::uint32_t kQ4_0 = 2, kQ4_1 = 3, kQ5_0 = 6, kQ5_1 = 7, kQ8_0 = 8;
inline constexpr std::uint32_t kQ2_K = 10, kQ3_K = 11, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14;
inline constexpr std::uint32_t kIQ4_NL = 20, kIQ4_XS = 23, kMXFP4 = 39;

/// The size of the unit a row is made of; a row of n_in weights has n_in / weights units of `bytes` bytes each.
struct BlockSize {
  int weights;
  int bytes;
};

/// {0, 0} for a type that these kernels do not edit.
BlockSize block_size(std::uint32_t type);

/// As printed by the engine ("Q4_K"); "type 16" for a type that these kernels do not edit is the caller's business.
const char* type_name(std::uint32_t type);

}  // namespace rosi::kernels
