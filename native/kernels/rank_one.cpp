// The order of the passes over one tensor, and the choice between the grid it has and a new one.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/pages.h"
#include "core/thread_pool.h"
#include "kernels/accelerator.h"
#include "kernels/add_floats.h"
#include "kernels/measure.h"
#include "kernels/measure_sums.h"
#include "kernels/rank_one.h"
#include "kernels/refit.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {
namespace {

using core::slice;

void check_sizes(std::int64_t n_in, std::int64_t n_out, std::span<const std::byte> source,
                 std::span<const std::byte> target, const RankOne& update) {
  const std::size_t n_squares = update.inputs.mean_squares.size();
  if (source.size() == target.size() && update.left.size() == static_cast<std::size_t>(n_out) &&
      update.right.size() == static_cast<std::size_t>(n_in) && (n_squares == 0 || n_squares == update.right.size())) {
    return;
  }
  throw core::Error(
      core::ErrorCode::option_invalid,
      "the update of a [" + std::to_string(n_out) + ", " + std::to_string(n_in) +
          "] tensor needs left, right and inputs of these sizes and a target as large as the source; got " +
          std::to_string(update.left.size()) + " and " + std::to_string(update.right.size()),
      {{"nIn", double(n_in)},
       {"nOut", double(n_out)},
       {"left", double(update.left.size())},
       {"right", double(update.right.size())}});
}

/// One tensor in one of the ways; `target` is written whole.
struct Attempt {
  std::uint32_t type;
  std::span<const std::byte> source;
  const UnitUpdate& update;
  const RankOne& request;
  const core::ThreadPool& threads;
  const Accelerator* accelerator;

  Realised flip(std::span<std::byte> target, const core::Progress& progress) const {
    if (accelerator == nullptr || !accelerator->flip_and_close(type, source, target, request)) {
      std::vector<float> lack(update.t.size());
      flip_codes(type, source, target, update, lack, threads, slice(progress, 0, 0.4));
      close_columns(type, source, target, update, lack, threads, slice(progress, 0.4, 0.8));
    }
    return finish("code-flips", target, slice(progress, 0.8, 1));
  }

  Realised refit(std::span<std::byte> target, const core::Progress& progress) const {
    requantise_rows(type, source, target, update, threads, slice(progress, 0, 0.6));
    std::vector<double> change;
    measure(type, source, target, update, {}, threads, {}, &change);
    std::vector<float> lack(update.t.size());
    for (std::size_t j = 0; j < lack.size(); ++j) lack[j] = lack_of(change[j], update.alignment, update.t[j]);
    // The codes before the closure are new themselves, so no move counts as taking one back.
    close_columns(type, target, target, update, lack, threads, slice(progress, 0.6, 0.9));
    return finish("refit", target, slice(progress, 0.9, 1));
  }

  Realised finish(const char* mode, std::span<const std::byte> target, const core::Progress& progress) const {
    Realised realised = measure(type, source, target, update, request.inputs, threads, progress);
    realised.mode = mode;
    return realised;
  }
};

// Above this mean request per mean step a new grid may have less noise than flips on the old one; measured on Q8_0,
// Q6_K and Q4_K tensors, see docs/method.md.
constexpr double kRefitStepRatio = 0.4;
constexpr double kLeastGain = 0.99;
constexpr double kMostOffDirection = 0.1;

bool is_faithful(const Realised& realised) {
  return realised.gain >= kLeastGain && realised.gain <= 2 - kLeastGain && realised.off_direction <= kMostOffDirection;
}

/// Faithful first, then less noise, on the inputs where they are known; between two that are not, the one whose gain is
/// nearer to 1.
bool is_better(const Realised& a, const Realised& b) {
  if (is_faithful(a) != is_faithful(b)) return is_faithful(a);
  if (is_faithful(a)) {
    if (a.noise_to_signal && b.noise_to_signal) return *a.noise_to_signal < *b.noise_to_signal;
    return a.collateral < b.collateral;
  }
  return std::fabs(a.gain - 1) < std::fabs(b.gain - 1);
}

Realised update_quantised(const Attempt& attempt, std::span<std::byte> target, const core::Progress& progress) {
  const Realised flipped = attempt.flip(target, slice(progress, 0, 0.5));
  if (flipped.step_ratio <= kRefitStepRatio && flipped.gain >= kLeastGain) return flipped;
  const core::Pages other(target.size());
  const Realised refitted = attempt.refit(other.bytes(), slice(progress, 0.5, 1));
  if (!is_better(refitted, flipped)) return flipped;
  std::memcpy(target.data(), other.bytes().data(), target.size());
  return refitted;
}

Realised update_floats(const Attempt& attempt, std::span<std::byte> target, const core::Progress& progress) {
  Realised added = write_and_measure(
      attempt.type, attempt.source, target, attempt.update, attempt.request.inputs, attempt.threads,
      slice(progress, 0, 0.5), [&](std::int64_t i, std::int64_t j, std::int64_t n, ColumnSums columns) {
        return add_floats(attempt.type, attempt.source, target, attempt.request, attempt.update, i, j, n, columns);
      });
  added.mode = "add";
  if (std::fabs(added.gain - 1) <= kFloatGainError) return added;
  const core::Pages other(target.size());
  flip_floats(attempt.type, attempt.source, other.bytes(), attempt.update, attempt.threads, slice(progress, 0.5, 0.8));
  const Realised carried = attempt.finish("code-flips", other.bytes(), slice(progress, 0.8, 1));
  if (std::fabs(carried.gain - 1) >= std::fabs(added.gain - 1)) return added;
  std::memcpy(target.data(), other.bytes().data(), target.size());
  return carried;
}

}  // namespace

Realised add_rank_one(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      std::int64_t n_in, std::int64_t n_out, const RankOne& update, int threads,
                      const core::Progress& progress, const Accelerator* accelerator) {
  check_tensor(type, n_in, n_out, source.size());
  check_sizes(n_in, n_out, source, target, update);
  const UnitUpdate unit = UnitUpdate::of(update.left, update.right, update.inputs.mean_squares, update.readout);
  if (unit.size == 0) {
    std::memcpy(target.data(), source.data(), source.size());
    core::report(progress, 1);
    return {};
  }
  const core::ThreadPool pool(threads);
  const Attempt attempt{type, source, unit, update, pool, accelerator};
  const Realised realised = block_size(type).weights == 1 ? update_floats(attempt, target, progress)
                                                          : update_quantised(attempt, target, progress);
  core::report(progress, 1);
  return realised;
}

}  // namespace rosi::kernels
