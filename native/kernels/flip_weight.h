// A flip where every number of a float type is a code: sigma_delta.h for F32, F16 and BF16.
#pragma once

#include "kernels/block_float.h"
#include "kernels/sigma_delta.h"

namespace rosi::kernels {

/// `first_flip` of row_phase(), of a row that begins with this weight.
template <class Weight>
ROSI_HD ROSI_INLINE float last_place(const Weight& first) {
  return Weight::kLastPlace * first.load();
}

/// target = source, moved to the number nearest to what it should be, if that is a move with the request; returns its
/// error against the request.
template <class Weight>
ROSI_HD ROSI_INLINE float flip_weight(const Weight& source, Weight& target, const RowWeights& row, float row_penalty,
                                      float t, float mu, float lack, float carry) {
  using Bits = typename Weight::Bits;
  const Bits bits = load_bits<Bits>(source.bytes);
  const float before = Weight::decode(bits);
  const float request = row.s * t;
  const Bits rounded = nearest_bits<Weight>(before + wanted_change(row, row_penalty * mu, t, mu, lack, carry));
  const float change = Weight::decode(rounded) - before;
  const bool with_request = change * request > 0.0f;
  store_bits(target.bytes, static_cast<Bits>(with_request ? std::uint32_t{rounded} : std::uint32_t{bits}));
  return (with_request ? change : 0.0f) - request;
}

}  // namespace rosi::kernels
