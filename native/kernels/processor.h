// Something besides the CPU that can write tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rosi::kernels {

struct RankOne;

/// The passes that decide what a tensor becomes, to the same bytes as here; what it has become is measured here, on
/// its bytes. Called from several threads. They throw core::Error.
class Processor {
 public:
  virtual ~Processor() = default;
  /// flip_codes() and close_columns(), quantised types.
  virtual void flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                              const RankOne& update) const = 0;
  /// promote() but for the measuring; false where it can't read the source's type.
  virtual bool promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                       std::span<std::byte> target, const RankOne& update) const = 0;
};

}  // namespace rosi::kernels
