#include "kernels/measure.h"

#include <algorithm>
#include <cmath>

#include "kernels/blocks.h"
#include "kernels/clones.h"
#include "kernels/run_cpu.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
namespace {

// Rows are summed in this many parts whatever the number of threads, so that the sums' order is fixed.
constexpr std::int64_t kParts = 16;
// Groups of columns that ask for less than this share of |t|^2 have too little signal for their share to mean anything.
constexpr double kFaintGroup = 1e-6;

struct Sums {
  std::vector<double> column;  // sum_i s_i dW_ij
  std::vector<double> along;   // [rows of the part] sum_j dW_ij mu_j
  double change_squares = 0;   // |dW|^2
  double weight_squares = 0;   // |W|^2
  double steps = 0;            // sum |step| over weights
  std::int64_t changed = 0;
  std::int64_t saturated = 0;
};

/// Sums of one row. Lanes are summed apart and joined at the end: the same order for every instruction set.
struct RowSums {
  double along[kRun] = {};
  double change_squares[kRun] = {};
  double weight_squares[kRun] = {};
  std::int32_t changed[kRun] = {};
  std::int32_t saturated[kRun] = {};
  double steps = 0;
};

ROSI_INLINE void add_lane(RowSums& sums, int lane, float before, float after, double s, float mu, double& column) {
  const double change = double{after} - double{before};
  sums.along[lane] += change * double{mu};
  sums.change_squares[lane] += change * change;
  sums.weight_squares[lane] += double{before} * double{before};
  sums.changed[lane] += change != 0.0 ? 1 : 0;
  column += s * change;
}

template <class Block>
ROSI_CLONES void measure_row(const Block* source, const Block* target, std::int64_t n_blocks, double s, const float* mu,
                             double* column, RowSums& sums) {
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int run = 0; run < Block::kWeights / kRun; ++run) {
      float before[kRun], after[kRun];
      int codes[kRun];
      load_codes(source[b], run, codes);
      load_values(source[b], run, codes, before);
      load_codes(target[b], run, codes);
      load_values(target[b], run, codes, after);
      for (int part = 0; part < kRun / Block::kStepWeights; ++part) {
        sums.steps += double{magnitude(source[b].grid(run, part).step)} * Block::kStepWeights;
      }
      for (int k = 0; k < kRun; ++k) {
        add_lane(sums, k, before[k], after[k], s, mu[k], column[k]);
        const bool at_end = codes[k] <= Block::kLowest || codes[k] >= Block::kHighest;
        sums.saturated[k] += at_end && before[k] != after[k] ? 1 : 0;
      }
      mu += kRun;
      column += kRun;
    }
  }
}

template <class Weight>
ROSI_CLONES void measure_float_row(const Weight* source, const Weight* target, std::int64_t n_in, double s,
                                   const float* mu, double* column, RowSums& sums) {
  for (std::int64_t j = 0; j < n_in; j += kRun) {
    const int n = static_cast<int>(std::min<std::int64_t>(kRun, n_in - j));
    for (int k = 0; k < n; ++k) {
      add_lane(sums, k, source[j + k].load(), target[j + k].load(), s, mu[j + k], column[j + k]);
    }
  }
}

void join(const RowSums& row, Sums& sums) {
  double along = 0;
  for (int k = 0; k < kRun; ++k) {
    along += row.along[k];
    sums.change_squares += row.change_squares[k];
    sums.weight_squares += row.weight_squares[k];
    sums.changed += row.changed[k];
    sums.saturated += row.saturated[k];
  }
  sums.steps += row.steps;
  sums.along.push_back(along);
}

double mean_magnitude(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += std::fabs(double{value});
  return sum / double(values.size());
}

