// A new grid for a block: our own quantisers, one per type. Values and layouts are the types'; the search is ours.
#pragma once

#include <cmath>

#include "kernels/blocks.h"
#include "kernels/fit.h"

namespace rosi::kernels {

/// Far enough out for every code; NaN, which no integer can hold, ends at an edge.
ROSI_INLINE float clamped(float x) { return larger(smaller(x, 1024.0f), -1024.0f); }

/// The nearest code on the grid for a weight.
template <class Block>
ROSI_INLINE int nearest_code(const Grid& grid, float weight) {
  const float inverse = inverse_step(grid.step);
  const float scaled = to_integer(clamped((weight - grid.offset) * inverse));
  const int code = static_cast<int>(scaled) + Block::kCentre;
  return code < Block::kLowest ? Block::kLowest : code > Block::kHighest ? Block::kHighest : code;
}

/// Gives x [kWeights] the nearest codes on the block's own grid; returns the squared error.
template <class Block>
ROSI_INLINE double assign_codes(Block& block, const float* x) {
  double error = 0;
  for (int run = 0; run < Block::kWeights / kRun; ++run) {
    int codes[kRun];
    for (int k = 0; k < kRun; ++k) {
      const Grid grid = block.grid(run, k / Block::kStepWeights);
      codes[k] = nearest_code<Block>(grid, x[run * kRun + k]);
      const double miss = double{value_of<Block>(grid, static_cast<float>(codes[k]))} - double{x[run * kRun + k]};
      error += miss * miss;
    }
    for (int k = 0; k < kRun; ++k) block.pack_lane(run, k, codes);
  }
  return error;
}

/// Whole numbers for `values` in units of one half-precision number: what the K types do with their steps and minima.
/// `end` is the number for the value of largest magnitude; the unit takes the sign that this needs.
template <int kCount>
ROSI_INLINE void share_unit(const float* values, int lowest, int highest, int end, Half& unit, int* numbers) {
  float extreme = 0;
  for (int k = 0; k < kCount; ++k) extreme = magnitude(values[k]) > magnitude(extreme) ? values[k] : extreme;
  unit.store(extreme / static_cast<float>(end));
  const float inverse = inverse_step(unit.load());
  for (int k = 0; k < kCount; ++k) {
    const int number = static_cast<int>(to_integer(clamped(values[k] * inverse)));
    numbers[k] = number < lowest ? lowest : number > highest ? highest : number;
  }
}

/// Legacy types without offset: Q4_0, Q5_0, Q8_0.
template <class Block>
ROSI_INLINE void fit_block(Block& block, const float* x) {
  block.scale.store(fit_step<Block::kWeights>(x, Block::kLowest, Block::kHighest, Block::kCentre));
}

template <class Block>
ROSI_INLINE void fit_offset_block(Block& block, const float* x) {
  const Grid grid = fit_grid<Block::kWeights>(x, Block::kHighest, false);
  block.scale.store(grid.step);
  block.offset.store(grid.offset);
}
ROSI_INLINE void fit_block(BlockQ4_1& block, const float* x) { fit_offset_block(block, x); }
ROSI_INLINE void fit_block(BlockQ5_1& block, const float* x) { fit_offset_block(block, x); }

template <class Block>
ROSI_INLINE void fit_steps(const float* x, float* steps) {
  for (int k = 0; k < Block::kWeights / Block::kStepWeights; ++k) {
    steps[k] =
        fit_step<Block::kStepWeights>(x + k * Block::kStepWeights, Block::kLowest, Block::kHighest, Block::kCentre);
  }
}
ROSI_INLINE void fit_block(BlockQ6_K& block, const float* x) {
  float steps[16];
  int scales[16];
  fit_steps<BlockQ6_K>(x, steps);
  share_unit<16>(steps, -128, 127, -128, block.scale_unit, scales);
  for (int k = 0; k < 16; ++k) block.scales[k] = static_cast<std::uint8_t>(scales[k]);
}
ROSI_INLINE void fit_block(BlockQ3_K& block, const float* x) {
  float steps[16];
  int scales[16];
  fit_steps<BlockQ3_K>(x, steps);
  share_unit<16>(steps, -32, 31, -32, block.scale_unit, scales);
  block.store_scales(scales);
}

/// Types with a step and a minimum for each group, both as numbers of 0 to `largest`.
template <class Block>
ROSI_INLINE void fit_pairs(Block& block, const float* x, int largest, int* scales, int* minima) {
  constexpr int kGroups = Block::kWeights / Block::kStepWeights;
  float steps[kGroups], lows[kGroups];
  for (int k = 0; k < kGroups; ++k) {
    const Grid grid = fit_grid<Block::kStepWeights>(x + k * Block::kStepWeights, Block::kHighest, true);
    steps[k] = grid.step;
    lows[k] = -grid.offset;
  }
  share_unit<kGroups>(steps, 0, largest, largest, block.scale_unit, scales);
  share_unit<kGroups>(lows, 0, largest, largest, block.minimum_unit, minima);
}
ROSI_INLINE void fit_block(BlockQ4_K& block, const float* x) {
  int scales[8], minima[8];
  fit_pairs(block, x, 63, scales, minima);
  block.scales.store(scales, minima);
}
ROSI_INLINE void fit_block(BlockQ5_K& block, const float* x) {
  int scales[8], minima[8];
  fit_pairs(block, x, 63, scales, minima);
  block.scales.store(scales, minima);
}
ROSI_INLINE void fit_block(BlockQ2_K& block, const float* x) {
  int scales[16], minima[16];
  fit_pairs(block, x, 15, scales, minima);
  for (int k = 0; k < 16; ++k) block.scales[k] = static_cast<std::uint8_t>(scales[k] | (minima[k] << 4));
}

/// Sets `block` to the better of its present grid and a new one for x [kWeights], codes nearest.
template <class Block>
ROSI_INLINE void requantise(Block& block, const float* x) {
  Block fitted = block;
  fit_block(fitted, x);
  const double new_error = assign_codes(fitted, x);
  const double old_error = assign_codes(block, x);
  if (new_error < old_error || std::isnan(old_error)) block = fitted;
}

}  // namespace rosi::kernels
