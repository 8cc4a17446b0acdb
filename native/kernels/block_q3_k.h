// Q3_K: 256 three-bit codes; each 16 share a six-bit signed scale in units of a half.
// value = (scale_unit * (scale - 32)) * (code - 4).
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ3_K {
  static constexpr int kWeights = 256, kStepWeights = 16;
  static constexpr int kLowest = 0, kHighest = 7, kCentre = 4;

  std::uint8_t high[32];    // the third bit: run r in bit r of bytes 0 ..
  std::uint8_t low[64];     // run r in bits 2 * (r % 4) of bytes 32 * (r / 4) ..
  std::uint8_t scales[12];  // low four bits of 16 scales in bytes 0-7 as in Nibbles, upper two in bytes 8-11
  Half scale_unit;

  ROSI_HD ROSI_INLINE int code(int run, int lane) const {
    return ((low[(run >> 2) * 32 + lane] >> ((run & 3) * 2)) & 3) | (((high[lane] >> run) & 1) << 2);
  }
  ROSI_HD ROSI_INLINE void set_code(int run, int lane, int q) {
    const int shift = (run & 3) * 2;
    std::uint8_t& byte = low[(run >> 2) * 32 + lane];
    byte = merge(byte, 3u << shift, static_cast<unsigned>(q & 3) << shift);
    high[lane] = merge(high[lane], 1u << run, static_cast<unsigned>(q >> 2) << run);
  }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { set_code(run, lane, q[lane]); }
  ROSI_HD ROSI_INLINE int scale(int k) const {
    const int four = (scales[k & 7] >> ((k >> 3) * 4)) & 15;
    const int two = (scales[8 + (k & 3)] >> ((k >> 2) * 2)) & 3;
    return (four | (two << 4)) - 32;
  }
  ROSI_HD void store_scales(const int* signed_scales) {
    for (int k = 0; k < 12; ++k) scales[k] = 0;
    for (int k = 0; k < 16; ++k) {
      const int six = signed_scales[k] + 32;
      scales[k & 7] = static_cast<std::uint8_t>(scales[k & 7] | ((six & 15) << ((k >> 3) * 4)));
      scales[8 + (k & 3)] = static_cast<std::uint8_t>(scales[8 + (k & 3)] | ((six >> 4) << ((k >> 2) * 2)));
    }
  }
  ROSI_HD ROSI_INLINE Grid grid(int run, int part) const {
    return {scale_unit.load() * static_cast<float>(scale(run * 2 + part)), kNoOffset};
  }
};
static_assert(sizeof(BlockQ3_K) == 110);

}  // namespace rosi::kernels
