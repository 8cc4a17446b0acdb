#include <algorithm>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/clones.h"
#include "kernels/row_codes.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/sweep_cpu.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
namespace {

/// For each column of a tile the cheapest move found so far, and where.
struct Candidates {
  explicit Candidates(std::int64_t columns) : cost(columns), row(columns) {}
  std::vector<float> cost;
  std::vector<std::int32_t> row;
};

/// Neighbouring runs of a row before and after the sweep.
struct Runs {
  std::int8_t original[kStretch];
  std::int8_t codes[kStretch];
  float steps[kStretchRuns * kRunGrids];
};

/// Looks at n_runs runs of one row. A column that is closed has cost -1, which no move undercuts.
template <class Codes>
ROSI_CLONES void search_runs(Codes kind, const Runs& runs, int n_runs, float p, std::int32_t row,
                             const float* __restrict lack, float* __restrict cost, std::int32_t* __restrict best_row) {
  for (int begin = 0; begin < n_runs * kRun; begin += kRun) {
    float step[kRun], inverse[kRun];
    int original[kRun], codes[kRun];
    spread_steps(runs.steps + begin / kGridWeights, step, inverse);
    for (int k = 0; k < kRun; ++k) original[k] = runs.original[begin + k];
    for (int k = 0; k < kRun; ++k) codes[k] = runs.codes[begin + k];
    for (int k = 0; k < kRun; ++k) {
      const Move move = closing_move(kind, p, lack[begin + k], original[k], codes[k], step[k], inverse[k]);
      const bool better = move.cost < cost[begin + k];
      cost[begin + k] = better ? move.cost : cost[begin + k];
      best_row[begin + k] = better ? row : best_row[begin + k];
    }
  }
}

class ClosureTile {
 public:
  ClosureTile(std::uint32_t type, const std::byte* source, std::byte* target, const UnitUpdate& update, float tolerance,
              float* lack, std::int64_t first_column, std::int64_t columns)
      : type_(type),
        source_(source),
        target_(target),
        p_(update.p),
        row_bytes_(row_bytes(type, update.n_in())),
        tolerance_(tolerance),
        lack_(lack + first_column),
        first_run_(first_column / kRun),
        n_runs_(columns / kRun),
        best_(columns),
        stuck_(columns, 0) {}

  /// One round; false when there was nothing left to do.
  bool round() {
    const std::vector<Stretch> open = open_stretches();
    for (std::size_t i = 0; i < p_.size() && !open.empty(); ++i) {
      if (p_[i] == 0.0f) continue;
      for (const Stretch& stretch : open) search(static_cast<std::int32_t>(i), stretch);
    }
    bool moved = false;
    for (const Stretch& stretch : open) {
      for (std::int64_t j = stretch.first_run * kRun; j < (stretch.first_run + stretch.n_runs) * kRun; ++j) {
        moved |= apply(j);
      }
    }
    return moved;
  }

 private:
  /// Neighbouring runs with open columns; counted from the tile's first.
  struct Stretch {
    std::int64_t first_run;
    std::int64_t n_runs;
  };

  std::vector<Stretch> open_stretches() {
    std::vector<Stretch> open;
    for (std::int64_t run = 0; run < n_runs_; ++run) {
      bool any = false;
      for (std::int64_t j = run * kRun; j < (run + 1) * kRun; ++j) {
        const bool is_open = !stuck_[j] && magnitude(lack_[j]) > tolerance_;
        best_.cost[j] = is_open ? magnitude(lack_[j]) : -1.0f;
        best_.row[j] = -1;
        any |= is_open;
      }
      if (!any) continue;
      const bool joins =
          !open.empty() && open.back().first_run + open.back().n_runs == run && open.back().n_runs < kStretchRuns;
      if (joins) ++open.back().n_runs;
      else open.push_back({run, 1});
    }
    return open;
  }

  void load(std::int32_t row, const Stretch& stretch, Runs& runs) const {
    const std::size_t begin = static_cast<std::size_t>(row) * row_bytes_;
    const std::int64_t first_run = first_run_ + stretch.first_run;
    load_codes(type_, source_ + begin, first_run, stretch.n_runs, runs.original);
    load_codes(type_, target_ + begin, first_run, stretch.n_runs, runs.codes);
    load_steps(type_, target_ + begin, first_run, stretch.n_runs, runs.steps);
  }

  void search(std::int32_t row, const Stretch& stretch) {
    Runs runs;
    load(row, stretch, runs);
    const std::int64_t j = stretch.first_run * kRun;
    with_codes(type_, [&](auto kind) {
      search_runs(kind, runs, static_cast<int>(stretch.n_runs), p_[row], row, lack_ + j, best_.cost.data() + j,
                  best_.row.data() + j);
    });
  }

  /// Makes a column's best move; true when there was one.
  bool apply(std::int64_t j) {
    if (best_.cost[j] < 0.0f) return false;
    const std::int32_t row = best_.row[j];
    if (row >= 0) {
      const Stretch run{j / kRun, 1};
      const int lane = static_cast<int>(j % kRun);
      Runs runs;
      load(row, run, runs);
      const float step = runs.steps[lane / kGridWeights];
      Move move{};
      with_codes(type_, [&](auto kind) {
        move = closing_move(kind, p_[row], lack_[j], runs.original[lane], runs.codes[lane], step, inverse_step(step));
      });
      if (helps(move, lack_[j])) {
        runs.codes[lane] = static_cast<std::int8_t>(move.code);
        store_codes(type_, target_ + static_cast<std::size_t>(row) * row_bytes_, first_run_ + run.first_run, 1,
                    runs.codes);
        lack_[j] = move.lack;
        return true;
      }
    }
    stuck_[j] = 1;  // nothing changes for this column in later rounds either
    return false;
  }

  std::uint32_t type_;
  const std::byte* source_;
  std::byte* target_;
  const std::vector<float>& p_;
  std::size_t row_bytes_;
  float tolerance_;
  float* lack_;
  std::int64_t first_run_;
  std::int64_t n_runs_;
  Candidates best_;
  std::vector<char> stuck_;
};

}  // namespace

void close_columns(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                   const UnitUpdate& update, std::span<float> lack, const core::ThreadPool& threads,
                   const core::Progress& progress) {
  const std::int64_t n_in = update.n_in();
  const std::int64_t width = tile_width(n_in, threads.threads());
  const std::int64_t n_tiles = (n_in + width - 1) / width;
  const float tolerance = column_tolerance(update.size, n_in);
  threads.for_each(n_tiles, [&](std::int64_t tile, const core::ThreadPool::Run& run) {
    ClosureTile columns(type, source.data(), target.data(), update, tolerance, lack.data(), tile * width,
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

}  // namespace rosi::kernels
