// What all quantised blocks have in common.
//
// A block is seen as runs of 32 consecutive weights; lane k of a run is weight 32 * run + k. Within a run the bytes of
// the codes lie side by side, so a loop over lanes vectorises on a CPU and is one warp on a GPU. A run has one step, or
// two with 16 weights each:
//
//   value = step * (code - kCentre) + offset
//
// in float32, in this order: the order of the engine's own dequantisers, whose values these equal bit for bit. Types
// with an offset have kCentre 0; the others have the offset kNoOffset. Steps may be negative. Each Block<Type> has
// these members:
//
//   kWeights                 weights in a block, a multiple of 32
//   kLowest, kHighest        the codes that may be written; every code fits a signed byte
//   Codes                    only where not all between them may: which (codes.h). A code is then what its step is
//                            multiplied by, and not its place in the table
//   kCentre                  see above
//   kStepWeights             16 or 32: how many neighbours share a step
//   code(run, lane)          the code as stored, as a small integer
//   set_code(run, lane, q)   touches no other code and no scale
//   pack_lane(run, lane, q)  what lane `lane` has to store so that all 32 lanes together store q[0..32): lanes write
//                            different bytes, so a warp can do it at once
//   grid(run, part)          step and offset of weights 16 * part .. 16 * part + 15 of the run
//
// All fields are bytes: blocks lie unaligned in a file, and byte access may alias anything.
#pragma once

#include <cstdint>

#include "core/half.h"
#include "kernels/codes.h"
#include "kernels/host_device.h"

namespace rosi::kernels {

inline constexpr int kRun = 32;

/// A half-precision number inside a block.
struct Half {
  std::uint8_t bytes[2];

  ROSI_HD float load() const {
    return core::half_to_float(static_cast<std::uint16_t>(bytes[0] | (unsigned{bytes[1]} << 8)));
  }
  ROSI_HD void store(float value) {
    const std::uint16_t half = core::float_to_half(value);
    bytes[0] = static_cast<std::uint8_t>(half & 0xffu);
    bytes[1] = static_cast<std::uint8_t>(half >> 8);
  }
};

struct Grid {
  float step;
  float offset;
};
/// x + -0 is x for every x; x + 0 would turn -0 into 0.
inline constexpr float kNoOffset = -0.0f;

ROSI_HD ROSI_INLINE float value_of(const Grid& grid, int code, int centre) {
  return grid.step * static_cast<float>(code - centre) + grid.offset;
}

/// By weight of the block, 0 to kWeights - 1; the plain form for tests and single weights.
template <class Block>
ROSI_HD inline int get_code(const Block& block, int e) {
  return block.code(e / kRun, e % kRun);
}
template <class Block>
ROSI_HD inline void set_code(Block& block, int e, int code) {
  block.set_code(e / kRun, e % kRun, code);
}
template <class Block>
ROSI_HD inline float step(const Block& block, int e) {
  return block.grid(e / kRun, e % kRun / 16).step;
}
template <class Block>
ROSI_HD inline float value(const Block& block, int e) {
  return value_of(block.grid(e / kRun, e % kRun / 16), get_code(block, e), Block::kCentre);
}

/// Writes `bits` of `byte` selected by `mask` and leaves the others.
ROSI_HD ROSI_INLINE std::uint8_t merge(std::uint8_t byte, unsigned mask, unsigned bits) {
  return static_cast<std::uint8_t>((byte & ~mask) | (bits & mask));
}

/// 32 four-bit codes in 16 bytes: weight k in the low half of byte k, weight 16 + k in its high half. Q4_x, Q5_x.
struct Nibbles {
  std::uint8_t bytes[16];

