// IEEE half precision and bfloat16 as they lie in a file, to and from float32. Little-endian hosts only, as GGUF is.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/host_device.h"

namespace rosi::core {

ROSI_HD inline std::uint32_t float_bits(float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

ROSI_HD inline float bits_float(std::uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// Exact for every half, subnormals and infinities included; NaN becomes quiet, as by the processors' own conversion.
ROSI_HD inline float half_to_float(std::uint16_t half) {
  const std::uint32_t magnitude = half & 0x7fffu;
  // The half's exponent lies in the low bits of the float's; the product moves the bias from 15 to 127 and normalises
  // subnormals on the way.
  const float scaled = bits_float(magnitude << 13) * 0x1p112f;
  const std::uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
  const std::uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u | quiet : 0u;
  return bits_float(float_bits(scaled) | special | (static_cast<std::uint32_t>(half & 0x8000u) << 16));
}

/// Rounds to nearest, ties to even; above 65519.99 gives infinity, NaN stays NaN.
ROSI_HD inline std::uint16_t float_to_half(float value) {
  const std::uint32_t bits = float_bits(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // 0.5f has a last place of 2^-24, the quantum of subnormal halves, so the addition rounds for us.
  const std::uint32_t subnormal = float_bits(bits_float(magnitude) + 0.5f) - float_bits(0.5f);
  const std::uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  const std::uint32_t special = 0x7c00u + (magnitude > 0x7f800000u ? 0x200u : 0u);
  // By masks: with branches compilers convert one number at a time.
  const std::uint32_t is_subnormal = magnitude < 0x38800000u ? ~0u : 0u;
  const std::uint32_t is_special = magnitude < 0x47800000u ? 0u : ~0u;
  const std::uint32_t half =
      (subnormal & is_subnormal) | (special & is_special) | (normal & ~(is_subnormal | is_special));
  return static_cast<std::uint16_t>(half | ((bits >> 16) & 0x8000u));
}

ROSI_HD inline float bfloat_to_float(std::uint16_t bfloat) { return bits_float(std::uint32_t{bfloat} << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
ROSI_HD inline std::uint16_t float_to_bfloat(float value) {
  const std::uint32_t bits = float_bits(value);
  const std::uint32_t nan = (bits >> 16) | 0x40u;
  const std::uint32_t number = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : number);
}

}  // namespace rosi::core
