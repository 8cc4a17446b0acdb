// How one weight's code is chosen, so that W + s * t^T survives rounding to the grid that the file already has.
//
// Rounding W + D anew loses most of a D that is small against the grid's step. Instead codes are flipped by whole
// steps, and what a flip overshoots is carried on, in two directions: e[j], down a column, is what the weighted column
// sum sum_i p_i dW_ij lacks, p being s, or the readout along which the output is used (unit_update.h); the row carry,
// along a row, is what sum_j mu_j dW_ij lacks, mu = t / |t|. So the edit's effect stays along s, and its size is right
// for every column. docs/method.md has derivation and measurements.
//
// The row carry is renewed every 32 columns: within a run all lanes are independent.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/block.h"

namespace rosi::kernels {

/// Weights of the two carries against the error of the single weight; dimensionless.
struct Penalties {
  float column;
  float row;
};

/// For n_out rows of n_in weights, s and mu being unit vectors.
ROSI_HD inline Penalties penalties(std::int64_t n_in, std::int64_t n_out) {
  return {0.1f * static_cast<float>(n_out), 0.03f * static_cast<float>(n_in)};
}

/// Closes a column when its lack is below this share of the root mean square request per column; dimensionless.
inline constexpr double kColumnTolerance = 0.005;
inline float column_tolerance(double size, std::int64_t n_in) {
  return static_cast<float>(kColumnTolerance * size / std::sqrt(static_cast<double>(n_in)));
}
/// Flips that the closure may add to one column: one a round.
inline constexpr int kClosureRounds = 16;
/// Rows of a round: the best move among so many is about as good as among thousands. Each round has others.
inline constexpr std::int64_t kRoundRows = 512;
ROSI_HD inline std::int64_t round_rows(std::int64_t n_out) { return n_out < kRoundRows ? n_out : kRoundRows; }
/// Of them, rows that are looked at before the moves found so far that close a column are made; the others wait for the
/// end of the round.
inline constexpr std::int64_t kClosureRows = 128;
/// The row at a place of a round, 0 to round_rows - 1: 256 neighbouring columns begin at one of their own, so that no
/// row gets the flips of all columns. `column` is any of the 256.
ROSI_HD ROSI_INLINE std::int64_t closure_row(std::int64_t column, int round, std::int64_t place, std::int64_t n_out) {
  const std::int64_t start = column / 256 * 2654435769 + round * kRoundRows;
  return (start + place) % n_out;
}
/// Cost factor of a flip that takes an earlier one back: it also removes noise.
inline constexpr float kUndoDiscount = 0.7f;

/// Where a row's carry starts: uniform within half a flip of the row's largest mu, a different point for every row.
/// Without it all rows would flip at the same columns. `first_flip`: what a flip of the first weight is worth.
ROSI_HD ROSI_INLINE float row_phase(std::int64_t row, float largest_mu, float first_flip) {
  const std::uint32_t hash = (static_cast<std::uint32_t>(row) * 2654435769u) >> 8;
  const float uniform = static_cast<float>(hash) * (1.0f / 16777216.0f) - 0.5f;
  return uniform * largest_mu * magnitude(first_flip);
}

/// 1 / step, or 0 for steps that can't flip anything: zero, subnormal, infinite, NaN.
ROSI_HD ROSI_INLINE float inverse_step(float step) {
  const float size = magnitude(step);
  return size >= 1.17549435e-38f && size <= 3.402823466e+38f ? 1.0f / step : 0.0f;
}

/// What is the same for all weights of a row: s, the readout p, and products of it. From `RowWeights::of`.
struct RowWeights {
  float s;
  float p;
  float column_pull;  // column penalty * p
  float damping;      // 1 + column penalty * p^2

