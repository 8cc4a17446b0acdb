#include "kernels/rank_one_emulated.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/rank_one_gpu.h"

namespace rosi::kernels {
namespace {

template <class Block>
struct Device {
  gpu::Shape shape;
  const Block* source;
  Block* target;
  const UnitUpdate& update;
  std::vector<float> lack;
  std::vector<gpu::HandWord> hands;
  float largest_mu = 0;

  /// sweep_tiles() of one warp. Lanes run one after the other between the points where a warp would meet.
  void sweep(std::int64_t tile) {
    const Penalties pull = penalties(shape.n_in, shape.n_out);
    const std::int64_t first_run = tile * gpu::kTileRuns;
    for (std::int64_t row = 0; row < shape.n_out; ++row) {
      const float s = update.s[row];
      if (s == 0.0f) continue;
      const RowWeights weights = RowWeights::of(s, update.p[row], pull);
      float carry = tile == 0 ? row_phase(row, largest_mu, first_flip(source[gpu::place<Block>(shape, row, 0).block]))
                              : receive(tile - 1, row);
      for (int r = 0; r < gpu::runs_in_tile(shape, tile); ++r) {
        const gpu::Place at = gpu::place<Block>(shape, row, first_run + r);
        const Block& block = source[at.block];
        float sums[kRun];
        std::int8_t codes[kRun];
        bool any = false;
        for (int lane = 0; lane < kRun; ++lane) {
          const std::int64_t j = (first_run + r) * kRun + lane;
          const float step = block.grid(at.run, lane / Block::kStepWeights).step;
          const int code = block.code(at.run, lane);
          const Flip flip =
              choose_flip(codes_of<Block>(), weights, pull.row * update.repay[j], update.t[j], update.mu[j], lack[j],
                          carry, static_cast<float>(code), step, inverse_step(step));
          lack[j] = lack[j] + weights.p * flip.error;
          sums[lane] = update.mu[j] * flip.error;
          codes[lane] = static_cast<std::int8_t>(code + static_cast<int>(flip.codes));
          any |= flip.codes != 0.0f;
        }
        for (int width = kRun / 2; width > 0; width /= 2) {  // __shfl_xor_sync: all lanes read before one writes
          float partners[kRun];
          for (int lane = 0; lane < kRun; ++lane) partners[lane] = sums[lane ^ width];
          for (int lane = 0; lane < kRun; ++lane) sums[lane] = sums[lane] + partners[lane];
        }
        carry = carry + sums[0];
        // Backwards: no lane may depend on what another one has stored.
        for (int lane = kRun; any && lane-- > 0;) target[at.block].pack_lane(at.run, lane, codes);
      }
      hands[static_cast<std::size_t>(gpu::hand_index(shape, tile, row))] = gpu::hand_word(carry);
    }
  }

  float receive(std::int64_t tile, std::int64_t row) const {
    const gpu::HandWord word = hands[static_cast<std::size_t>(gpu::hand_index(shape, tile, row))];
    if (!gpu::is_handed(word)) throw std::logic_error("a GPU would wait here for ever");
    return gpu::handed_carry(word);
  }

  /// One round of the closure; false when nothing moved.
  bool close(std::vector<char>& stuck) {
    const float tolerance = column_tolerance(update.size, shape.n_in);
    std::vector<gpu::MoveKey> first(lack.size());
    for (std::size_t j = 0; j < first.size(); ++j) first[j] = gpu::first_key(lack[j], tolerance, stuck[j] != 0);
    std::vector<gpu::MoveKey> best = first;
    // Parts backwards: the device runs them in any order.
    for (std::int64_t part = gpu::search_parts(shape); part-- > 0;) {
      for (std::int64_t j = 0; j < shape.n_in; ++j) {
        gpu::MoveKey key = first[j];
        for (std::int64_t row = part * gpu::kSearchRows; row < std::min(shape.n_out, (part + 1) * gpu::kSearchRows);
             ++row) {
          if (update.p[row] == 0.0f) continue;
          const gpu::Place at = gpu::place<Block>(shape, row, j / kRun);
          key = gpu::search_row(source[at.block], target[at.block], at.run, static_cast<int>(j % kRun), update.p[row],
                                row, lack[j], key);
        }
        best[j] = std::min(best[j], key);
      }
    }
    bool moved = false;
    for (std::int64_t j = 0; j < shape.n_in; ++j) {
      bool is_stuck = stuck[j] != 0;
      moved |= gpu::apply_key(source, target, shape, j, update.p.data(), first[j], best[j], lack[j], is_stuck);
      stuck[j] = is_stuck ? 1 : 0;
    }
    return moved;
  }
};

template <class Block>
void run(const Block* source, Block* target, const UnitUpdate& update) {
  const gpu::Shape shape{update.n_in(), update.n_out()};
  Device<Block> device{shape,
                       source,
                       target,
                       update,
                       std::vector<float>(update.t.size(), 0.0f),
                       std::vector<gpu::HandWord>(static_cast<std::size_t>(gpu::tiles(shape) * shape.n_out), 0)};
  for (const float mu : update.mu) device.largest_mu = larger(device.largest_mu, magnitude(mu));
  for (std::int64_t tile = 0; tile < gpu::tiles(shape); ++tile) device.sweep(tile);
  std::vector<char> stuck(update.t.size(), 0);
  for (int round = 0; round < kClosureRounds && device.close(stuck); ++round) continue;
}

}  // namespace

void flip_and_close_emulated(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                             const UnitUpdate& update) {
  std::copy(source.begin(), source.end(), target.begin());
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    run(reinterpret_cast<const Block*>(source.data()), reinterpret_cast<Block*>(target.data()), update);
  });
}

}  // namespace rosi::kernels
