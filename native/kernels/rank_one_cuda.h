// The kernels on a CUDA device. In builds without ROSI_CUDA this header has no definitions behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/rank_one.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Whether there is a device to run on.
bool has_cuda() noexcept;

/// flip_codes() and close_columns() on the current device: the same bytes as on the CPU. Needs the tensor twice in
/// device memory, and 8 bytes for each row and 256 columns. Throws core::Error{engine_failed} with CUDA's words.
void flip_and_close_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                         const UnitUpdate& update);

/// add_floats() of all weights on the current device.
void add_floats_cuda(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const RankOne& update);

/// column_mean() on the current device.
void column_mean_cuda(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                      std::span<float> out);

}  // namespace rosi::kernels
