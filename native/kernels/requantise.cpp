#include "kernels/requantise.h"

#include <type_traits>

#include "core/clones.h"
#include "kernels/blocks.h"
#include "kernels/fit.h"
#include "kernels/quantise_block.h"
#include "kernels/row_codes.h"

namespace rosi::kernels {
namespace {

/// Nearest codes for x[0 .. 32 * n_runs) on the given grids; returns the squared error.
template <class Codes>
ROSI_CLONES double nearest_codes(const Codes& kind, int centre, const float* steps, const float* offsets,
                                 const float* x, int n_runs, std::int8_t* __restrict codes) {
  double error = 0;
  for (int part = 0; part < n_runs * kRunGrids; ++part) {
    error = add_nearest_codes(kind, centre, {steps[part], offsets[part]}, x, codes, error);
    x += kGridWeights;
    codes += kGridWeights;
  }
  return error;
}

/// The codes as what steps are multiplied by.
template <class Block>
auto centred_codes() {
  auto codes = codes_of<Block>();
  if constexpr (std::is_same_v<decltype(codes), CodeRange>) {
    codes = {codes.lowest - Block::kCentre, codes.highest - Block::kCentre};
  }
  return codes;
}

/// Gives a block the nearest codes for x on its own grids; returns the squared error.
template <class Block>
double assign_codes(std::uint32_t type, const float* x, Block& target) {
  constexpr int n_runs = Block::kWeights / kRun;
  std::byte* block = reinterpret_cast<std::byte*>(&target);
  float steps[kStretchRuns * kRunGrids], offsets[kStretchRuns * kRunGrids];
  std::int8_t codes[kStretch];
  load_grids(type, block, 0, n_runs, steps, offsets);
  const double error = nearest_codes(centred_codes<Block>(), Block::kCentre, steps, offsets, x, n_runs, codes);
  store_codes(type, block, 0, n_runs, codes);
  return error;
}

/// Whole numbers for `values` in units of one half-precision number: what the K types do with their steps and minima.
/// `end` is the number for the value of largest magnitude; the unit takes the sign that this needs.
template <int kCount>
void share_unit(const float* values, int lowest, int highest, int end, Half& unit, int* numbers) {
  float extreme = 0;
  for (int k = 0; k < kCount; ++k) extreme = magnitude(values[k]) > magnitude(extreme) ? values[k] : extreme;
  unit.store(extreme / static_cast<float>(end));
  const float inverse = inverse_step(unit.load());
  for (int k = 0; k < kCount; ++k) {
    const int number = static_cast<int>(to_integer(clamped(values[k] * inverse)));
    numbers[k] = number < lowest ? lowest : number > highest ? highest : number;
  }
}

/// Types of one step without offset: Q4_0, Q5_0, Q8_0, IQ4_NL.
template <class Block>
void fit_block(Block& block, const float* x) {
  block.scale.store(fit_step(x, Block::kWeights, centred_codes<Block>()));
}

template <class Block>
void fit_offset_block(Block& block, const float* x) {
  const Grid grid = fit_grid(x, Block::kWeights, Block::kHighest, false);
  block.scale.store(grid.step);
  block.offset.store(grid.offset);
}
void fit_block(BlockQ4_1& block, const float* x) { fit_offset_block(block, x); }
void fit_block(BlockQ5_1& block, const float* x) { fit_offset_block(block, x); }

template <class Block>
void fit_steps(const float* x, float* steps) {
  for (int k = 0; k < Block::kWeights / Block::kStepWeights; ++k) {
    steps[k] = fit_step(x + k * Block::kStepWeights, Block::kStepWeights, centred_codes<Block>());
  }
}
void fit_block(BlockQ6_K& block, const float* x) {
  float steps[16];
  int scales[16];
  fit_steps<BlockQ6_K>(x, steps);
  share_unit<16>(steps, -128, 127, -128, block.scale_unit, scales);
  for (int k = 0; k < 16; ++k) block.scales[k] = static_cast<std::uint8_t>(scales[k]);
}
void fit_block(BlockMXFP4& block, const float* x) { block.exponent = static_cast<std::uint8_t>(fit_exponent(x)); }
void fit_block(BlockIQ4_XS& block, const float* x) {
  float steps[8];
  int scales[8];
  fit_steps<BlockIQ4_XS>(x, steps);
  share_unit<8>(steps, -32, 31, -32, block.scale_unit, scales);
  block.store_scales(scales);
}
void fit_block(BlockQ3_K& block, const float* x) {
  float steps[16];
  int scales[16];
  fit_steps<BlockQ3_K>(x, steps);
  share_unit<16>(steps, -32, 31, -32, block.scale_unit, scales);
  block.store_scales(scales);
}

/// Types with a step and a minimum for each group, both as numbers of 0 to `largest`.
template <class Block>
void fit_pairs(Block& block, const float* x, int largest, int* scales, int* minima) {
  constexpr int kGroups = Block::kWeights / Block::kStepWeights;
  float steps[kGroups], lows[kGroups];
  for (int k = 0; k < kGroups; ++k) {
    const Grid grid = fit_grid(x + k * Block::kStepWeights, Block::kStepWeights, Block::kHighest, true);
    steps[k] = grid.step;
    lows[k] = -grid.offset;
  }
  share_unit<kGroups>(steps, 0, largest, largest, block.scale_unit, scales);
  share_unit<kGroups>(lows, 0, largest, largest, block.minimum_unit, minima);
}
void fit_block(BlockQ4_K& block, const float* x) {
  int scales[8], minima[8];
  fit_pairs(block, x, 63, scales, minima);
  block.scales.store(scales, minima);
}
void fit_block(BlockQ5_K& block, const float* x) {
  int scales[8], minima[8];
  fit_pairs(block, x, 63, scales, minima);
  block.scales.store(scales, minima);
}
void fit_block(BlockQ2_K& block, const float* x) {
  int scales[16], minima[16];
  fit_pairs(block, x, 15, scales, minima);
  for (int k = 0; k < 16; ++k) block.scales[k] = static_cast<std::uint8_t>(scales[k] | (minima[k] << 4));
}

}  // namespace

void requantise_row(std::uint32_t type, const float* x, std::byte* row, std::int64_t n_in) {
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    Block* blocks = reinterpret_cast<Block*>(row);
    for (std::int64_t b = 0; b < n_in / Block::kWeights; ++b) {
      const float* values = x + b * Block::kWeights;
      choose_grid(
          blocks[b], [&](Block& block) { fit_block(block, values); },
          [&](Block& block) { return assign_codes(type, values, block); });
    }
  });
}

}  // namespace rosi::kernels
