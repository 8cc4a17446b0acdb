// A model opened for reading: one GGUF file, or the files that llama-gguf-split made of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sha256.h"
#include "gguf/file.h"

namespace rosi::gguf {

/// A tensor and the file that it is in.
struct Located {
  const Tensor* tensor;  // null when there is none
  std::size_t part;      // in Model::parts()
};

class Model {
 public:
  /// Opens the file, and of a split model all the others beside it. They must be named and numbered as llama.cpp
  /// expects, and hold as many tensors as they say, each once. Throws what File::open() does, core::Error{gguf_invalid}
  /// with details path, check and what was expected, and {option_invalid} when `first` is another part than the first.
  static Model open(const std::filesystem::path& first);

  std::span<const File> parts() const noexcept { return parts_; }
  const File& first() const noexcept { return parts_.front(); }  // the metadata is here
  const std::filesystem::path& path() const noexcept { return first().input().path(); }
  std::vector<std::filesystem::path> paths() const;
  Located find(std::string_view name) const noexcept;
  std::uint64_t bytes() const noexcept;  // of all files
  /// Of all files, one after the other.
  std::string sha256(const core::OnBytes& on_bytes) const;
  /// Throws core::Error{file_failed} when one of the files is no longer what it was.
  void require_unchanged() const;

 private:
  std::vector<File> parts_;
};

}  // namespace rosi::gguf
