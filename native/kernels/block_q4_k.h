// Q4_K: 256 four-bit codes; each 32 share a six-bit scale and a six-bit minimum, in units of two halves.
// value = (scale_unit * scale) * code - (minimum_unit * minimum).
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ4_K {
  static constexpr int kWeights = 256, kStepWeights = 32;
  static constexpr int kLowest = 0, kHighest = 15, kCentre = 0;

  Half scale_unit;
  Half minimum_unit;
  SixBitPairs scales;
  std::uint8_t low[128];  // run r in the low (r even) or high (r odd) half of bytes 32 * (r / 2) ..

  ROSI_HD ROSI_INLINE int code(int run, int lane) const {
    return (low[(run >> 1) * 32 + lane] >> ((run & 1) * 4)) & 15;
  }
  ROSI_HD ROSI_INLINE void set_code(int run, int lane, int q) {
    const int shift = (run & 1) * 4;
    std::uint8_t& byte = low[(run >> 1) * 32 + lane];
    byte = merge(byte, 15u << shift, static_cast<unsigned>(q) << shift);
  }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { set_code(run, lane, q[lane]); }
  ROSI_HD ROSI_INLINE Grid grid(int run, int) const {
    return {scale_unit.load() * static_cast<float>(scales.scale(run)),
            -(minimum_unit.load() * static_cast<float>(scales.minimum(run)))};
  }
};
static_assert(sizeof(BlockQ4_K) == 144);

}  // namespace rosi::kernels
