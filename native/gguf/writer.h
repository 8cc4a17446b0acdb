// A copy of a GGUF file with some tensors and some `rosi.*` strings changed and every other byte as it was, perhaps at
// another place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/file_io.h"
#include "core/sha256.h"
#include "core/thread_pool.h"
#include "gguf/file.h"
#include "gguf/header.h"
#include "gguf/layout.h"

namespace rosi::gguf {

/// Whether a finished file is to outlive a power cut.
enum class Sync { to_disk, none };

/// Order: construct, then in any order and from any thread copy_unchanged() once, write_tensor() for each changed one
/// and set_text(); then write_header(), checksum() or sha256(), finish(). `source` and `layout` must outlive the
/// Writer.
class Writer {
 public:
  /// `output` has passed check_output() of draft.h.
  Writer(const File& source, const Layout& layout, const Strings& added, const std::filesystem::path& output,
         const core::PartialNames& names);

  std::uint64_t output_bytes() const noexcept { return output_bytes_; }
  /// What copy_unchanged() will copy, for progress.
  std::uint64_t unchanged_bytes(std::span<const Tensor* const> changed) const;

  /// Copies the data section, its padding too, but not the bytes of `changed`.
  void copy_unchanged(std::span<const Tensor* const> changed, const core::OnBytes& on_bytes);
  /// `tensor` is the source's; `bytes` are all that the layout has for it, or some from its byte `from` on.
  void write_tensor(const Tensor& tensor, std::span<const std::byte> bytes, std::uint64_t from = 0);
  /// Not thread-safe. `value` is as long as the one given to the constructor.
  void set_text(std::string_view key, std::string_view value);
  void write_header();
  /// The checksum of the output with '0' for the digits of `key`'s value (core/checksum.h); writes it there and returns
  /// it. `on_bytes` is called from several threads.
  std::string checksum(std::string_view key, const core::ThreadPool& threads, const core::OnBytes& on_bytes);
  /// The SHA-256 of the output as it is.
  std::string sha256(const core::OnBytes& on_bytes) const;
  /// Waits until the disk has it, if asked to. Nothing may be called afterwards.
  std::unique_ptr<core::OutputFile> finish(Sync sync = Sync::to_disk);

 private:
  const File& source_;
  const Layout& layout_;
  Header header_;
  std::uint64_t output_bytes_ = 0;
  std::unique_ptr<core::OutputFile> output_;
};

}  // namespace rosi::gguf
