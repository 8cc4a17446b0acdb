#include <algorithm>
#include <vector>

#include "core/clones.h"
#include "kernels/blocks.h"
#include "kernels/row_codes.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/sweep_cpu.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
namespace {

/// For each column of a tile the cheapest move that a round found so far, and at which of its places.
struct Candidates {
  explicit Candidates(std::int64_t columns) : cost(columns), place(columns) {}
  std::vector<float> cost;
  std::vector<std::int32_t> place;
};

/// Neighbouring runs of a row before and after the sweep.
struct Runs {
  std::int8_t original[kStretch];
  std::int8_t codes[kStretch];
  float steps[kStretchRuns * kRunGrids];
};

/// Looks at n_runs runs of one row. A column that is done with has cost -1, which no move undercuts.
template <class Codes>
ROSI_CLONES void search_runs(Codes kind, const Runs& runs, int n_runs, float p, std::int32_t place,
                             const float* __restrict lack, float* __restrict cost, std::int32_t* __restrict best) {
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
      best[begin + k] = better ? place : best[begin + k];
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
  bool round(int number) {
    for (std::int64_t j = 0; j < n_runs_ * kRun; ++j) {
      best_.cost[j] = stuck_[j] == 0 && magnitude(lack_[j]) > tolerance_ ? magnitude(lack_[j]) : kDone;
      best_.place[j] = -1;
    }
    bool any_open = false;
    round_ = number;
    const std::int64_t n_places = round_rows(n_out());
    for (std::int64_t begin = 0; begin < n_places; begin += kClosureRows) {
      const std::int64_t end = std::min(n_places, begin + kClosureRows);
      const std::vector<Stretch> open = open_stretches();
      if (open.empty()) break;
      any_open = true;
      for (const Stretch& stretch : open) {
        search(stretch, begin, end);
        for (std::int64_t j = stretch.first_run * kRun; j < (stretch.first_run + stretch.n_runs) * kRun; ++j) {
          if (best_.cost[j] == kDone || (best_.cost[j] > tolerance_ && end < n_places)) continue;
          apply(j);
          best_.cost[j] = kDone;
        }
      }
    }
    return any_open;
  }

 private:
  static constexpr float kDone = -1;

  /// Neighbouring runs with columns that are not done with, all of the same 256; counted from the tile's first.
  struct Stretch {
    std::int64_t first_run;
    std::int64_t n_runs;
  };

  std::vector<Stretch> open_stretches() const {
    std::vector<Stretch> open;
    for (std::int64_t run = 0; run < n_runs_; ++run) {
      bool any = false;
      for (std::int64_t j = run * kRun; j < (run + 1) * kRun; ++j) any |= best_.cost[j] != kDone;
      if (!any) continue;
      const bool joins = !open.empty() && open.back().first_run + open.back().n_runs == run && run % kStretchRuns != 0;
      if (joins) ++open.back().n_runs;
      else open.push_back({run, 1});
    }
    return open;
  }

  std::int64_t n_out() const { return static_cast<std::int64_t>(p_.size()); }
  std::int64_t row_at(std::int64_t j, std::int64_t place) const {
    return closure_row(first_run_ * kRun + j, round_, place, n_out());
  }

  void load(std::int64_t row, const Stretch& stretch, Runs& runs) const {
    const std::size_t begin = static_cast<std::size_t>(row) * row_bytes_;
    const std::int64_t first_run = first_run_ + stretch.first_run;
    load_codes(type_, source_ + begin, first_run, stretch.n_runs, runs.original);
    load_codes(type_, target_ + begin, first_run, stretch.n_runs, runs.codes);
    load_steps(type_, target_ + begin, first_run, stretch.n_runs, runs.steps);
  }

  void search(const Stretch& stretch, std::int64_t begin, std::int64_t end) {
    const std::int64_t j = stretch.first_run * kRun;
    with_codes(type_, [&](auto kind) {
      for (std::int64_t place = begin; place < end; ++place) {
        const std::int64_t row = row_at(j, place);
        if (p_[row] == 0.0f) continue;
        Runs runs;
        load(row, stretch, runs);
        search_runs(kind, runs, static_cast<int>(stretch.n_runs), p_[row], static_cast<std::int32_t>(place), lack_ + j,
                    best_.cost.data() + j, best_.place.data() + j);
      }
    });
  }

  /// Makes a column's best move, where there is one.
  void apply(std::int64_t j) {
    if (best_.place[j] >= 0) {
      const std::int64_t row = row_at(j, best_.place[j]);
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
        return;
      }
    }
    stuck_[j] = round_rows(n_out()) == n_out() ? 1 : 0;  // nothing changes for this column in later rounds either
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
  int round_ = 0;
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
    for (int round = 0; round < kClosureRounds && columns.round(round); ++round) {
      if (run.failed()) return;
      if (run.is_caller()) {
        const double part = double(round + 1) / kClosureRounds;
        core::report(progress, (double(tile) + part) / double(n_tiles));
      }
    }
  });
}

}  // namespace rosi::kernels
