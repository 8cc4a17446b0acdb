// IQ4_NL: 32 codes of a table of 16 and a signed scale. value = scale * code.
#pragma once

#include "kernels/levels.h"

namespace rosi::kernels {

struct BlockIQ4_NL {
  using Codes = CodeTable<Iq4Levels>;
  static constexpr int kWeights = 32, kStepWeights = 32;
  static constexpr int kLowest = Codes::lowest, kHighest = Codes::highest, kCentre = 0;

  Half scale;
  LevelNibbles<Iq4Levels> low;

  ROSI_HD ROSI_INLINE int code(int, int lane) const { return low.get(lane); }
  ROSI_HD ROSI_INLINE void set_code(int, int lane, int q) { low.set(lane, q); }
  ROSI_HD ROSI_INLINE void pack_lane(int, int lane, const std::int8_t* q) { low.pack_lane(lane, q); }
  ROSI_HD ROSI_INLINE Grid grid(int, int) const { return {scale.load(), kNoOffset}; }
};
static_assert(sizeof(BlockIQ4_NL) == 18);

}  // namespace rosi::kernels
