// promote() on a CUDA device. In builds without ROSI_CUDA this header has no definitions behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"

namespace rosi::kernels {

/// target = source + left right^T in `type`: the bytes of promote(). Needs source, target and 4 bytes for each weight
/// in device memory, and two more targets where rounding to a float type loses the update. Sizes are checked by the
/// caller. Throws core::Error: option_invalid as promote() does for the update, engine_failed with CUDA's words.
void promote_cuda(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                  std::span<std::byte> target, const RankOne& update);

}  // namespace rosi::kernels
