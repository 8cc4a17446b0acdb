// Q4_0: 32 four-bit codes and a signed scale. value = scale * (code - 8).
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ4_0 {
  static constexpr int kWeights = 32, kStepWeights = 32;
  static constexpr int kLowest = 0, kHighest = 15, kCentre = 8;

  Half scale;
  Nibbles low;

  ROSI_HD ROSI_INLINE int code(int, int lane) const { return low.get(lane); }
  ROSI_HD ROSI_INLINE void set_code(int, int lane, int q) { low.set(lane, q); }
  ROSI_HD ROSI_INLINE void pack_lane(int, int lane, const std::int8_t* q) { low.pack_lane(lane, q); }
  ROSI_HD ROSI_INLINE Grid grid(int, int) const { return {scale.load(), kNoOffset}; }
};
static_assert(sizeof(BlockQ4_0) == 18);

}  // namespace rosi::kernels
