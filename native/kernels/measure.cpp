#include "kernels/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/clones.h"
#include "kernels/row_codes.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"

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
  std::int64_t saturated = 0;
  double steps = 0;
};

/// Adds n weights, 32 at most, the first of which is lane 0.
ROSI_INLINE void add_lanes(const float* before, const float* after, int n, double s, const float* mu,
                           double* __restrict column, RowSums& sums) {
  for (int k = 0; k < n; ++k) {
    const double change = double{after[k]} - double{before[k]};
    sums.along[k] += change * double{mu[k]};
    sums.change_squares[k] += change * change;
    sums.weight_squares[k] += double{before[k]} * double{before[k]};
    sums.changed[k] += after[k] - before[k] != 0.0f ? 1 : 0;
    column[k] += s * change;
  }
}

ROSI_CLONES void add_changes(const float* before, const float* after, int n, double s, const float* mu, double* column,
                             RowSums& sums) {
  int begin = 0;
  for (; begin + kRun <= n; begin += kRun) {
    add_lanes(before + begin, after + begin, kRun, s, mu + begin, column + begin, sums);
  }
  add_lanes(before + begin, after + begin, n - begin, s, mu + begin, column + begin, sums);
}

/// Counts the weights of n_runs runs that moved to an end of their range.
ROSI_CLONES int count_saturated(CodeRange range, const std::int8_t* codes, const float* before, const float* after,
                                std::int64_t n_runs) {
  int count[kRun] = {};
  for (std::int64_t begin = 0; begin < n_runs * kRun; begin += kRun) {
    int code[kRun];
    for (int k = 0; k < kRun; ++k) code[k] = codes[begin + k];
    for (int k = 0; k < kRun; ++k) {
      const bool at_end = (code[k] <= range.lowest) | (code[k] >= range.highest);
      count[k] += at_end & (before[begin + k] != after[begin + k]) ? 1 : 0;
    }
  }
  return std::accumulate(count, count + kRun, 0);
}

/// Values of n_runs runs from first_run on, before and after; adds what only quantised types have.
void load_runs(std::uint32_t type, const CodeFormat& format, const std::byte* source, const std::byte* target,
               std::int64_t first_run, std::int64_t n_runs, float* before, float* after, RowSums& sums) {
  std::int8_t codes[kStretch];
  float steps[kStretchRuns * kRunGrids], offsets[kStretchRuns * kRunGrids];
  load_codes(type, source, first_run, n_runs, codes);
  load_grids(type, source, first_run, n_runs, steps, offsets);
  to_values(format, steps, offsets, codes, n_runs, before);
  for (std::int64_t k = 0; k < n_runs * kRun; k += format.step_weights) {
    sums.steps += double{magnitude(steps[k / kGridWeights])} * format.step_weights;
  }
  load_codes(type, target, first_run, n_runs, codes);
  load_grids(type, target, first_run, n_runs, steps, offsets);
  to_values(format, steps, offsets, codes, n_runs, after);
  sums.saturated += count_saturated(format.range, codes, before, after, n_runs);
}

/// `s` is that of the row.
RowSums measure_row(std::uint32_t type, const std::byte* source, const std::byte* target, double s,
                    const std::vector<float>& mu, double* column) {
  const CodeFormat format = code_format(type);
  const BlockSize size = block_size(type);
  const std::int64_t n_in = static_cast<std::int64_t>(mu.size());
  RowSums sums;
  for (std::int64_t j = 0; j < n_in; j += kStretch) {
    const std::int64_t n = std::min<std::int64_t>(kStretch, n_in - j);
    float before[kStretch], after[kStretch];
    if (size.weights == 1) {
      dequantize_row(type, source + j * size.bytes, before, n);
      dequantize_row(type, target + j * size.bytes, after, n);
    } else {
      load_runs(type, format, source, target, j / kRun, n / kRun, before, after, sums);
    }
    add_changes(before, after, static_cast<int>(n), s, mu.data() + j, column + j, sums);
  }
  return sums;
}

void join(const RowSums& row, Sums& sums) {
  double along = 0;
  for (int k = 0; k < kRun; ++k) {
    along += row.along[k];
    sums.change_squares += row.change_squares[k];
    sums.weight_squares += row.weight_squares[k];
    sums.changed += row.changed[k];
  }
  sums.saturated += row.saturated;
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
      const std::size_t begin = static_cast<std::size_t>(i) * bytes;
      join(measure_row(type, source.data() + begin, target.data() + begin, update.s[i], update.mu, sums.column.data()),
           sums);
      if (run.failed()) return;
    }
    if (run.is_caller()) core::report(progress, double(index + 1) / double(kParts));
  });
  return conclude(update, parts, column_change);
}

}  // namespace rosi::kernels
