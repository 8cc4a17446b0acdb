// MXFP4: 32 four-bit floating-point numbers and a power of two. value = 2^(exponent - 128) * code, codes in halves.
#pragma once

#include "kernels/levels.h"

namespace rosi::kernels {

struct BlockMXFP4 {
  using Codes = CodeTable<Fp4Levels>;
  static constexpr int kWeights = 32, kStepWeights = 32;
  static constexpr int kLowest = Codes::lowest, kHighest = Codes::highest, kCentre = 0;

  std::uint8_t exponent;
  LevelNibbles<Fp4Levels> low;

  ROSI_HD ROSI_INLINE int code(int, int lane) const { return low.get(lane); }
  ROSI_HD ROSI_INLINE void set_code(int, int lane, int q) { low.set(lane, q); }
  ROSI_HD ROSI_INLINE void pack_lane(int, int lane, const std::int8_t* q) { low.pack_lane(lane, q); }
  ROSI_HD ROSI_INLINE Grid grid(int, int) const {
    // The lowest two exponents are subnormal numbers.
    const std::uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (std::uint32_t{exponent} - 1) << 23;
    return {core::bits_float(bits), kNoOffset};
  }
};
static_assert(sizeof(BlockMXFP4) == 17);

}  // namespace rosi::kernels
