// The codes and grids of a row as plain arrays, the same for every type: the loops over weights exist once, and only
// what is in row_codes.cpp once for every type.
//
// A row's runs are counted from its first weight; `type` is a quantised one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/block.h"
#include "kernels/sigma_delta.h"

namespace rosi::kernels {

/// Runs that the loops hold at a time: 256 weights stay in the first-level cache, and make the calls here cheap. The
/// blocks of every type divide them.
inline constexpr int kStretchRuns = 8;
inline constexpr int kStretch = kStretchRuns * kRun;
inline constexpr int kGridWeights = 16;  // a grid is loaded for each 16 weights, also where 32 share one
inline constexpr int kRunGrids = kRun / kGridWeights;

/// What a type's blocks say of their codes (block.h).
struct CodeFormat {
  CodeRange range;
  int centre;
  int step_weights;
  float spacing;  // of the codes (codes.h)
};
CodeFormat code_format(std::uint32_t type);

/// codes[0 .. 32 * n_runs) of the runs from first_run on.
void load_codes(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                std::int8_t* codes);
void store_codes(std::uint32_t type, std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                 const std::int8_t* codes);
/// steps and offsets [0 .. 2 * n_runs).
void load_grids(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                float* __restrict steps, float* __restrict offsets);
/// Only their steps.
void load_steps(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                float* __restrict steps);

/// The values that codes stand for on their grids.
void to_values(const CodeFormat& format, const float* steps, const float* offsets, const std::int8_t* codes,
               std::int64_t n_runs, float* __restrict values);

/// The two steps of a run, lane by lane.
ROSI_INLINE void spread_steps(const float* steps, float* step, float* inverse) {
  for (int part = 0; part < kRunGrids; ++part) {
    const float part_step = steps[part];
    const float part_inverse = inverse_step(part_step);
    for (int k = part * kGridWeights; k < (part + 1) * kGridWeights; ++k) {
      step[k] = part_step;
      inverse[k] = part_inverse;
    }
  }
}

}  // namespace rosi::kernels