  ROSI_HD static ROSI_INLINE RowWeights of(float s, float p, const Penalties& penalties) {
    return {s, p, penalties.column * p, 1.0f + penalties.column * p * p};
  }
};

/// The change a weight would get if its type had every number: the minimiser of
/// error^2 + column penalty * e'^2 + row penalty * carry'^2, with e' and carry' what is lacking afterwards.
/// `row_pull` row penalty * mu, `t` request of the column (the weight's is s * t), `mu` = t / |t|, `lack` = e[j],
/// `carry` of the row.
ROSI_HD ROSI_INLINE float wanted_change(const RowWeights& row, float row_pull, float t, float mu, float lack,
                                        float carry) {
  const float share = 1.0f / (row.damping + row_pull * mu);
  return (row.s * t - row.column_pull * lack * share) - row_pull * share * carry;
}

template <class Block>
ROSI_HD ROSI_INLINE float first_flip(const Block& first) {
  return decltype(codes_of<Block>())::kSpacing * first.grid(0, 0).step;
}

/// What a weight gets: steps to move by, and its error against the request, in units of the weight.
struct Flip {
  float codes;
  float error;
};

template <class Codes>
ROSI_HD ROSI_INLINE Flip choose_flip(const Codes& codes, const RowWeights& row, float row_pull, float t, float mu,
                                     float lack, float carry, float code, float step, float inverse) {
  const float request = row.s * t;
  const float allowed = codes.change(code, wanted_change(row, row_pull, t, mu, lack, carry) * inverse);
  const float change = allowed * step;
  // A flip against the request would only repay a neighbour's error, at the price of noise here.
  const bool with_request = change * request > 0.0f;
  return {with_request ? allowed : 0.0f, (with_request ? change : 0.0f) - request};
}

#if defined(__has_builtin) && !defined(__CUDACC__)
#if __has_builtin(__builtin_shufflevector)
#define ROSI_VECTORS 1
#endif
#endif
#ifdef ROSI_VECTORS
/// The last levels of tree_sum(), which g++ 12 would add number by number.
ROSI_INLINE float sum_of_eight(const float* lanes) {
  using Eight __attribute__((vector_size(32))) = float;
  Eight v;
  std::memcpy(&v, lanes, sizeof v);
  const auto four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const auto two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
  return two[0] + two[1];
}
#endif

/// Sum of n numbers, a power of two, in one fixed order: for 32 that of a warp's butterfly. `lanes` is overwritten.
template <int n = kRun>
ROSI_HD ROSI_INLINE float tree_sum(float* lanes) {
  if constexpr (n == 1) {
    return lanes[0];
  } else {
#ifdef ROSI_VECTORS
    if constexpr (n == 8) return sum_of_eight(lanes);
#endif
    for (int k = 0; k < n / 2; ++k) lanes[k] = lanes[k] + lanes[k + n / 2];
    return tree_sum<n / 2>(lanes);
  }
}

/// A move of one code to its neighbour towards closing a column: the code and the lack after it, and its cost.
struct Move {
  int code;
  float lack;
  float cost;  // kNoMove where there is none
};
inline constexpr float kNoMove = 3.402823466e+38f;

/// `original` is the code before any flip, `code` the present one.
template <class Codes>
ROSI_HD ROSI_INLINE Move closing_move(const Codes& codes, float s, float lack, int original, int code, float step,
                                      float inverse) {
  const int moved = (lack * s) * step > 0.0f ? codes.below(code) : codes.above(code);
  const float after = lack + s * (static_cast<float>(moved - code) * step);
  const int before_size = code > original ? code - original : original - code;
  const int after_size = moved > original ? moved - original : original - moved;
  const float cost = after_size < before_size ? magnitude(after) * kUndoDiscount : magnitude(after);
  const bool legal = codes.allows(moved) && moved != code && inverse != 0.0f;
  return {moved, after, legal ? cost : kNoMove};
}

/// Whether the move brings a column closer that lacks `lack`.
ROSI_HD ROSI_INLINE bool helps(const Move& move, float lack) {
  return move.cost != kNoMove && magnitude(move.lack) < magnitude(lack);
}

/// Makes the closing move on one code, if it helps; `lack` is then the new one.
template <class Block>
ROSI_HD ROSI_INLINE bool apply_closing_move(const Block& source, Block& target, int run, int lane, float s,
                                            float& lack) {
  const float step = target.grid(run, lane / Block::kStepWeights).step;
  const int code = target.code(run, lane);
  const Move move = closing_move(codes_of<Block>(), s, lack, source.code(run, lane), code, step, inverse_step(step));
  if (!helps(move, lack)) return false;
  target.set_code(run, lane, move.code);
  lack = move.lack;
  return true;
}

}  // namespace rosi::kernels
