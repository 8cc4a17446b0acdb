// The tables of the types whose codes are not evenly spaced, and 32 such codes in 16 bytes.
#pragma once

#include "kernels/block.h"

namespace rosi::kernels {

/// IQ4_NL, IQ4_XS: -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113, stored as 0 to 15. Two words rather than
/// an array, which device code could not read.
struct Iq4Levels {
  static constexpr int kCount = 16;

  ROSI_HD static constexpr int at(int k) {
    const std::uint64_t eight = k < 8 ? 0xf6eaddcfbfad9881u : 0x7159453526190d01u;
    return static_cast<std::int8_t>(eight >> ((k & 7) * 8));
  }
  ROSI_HD static constexpr int decode(int stored) { return at(stored); }
  ROSI_HD static ROSI_INLINE int encode(int code) { return CodeTable<Iq4Levels>::place(code); }
};

/// MXFP4, in halves: -12 -8 -6 -4 -3 -2 -1 0 1 2 3 4 6 8 12, stored as a sign and one of eight sizes.
struct Fp4Levels {
  static constexpr int kCount = 15;

  ROSI_HD static constexpr int size(int k) { return static_cast<int>((0xc8643210u >> (k * 4)) & 15); }
  ROSI_HD static constexpr int at(int k) { return k < 7 ? -size(7 - k) : size(k - 7); }
  ROSI_HD static constexpr int decode(int stored) { return stored < 8 ? size(stored) : -size(stored - 8); }
  ROSI_HD static ROSI_INLINE int encode(int code) {
    const int place = CodeTable<Fp4Levels>::place(code);
    return place < 7 ? 8 + (7 - place) : place - 7;
  }
};

template <class Levels>
struct LevelNibbles {
  Nibbles stored;

  /// All 32 at once.
  ROSI_INLINE void load(std::int8_t* __restrict codes) const {
    for (int k = 0; k < 16; ++k) codes[k] = kDecoded.codes[stored.bytes[k] & 15];
    for (int k = 0; k < 16; ++k) codes[16 + k] = kDecoded.codes[stored.bytes[k] >> 4];
  }

  ROSI_HD ROSI_INLINE int get(int lane) const { return Levels::decode(stored.get(lane)); }
  /// A code that is there already keeps its bits: MXFP4 has a second zero, which is below zero.
  ROSI_HD ROSI_INLINE void set(int lane, int code) {
    const int present = stored.get(lane);
    stored.set(lane, Levels::decode(present) == code ? present : Levels::encode(code));
  }
  ROSI_HD ROSI_INLINE void pack_lane(int lane, const std::int8_t* codes) {
    if (lane >= 16) return;
    set(lane, codes[lane]);
    set(lane + 16, codes[lane + 16]);
  }

 private:
  struct Decoded {
    std::int8_t codes[16];
  };
  static constexpr Decoded decoded() {
    Decoded all{};
    for (int k = 0; k < 16; ++k) all.codes[k] = static_cast<std::int8_t>(Levels::decode(k));
    return all;
  }
  static constexpr Decoded kDecoded = decoded();
};

}  // namespace rosi::kernels
