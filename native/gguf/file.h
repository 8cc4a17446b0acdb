// A GGUF file opened for reading: a model or a part of one (model.h). Parsed and checked once; names are copied, tensor
// and value bytes stay in the mapping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/file_io.h"
#include "gguf/types.h"

namespace rosi::gguf {

/// One pair of the metadata. Spans are valid as long as the File.
struct Entry {
  std::string key;
  ValueType type;          // of the value; `array` for arrays
  ValueType element_type;  // of an array's elements; equal to `type` for single values
  std::uint64_t count;     // elements of an array, 1 for single values
  std::span<const std::byte>
      value;  // a number's bytes, a string's characters, an array's elements as they lie in the file
  std::span<const std::byte> raw;  // the whole pair, key and all: what a copy writes

  std::optional<std::string_view> text() const noexcept;  // empty unless the value is a string
  std::optional<std::uint64_t> whole_number()
      const noexcept;  // empty unless it is an integer of any width, not negative
};

struct Tensor {
  std::string name;
  std::uint32_t type;                 // an id of types.h
  std::array<std::int64_t, 4> shape;  // shape[0] = n_in, contiguous on disk; shape[1] = n_out; unused ones are 1
  int n_dims;                         // as the file says, 1 to 4
  std::uint64_t offset;               // of the first byte, from the start of the file
  std::span<const std::byte> bytes;   // valid as long as the File
};

/// A part of the file, in bytes from its start.
struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

class File {
 public:
  /// Maps `path` read-only and checks every number in it: counts, lengths, types, alignment, and that each tensor is
  /// aligned, inside the file and overlaps no other. Order of tensors and gaps between them are free; a part may have
  /// none. Throws core::Error{gguf_invalid} saying what was found where, {file_failed} when the system can't read it.
  /// Details: path, check (a word for the kind), and tensor or key, numbers.
  static File open(const std::filesystem::path& path);

  std::uint32_t version() const noexcept { return version_; }      // 2 or 3
  std::uint32_t alignment() const noexcept { return alignment_; }  // bytes, a power of two
  std::span<const Entry> metadata() const noexcept { return metadata_; }
  std::span<const Tensor> tensors() const noexcept { return tensors_; }  // in file order
  const Entry* find_entry(std::string_view key) const noexcept;          // null when there is no such key
  const Tensor* find(std::string_view name) const noexcept;              // null when there is no such tensor
  /// Tensors by their place in the file, first to last.
  std::vector<const Tensor*> tensors_by_offset() const;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  Range tensor_infos() const noexcept { return tensor_infos_; }        // names, shapes, types, relative offsets
  std::uint64_t data_offset() const noexcept { return data_offset_; }  // where relative offsets count from
  const core::InputFile& input() const noexcept { return input_; }

 private:
  friend class Parser;
  explicit File(core::InputFile input) : input_(std::move(input)) {}

  core::InputFile input_;
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  std::uint32_t alignment_ = 0;
  std::vector<Entry> metadata_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, const Entry*> entries_by_key_;    // into metadata_
  std::unordered_map<std::string_view, const Tensor*> tensors_by_name_;  // into tensors_
  Range tensor_infos_ = {};
  std::uint64_t data_offset_ = 0;
};

}  // namespace rosi::gguf
