// For tests: the GPU's promotion (promote_gpu.h) carried out on the CPU, thread by thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"

namespace rosi::gpu {

/// What promote_cuda() does. The bytes must be those of promote().
void promote_emulated(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                      std::span<std::byte> target, const kernels::RankOne& update);

}  // namespace rosi::gpu
