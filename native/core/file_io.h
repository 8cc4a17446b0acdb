// Files as this library needs them: an input that can be mapped, an output that is whole or absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/error.h"

namespace rosi::core {

/// A path as UTF-8, for messages and details.
std::string to_utf8(const std::filesystem::path& path);
std::filesystem::path from_utf8(const std::string& text);

/// True when both paths exist and lead to one file, also through symbolic and hard links.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) noexcept;

/// A regular file opened for reading. Shared by the threads that read it.
class InputFile {
 public:
  /// Throws Error{file_failed} with the system's reason, and Error{`not_regular`} for a folder, pipe or device.
  static InputFile open(const std::filesystem::path& path, ErrorCode not_regular = ErrorCode::file_failed);
  InputFile(InputFile&&) noexcept;
  InputFile& operator=(InputFile&&) noexcept;
  ~InputFile();

  const std::filesystem::path& path() const noexcept;
  std::uint64_t size() const noexcept;  // bytes, when it was opened
  /// Fills `target` from `offset`; throws Error{file_failed} when the file is too short or can't be read.
  void read(std::uint64_t offset, std::span<std::byte> target) const;
  /// The whole file. Mapped where the platform can, read into memory where it can't. Valid as long as this object.
  /// A file that is truncated by someone else while it is mapped ends the process: bulk work uses read() instead.
  std::span<const std::byte> map();
  /// Throws Error{file_failed} when size or modification time are no longer those of opening.
  void require_unchanged() const;

 private:
  friend class OutputFile;
  struct State;
  explicit InputFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Bytes of a file that map() gave and that are not needed soon: this process holds no memory for them until they are
/// read again.
void forget(std::span<const std::byte> mapped) noexcept;

/// The temporary names of files that are one output together, and are looked for by name before they are published.
struct PartialNames {
  /// A mark for all of them.
  static std::string make_mark();
  std::string mark;    // stands in for a file's own when empty
  std::string ending;  // of the final name; comes after the mark
};

/// Removes what killed processes have left in a folder that nothing but temporary outputs go to. What can't be removed
/// stays.
void remove_abandoned(const std::filesystem::path& folder) noexcept;

/// A new file under a temporary name beside its final one. It appears under the final name on publish(); before that it
/// leaves with this object. What a killed process has left, the next output of the same name removes.
class OutputFile {
 public:
  /// Creates `<path>.partial-<process>-<random>`, locks it as the sign that its owner lives, and reserves `bytes` where
  /// the file system can, so that a full disk is found at once. `names.ending` keeps its place at the end. Throws
  /// Error{file_failed}.
  OutputFile(const std::filesystem::path& path, std::uint64_t bytes, const PartialNames& names = {});
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Both may be called from several threads, for different places.
  void write(std::uint64_t offset, std::span<const std::byte> source);
  void copy(const InputFile& source, std::uint64_t from, std::uint64_t to, std::uint64_t bytes);
  void read(std::uint64_t offset, std::span<std::byte> target) const;

  /// Waits until the disk has it.
  void sync();
  /// Gives it its final name in one step and syncs the folder. Without `overwrite` an existing file is never replaced,
  /// even when it appeared a moment ago: Error{output_exists}. After a failure it can be tried again; after success
  /// nothing happens.
  void publish(bool overwrite);
  /// Gives it back its temporary name, unless publishing it has replaced another file, which is gone. Returns whether
  /// it has that name.
  bool withdraw() noexcept;
  const std::filesystem::path& partial_path() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rosi::core
