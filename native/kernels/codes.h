// The codes that a weight can have: all whole numbers of a range, or the few of a table.
//
// Both kinds have the same members; `code` is one that a block gave (block.h), in units of its step.
//
//   lowest, highest       the ends of what may be written
//   kSpacing              mean distance of neighbouring codes
//   nearest(x)            of what may be written, as a float
//   change(code, wanted)  what to add to `code` so that it moves by about `wanted`
//   above, below(code)    its neighbours; in a table the code itself at the end
//   allows(code)          whether it may be written
#pragma once

#include "kernels/host_device.h"

namespace rosi::kernels {

struct CodeRange {
  static constexpr float kSpacing = 1;
  int lowest;
  int highest;

  ROSI_HD ROSI_INLINE float nearest(float x) const {
    return larger(static_cast<float>(lowest), smaller(static_cast<float>(highest), to_integer(x)));
  }
  /// A code outside the range may stay and may come back in; it never moves further out.
  ROSI_HD ROSI_INLINE float change(float code, float wanted) const {
    const float down = smaller(static_cast<float>(lowest) - code, 0.0f);
    const float up = larger(static_cast<float>(highest) - code, 0.0f);
    return to_integer(larger(down, smaller(up, wanted)));
  }
  ROSI_HD ROSI_INLINE int above(int code) const { return code + 1; }
  ROSI_HD ROSI_INLINE int below(int code) const { return code - 1; }
  ROSI_HD ROSI_INLINE bool allows(int code) const { return code >= lowest && code <= highest; }
};

/// `Levels::at(k)`, k from 0 to kCount - 1, are the codes in rising order. All is a sum over the levels that are
/// passed, by recursion where a loop would do: every level becomes a constant in the code, and lanes do not branch.
template <class Levels>
struct CodeTable {
  static constexpr int kLast = Levels::kCount - 1;
  static constexpr int lowest = Levels::at(0), highest = Levels::at(kLast);
  static constexpr float kSpacing = static_cast<float>(highest - lowest) / kLast;

  template <int k = 1>
  ROSI_HD static ROSI_INLINE float nearest(float x) {
    if constexpr (k > kLast) {
      return static_cast<float>(lowest);
    } else {
      constexpr float middle = 0.5f * (Levels::at(k - 1) + Levels::at(k)), gap = Levels::at(k) - Levels::at(k - 1);
      return nearest<k + 1>(x) + (x > middle ? gap : 0.0f);
    }
  }
  ROSI_HD static ROSI_INLINE float change(float code, float wanted) { return nearest(code + wanted) - code; }

  template <int k = 1>
  ROSI_HD static ROSI_INLINE int above(int code) {
    if constexpr (k > kLast) {
      return lowest;
    } else {
      constexpr int level = Levels::at(k - 1), gap = Levels::at(k) - level;
      return above<k + 1>(code) + (code >= level ? gap : 0);
    }
  }
  template <int k = 1>
  ROSI_HD static ROSI_INLINE int below(int code) {
    if constexpr (k > kLast) {
      return lowest;
    } else {
      constexpr int level = Levels::at(k), gap = level - Levels::at(k - 1);
      return below<k + 1>(code) + (code > level ? gap : 0);
    }
  }
  ROSI_HD static ROSI_INLINE bool allows(int) { return true; }

  /// How many levels are below `code`: its place.
  template <int k = 1>
  ROSI_HD static ROSI_INLINE int place(int code) {
    if constexpr (k > kLast) {
      return 0;
    } else {
      constexpr int level = Levels::at(k);
      return place<k + 1>(code) + (code >= level ? 1 : 0);
    }
  }
};

/// What a block's codes are: a CodeTable where it names one.
template <class Block>
ROSI_HD constexpr auto codes_of() {
  if constexpr (requires { typename Block::Codes; }) {
    return typename Block::Codes{};
  } else {
    return CodeRange{Block::kLowest, Block::kHighest};
  }
}

}  // namespace rosi::kernels
