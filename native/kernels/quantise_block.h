// Codes and grids for the weights of a block: the arithmetic of requantise.cpp and fit.cpp that a GPU needs for Q8_0.
#pragma once

#include "kernels/block_q8_0.h"
#include "kernels/sigma_delta.h"

namespace rosi::kernels {

/// Candidates that are tried side by side: sums of one candidate each, so that none has to be added up across lanes.
inline constexpr int kFitLanes = 8;

/// The weight of largest magnitude, with its sign; of two the positive one.
template <int n>
ROSI_HD ROSI_INLINE float extreme_of(const float* x) {
  float low[kFitLanes] = {}, high[kFitLanes] = {};
  for (int k = 0; k < n; k += kFitLanes) {
    for (int lane = 0; lane < kFitLanes; ++lane) {
      low[lane] = smaller(low[lane], x[k + lane]);
      high[lane] = larger(high[lane], x[k + lane]);
    }
  }
  float lowest = 0, highest = 0;
  for (int lane = 0; lane < kFitLanes; ++lane) {
    lowest = smaller(lowest, low[lane]);
    highest = larger(highest, high[lane]);
  }
  return highest >= -lowest ? highest : lowest;
}

/// fit_step() of fit.h.
template <int n, class Codes>
ROSI_HD ROSI_INLINE float best_step(const float* x, const Codes& codes) {
  const float extreme = extreme_of<n>(x);
  if (extreme == 0.0f) return 0;
  const float low = static_cast<float>(codes.lowest), high = static_cast<float>(codes.highest);
  // The largest weight at -1 to .5 codes from either end: the ends are one code apart in most types, and which serves
  // the others better depends on them. Four times as many candidates would gain .6 % of the squared error.
  constexpr int kPerEnd = kFitLanes / 2;
  float inverse[kFitLanes], product[kFitLanes] = {}, square[kFitLanes] = {};
  for (int lane = 0; lane < kFitLanes; ++lane) {
    const float offset = 0.5f * static_cast<float>(lane % kPerEnd) - 1;
    inverse[lane] = ((lane < kPerEnd ? low : high) + Codes::kSpacing * offset) / extreme;
  }
  for (int k = 0; k < n; ++k) {
    for (int lane = 0; lane < kFitLanes; ++lane) {
      const float code = codes.nearest(x[k] * inverse[lane]);
      product[lane] += code * x[k];
      square[lane] += code * code;
    }
  }
  float best_gain = 0, best_step = extreme / low;
  for (int lane = 0; lane < kFitLanes; ++lane) {
    // The error falls by product^2 / square below sum x^2 at the best step for these codes.
    if (square[lane] > 0 && product[lane] * product[lane] > best_gain * square[lane]) {
      best_gain = product[lane] * product[lane] / square[lane];
      best_step = product[lane] / square[lane];
    }
  }
  return best_step;
}

/// Far enough out for every code; NaN, which no integer can hold, ends at an edge.
ROSI_HD ROSI_INLINE float clamped(float x) { return larger(smaller(x, 1024.0f), -1024.0f); }

/// Nearest codes for x[0..16) on one grid; returns `error` with their squared errors added. `kind` has what steps are
/// multiplied by.
template <class Codes>
ROSI_HD ROSI_INLINE double add_nearest_codes(const Codes& kind, int centre, const Grid& grid, const float* x,
                                             std::int8_t* __restrict codes, double error) {
  constexpr int n = 16;
  const float inverse = inverse_step(grid.step);
  double squares[n];
  for (int k = 0; k < n; ++k) {
    const int code = static_cast<int>(kind.nearest(clamped((x[k] - grid.offset) * inverse))) + centre;
    const double miss = double{value_of(grid, code, centre)} - double{x[k]};
    squares[k] = miss * miss;
    codes[k] = static_cast<std::int8_t>(code);
  }
  for (int k = 0; k < n; ++k) error += squares[k];
  return error;
}

/// Sets a block to the better of itself and what `fit` makes of it; `assign` gives a block the nearest codes on its
/// grid and returns the squared error.
template <class Block, class Fit, class Assign>
ROSI_HD ROSI_INLINE void choose_grid(Block& block, const Fit& fit, const Assign& assign) {
  Block fitted = block;
  fit(fitted);
  const double new_error = assign(fitted);
  const double old_error = assign(block);
  if (new_error < old_error || old_error != old_error) block = fitted;
}

/// What quantize_row() makes of 32 weights.
ROSI_HD inline void quantise(BlockQ8_0& block, const float* x) {
  constexpr auto codes = codes_of<BlockQ8_0>();
  block = {};  // a grid of zeros, which any other is better than
  choose_grid(
      block, [&](BlockQ8_0& fitted) { fitted.scale.store(best_step<kRun>(x, codes)); },
      [&](BlockQ8_0& assigned) {
        std::int8_t chosen[kRun];
        double error = 0;
        for (int part = 0; part < 2; ++part) {
          error = add_nearest_codes(codes, BlockQ8_0::kCentre, assigned.grid(0, part), x + 16 * part,
                                    chosen + 16 * part, error);
        }
        for (int k = 0; k < kRun; ++k) assigned.set_code(0, k, chosen[k]);
        return error;
      });
}

}  // namespace rosi::kernels
