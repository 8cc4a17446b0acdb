// promote() on the current CUDA device, for the library rosi-cuda.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"

namespace rosi::gpu {

/// target = source + left right^T in `type`: the bytes of promote(). Needs source, target and 4 bytes for each weight
/// in device memory, and two more targets where rounding to a float type loses the update. Sizes are checked by the
/// caller. Returns the seconds that the kernels took, with their small copies. Throws core::Error: option_invalid as
/// promote() does for the update, gpu_failed with CUDA's words.
double promote_cuda(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                    std::span<std::byte> target, const kernels::RankOne& update);

}  // namespace rosi::gpu
