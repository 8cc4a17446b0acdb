// Q5_1: 32 five-bit codes, a scale and an offset. value = scale * code + offset.
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ5_1 {
  static constexpr int kWeights = 32, kStepWeights = 32;
  static constexpr int kLowest = 0, kHighest = 31, kCentre = 0;

  Half scale;
  Half offset;
  FifthBits high;
  Nibbles low;

  ROSI_HD ROSI_INLINE int code(int, int lane) const { return low.get(lane) | (high.get(lane) << 4); }
  ROSI_HD ROSI_INLINE void set_code(int, int lane, int q) {
    low.set(lane, q & 15);
    high.set(lane, q >> 4);
  }
  ROSI_HD ROSI_INLINE void pack_lane(int, int lane, const std::int8_t* q) {
    low.pack_lane(lane, q);
    high.pack_lane(lane, q);
  }
  ROSI_HD ROSI_INLINE Grid grid(int, int) const { return {scale.load(), offset.load()}; }
};
static_assert(sizeof(BlockQ5_1) == 24);

}  // namespace rosi::kernels
