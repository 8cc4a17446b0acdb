#include "gguf/file.h"

#include <algorithm>

#include "gguf/parser.h"

namespace rosi::gguf {
namespace {

template <typename T>
std::optional<std::uint64_t> not_negative(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  if (value < T{0}) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace

std::optional<std::string_view> Entry::text() const noexcept {
  if (type != ValueType::string) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(value.data()), value.size());
}

std::optional<std::uint64_t> Entry::whole_number() const noexcept {
  switch (type) {
    case ValueType::uint8: return not_negative<std::uint8_t>(value);
    case ValueType::int8: return not_negative<std::int8_t>(value);
    case ValueType::uint16: return not_negative<std::uint16_t>(value);
    case ValueType::int16: return not_negative<std::int16_t>(value);
    case ValueType::uint32: return not_negative<std::uint32_t>(value);
    case ValueType::int32: return not_negative<std::int32_t>(value);
    case ValueType::uint64: return not_negative<std::uint64_t>(value);
    case ValueType::int64: return not_negative<std::int64_t>(value);
    default: return std::nullopt;
  }
}

File File::open(const std::filesystem::path& path) {
  File file(core::InputFile::open(path, core::ErrorCode::gguf_invalid));
  file.bytes_ = file.input_.map();
  Parser(file).parse();
  return file;
}

const Entry* File::find_entry(std::string_view key) const noexcept {
  const auto found = entries_by_key_.find(key);
  return found == entries_by_key_.end() ? nullptr : found->second;
}

const Tensor* File::find(std::string_view name) const noexcept {
  const auto found = tensors_by_name_.find(name);
  return found == tensors_by_name_.end() ? nullptr : found->second;
}

std::vector<const Tensor*> File::tensors_by_offset() const {
  std::vector<const Tensor*> sorted;
  for (const Tensor& tensor : tensors_) sorted.push_back(&tensor);
  std::ranges::stable_sort(sorted, {}, &Tensor::offset);
  return sorted;
}

}  // namespace rosi::gguf
