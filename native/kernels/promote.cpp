#include "kernels/promote.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/pages.h"
#include "core/thread_pool.h"
#include "kernels/add_floats.h"
#include "kernels/blocks.h"
#include "kernels/measure.h"
#include "kernels/measure_sums.h"
#include "kernels/refit.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/tensor_view.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {
namespace {

using core::slice;

/// The values plus left right^T, in the row's type.
void encode_row(std::uint32_t type, float left, std::span<const float> right, std::vector<float>& values,
                std::byte* row) {
  for (std::size_t j = 0; j < values.size(); ++j) values[j] = promoted(values[j], left, right[j]);
  const bool is_float = with_float(type, [&](auto tag) {
    auto* weights = reinterpret_cast<typename decltype(tag)::Type*>(row);
    for (std::size_t j = 0; j < values.size(); ++j) store_nearest(weights[j], values[j]);
  });
  if (!is_float) quantize_row(type, values.data(), row, static_cast<std::int64_t>(values.size()));
}

/// target = source + left right^T, each weight or block at the nearest of its type; without `left` the source alone.
void encode(const EncodedRows& source, std::uint32_t type, std::span<std::byte> target, std::span<const float> left,
            std::span<const float> right, const core::ThreadPool& threads, const core::Progress& progress) {
  const auto n_in = static_cast<std::int64_t>(right.size());
  const std::size_t bytes = row_bytes(type, n_in);
  const auto n_out = static_cast<std::int64_t>(target.size() / bytes);
  threads.for_each(n_out, [&](std::int64_t i, const core::ThreadPool::Run& run) {
    std::vector<float> values(right.size());
    const auto row = static_cast<std::size_t>(i);
    source.decode(source.bytes.data() + row * source.row_bytes, values.data(), n_in);
    encode_row(type, left.empty() ? 0.0f : left[row], right, values, target.data() + row * bytes);
    if (run.is_caller()) core::report(progress, double(i) / double(n_out));
  });
}

/// A promotion of one matrix, in one of the ways.
struct Promotion {
  const EncodedRows& source;
  std::uint32_t type;
  const RankOne& update;
  const UnitUpdate& unit;
  const core::ThreadPool& threads;

  Realised to_quantised(std::span<std::byte> target, const core::Progress& progress) const {
    encode(source, type, target, update.left, update.right, threads, slice(progress, 0, 0.5));
    std::vector<double> change;
    measure(source, type, target, unit, {}, threads, slice(progress, 0.5, 0.6), &change);
    std::vector<float> lack(unit.t.size());
    for (std::size_t j = 0; j < lack.size(); ++j) lack[j] = lack_of(change[j], unit.alignment, unit.t[j]);
    // All codes are new, so no move counts as taking one back.
    close_columns(type, target, target, unit, lack, threads, slice(progress, 0.6, 0.9));
    return finish(target, slice(progress, 0.9, 1));
  }

  Realised to_floats(std::span<std::byte> target, const core::Progress& progress) const {
    encode(source, type, target, update.left, update.right, threads, slice(progress, 0, 0.3));
    const Realised rounded = finish(target, slice(progress, 0.3, 0.4));
    if (std::fabs(rounded.gain - 1) <= kFloatGainError) return rounded;
    // The values of a source of few bits may be numbers of the new type, to which a small update rounds back.
    const core::Pages converted(target.size()), carried(target.size());
    encode(source, type, converted.bytes(), {}, update.right, threads, slice(progress, 0.4, 0.6));
    flip_floats(type, converted.bytes(), carried.bytes(), unit, threads, slice(progress, 0.6, 0.9));
    const Realised flipped = finish(carried.bytes(), slice(progress, 0.9, 1));
    if (std::fabs(flipped.gain - 1) >= std::fabs(rounded.gain - 1)) return rounded;
    std::memcpy(target.data(), carried.bytes().data(), target.size());
    return flipped;
  }

  Realised finish(std::span<const std::byte> target, const core::Progress& progress) const {
    return measure(source, type, target, unit, update.inputs, threads, progress);
  }
};

void check_sizes(const EncodedRows& source, std::int64_t n_in, std::int64_t n_out, const RankOne& update) {
  const std::size_t n_squares = update.inputs.mean_squares.size();
  if (source.bytes.size() == source.row_bytes * static_cast<std::size_t>(n_out) &&
      update.left.size() == static_cast<std::size_t>(n_out) && update.right.size() == static_cast<std::size_t>(n_in) &&
      (n_squares == 0 || n_squares == update.right.size())) {
    return;
  }
  throw core::Error(core::ErrorCode::option_invalid,
                    "the promotion of a [" + std::to_string(n_out) + ", " + std::to_string(n_in) +
                        "] tensor needs a source, left, right and inputs of these sizes",
                    {{"nIn", double(n_in)}, {"nOut", double(n_out)}});
}

}  // namespace

bool is_promotion_target(std::uint32_t type) { return type == kF32 || type == kF16 || type == kBF16 || type == kQ8_0; }

Realised promote(const EncodedRows& source, std::uint32_t type, std::span<std::byte> target, std::int64_t n_in,
                 std::int64_t n_out, const RankOne& update, int threads, const core::Progress& progress,
                 const Accelerator* accelerator) {
  check_tensor(type, n_in, n_out, target.size());
  check_sizes(source, n_in, n_out, update);
  const UnitUpdate unit = UnitUpdate::of(update.left, update.right, {}, update.readout);
  const core::ThreadPool pool(threads);
  const Promotion promotion{source, type, update, unit, pool};
  const auto on_accelerator = [&] {
    return accelerator != nullptr && source.type &&
           accelerator->promote(*source.type, source.bytes, type, target, update);
  };
  Realised realised;
  if (on_accelerator()) realised = unit.size == 0 ? Realised{} : promotion.finish(target, progress);
  else if (unit.size == 0) encode(source, type, target, {}, update.right, pool, progress);
  else if (block_size(type).weights == 1) realised = promotion.to_floats(target, progress);
  else realised = promotion.to_quantised(target, progress);
  realised.mode = "promote";
  core::report(progress, 1);
  return realised;
}

}  // namespace rosi::kernels
