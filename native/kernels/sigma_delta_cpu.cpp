#include "kernels/sigma_delta_cpu.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/clones.h"
#include "kernels/sigma_delta.h"

namespace rosi::kernels {
namespace {

// Columns are cut into tiles of whole 256-weight blocks, so that two tiles never share a byte of any type.
constexpr std::int64_t kTileUnit = 256;
constexpr std::int64_t kRowsPerTick = 16;  // how often a tile tells its right neighbour how far it is

/// Two tiles a thread, so that the pipeline's start and end cost little; results do not depend on the width.
std::int64_t tile_width(std::int64_t n_in, int threads) {
  if (threads == 1) return n_in;
  const std::int64_t wanted = (n_in + 2 * threads - 1) / (2 * threads);
  return std::min(n_in, (wanted + kTileUnit - 1) / kTileUnit * kTileUnit);
}

template <class Block>
ROSI_INLINE void load_grid(const Block& block, int run, float* step, float* inverse) {
  constexpr int kParts = kRun / Block::kStepWeights;
  for (int part = 0; part < kParts; ++part) {
    const float part_step = block.grid(run, part).step;
    const float part_inverse = inverse_step(part_step);
    for (int k = 0; k < Block::kStepWeights; ++k) {
      step[part * Block::kStepWeights + k] = part_step;
      inverse[part * Block::kStepWeights + k] = part_inverse;
    }
  }
}

/// One row of a tile; returns the carry for the tile to the right.
template <class Block>
ROSI_CLONES float flip_row(const Block* source, Block* target, std::int64_t n_blocks, RowWeights row, float row_penalty,
                           const float* t, const float* mu, float* lack, float carry) {
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int run = 0; run < Block::kWeights / kRun; ++run) {
      float step[kRun], inverse[kRun], weighted[kRun];
      int codes[kRun], flips[kRun];
      load_grid(source[b], run, step, inverse);
      int any = 0;
      for (int k = 0; k < kRun; ++k) codes[k] = source[b].code(run, k);
      for (int k = 0; k < kRun; ++k) {
        const Flip flip = choose_flip<Block>(row, row_penalty, t[k], mu[k], lack[k], carry,
                                             static_cast<float>(codes[k]), step[k], inverse[k]);
        lack[k] = lack[k] + row.s * flip.error;
        weighted[k] = mu[k] * flip.error;
        flips[k] = static_cast<int>(flip.codes);
        any |= flips[k];
      }
      carry = carry + tree_sum(weighted);
      if (any != 0) {
        for (int k = 0; k < kRun; ++k) codes[k] += flips[k];
        for (int k = 0; k < kRun; ++k) target[b].pack_lane(run, k, codes);
      }
      t += kRun;
      mu += kRun;
      lack += kRun;
    }
  }
  return carry;
}

template <class Block>
void flip_all(const Block* source, Block* target, const UnitUpdate& update, float* lack,
              const core::ThreadPool& threads, const core::Progress& progress) {
  const std::int64_t n_in = update.n_in();
  const std::int64_t n_out = update.n_out();
  const std::int64_t row_blocks = n_in / Block::kWeights;
  const std::int64_t width = tile_width(n_in, threads.threads());
  const std::int64_t n_tiles = (n_in + width - 1) / width;
  const Penalties pull = penalties(n_in, n_out);
  float largest_mu = 0;
  for (const float mu : update.mu) largest_mu = larger(largest_mu, magnitude(mu));

  std::vector<float> carry(static_cast<std::size_t>(n_out));
  // Rows done by each tile: tile k may work on a row once tile k - 1 has left it.
  const auto done = std::make_unique<std::atomic<std::int64_t>[]>(static_cast<std::size_t>(n_tiles));
  threads.for_each(n_tiles, [&](std::int64_t tile, const core::ThreadPool::Run& run) {
    const std::int64_t first_block = tile * width / Block::kWeights;
    const std::int64_t n_blocks = std::min(width, n_in - tile * width) / Block::kWeights;
    const std::int64_t first_column = tile * width;
    for (std::int64_t begin = 0; begin < n_out; begin += kRowsPerTick) {
      const std::int64_t end = std::min(n_out, begin + kRowsPerTick);
      if (tile > 0) {
        while (done[tile - 1].load(std::memory_order_acquire) < end) {
          if (run.failed()) return;
          std::this_thread::yield();
        }
      }
      for (std::int64_t i = begin; i < end; ++i) {
        const Block* from = source + i * row_blocks + first_block;
        Block* to = target + i * row_blocks + first_block;
        std::memcpy(static_cast<void*>(to), from, static_cast<std::size_t>(n_blocks) * sizeof(Block));
        if (update.s[i] == 0.0f) continue;
        if (tile == 0) carry[i] = row_phase(i, largest_mu, from->grid(0, 0).step);
        carry[i] = flip_row(from, to, n_blocks, RowWeights::of(update.s[i], pull), pull.row,
                            update.t.data() + first_column, update.mu.data() + first_column, lack + first_column,
                            carry[i]);
      }
      done[tile].store(end, std::memory_order_release);
      if (run.is_caller()) core::report(progress, double(tile * n_out + end) / double(n_tiles * n_out));
      if (run.failed()) return;
    }
  });
}

/// For each column of a tile the cheapest move found so far, and where.
struct Candidates {
  explicit Candidates(std::int64_t columns) : cost(columns), row(columns) {}
  std::vector<float> cost;
  std::vector<std::int32_t> row;
};

