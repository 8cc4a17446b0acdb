// IQ4_XS: 256 codes of a table of 16; each 32 share a six-bit signed scale in units of a half.
// value = (scale_unit * (scale - 32)) * code.
#pragma once

#include "kernels/levels.h"

namespace rosi::kernels {

struct BlockIQ4_XS {
  using Codes = CodeTable<Iq4Levels>;
  static constexpr int kWeights = 256, kStepWeights = 32;
  static constexpr int kLowest = Codes::lowest, kHighest = Codes::highest, kCentre = 0;

  Half scale_unit;
  std::uint8_t upper_scales[2];  // the upper two bits of 8 scales, from the lowest bits on
  std::uint8_t lower_scales[4];  // the lower four, two a byte
  LevelNibbles<Iq4Levels> low[8];

  ROSI_HD ROSI_INLINE int code(int run, int lane) const { return low[run].get(lane); }
  ROSI_HD ROSI_INLINE void set_code(int run, int lane, int q) { low[run].set(lane, q); }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { low[run].pack_lane(lane, q); }
  ROSI_HD ROSI_INLINE int scale(int run) const {
    const int four = (lower_scales[run >> 1] >> ((run & 1) * 4)) & 15;
    const int two = (upper_scales[run >> 2] >> ((run & 3) * 2)) & 3;
    return (four | (two << 4)) - 32;
  }
  ROSI_HD void store_scales(const int* signed_scales) {
    for (std::uint8_t& byte : upper_scales) byte = 0;
    for (std::uint8_t& byte : lower_scales) byte = 0;
    for (int k = 0; k < 8; ++k) {
      const int six = signed_scales[k] + 32;
      lower_scales[k >> 1] = static_cast<std::uint8_t>(lower_scales[k >> 1] | ((six & 15) << ((k & 1) * 4)));
      upper_scales[k >> 2] = static_cast<std::uint8_t>(upper_scales[k >> 2] | ((six >> 4) << ((k & 3) * 2)));
    }
  }
  ROSI_HD ROSI_INLINE Grid grid(int run, int) const {
    return {scale_unit.load() * static_cast<float>(scale(run)), kNoOffset};
  }
};
static_assert(sizeof(BlockIQ4_XS) == 136);

}  // namespace rosi::kernels
