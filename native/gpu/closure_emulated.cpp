#include "gpu/closure_emulated.h"

#include <algorithm>
#include <vector>

#include "gpu/rank_one_gpu.h"
#include "kernels/blocks.h"

namespace rosi::gpu {
namespace {

template <class Block>
struct Closure {
  Shape shape;
  const Block* source;
  Block* target;
  const std::vector<float>& p;
  float tolerance;
  std::span<float> lack;
  std::vector<char> stuck;

  /// One round; false when there was nothing left to do.
  bool round(int number) {
    std::vector<MoveKey> first(lack.size());
    for (std::size_t j = 0; j < first.size(); ++j) first[j] = first_key(lack[j], tolerance, stuck[j] != 0);
    std::vector<MoveKey> best = first;
    const bool any = std::ranges::any_of(first, [](MoveKey key) { return key != 0; });
    for (std::int64_t begin = 0; begin < round_rows(shape.n_out); begin += kClosureRows) {
      const Places places = search_places(shape, begin);
      // Parts backwards: the device runs them in any order.
      for (std::int64_t part = kSearchParts; part-- > 0;) {
        for (std::int64_t j = 0; j < shape.n_in; ++j) {
          if (first[j] != 0) best[j] = std::min(best[j], search(number, part_places(places, part), j, first[j]));
        }
      }
      for (std::int64_t j = 0; j < shape.n_in; ++j) {
        bool is_stuck = stuck[j] != 0;
        apply_key(source, target, shape, number, j, p.data(), tolerance, places.end == round_rows(shape.n_out), best[j],
                  first[j], lack[j], is_stuck);
        stuck[j] = is_stuck ? 1 : 0;
      }
    }
    return any;
  }

  MoveKey search(int round, const Places& places, std::int64_t j, MoveKey key) const {
    for (std::int64_t place = places.begin; place < places.end; ++place) {
      const std::int64_t row = closure_row(j, round, place, shape.n_out);
      if (p[row] == 0.0f) continue;
      const Place at = gpu::place<Block>(shape, row, j / kRun);
      key = search_row(source[at.block], target[at.block], at.run, static_cast<int>(j % kRun), p[row], place, lack[j],
                       key);
    }
    return key;
  }
};

}  // namespace

void close_columns_emulated(std::uint32_t type, const std::byte* source, std::byte* target, const UnitUpdate& update,
                            std::span<float> lack) {
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    Closure<Block> closure{{update.n_in(), update.n_out()},
                           reinterpret_cast<const Block*>(source),
                           reinterpret_cast<Block*>(target),
                           update.p,
                           column_tolerance(update.size, update.n_in()),
                           lack,
                           std::vector<char>(lack.size(), 0)};
    for (int round = 0; round < kClosureRounds && closure.round(round); ++round) continue;
  });
}

}  // namespace rosi::gpu
