// What the kernels need of both compilers: the ROSI_HD mark, and comparisons and rounding that give the same bits on
// both.
#pragma once

#include "core/host_device.h"

namespace rosi::kernels {

// Written as comparisons, not fminf/fmaxf: both compilers turn these into one instruction and agree on NaN.
ROSI_HD ROSI_INLINE float smaller(float a, float b) { return a < b ? a : b; }
ROSI_HD ROSI_INLINE float larger(float a, float b) { return a > b ? a : b; }
ROSI_HD ROSI_INLINE float magnitude(float a) { return a < 0.0f ? -a : a; }

/// Nearest integer, ties to even, for |x| < 2^22. 1.5 * 2^23 has a last place of one, so the addition itself rounds:
/// one form that every instruction set vectorises, where rintf would be a library call on baseline x86-64.
ROSI_HD ROSI_INLINE float to_integer(float x) {
  constexpr float kMagic = 12582912.0f;
  return (x + kMagic) - kMagic;
}

}  // namespace rosi::kernels
