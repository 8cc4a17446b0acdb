// The kernels on the current CUDA device, for the library rosi-cuda. Each returns the seconds that its kernels took,
// without the copies of the tensor. Sizes and types are checked by the caller. They throw core::Error: gpu_failed with
// CUDA's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"
#include "kernels/unit_update.h"

namespace rosi::gpu {

/// flip_codes() and close_columns(): the same bytes as on the CPU. Quantised types. Needs the tensor twice in device
/// memory, and 8 bytes for each row and 256 columns.
double flip_and_close_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                           const kernels::UnitUpdate& update);

/// add_floats() of all weights. Float types.
double add_floats_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                       const kernels::RankOne& update);

/// column_mean().
double column_mean_cuda(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                        std::span<float> out);

}  // namespace rosi::gpu
