// How the GPU is divided: what block, run and column a lane works on, and what warps tell each other. Plain functions,
// so that rank_one_emulated.cpp runs the same divisions without a GPU; the arithmetic is sigma_delta.h.
//
// Sweep: a warp owns a tile of 256 columns, lane k columns k, 32 + k, .. of it, and goes down all rows; what the lanes
// carry per column stays in registers. A row's carry goes from tile to tile through memory, one 64-bit word a row, so
// the warps form a pipeline. Tiles are handed out in order, so the left neighbour of a running tile runs or is done.
//
// Closure: a round goes down its rows 128 at a time. These are a search, a warp for each run of 32 columns and part of
// the rows, and an application, a thread for each tile of 256 columns, since neighbouring columns share bytes.
#pragma once

#include <cstdint>

#include "kernels/blocks.h"
#include "kernels/sigma_delta.h"

namespace rosi::gpu {

using namespace kernels;

inline constexpr int kTileColumns = 256;
inline constexpr int kTileRuns = kTileColumns / kRun;

struct Shape {
  std::int64_t n_in;
  std::int64_t n_out;
};

ROSI_HD inline std::int64_t tiles(const Shape& shape) { return (shape.n_in + kTileColumns - 1) / kTileColumns; }
/// The last run of a float type may be a part of one.
ROSI_HD inline std::int64_t runs(const Shape& shape) { return (shape.n_in + kRun - 1) / kRun; }
ROSI_HD inline int runs_in_tile(const Shape& shape, std::int64_t tile) {
  const std::int64_t left = runs(shape) - tile * kTileRuns;
  return left < kTileRuns ? static_cast<int>(left) : kTileRuns;
}

/// The block that holds a row's 32 columns from 32 * run on, and the run's number within it.
struct Place {
  std::int64_t block;
  int run;
};
template <class Block>
ROSI_HD inline Place place(const Shape& shape, std::int64_t row, std::int64_t run) {
  constexpr int kBlockRuns = Block::kWeights / kRun;
  return {row * (shape.n_in / Block::kWeights) + run / kBlockRuns, static_cast<int>(run % kBlockRuns)};
}

/// Weight k of a tensor, counted row by row.
template <class Block>
ROSI_HD ROSI_INLINE float decoded(const Block* blocks, std::int64_t k) {
  return value(blocks[k / Block::kWeights], static_cast<int>(k % Block::kWeights));
}
ROSI_HD ROSI_INLINE float decoded(const WeightF32* weights, std::int64_t k) { return weights[k].load(); }
ROSI_HD ROSI_INLINE float decoded(const WeightF16* weights, std::int64_t k) { return weights[k].load(); }
ROSI_HD ROSI_INLINE float decoded(const WeightBF16* weights, std::int64_t k) { return weights[k].load(); }

/// left right^T added to weight k of a float type.
template <class Weight>
ROSI_HD ROSI_INLINE void add_to_weight(Weight* weights, const Shape& shape, const float* left, const float* right,
                                       std::int64_t k) {
  using Bits = typename Weight::Bits;
  store_bits(weights[k].bytes,
             sum_bits<Weight>(load_bits<Bits>(weights[k].bytes), left[k / shape.n_in], right[k % shape.n_in]));
}

/// The mean of column j; rows in order, so that the float64 sum is that of column_mean().
template <class Block>
ROSI_HD ROSI_INLINE float mean_of_column(const Block* blocks, const Shape& shape, std::int64_t j) {
  double sum = 0;
  for (std::int64_t row = 0; row < shape.n_out; ++row) sum += double{decoded(blocks, row * shape.n_in + j)};
  return static_cast<float>(sum / double(shape.n_out));
}

/// The word that hands a carry on: a mark in the upper half, so that value and readiness arrive in one store.
using HandWord = unsigned long long;
ROSI_HD inline HandWord hand_word(float carry) { return (HandWord{1} << 32) | core::float_bits(carry); }
ROSI_HD inline bool is_handed(HandWord word) { return (word >> 32) != 0; }
ROSI_HD inline float handed_carry(HandWord word) { return core::bits_float(static_cast<std::uint32_t>(word)); }
ROSI_HD inline std::int64_t hand_index(const Shape& shape, std::int64_t tile, std::int64_t row) {
  return tile * shape.n_out + row;
}

/// A move's cost and its place in the round in one word whose order is that of the closure: least cost, then
/// first place. Costs are not negative, so their bits are in order too.
using MoveKey = unsigned long long;
ROSI_HD inline MoveKey move_key(float cost, std::int64_t place) {
  return (MoveKey{core::float_bits(cost)} << 32) | static_cast<std::uint32_t>(place);
}
ROSI_HD inline float key_cost(MoveKey key) { return core::bits_float(static_cast<std::uint32_t>(key >> 32)); }
ROSI_HD inline std::int64_t key_place(MoveKey key) { return static_cast<std::int64_t>(key & 0xffffffffu); }

/// What a column's search starts from: a move must cost less than the lack. 0, which nothing undercuts, for closed
/// ones.
ROSI_HD inline MoveKey first_key(float lack, float tolerance, bool stuck) {
  return !stuck && magnitude(lack) > tolerance ? move_key(magnitude(lack), 0) : 0;
}

/// The best key of one column after looking at one row.
template <class Block>
ROSI_HD ROSI_INLINE MoveKey search_row(const Block& source, const Block& target, int run, int lane, float p,
                                       std::int64_t place, float lack, MoveKey best) {
  const float step = target.grid(run, lane / Block::kStepWeights).step;
  const Move move = closing_move(codes_of<Block>(), p, lack, source.code(run, lane), target.code(run, lane), step,
                                 inverse_step(step));
  const MoveKey key = move_key(move.cost, place);
  return key < best ? key : best;
}

/// Places [begin, end) of a round that are searched before moves are made, and of its part p, which is one warp's.
struct Places {
  std::int64_t begin;
  std::int64_t end;
};
inline constexpr std::int64_t kSearchPlaces = 32;
inline constexpr std::int64_t kSearchParts = kClosureRows / kSearchPlaces;
ROSI_HD inline Places search_places(const Shape& shape, std::int64_t begin) {
  const std::int64_t end = begin + kClosureRows, all = round_rows(shape.n_out);
  return {begin, end < all ? end : all};
}
ROSI_HD inline Places part_places(const Places& all, std::int64_t part) {
  const std::int64_t begin = all.begin + part * kSearchPlaces, end = begin + kSearchPlaces;
  return {begin, end < all.end ? end : all.end};
}

/// Makes a column's best move when it closes the column, and any that helps when the round is at its end. `first` is
/// then 0: the column is done with for this round; `stuck` is set where no round will help.
template <class Block>
ROSI_HD inline void apply_key(const Block* source, Block* target, const Shape& shape, int round, std::int64_t column,
                              const float* p, float tolerance, bool is_last, MoveKey best, MoveKey& first, float& lack,
                              bool& stuck) {
  if (first == 0 || (!is_last && !(key_cost(best) <= tolerance))) return;
  const bool any = best < first;
  first = 0;
  if (any) {
    const std::int64_t row = closure_row(column, round, key_place(best), shape.n_out);
    const Place at = place<Block>(shape, row, column / kRun);
    const int lane = static_cast<int>(column % kRun);
    if (apply_closing_move(source[at.block], target[at.block], at.run, lane, p[row], lack)) return;
  }
  stuck = round_rows(shape.n_out) == shape.n_out;
}

}  // namespace rosi::gpu
