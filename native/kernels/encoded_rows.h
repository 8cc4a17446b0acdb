// A matrix in any type that something can read: what a promotion starts from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace rosi::kernels {

struct EncodedRows {
  std::span<const std::byte> bytes;  // n_out rows, one after another
  std::size_t row_bytes;
  /// values[0 .. n) = a row's. Called from several threads.
  std::function<void(const std::byte* row, float* values, std::int64_t n)> decode;
  /// By GGUF's number, for what reads the bytes by itself.
  std::optional<std::uint32_t> type = {};
};

}  // namespace rosi::kernels
