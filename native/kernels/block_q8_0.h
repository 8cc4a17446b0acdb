// Q8_0: 32 signed bytes and a scale. value = scale * code.
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ8_0 {
  static constexpr int kWeights = 32, kStepWeights = 32;
  // -128 is legal to read and never written: some of the engine's products negate the codes as signed bytes.
  static constexpr int kLowest = -127, kHighest = 127, kCentre = 0;

  Half scale;
  std::uint8_t codes[32];

  ROSI_HD ROSI_INLINE int code(int, int lane) const { return static_cast<std::int8_t>(codes[lane]); }
  ROSI_HD ROSI_INLINE void set_code(int, int lane, int q) { codes[lane] = static_cast<std::uint8_t>(q); }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { set_code(run, lane, q[lane]); }
  ROSI_HD ROSI_INLINE Grid grid(int, int) const { return {scale.load(), kNoOffset}; }
};
static_assert(sizeof(BlockQ8_0) == 34);

}  // namespace rosi::kernels
