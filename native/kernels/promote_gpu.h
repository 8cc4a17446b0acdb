// How a GPU writes a tensor in a float type while it adds left right^T: a thread for each weight decodes it to float32,
// another step adds, clamps and rounds. Plain functions, so that promote_emulated.cpp runs the same without a GPU.
//
// On the CPU alone so far: Q8_0 as target, whose grids fit.cpp searches, with its closure; and the flips of promote.cpp
// where rounding loses the update. Types that the engine alone decodes come as rows of F32.
#pragma once

#include <cstdint>

#include "kernels/block.h"
#include "kernels/block_float.h"
#include "kernels/rank_one_gpu.h"

namespace rosi::kernels::gpu {

/// Weight k of a tensor, counted row by row.
template <class Block>
ROSI_HD ROSI_INLINE float decoded(const Block* blocks, std::int64_t k) {
  return value(blocks[k / Block::kWeights], static_cast<int>(k % Block::kWeights));
}
ROSI_HD ROSI_INLINE float decoded(const WeightF32* weights, std::int64_t k) { return weights[k].load(); }
ROSI_HD ROSI_INLINE float decoded(const WeightF16* weights, std::int64_t k) { return weights[k].load(); }
ROSI_HD ROSI_INLINE float decoded(const WeightBF16* weights, std::int64_t k) { return weights[k].load(); }

/// Rounds value + left * right as encode_row() of promote.cpp does: a row whose left is 0 is only converted.
template <class Weight>
ROSI_HD ROSI_INLINE void encode(Weight& weight, float value, float left, float right) {
  if (left != 0.0f) value += left * right;
  weight.store(larger(-Weight::kLargest, smaller(Weight::kLargest, value)));
}

}  // namespace rosi::kernels::gpu
