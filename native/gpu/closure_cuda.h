// close_columns() on the current device, for the kernels: every pointer is to its memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gpu/rank_one_gpu.h"

namespace rosi::gpu {

/// `source` may be `target`, as in close_columns(). `tolerance` is column_tolerance().
void close_columns_cuda(std::uint32_t type, const std::byte* source, std::byte* target, const Shape& shape,
                        const float* p, float* lack, float tolerance);

/// Throws core::Error{gpu_failed} when the library has no code for the current device.
void require_code();

}  // namespace rosi::gpu
