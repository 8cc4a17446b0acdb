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
  const float before = source.load();
  const float request = row.s * t;
  Weight rounded = source;
  store_nearest(rounded, before + wanted_change(row, row_penalty, t, mu, lack, carry));
  const float change = rounded.load() - before;
  const bool with_request = change * request > 0.0f;
  target = with_request ? rounded : source;
  return (with_request ? change : 0.0f) - request;
}

}  // namespace rosi::kernels
