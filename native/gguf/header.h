// What comes before the data of an output: the source's metadata with some `rosi.*` strings of its own, and the
// descriptions of the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file_io.h"
#include "gguf/file.h"

namespace rosi::gguf {

using Strings = std::vector<std::pair<std::string, std::string>>;  // key, value

class Header {
 public:
  /// `added` replaces every `rosi.*` key of the source: they describe the last change, and the one before is found
  /// through the source's hash. A value's length is fixed here. `source` must outlive it.
  Header(const File& source, const Strings& added);

  std::uint64_t data_offset() const noexcept { return data_offset_; }  // where the data section begins
  /// `value` is as long as the one given to the constructor.
  void set_text(std::string_view key, std::string_view value);
  std::uint64_t text_place(std::string_view key) const;  // of a value's first byte, from the start of the file
  /// `tensor_infos` are as many bytes as the source's.
  void write(core::OutputFile& output, std::span<const std::byte> tensor_infos) const;

 private:
  const File& source_;
  std::vector<Range> kept_;                           // runs of the source's metadata, in order
  std::vector<std::byte> added_;                      // new entries as they go into the file
  std::vector<std::pair<std::string, Range>> texts_;  // their values' places in added_
  std::uint64_t n_entries_ = 0;
  std::uint64_t added_place_ = 0;
  std::uint64_t infos_place_ = 0;
  std::uint64_t data_offset_ = 0;
};

}  // namespace rosi::gguf
