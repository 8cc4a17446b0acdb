// Q6_K: 256 six-bit codes; each 16 share a signed byte as scale, in units of a half.
// value = (scale_unit * scale) * (code - 32).
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

struct BlockQ6_K {
  static constexpr int kWeights = 256, kStepWeights = 16;
  static constexpr int kLowest = 0, kHighest = 63, kCentre = 32;

  std::uint8_t low[128];    // run r in the low (r % 4 < 2) or high half of bytes 64 * (r / 4) + 32 * (r % 2) ..
  std::uint8_t high[64];    // the upper two bits: run r in bits 2 * (r % 4) of bytes 32 * (r / 4) ..
  std::uint8_t scales[16];  // signed
  Half scale_unit;

  ROSI_HD ROSI_INLINE int code(int run, int lane) const {
    return ((low[(run >> 2) * 64 + (run & 1) * 32 + lane] >> ((run & 2) * 2)) & 15) |
           (((high[(run >> 2) * 32 + lane] >> ((run & 3) * 2)) & 3) << 4);
  }
  ROSI_HD ROSI_INLINE void set_code(int run, int lane, int q) {
    const int low_shift = (run & 2) * 2;
    std::uint8_t& low_byte = low[(run >> 2) * 64 + (run & 1) * 32 + lane];
    low_byte = merge(low_byte, 15u << low_shift, static_cast<unsigned>(q & 15) << low_shift);
    const int high_shift = (run & 3) * 2;
    std::uint8_t& high_byte = high[(run >> 2) * 32 + lane];
    high_byte = merge(high_byte, 3u << high_shift, static_cast<unsigned>(q >> 4) << high_shift);
  }
  ROSI_HD ROSI_INLINE void pack_lane(int run, int lane, const std::int8_t* q) { set_code(run, lane, q[lane]); }
  ROSI_HD ROSI_INLINE Grid grid(int run, int part) const {
    return {scale_unit.load() * static_cast<float>(static_cast<std::int8_t>(scales[run * 2 + part])), kNoOffset};
  }
};
static_assert(sizeof(BlockQ6_K) == 210);

}  // namespace rosi::kernels
