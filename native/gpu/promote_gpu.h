// How a GPU promotes (promote.h): what each thread does, and the order of the passes. Plain functions, so that
// promote_emulated.cpp runs the same without a GPU; the arithmetic is that of the CPU's passes.
//
// The source is decoded to float32 once: a thread for each weight. A pass that writes has a thread for each weight of a
// float type, or for each block. Of the sums that decide (measure_sums.h), a row's has a warp, and a column's a thread
// for each part of the rows. The sweep and the closure are divided as in rank_one_gpu.h.
//
// Types that the engine alone decodes come as rows of F32.
#pragma once

#include <cmath>
#include <cstdint>

#include "gpu/rank_one_gpu.h"
#include "kernels/add_floats.h"
#include "kernels/blocks.h"
#include "kernels/measure_sums.h"
#include "kernels/quantise_block.h"
#include "kernels/unit_update.h"

namespace rosi::gpu {

/// What an encoding thread writes: a weight, or a block of 32.
template <class Target>
inline constexpr int kUnitWeights = 1;
template <>
inline constexpr int kUnitWeights<BlockQ8_0> = BlockQ8_0::kWeights;

/// The decoded source and its update. A null `left` only converts.
struct Request {
  Shape shape;
  const float* values;
  const float* left;
  const float* right;

  ROSI_HD ROSI_INLINE float wanted(std::int64_t k) const {
    return promoted(values[k], left == nullptr ? 0.0f : left[k / shape.n_in], right[k % shape.n_in]);
  }
};

/// Writes unit u of the target.
template <class Weight>
ROSI_HD ROSI_INLINE void encode(const Request& request, std::int64_t u, Weight* target) {
  store_nearest(target[u], request.wanted(u));
}
ROSI_HD inline void encode(const Request& request, std::int64_t u, BlockQ8_0* target) {
  float x[kRun];
  for (int k = 0; k < kRun; ++k) x[k] = request.wanted(u * kRun + k);
  quantise(target[u], x);
}

/// A lane's part of a row's sum along mu.
template <class Target>
ROSI_HD ROSI_INLINE double sum_lane(const Request& request, const Target* target, const float* mu, std::int64_t row,
                                    int lane) {
  double sum = 0;
  for (std::int64_t j = lane; j < request.shape.n_in; j += kRun) {
    const std::int64_t k = row * request.shape.n_in + j;
    add_along(sum, change_between(request.values[k], decoded(target, k)), mu[j]);
  }
  return sum;
}

/// A part's sum of column j along p.
template <class Target>
ROSI_HD ROSI_INLINE double sum_column(const Request& request, const Target* target, const float* p, std::int64_t part,
                                      std::int64_t j) {
  double sum = 0;
  const RowRange rows = part_rows(request.shape.n_out, part);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t k = row * request.shape.n_in + j;
    add_to_column(sum, double{p[row]}, change_between(request.values[k], decoded(target, k)));
  }
  return sum;
}

/// Column j's lack, from its parts' sums [kParts, n_in].
ROSI_HD ROSI_INLINE float join_column(const double* sums, std::int64_t n_in, std::int64_t j, double alignment,
                                      float t) {
  double change = 0;
  for (std::int64_t part = 0; part < kParts; ++part) change += sums[part * n_in + j];
  return lack_of(change, alignment, t);
}

/// Calls `use` with the Tag of a type that promote() writes.
template <class Use>
bool with_target(std::uint32_t type, Use&& use) {
  if (type != kQ8_0) return with_float(type, use);
  use(Tag<BlockQ8_0>{});
  return true;
}

/// The passes in the order of promote.cpp; `device` runs them. Its tensor() is one of the target's type and shape.
template <class Device>
void promote_to_quantised(Device& device) {
  auto target = device.tensor();
  device.encode(target, true);
  device.close(target);
  device.finish(target);
}

template <class Device>
void promote_to_floats(Device& device, const UnitUpdate& update) {
  const auto gain_error = [&](auto& tensor) { return std::fabs(gain_of(update, device.sums_along(tensor)) - 1); };
  auto rounded = device.tensor();
  device.encode(rounded, true);
  const double rounding = gain_error(rounded);
  if (rounding <= kFloatGainError) return device.finish(rounded);
  auto converted = device.tensor(), carried = device.tensor();
  device.encode(converted, false);
  device.encode(carried, false);  // rows that ask for nothing stay so
  device.flip(converted, carried);
  if (gain_error(carried) >= rounding) return device.finish(rounded);
  device.finish(carried);
}

template <class Device>
void promote(Device& device, const UnitUpdate& update) {
  if (update.size == 0) {
    auto target = device.tensor();
    device.encode(target, false);
    device.finish(target);
  } else if constexpr (Device::kIsFloat) {
    promote_to_floats(device, update);
  } else {
    promote_to_quantised(device);
  }
}

}  // namespace rosi::gpu
