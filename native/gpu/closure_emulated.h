// For tests: the GPU's closure (rank_one_gpu.h) carried out on the CPU, lane by lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/unit_update.h"

namespace rosi::gpu {

/// What close_columns_cuda() does. `source` may be `target`.
void close_columns_emulated(std::uint32_t type, const std::byte* source, std::byte* target,
                            const kernels::UnitUpdate& update, std::span<float> lack);

}  // namespace rosi::gpu
