// The order of the passes over one tensor on the CPU, and the choice between the grid it has and a new one.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/thread_pool.h"
#include "kernels/blocks.h"
#include "kernels/measure.h"
#include "kernels/rank_one.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/tensor_view.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {
namespace {

/// The part [from, to] of a longer progress.
core::Progress slice(const core::Progress& progress, double from, double to) {
  if (!progress) return {};
  return [&progress, from, to](double done) { return progress(from + (to - from) * done); };
}

void check_sizes(std::int64_t n_in, std::int64_t n_out, std::span<const std::byte> source,
                 std::span<const std::byte> target, const RankOne& update) {
  if (source.size() == target.size() && update.left.size() == static_cast<std::size_t>(n_out) &&
      update.right.size() == static_cast<std::size_t>(n_in)) {
    return;
  }
  throw core::Error(core::ErrorCode::option_invalid,
                    "the update of a [" + std::to_string(n_out) + ", " + std::to_string(n_in) +
                        "] tensor needs left and right of these sizes and a target as large as the source; got " +
                        std::to_string(update.left.size()) + " and " + std::to_string(update.right.size()),
                    {{"nIn", double(n_in)},
                     {"nOut", double(n_out)},
                     {"left", double(update.left.size())},
                     {"right", double(update.right.size())}});
}

template <class Weight>
void add_float_row(const std::byte* source, std::byte* target, std::int64_t n_in, float left, const float* right) {
  std::memcpy(target, source, static_cast<std::size_t>(n_in) * sizeof(Weight));
  if (left == 0.0f) return;
  Weight* weights = reinterpret_cast<Weight*>(target);
  for (std::int64_t j = 0; j < n_in; ++j) add_to_weight(weights[j], left, right[j]);
}

void add_floats(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target, std::int64_t n_in,
                const RankOne& update, const core::ThreadPool& threads, const core::Progress& progress) {
  const std::size_t bytes = row_bytes(type, n_in);
  const std::int64_t n_out = static_cast<std::int64_t>(update.left.size());
  threads.for_each(n_out, [&](std::int64_t i, const core::ThreadPool::Run& run) {
    with_float(type, [&](auto tag) {
      add_float_row<typename decltype(tag)::Type>(source.data() + i * bytes, target.data() + i * bytes, n_in,
                                                  update.left[i], update.right.data());
    });
    if (run.is_caller() && i % 64 == 0) core::report(progress, double(i) / double(n_out));
  });
}

}  // namespace

Realised add_rank_one(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      std::int64_t n_in, std::int64_t n_out, const RankOne& update, int threads,
                      const core::Progress& progress) {
  check_tensor(type, n_in, n_out, source.size());
  check_sizes(n_in, n_out, source, target, update);
  const UnitUpdate unit = UnitUpdate::of(update.left, update.right);
  if (unit.size == 0) {
    std::memcpy(target.data(), source.data(), source.size());
    core::report(progress, 1);
    return {};
  }
  const core::ThreadPool pool(threads);
  Realised realised;
  if (block_size(type).weights == 1) {
    add_floats(type, source, target, n_in, update, pool, slice(progress, 0, 0.6));
    realised = measure(type, source, target, unit, pool, slice(progress, 0.6, 1));
    realised.mode = "add";
  } else {
    std::vector<float> lack(static_cast<std::size_t>(n_in));
    flip_codes(type, source, target, unit, lack, pool, slice(progress, 0, 0.4));
    close_columns(type, source, target, unit, lack, pool, slice(progress, 0.4, 0.8));
    realised = measure(type, source, target, unit, pool, slice(progress, 0.8, 1));
    realised.mode = "code-flips";
  }
  core::report(progress, 1);
  return realised;
}

}  // namespace rosi::kernels
