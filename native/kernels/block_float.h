// F32, F16 and BF16: each weight is its own block, and adding means adding and rounding. kLastPlace is half the
// distance to the next number, relative to a weight just above a power of two.
#pragma once

#include "core/half.h"
#include "kernels/host_device.h"

namespace rosi::kernels {

struct WeightF32 {
  static constexpr float kLargest = 3.402823466e+38f, kLastPlace = 0x1p-24f;
  std::uint8_t bytes[4];
  ROSI_HD ROSI_INLINE float load() const {
    float value;
    memcpy(&value, bytes, 4);
    return value;
  }
  ROSI_HD ROSI_INLINE void store(float value) { memcpy(bytes, &value, 4); }
};

struct WeightF16 {
  static constexpr float kLargest = 65504.0f, kLastPlace = 0x1p-11f;
  std::uint8_t bytes[2];
  ROSI_HD ROSI_INLINE float load() const {
    std::uint16_t bits;
    memcpy(&bits, bytes, 2);
    return core::half_to_float(bits);
  }
  ROSI_HD ROSI_INLINE void store(float value) {
    const std::uint16_t bits = core::float_to_half(value);
    memcpy(bytes, &bits, 2);
  }
};

struct WeightBF16 {
  static constexpr float kLargest = 3.3895313892515355e+38f, kLastPlace = 0x1p-8f;
  std::uint8_t bytes[2];
  ROSI_HD ROSI_INLINE float load() const {
    std::uint16_t bits;
    memcpy(&bits, bytes, 2);
    return core::bfloat_to_float(bits);
  }
  ROSI_HD ROSI_INLINE void store(float value) {
    const std::uint16_t bits = core::float_to_bfloat(value);
    memcpy(bytes, &bits, 2);
  }
};

/// Rounds to nearest even. A number outside the type's range ends at its largest one rather than at infinity, which
/// would poison every output.
template <class Weight>
ROSI_HD ROSI_INLINE void store_nearest(Weight& weight, float value) {
  weight.store(larger(-Weight::kLargest, smaller(Weight::kLargest, value)));
}

/// What a weight of another type is to be after an update; where the row asks for nothing, itself.
ROSI_HD ROSI_INLINE float promoted(float value, float left, float right) {
  return left != 0.0f ? value + left * right : value;
}

/// W + left * right, rounded. A zero product keeps the very bits (-0 and NaN payloads included).
template <class Weight>
ROSI_HD ROSI_INLINE void add_to_weight(Weight& weight, float left, float right) {
  const float request = left * right;
  if (request == 0.0f) return;
  store_nearest(weight, weight.load() + request);
}

}  // namespace rosi::kernels
