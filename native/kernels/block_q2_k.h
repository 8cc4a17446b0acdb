// Q2_K: 256 two-bit codes; each 16 share a four-bit scale and a four-bit minimum, in units of two halves.
// value = (scale_unit * scale) * code - (minimum_unit * minimum).
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ2_K {
  static constexpr int kWeights = 256, kStepWeights = 16;
  static constexpr int kLowest = 0, kHighest = 3, kCentre = 0;

  std::uint8_t scales[16];  // low half scale, high half minimum
  std::uint8_t low[64];     // run r in bits 2 * (r % 4) of bytes 32 * (r / 4) ..
  Half scale_unit;
  Half minimum_unit;

  ROSI_HD ROSI_INLINE int code(int run, int lane) const { return (low[(run >> 2) * 32 + lane] >> ((run & 3) * 2)) & 3; }
  ROSI_HD ROSI_INLINE void set_code(int run, int lane, int q) {
    const int shift = (run & 3) * 2;
    std::uint8_t& byte = low[(run >> 2) * 32 + lane];
    byte = merge(byte, 3u << shift, static_cast<unsigned>(q) << shift);
  }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { set_code(run, lane, q[lane]); }
  ROSI_HD ROSI_INLINE Grid grid(int run, int part) const {
    const int pair = scales[run * 2 + part];
    return {scale_unit.load() * static_cast<float>(pair & 15), -(minimum_unit.load() * static_cast<float>(pair >> 4))};
  }
};
static_assert(sizeof(BlockQ2_K) == 84);

}  // namespace rosi::kernels
