// A run of 32 weights unpacked into arrays: the unit of every vectorised loop on the CPU.
#pragma once

#include "kernels/block.h"
#include "kernels/sigma_delta.h"

namespace rosi::kernels {

/// In four times eight lanes: within eight, every type's bit positions are a plain progression that vectorises.
template <class Block>
ROSI_INLINE void load_codes(const Block& block, int run, int* codes) {
  for (int begin = 0; begin < kRun; begin += 8) {
    for (int k = 0; k < 8; ++k) codes[begin + k] = block.code(run, begin + k);
  }
}

template <class Block>
ROSI_INLINE void load_steps(const Block& block, int run, float* step, float* inverse) {
  for (int part = 0; part < kRun / Block::kStepWeights; ++part) {
    const float part_step = block.grid(run, part).step;
    const float part_inverse = inverse_step(part_step);
    for (int k = part * Block::kStepWeights; k < (part + 1) * Block::kStepWeights; ++k) {
      step[k] = part_step;
      inverse[k] = part_inverse;
    }
  }
}

template <class Block>
ROSI_INLINE void load_values(const Block& block, int run, const int* codes, float* values) {
  for (int part = 0; part < kRun / Block::kStepWeights; ++part) {
    const Grid grid = block.grid(run, part);
    for (int k = part * Block::kStepWeights; k < (part + 1) * Block::kStepWeights; ++k) {
      values[k] = value_of<Block>(grid, static_cast<float>(codes[k]));
    }
  }
}

}  // namespace rosi::kernels
