#include <algorithm>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/clones.h"
#include "kernels/run_cpu.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/sweep_cpu.h"

namespace rosi::kernels {
namespace {

/// For each column of a tile the cheapest move found so far, and where.
struct Candidates {
  explicit Candidates(std::int64_t columns) : cost(columns), row(columns) {}
  std::vector<float> cost;
  std::vector<std::int32_t> row;
};

/// Looks at one run of one row. A column that is closed has cost -1, which no move undercuts.
template <class Block>
ROSI_CLONES void search_run(const Block& source, const Block& target, int run, float s, std::int32_t row,
                            const float* __restrict lack, float* __restrict cost, std::int32_t* __restrict best_row) {
  float step[kRun], inverse[kRun];
  int original[kRun], codes[kRun];
  load_steps(target, run, step, inverse);
  load_codes(source, run, original);
  load_codes(target, run, codes);
  for (int k = 0; k < kRun; ++k) {
    const Move move = closing_move<Block>(s, lack[k], original[k], codes[k], step[k], inverse[k]);
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
      : source_(source),
        target_(target),
        s_(update.s),
        row_blocks_(update.n_in() / Block::kWeights),
        tolerance_(tolerance),
        lack_(lack + first_column),
        first_run_(first_column / kRun),
        n_runs_(columns / kRun),
        best_(columns),
        stuck_(columns, 0) {}

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
      if (apply_closing_move(source_[b], target_[b], run_in_block(run), lane, s_[i], lack_[j])) return true;
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
  const float tolerance = column_tolerance(update.size, n_in);
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
