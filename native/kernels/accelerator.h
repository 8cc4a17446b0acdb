// Something besides the CPU that can write tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

struct RankOne;

/// The passes that decide what a tensor becomes, to the same bytes as here; what it has become is measured here, on
/// its bytes. Called from several threads. False: it has no room for the tensor, or can't read its type. They throw
/// core::Error.
class Accelerator {
 public:
  virtual ~Accelerator() = default;
  /// flip_codes() and close_columns(), quantised types.
  virtual bool flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                              const RankOne& update) const = 0;
  /// promote() but for the measuring.
  virtual bool promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                       std::span<std::byte> target, const RankOne& update) const = 0;
};

}  // namespace rosi::kernels
