// Every tensor type a GGUF file can hold. The numbers are ggml's; ggml itself is not needed to read a file.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rosi::gguf {

struct TensorType {
  std::uint32_t id;
  const char* name;             // as llama.cpp writes it in file names: "Q4_K"
  std::uint32_t block_weights;  // weights per block: a row is a whole number of blocks
  std::uint32_t block_bytes;
};

/// Null for ids that ggml never had or has removed.
const TensorType* find_type(std::uint32_t id) noexcept;
const TensorType* find_type(std::string_view name) noexcept;  // null for a name that is not written exactly so
/// The name of a type that older files may hold and nothing can read any more; null for all others.
const char* find_removed_type(std::uint32_t id) noexcept;
std::span<const TensorType> tensor_types() noexcept;  // in order of id

/// Types of metadata values.
enum class ValueType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};
inline constexpr std::uint32_t n_value_types = 13;

/// Bytes of one value; 0 for strings and arrays, whose size is in the file.
std::uint32_t value_bytes(ValueType type) noexcept;
const char* to_string(ValueType type) noexcept;

}  // namespace rosi::gguf
