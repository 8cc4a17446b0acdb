#include "kernels/repack.h"

#include "core/error.h"
#include "kernels/blocks.h"

namespace rosi::kernels {
namespace {

template <class Block>
void repack_block(Block& block, bool by_lanes) {
  for (int run = 0; run < Block::kWeights / kRun; ++run) {
    std::int8_t codes[kRun];
    for (int k = 0; k < kRun; ++k) codes[k] = static_cast<std::int8_t>(block.code(run, k));
    for (int k = 0; k < kRun; ++k)
      block.set_code(run, k, codes[k] == Block::kHighest ? Block::kLowest : Block::kHighest);
    for (int k = 0; k < kRun; ++k) {
      if (by_lanes) block.pack_lane(run, k, codes);
      else block.set_code(run, k, codes[k]);
    }
  }
}

}  // namespace

void repack(std::uint32_t type, std::span<std::byte> tensor, bool by_lanes) {
  const bool known = with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    Block* blocks = reinterpret_cast<Block*>(tensor.data());
    for (std::size_t b = 0; b < tensor.size() / sizeof(Block); ++b) repack_block(blocks[b], by_lanes);
  });
  if (!known) throw core::Error(core::ErrorCode::tensor_unsupported, "no quantised type", {{"type", double(type)}});
}

}  // namespace rosi::kernels
