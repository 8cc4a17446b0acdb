// For tests: the GPU's division of work (rank_one_gpu.h) carried out on the CPU, lane by lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"
#include "kernels/unit_update.h"

namespace rosi::gpu {

/// What flip_and_close_cuda() does, warp after warp in the order of the device's tickets; quantised types only. The
/// bytes must be those of flip_codes() and close_columns().
void flip_and_close_emulated(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                             const kernels::UnitUpdate& update);

/// What add_floats_cuda() and column_mean_cuda() do.
void add_floats_emulated(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                         const kernels::RankOne& update);
void column_mean_emulated(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                          std::span<float> out);

}  // namespace rosi::gpu
