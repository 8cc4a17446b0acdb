// F32, F16 and BF16: each weight is its own block, and adding means adding and rounding. kLastPlace is half the
// distance to the next number, relative to a weight just above a power of two.
#pragma once

#include "core/half.h"
#include "kernels/host_device.h"

namespace rosi::kernels {

template <class Bits>
ROSI_HD ROSI_INLINE Bits load_bits(const std::uint8_t* bytes) {
  Bits bits;
  memcpy(&bits, bytes, sizeof bits);
  return bits;
}
template <class Bits>
ROSI_HD ROSI_INLINE void store_bits(std::uint8_t* bytes, Bits bits) {
  memcpy(bytes, &bits, sizeof bits);
}

struct WeightF32 {
  static constexpr float kLargest = 3.402823466e+38f, kLastPlace = 0x1p-24f;
  using Bits = std::uint32_t;
  std::uint8_t bytes[4];
  static ROSI_HD ROSI_INLINE float decode(Bits bits) { return core::bits_float(bits); }
  static ROSI_HD ROSI_INLINE Bits encode(float value) { return core::float_bits(value); }
  ROSI_HD ROSI_INLINE float load() const { return decode(load_bits<Bits>(bytes)); }
  ROSI_HD ROSI_INLINE void store(float value) { store_bits(bytes, encode(value)); }
};

struct WeightF16 {
  static constexpr float kLargest = 65504.0f, kLastPlace = 0x1p-11f;
  using Bits = std::uint16_t;
  std::uint8_t bytes[2];
  static ROSI_HD ROSI_INLINE float decode(Bits bits) { return core::half_to_float(bits); }
  static ROSI_HD ROSI_INLINE Bits encode(float value) { return core::float_to_half(value); }
  ROSI_HD ROSI_INLINE float load() const { return decode(load_bits<Bits>(bytes)); }
  ROSI_HD ROSI_INLINE void store(float value) { store_bits(bytes, encode(value)); }
};

struct WeightBF16 {
  static constexpr float kLargest = 3.3895313892515355e+38f, kLastPlace = 0x1p-8f;
  using Bits = std::uint16_t;
  std::uint8_t bytes[2];
  static ROSI_HD ROSI_INLINE float decode(Bits bits) { return core::bfloat_to_float(bits); }
  static ROSI_HD ROSI_INLINE Bits encode(float value) { return core::float_to_bfloat(value); }
  ROSI_HD ROSI_INLINE float load() const { return decode(load_bits<Bits>(bytes)); }
  ROSI_HD ROSI_INLINE void store(float value) { store_bits(bytes, encode(value)); }
};

/// Rounds to nearest even. A number outside the type's range ends at its largest one rather than at infinity, which
/// would poison every output.
template <class Weight>
ROSI_HD ROSI_INLINE typename Weight::Bits nearest_bits(float value) {
  return Weight::encode(larger(-Weight::kLargest, smaller(Weight::kLargest, value)));
}
template <class Weight>
ROSI_HD ROSI_INLINE void store_nearest(Weight& weight, float value) {
  store_bits(weight.bytes, nearest_bits<Weight>(value));
}

/// What a weight of another type is to be after an update; where the row asks for nothing, itself.
ROSI_HD ROSI_INLINE float promoted(float value, float left, float right) {
  return left != 0.0f ? value + left * right : value;
}

/// Bits of W + left * right, rounded. A zero product keeps the very bits (-0 and NaN payloads included). Without a
/// branch, for compilers to do many at once.
template <class Weight>
ROSI_HD ROSI_INLINE typename Weight::Bits sum_bits(typename Weight::Bits weight, float left, float right) {
  const float request = left * right;
  const std::uint32_t moved = nearest_bits<Weight>(Weight::decode(weight) + request);
  return static_cast<typename Weight::Bits>(request == 0.0f ? std::uint32_t{weight} : moved);
}

}  // namespace rosi::kernels
