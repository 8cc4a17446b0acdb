// Memory for whole tensors.
#pragma once

#include <cstddef>
#include <span>

namespace rosi::core {

/// Zeros, whose pages go back to the system with this object. What is freed of blocks from malloc may stay with the
/// thread that took it, and grow with every tensor.
class Pages {
 public:
  Pages() = default;
  /// Throws std::bad_alloc.
  explicit Pages(std::size_t bytes);
  Pages(Pages&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace rosi::core
