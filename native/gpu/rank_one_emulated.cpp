#include "gpu/rank_one_emulated.h"

#include <algorithm>
#include <vector>

#include "gpu/closure_emulated.h"
#include "gpu/rank_one_gpu.h"
#include "gpu/sweep_emulated.h"
#include "kernels/blocks.h"

namespace rosi::gpu {
namespace {

/// sweep_tiles(). Lanes run one after the other between the points where a warp would meet.
template <class Block>
void sweep(const Block* source, Block* target, const UnitUpdate& update, std::span<float> lack) {
  const Shape shape{update.n_in(), update.n_out()};
  const auto first = [&](std::int64_t row) { return first_flip(source[gpu::place<Block>(shape, row, 0).block]); };
  sweep_emulated(update, lack, first,
                 [&](std::int64_t row, const RowWeights& weights, const Penalties& pull, std::int64_t run, float carry,
                     float* errors) {
                   const Place at = gpu::place<Block>(shape, row, run);
                   const Block& block = source[at.block];
                   std::int8_t codes[kRun];
                   bool any = false;
                   for (int lane = 0; lane < kRun; ++lane) {
                     const std::int64_t j = run * kRun + lane;
                     const float step = block.grid(at.run, lane / Block::kStepWeights).step;
                     const int code = block.code(at.run, lane);
                     const float row_pull = pull.row * update.repay[j] * update.mu[j];
                     const Flip flip = choose_flip(codes_of<Block>(), weights, row_pull, update.t[j], update.mu[j],
                                                   lack[j], carry, static_cast<float>(code), step, inverse_step(step));
                     errors[lane] = flip.error;
                     codes[lane] = static_cast<std::int8_t>(code + static_cast<int>(flip.codes));
                     any |= flip.codes != 0.0f;
                   }
                   // Backwards: no lane may depend on what another one has stored.
                   for (int lane = kRun; any && lane-- > 0;) target[at.block].pack_lane(at.run, lane, codes);
                 });
}

}  // namespace

void flip_and_close_emulated(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                             const UnitUpdate& update) {
  std::copy(source.begin(), source.end(), target.begin());
  std::vector<float> lack(update.t.size(), 0.0f);
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    sweep(reinterpret_cast<const Block*>(source.data()), reinterpret_cast<Block*>(target.data()), update, lack);
  });
  close_columns_emulated(type, source.data(), target.data(), update, lack);
}

void add_floats_emulated(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                         const RankOne& update) {
  const Shape shape{static_cast<std::int64_t>(update.right.size()), static_cast<std::int64_t>(update.left.size())};
  std::copy(source.begin(), source.end(), target.begin());
  with_float(type, [&](auto tag) {
    auto* weights = reinterpret_cast<typename decltype(tag)::Type*>(target.data());
    for (std::int64_t k = shape.n_in * shape.n_out; k-- > 0;) {
      add_to_weight(weights, shape, update.left.data(), update.right.data(), k);
    }
  });
}

void column_mean_emulated(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                          std::span<float> out) {
  const auto mean = [&](auto tag) {
    const auto* blocks = reinterpret_cast<const typename decltype(tag)::Type*>(tensor.data());
    for (std::int64_t j = n_in; j-- > 0;) out[j] = mean_of_column(blocks, Shape{n_in, n_out}, j);
  };
  with_block(type, mean) || with_float(type, mean);
}

}  // namespace rosi::gpu