/// Looks at one run of one row. A column that is closed has cost -1, which no move undercuts.
template <class Block>
ROSI_CLONES void search_run(const Block& source, const Block& target, int run, float s, std::int32_t row,
                            const float* lack, float* cost, std::int32_t* best_row) {
  float step[kRun], inverse[kRun];
  load_grid(target, run, step, inverse);
  for (int k = 0; k < kRun; ++k) {
    const Move move =
        closing_move<Block>(s, lack[k], source.code(run, k), target.code(run, k), step[k], inverse[k]);
    const bool better = move.cost < cost[k];
    cost[k] = better ? move.cost : cost[k];
    best_row[k] = better ? row : best_row[k];
  }
}

template <class Block>
class ClosureTile {
 public:
  ClosureTile(const Block* source, Block* target, const UnitUpdate& update, float tolerance, float* lack,
              std::int64_t first_column, std::int64_t columns)
      : source_(source), target_(target), s_(update.s), row_blocks_(update.n_in() / Block::kWeights),
        tolerance_(tolerance), lack_(lack + first_column), first_run_(first_column / kRun), n_runs_(columns / kRun),
        best_(columns), stuck_(columns, 0) {}

  /// One round; false when there was nothing left to do.
  bool round() {
    std::vector<std::int64_t> open;
    for (std::int64_t run = 0; run < n_runs_; ++run) {
      bool any = false;
      for (std::int64_t j = run * kRun; j < (run + 1) * kRun; ++j) {
        const bool is_open = !stuck_[j] && magnitude(lack_[j]) > tolerance_;
        best_.cost[j] = is_open ? magnitude(lack_[j]) : -1.0f;
        best_.row[j] = -1;
        any |= is_open;
      }
      if (any) open.push_back(run);
    }
    if (open.empty()) return false;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      if (s_[i] == 0.0f) continue;
      for (const std::int64_t run : open) {
        const std::int64_t b = block(i, run);
        search_run(source_[b], target_[b], run_in_block(run), s_[i], static_cast<std::int32_t>(i), lack_ + run * kRun,
                   best_.cost.data() + run * kRun, best_.row.data() + run * kRun);
      }
    }
    bool moved = false;
    for (const std::int64_t run : open) {
      for (int k = 0; k < kRun; ++k) moved |= apply(run, k);
    }
    return moved;
  }

 private:
  std::int64_t block(std::size_t i, std::int64_t run) const {
    return static_cast<std::int64_t>(i) * row_blocks_ + (first_run_ + run) * kRun / Block::kWeights;
  }
  int run_in_block(std::int64_t run) const { return static_cast<int>((first_run_ + run) % (Block::kWeights / kRun)); }

  bool apply(std::int64_t run, int lane) {
    const std::int64_t j = run * kRun + lane;
    if (best_.cost[j] < 0.0f) return false;
    const std::int32_t i = best_.row[j];
    if (i >= 0) {
      const std::int64_t b = block(static_cast<std::size_t>(i), run);
      const int r = run_in_block(run);
      const float step = target_[b].grid(r, lane / 16).step;
      const int code = target_[b].code(r, lane);
      const Move move = closing_move<Block>(s_[i], lack_[j], source_[b].code(r, lane), code, step, inverse_step(step));
      if (magnitude(move.lack) < magnitude(lack_[j])) {
        target_[b].set_code(r, lane, code + move.direction);
        lack_[j] = move.lack;
        return true;
      }
    }
    stuck_[j] = 1;  // nothing changes for this column in later rounds either
    return false;
  }

  const Block* source_;
  Block* target_;
  const std::vector<float>& s_;
  std::int64_t row_blocks_;
  float tolerance_;
  float* lack_;
  std::int64_t first_run_;
  std::int64_t n_runs_;
  Candidates best_;
  std::vector<char> stuck_;
};

template <class Block>
void close_all(const Block* source, Block* target, const UnitUpdate& update, float* lack,
               const core::ThreadPool& threads, const core::Progress& progress) {
  const std::int64_t n_in = update.n_in();
  const std::int64_t width = tile_width(n_in, threads.threads());
  const std::int64_t n_tiles = (n_in + width - 1) / width;
  const float tolerance = static_cast<float>(kColumnTolerance * update.size / std::sqrt(double(n_in)));
  threads.for_each(n_tiles, [&](std::int64_t tile, const core::ThreadPool::Run& run) {
    ClosureTile<Block> columns(source, target, update, tolerance, lack, tile * width,
                               std::min(width, n_in - tile * width));
    for (int round = 0; round < kClosureRounds && columns.round(); ++round) {
      if (run.failed()) return;
      if (run.is_caller()) {
        const double part = double(round + 1) / kClosureRounds;
        core::report(progress, (double(tile) + part) / double(n_tiles));
      }
    }
  });
}

}  // namespace

void flip_codes(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                const core::Progress& progress) {
  std::fill(lack.begin(), lack.end(), 0.0f);
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    flip_all(reinterpret_cast<const Block*>(source.data()), reinterpret_cast<Block*>(target.data()), update,
             lack.data(), threads, progress);
  });
}

void close_columns(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                   const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                   const core::Progress& progress) {
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    close_all(reinterpret_cast<const Block*>(source.data()), reinterpret_cast<Block*>(target.data()), update,
              lack.data(), threads, progress);
  });
}

}  // namespace rosi::kernels