  ROSI_HD ROSI_INLINE int get(int lane) const { return (bytes[lane & 15] >> ((lane >> 4) * 4)) & 15; }
  ROSI_HD ROSI_INLINE void set(int lane, int bits) {
    const int shift = (lane >> 4) * 4;
    bytes[lane & 15] = merge(bytes[lane & 15], 15u << shift, static_cast<unsigned>(bits) << shift);
  }
  /// All 32 at once.
  ROSI_INLINE void load(std::int8_t* __restrict codes) const {
    for (int k = 0; k < 16; ++k) codes[k] = static_cast<std::int8_t>(bytes[k] & 15);
    for (int k = 0; k < 16; ++k) codes[16 + k] = static_cast<std::int8_t>(bytes[k] >> 4);
  }
  ROSI_INLINE void store(const std::int8_t* __restrict codes) {
    for (int k = 0; k < 16; ++k) bytes[k] = static_cast<std::uint8_t>((codes[k] & 15) | ((codes[k + 16] & 15) << 4));
  }
  ROSI_HD ROSI_INLINE void pack_lane(int lane, const std::int8_t* codes) {
    if (lane < 16) bytes[lane] = static_cast<std::uint8_t>((codes[lane] & 15) | ((codes[lane + 16] & 15) << 4));
  }
};

/// The fifth bits of 32 codes, bit k for weight k. Q5_0, Q5_1.
struct FifthBits {
  std::uint8_t bytes[4];

  ROSI_HD ROSI_INLINE int get(int lane) const { return (bytes[lane >> 3] >> (lane & 7)) & 1; }
  ROSI_HD ROSI_INLINE void set(int lane, int bit) {
    const int shift = lane & 7;
    bytes[lane >> 3] = merge(bytes[lane >> 3], 1u << shift, static_cast<unsigned>(bit) << shift);
  }
  /// Adds the bits to the codes' lower four, all 32 at once.
  ROSI_INLINE void add(std::int8_t* codes) const {
    for (int k = 0; k < 4; ++k) {
      // Byte j of `eight` keeps bit j of our byte k, then becomes 16 where that is set.
      std::uint64_t eight = (bytes[k] * 0x0101010101010101u) & 0x8040201008040201u;
      eight = ((eight + 0x7f7f7f7f7f7f7f7fu) >> 3) & 0x1010101010101010u;
      std::uint64_t lower;
      memcpy(&lower, codes + 8 * k, 8);
      lower |= eight;
      memcpy(codes + 8 * k, &lower, 8);
    }
  }
  ROSI_INLINE void store(const std::int8_t* codes) {
    for (int k = 0; k < 4; ++k) {
      std::uint64_t eight;
      memcpy(&eight, codes + 8 * k, 8);
      // The product brings bit 0 of byte j to bit 56 + j.
      bytes[k] = static_cast<std::uint8_t>((((eight >> 4) & 0x0101010101010101u) * 0x0102040810204080u) >> 56);
    }
  }
  ROSI_HD ROSI_INLINE void pack_lane(int lane, const std::int8_t* codes) {
    if (lane >= 4) return;
    unsigned bits = 0;
    for (int k = 0; k < 8; ++k) bits |= ((static_cast<unsigned>(codes[8 * lane + k]) >> 4) & 1u) << k;
    bytes[lane] = static_cast<std::uint8_t>(bits);
  }
};

/// Eight pairs of six-bit numbers in 12 bytes: the scales and minima of Q4_K and Q5_K. The first four of each lie in
/// the low six bits of bytes 0-3 and 4-7; the last four have their low halves in bytes 8-11 and their upper two bits on
/// top of the first four.
struct SixBitPairs {
  std::uint8_t bytes[12];

  ROSI_HD ROSI_INLINE int scale(int k) const {
    return k < 4 ? bytes[k] & 63 : (bytes[k + 4] & 15) | ((bytes[k - 4] >> 6) << 4);
  }
  ROSI_HD ROSI_INLINE int minimum(int k) const {
    return k < 4 ? bytes[k + 4] & 63 : (bytes[k + 4] >> 4) | ((bytes[k] >> 6) << 4);
  }
  ROSI_HD void store(const int* scales, const int* minima) {
    for (int k = 0; k < 4; ++k) {
      bytes[k] = static_cast<std::uint8_t>(scales[k] | ((scales[k + 4] >> 4) << 6));
      bytes[k + 4] = static_cast<std::uint8_t>(minima[k] | ((minima[k + 4] >> 4) << 6));
      bytes[k + 8] = static_cast<std::uint8_t>((scales[k + 4] & 15) | ((minima[k + 4] & 15) << 4));
    }
  }
};

}  // namespace rosi::kernels
