#include "kernels/measure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/clones.h"
#include "kernels/measure_sums.h"
#include "kernels/row_codes.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"

namespace rosi::kernels {
namespace {

// Groups of columns that ask for less than this share of |t|^2 have too little signal for their share to mean anything.
constexpr double kFaintGroup = 1e-6;

struct Sums {
  std::vector<double> column;  // sum_i p_i dW_ij
  std::vector<double> errors;  // sum_i (dW_ij - s_i t_j)^2 but for `missed`; empty without inputs
  std::vector<double>
      missed;  // [stretches] sum_i s_i^2 of the rows of which errors has (dW_ij - s_i t_j)^2 - (s_i t_j)^2
  std::vector<double> along;  // [rows of the part] sum_j dW_ij mu_j
  double change_squares = 0;  // |dW|^2
  double error_squares = 0;   // |dW - s t^T|^2, of targets that are written meanwhile alone
  double weight_squares = 0;  // |W|^2
  double steps = 0;           // sum |step| over weights
  std::int64_t changed = 0;
  std::int64_t saturated = 0;
};

/// Sums of one row. Lanes are summed apart and joined at the end: the same order for every instruction set.
struct RowSums {
  double along[kRun] = {};
  double change_squares[kRun] = {};
  std::int32_t changed[kRun] = {};
  std::int64_t saturated = 0;
  double steps = 0;
  double weight_squares = 0;
};

/// Adds n weights, 32 at most, the first of which is lane 0.
ROSI_INLINE void add_lanes(const float* before, const float* after, int n, double p, const float* mu,
                           double* __restrict column, RowSums& sums) {
  for (int k = 0; k < n; ++k) {
    const double change = change_between(before[k], after[k]);
    add_along(sums.along[k], change, mu[k]);
    sums.change_squares[k] += change * change;
    sums.changed[k] += after[k] - before[k] != 0.0f ? 1 : 0;
    add_to_column(column[k], p, change);
  }
}

ROSI_WIDE_CLONES void add_changes(const float* before, const float* after, int n, double p, const float* mu,
                                  double* column, RowSums& sums) {
  int begin = 0;
  for (; begin + kRun <= n; begin += kRun) {
    add_lanes(before + begin, after + begin, kRun, p, mu + begin, column + begin, sums);
  }
  add_lanes(before + begin, after + begin, n - begin, p, mu + begin, column + begin, sums);
}

/// Of 256 weights at most: few enough for float32, whose error a share of their norm can't show.
ROSI_WIDE_CLONES double sum_squares(const float* values, int n) {
  float squares[kRun] = {};
  int begin = 0;
  for (; begin + kRun <= n; begin += kRun) {
    for (int k = 0; k < kRun; ++k) squares[k] += values[begin + k] * values[begin + k];
  }
  for (int k = 0; begin + k < n; ++k) squares[k] += values[begin + k] * values[begin + k];
  return tree_sum(squares);
}

/// Adds up the squared errors of each column.
ROSI_WIDE_CLONES void add_errors(const float* before, const float* after, int n, double s, const float* t,
                                 double* __restrict errors) {
  for (int k = 0; k < n; ++k) {
    const double error = change_between(before[k], after[k]) - s * double{t[k]};
    errors[k] += error * error;
  }
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

/// How many of n codes differ.
ROSI_CLONES int count_different(const std::int8_t* before, const std::int8_t* after, std::int64_t n) {
  int count = 0;
  for (std::int64_t k = 0; k < n; ++k) count += before[k] != after[k] ? 1 : 0;
  return count;
}

/// Up to 256 neighbouring weights of a row; codes and grids only of a quantised type.
struct Stretch {
  float values[kStretch];
  std::int8_t codes[kStretch];
  float steps[kStretchRuns * kRunGrids];
  float offsets[kStretchRuns * kRunGrids];

  bool has_grids_of(const Stretch& other, std::int64_t n) const {
    const std::size_t bytes = static_cast<std::size_t>(n / kGridWeights) * sizeof(float);
    return std::memcmp(steps, other.steps, bytes) == 0 && std::memcmp(offsets, other.offsets, bytes) == 0;
  }
};

/// Calls `use(k)` for each k from 0 to n - 1, a multiple of 8, at which the codes differ, in order.
template <class Use>
ROSI_INLINE void for_each_different(const std::int8_t* before, const std::int8_t* after, std::int64_t n,
                                    const Use& use) {
  for (std::int64_t begin = 0; begin < n; begin += 8) {
    std::uint64_t a, b;
    std::memcpy(&a, before + begin, sizeof a);
    std::memcpy(&b, after + begin, sizeof b);
    for (std::uint64_t different = a ^ b; different != 0;) {
      const int byte =
          (std::endian::native == std::endian::little ? std::countr_zero(different) : std::countl_zero(different)) / 8;
      use(static_cast<int>(begin) + byte);
      different &= ~(std::uint64_t{0xff} << (std::endian::native == std::endian::little ? 8 * byte : 56 - 8 * byte));
    }
  }
}

/// What is the same for all rows of a measurement.
struct Measurement {
  std::uint32_t type;  // of the target
  CodeFormat format;
  BlockSize size;
  const UnitUpdate& update;
  std::span<const std::byte> target;
  std::span<const std::byte> source;     // in the target's type, or
  const EncodedRows* encoded = nullptr;  // in another
  WriteStretch write = {};               // where the target, of a float type, is not there yet

  bool is_quantised() const { return size.weights > 1; }

  void load(const std::byte* row, std::int64_t j, std::int64_t n, Stretch& stretch) const {
    if (!is_quantised()) return dequantize_row(type, row + j * size.bytes, stretch.values, n);
    load_codes(type, row, j / kRun, n / kRun, stretch.codes);
    load_grids(type, row, j / kRun, n / kRun, stretch.steps, stretch.offsets);
  }

  void find_values(std::int64_t n, Stretch& stretch) const {
    if (is_quantised()) to_values(format, stretch.steps, stretch.offsets, stretch.codes, n / kRun, stretch.values);
  }

  void add_steps(const Stretch& stretch, std::int64_t n, RowSums& sums) const {
    if (!is_quantised()) return;
    for (std::int64_t k = 0; k < n; k += format.step_weights) {
      sums.steps += double{magnitude(stretch.steps[k / kGridWeights])} * format.step_weights;
    }
  }
};

// Where more of a stretch's codes than one in this many moved, all its weights are looked at.
constexpr int kFewMoved = 6;

/// Adds n weights from column j on that keep their grids and of which few moved: the same sums, to which the others add
/// nothing. Their errors are left to `missed`.
void measure_flips(const Measurement& job, const Stretch& before, const Stretch& after, std::int64_t i, std::int64_t j,
                   std::int64_t n, Sums& all, RowSums& sums) {
  const UnitUpdate& update = job.update;
  const CodeFormat& format = job.format;
  const double s = update.s[i], p = update.p[i];
  if (!all.errors.empty()) all.missed[j / kStretch] += s * s;
  for_each_different(before.codes, after.codes, n, [&](int k) {
    const Grid grid{before.steps[k / kGridWeights], before.offsets[k / kGridWeights]};
    const float from = before.values[k], to = value_of(grid, after.codes[k], format.centre);
    const double change = change_between(from, to);
    const int lane = k % kRun;
    add_along(sums.along[lane], change, update.mu[j + k]);
    sums.change_squares[lane] += change * change;
    if (to - from != 0.0f) ++sums.changed[lane];
    add_to_column(all.column[j + k], p, change);
    const bool at_end = after.codes[k] <= format.range.lowest || after.codes[k] >= format.range.highest;
    if (at_end && from != to) ++sums.saturated;
    if (!all.errors.empty()) all.errors[j + k] += change * (change - 2 * s * double{update.t[j + k]});
  });
}

/// Adds row i to `all`. `decoded` [n_in] is room for a source of another type.
void measure_row(const Measurement& job, std::int64_t i, std::vector<float>& decoded, Sums& all, RowSums& sums) {
  const UnitUpdate& update = job.update;
  const std::int64_t n_in = update.n_in();
  const double s = update.s[i];
  const auto row = static_cast<std::size_t>(i);
  const std::size_t bytes = row_bytes(job.type, n_in);
  const std::byte* target = job.target.data() + row * bytes;
  if (job.encoded != nullptr) {
    job.encoded->decode(job.encoded->bytes.data() + row * job.encoded->row_bytes, decoded.data(), n_in);
  }
  for (std::int64_t j = 0; j < n_in; j += kStretch) {
    const std::int64_t n = std::min<std::int64_t>(kStretch, n_in - j);
    Stretch before, after;
    const float* values = before.values;
    job.load(target, j, n, after);
    if (job.encoded != nullptr) {
      values = decoded.data() + j;
      job.add_steps(after, n, sums);
    } else {
      job.load(job.source.data() + row * bytes, j, n, before);
      job.add_steps(before, n, sums);
      job.find_values(n, before);
    }
    const int count = static_cast<int>(n);
    sums.weight_squares += sum_squares(values, count);
    if (job.encoded == nullptr && job.is_quantised() && after.has_grids_of(before, n) &&
        count_different(before.codes, after.codes, n) <= n / kFewMoved) {
      measure_flips(job, before, after, i, j, n, all, sums);
      continue;
    }
    job.find_values(n, after);
    if (job.is_quantised()) {
      sums.saturated += count_saturated(job.format.range, after.codes, values, after.values, n / kRun);
    }
    add_changes(values, after.values, count, double{update.p[i]}, update.mu.data() + j, all.column.data() + j, sums);
    if (!all.errors.empty()) {
      add_errors(values, after.values, count, s, update.t.data() + j, all.errors.data() + j);
    }
  }
}

// Rows of which the columns are added up in float32.
constexpr std::int64_t kFloatRows = 16;

/// Column sums of a few rows.
struct FewRows {
  std::vector<float> changes, errors;

  /// Moves them to those of all rows.
  void join(Sums& all) {
    join_columns(changes, all.column);
    join_columns(errors, all.errors);
  }

 private:
  ROSI_WIDE_CLONES static void join_columns(std::vector<float>& few, std::vector<double>& all) {
    for (std::size_t j = 0; j < few.size(); ++j) all[j] += double{few[j]};
    std::fill(few.begin(), few.end(), 0.0f);
  }
};

/// Writes row i and adds it up.
void write_and_measure_row(const Measurement& job, std::int64_t i, FewRows& columns, Sums& all, RowSums& sums) {
  const std::int64_t n_in = job.update.n_in();
  for (std::int64_t j = 0; j < n_in; j += kMeasuredAtOnce) {
    float* errors = columns.errors.empty() ? nullptr : columns.errors.data() + j;
    const RowChange change = job.write(i, j, std::min(kMeasuredAtOnce, n_in - j), {columns.changes.data() + j, errors});
    sums.along[0] += change.along;
    sums.changed[0] += static_cast<std::int32_t>(change.changed);
    sums.weight_squares += change.weight_squares;
    all.error_squares += change.error_squares;
  }
}

void join(const RowSums& row, Sums& sums) {
  for (int k = 0; k < kRun; ++k) {
    sums.change_squares += row.change_squares[k];
    sums.changed += row.changed[k];
  }
  sums.weight_squares += row.weight_squares;
  sums.saturated += row.saturated;
  sums.steps += row.steps;
  sums.along.push_back(join_lanes(row.along));
}

double mean_magnitude(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += std::fabs(double{value});
  return sum / double(values.size());
}

/// See Realised::noise_to_signal.
double noise_to_signal(const UnitUpdate& update, const Inputs& inputs, const std::vector<double>& errors) {
  double noise = 0;
  for (std::size_t j = 0; j < errors.size(); ++j) noise += double{inputs.mean_squares[j]} * errors[j];
  return std::sqrt(noise) / (update.push * inputs.response_rms);
}

Realised conclude(const Measurement& job, const Inputs& inputs, const std::vector<Sums>& parts,
                  std::vector<double>* column_change) {
  const UnitUpdate& update = job.update;
  Sums all;
  all.column.assign(update.t.size(), 0.0);
  all.errors.assign(inputs.mean_squares.size(), 0.0);
  for (const Sums& part : parts) {
    for (std::size_t j = 0; j < part.column.size(); ++j) all.column[j] += part.column[j];
    for (std::size_t j = 0; j < part.errors.size(); ++j) {
      const double t = update.t[j];
      all.errors[j] += part.errors[j] + part.missed[j / kStretch] * t * t;
    }
    all.along.insert(all.along.end(), part.along.begin(), part.along.end());
    all.change_squares += part.change_squares;
    all.error_squares += part.error_squares;
    all.weight_squares += part.weight_squares;
    all.steps += part.steps;
    all.changed += part.changed;
    all.saturated += part.saturated;
  }
  const double size = update.size;
  const double n_weights = double(update.s.size()) * double(update.t.size());
  const double alignment = update.alignment;
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
      const double t = update.t[j], column = all.column[j] / alignment;
      asked += t * t;
      got += t * column;
      error_squares += (column - t) * (column - t);
    }
    t_squares += asked;
    cross += got;
    if (asked >= kFaintGroup * size * size) worst = std::min(worst, got / asked);
  }
  Realised realised;
  realised.relative_change = all.weight_squares > 0 ? size / std::sqrt(all.weight_squares) : 0;
  realised.gain = gain_of(update, all.along);
  realised.worst_gain = realised.gain;
  realised.size = size;
  realised.push = update.push;
  realised.off_direction = std::sqrt(std::max(0.0, along_squares - gain * gain)) / size;
  realised.column_error = std::sqrt(error_squares) / size;
  realised.worst_group = worst;
  // |dW - D|^2 opened up where D itself was not formed; <dW, D> is the sum of s-weighted columns, and |D| times gain.
  if (update.p != update.s) cross = size * gain;
  const double errors = job.write ? all.error_squares : all.change_squares - 2 * cross + s_squares * t_squares;
  realised.collateral = std::sqrt(std::max(0.0, errors)) / size;
  const double mean_step = all.steps / n_weights * double{job.format.spacing};
  realised.step_ratio = mean_step > 0 ? mean_magnitude(update.s) * mean_magnitude(update.t) / mean_step : 0;
  realised.flipped = double(all.changed) / n_weights;
  realised.saturated = all.changed > 0 ? double(all.saturated) / double(all.changed) : 0;
  if (!all.errors.empty()) realised.noise_to_signal = noise_to_signal(update, inputs, all.errors);
  if (column_change != nullptr) *column_change = std::move(all.column);
  return realised;
}

Realised run(const Measurement& job, const Inputs& inputs, const core::ThreadPool& threads,
             const core::Progress& progress, std::vector<double>* column_change) {
  const std::int64_t n_out = job.update.n_out();
  const auto n_in = static_cast<std::size_t>(job.update.n_in());
  std::vector<Sums> parts(static_cast<std::size_t>(kParts));
  threads.for_each(kParts, [&](std::int64_t index, const core::ThreadPool::Run& run) {
    Sums& sums = parts[static_cast<std::size_t>(index)];
    sums.column.assign(n_in, 0.0);
    sums.errors.assign(inputs.mean_squares.size(), 0.0);
    sums.missed.assign((n_in + kStretch - 1) / kStretch, 0.0);
    std::vector<float> decoded(job.encoded == nullptr ? 0 : n_in);
    FewRows few;
    if (job.write) few = {std::vector<float>(n_in), std::vector<float>(sums.errors.size())};
    const RowRange rows = part_rows(n_out, index);
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      RowSums row;
      if (job.write) write_and_measure_row(job, i, few, sums, row);
      else measure_row(job, i, decoded, sums, row);
      join(row, sums);
      const bool is_last = (i + 1 - rows.begin) % kFloatRows == 0 || i + 1 == rows.end;
      if (job.write && is_last) few.join(sums);
      if (run.failed()) return;
    }
    if (run.is_caller()) core::report(progress, double(index + 1) / double(kParts));
  });
  return conclude(job, inputs, parts, column_change);
}

}  // namespace

Realised measure(std::uint32_t type, std::span<const std::byte> source, std::span<const std::byte> target,
                 const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                 const core::Progress& progress, std::vector<double>* column_change) {
  return run({type, code_format(type), block_size(type), update, target, source}, inputs, threads, progress,
             column_change);
}

Realised write_and_measure(std::uint32_t type, std::span<const std::byte> source, std::span<const std::byte> target,
                           const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                           const core::Progress& progress, const WriteStretch& write) {
  return run({type, code_format(type), block_size(type), update, target, source, nullptr, write}, inputs, threads,
             progress, nullptr);
}

Realised measure(const EncodedRows& source, std::uint32_t type, std::span<const std::byte> target,
                 const UnitUpdate& update, const Inputs& inputs, const core::ThreadPool& threads,
                 const core::Progress& progress, std::vector<double>* column_change) {
  return run({type, code_format(type), block_size(type), update, target, {}, &source}, inputs, threads, progress,
             column_change);
}

}  // namespace rosi::kernels