Realised conclude(const UnitUpdate& update, const std::vector<Sums>& parts, std::vector<double>* column_change) {
  Sums all;
  all.column.assign(update.t.size(), 0.0);
  for (const Sums& part : parts) {
    for (std::size_t j = 0; j < part.column.size(); ++j) all.column[j] += part.column[j];
    all.along.insert(all.along.end(), part.along.begin(), part.along.end());
    all.change_squares += part.change_squares;
    all.weight_squares += part.weight_squares;
    all.steps += part.steps;
    all.changed += part.changed;
    all.saturated += part.saturated;
  }
  const double size = update.size;
  const double n_weights = double(update.s.size()) * double(update.t.size());
  double gain = 0, along_squares = 0, cross = 0, error_squares = 0, s_squares = 0, t_squares = 0;
  for (std::size_t i = 0; i < update.s.size(); ++i) {
    gain += double{update.s[i]} * all.along[i];
    along_squares += all.along[i] * all.along[i];
    s_squares += double{update.s[i]} * update.s[i];
  }
  double worst = 1;
  for (std::size_t begin = 0; begin < update.t.size(); begin += kRun) {
    double asked = 0, got = 0;
    for (std::size_t j = begin; j < std::min(begin + kRun, update.t.size()); ++j) {
      const double t = update.t[j];
      asked += t * t;
      got += t * all.column[j];
      error_squares += (all.column[j] - t) * (all.column[j] - t);
    }
    t_squares += asked;
    cross += got;
    if (asked >= kFaintGroup * size * size) worst = std::min(worst, got / asked);
  }
  Realised realised;
  realised.relative_change = all.weight_squares > 0 ? size / std::sqrt(all.weight_squares) : 0;
  realised.gain = gain / size;
  realised.off_direction = std::sqrt(std::max(0.0, along_squares - gain * gain)) / size;
  realised.column_error = std::sqrt(error_squares) / size;
  realised.worst_group = worst;
  // |dW - D|^2 opened up, since D itself is never formed.
  realised.collateral = std::sqrt(std::max(0.0, all.change_squares - 2 * cross + s_squares * t_squares)) / size;
  const double mean_step = all.steps / n_weights;
  realised.step_ratio = mean_step > 0 ? mean_magnitude(update.s) * mean_magnitude(update.t) / mean_step : 0;
  realised.flipped = double(all.changed) / n_weights;
  realised.saturated = all.changed > 0 ? double(all.saturated) / double(all.changed) : 0;
  if (column_change != nullptr) *column_change = std::move(all.column);
  return realised;
}

}  // namespace

Realised measure(std::uint32_t type, std::span<const std::byte> source, std::span<const std::byte> target,
                 const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress,
                 std::vector<double>* column_change) {
  const std::int64_t n_in = update.n_in();
  const std::int64_t n_out = update.n_out();
  const std::int64_t part_rows = (n_out + kParts - 1) / kParts;
  const std::size_t bytes = row_bytes(type, n_in);
  std::vector<Sums> parts(static_cast<std::size_t>(kParts));
  threads.for_each(kParts, [&](std::int64_t index, const core::ThreadPool::Run& run) {
    Sums& sums = parts[static_cast<std::size_t>(index)];
    sums.column.assign(static_cast<std::size_t>(n_in), 0.0);
    for (std::int64_t i = index * part_rows; i < std::min(n_out, (index + 1) * part_rows); ++i) {
      RowSums row;
      const std::byte* before = source.data() + static_cast<std::size_t>(i) * bytes;
      const std::byte* after = target.data() + static_cast<std::size_t>(i) * bytes;
      const double s = update.s[i];
      const auto quantised = [&](auto tag) {
        using Block = typename decltype(tag)::Type;
        measure_row(reinterpret_cast<const Block*>(before), reinterpret_cast<const Block*>(after),
                    n_in / Block::kWeights, s, update.mu.data(), sums.column.data(), row);
      };
      const auto floating = [&](auto tag) {
        using Weight = typename decltype(tag)::Type;
        measure_float_row(reinterpret_cast<const Weight*>(before), reinterpret_cast<const Weight*>(after), n_in, s,
                          update.mu.data(), sums.column.data(), row);
      };
      with_block(type, quantised) || with_float(type, floating);
      join(row, sums);
      if (run.failed()) return;
    }
    if (run.is_caller()) core::report(progress, double(index + 1) / double(kParts));
  });
  return conclude(update, parts, column_change);
}

}  // namespace rosi::kernels
