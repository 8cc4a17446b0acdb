// Checks a written model: its own checksums, and byte for byte against the one it was made from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/progress.h"

namespace rosi::gguf {

struct TensorCheck {
  std::string name;
  bool sha256_ok = false;                      // its type and bytes are those that were written
  std::optional<std::uint64_t> changed_bytes;  // against the source, all where the type is another; empty without one
};

struct Difference {
  std::string where;  // a tensor's name, "metadata:" and a key, "header", "padding" or, as a whole, "file"
  /// Byte of the output; for something that is missing there, byte of the source.
  std::uint64_t first_offset = 0;
  std::uint64_t bytes = 0;  // that differ, are missing or are too many
  std::uint64_t part = 0;   // file of a split model, from 1; 0 where there is one file
};

struct Comparison {
  bool ok = false;                     // all of the below, as far as it was checked
  bool checksum_ok = false;            // not one byte of the output's files has changed since they were written
  std::optional<bool> source_matches;  // the source is the very one that the output was made from; empty without one
  std::vector<TensorCheck> tensors;    // the planned ones
  std::vector<Difference> unplanned_differences;  // empty without a source
};

/// Everything but `rosi.*` keys, an undo delta and the tensors that the output names as edited must be equal to the
/// source, and lie where the types of the edited ones put it (layout.h).
/// Of a split model each file is compared with the source's of the same number. Reads each file twice; memory does not
/// grow with their size.
/// Throws core::Error{gguf_invalid} when a file can't be parsed, or the output holds no record of this library;
/// {file_failed}, {option_invalid} for another part than the first, {aborted}.
Comparison compare(const std::optional<std::filesystem::path>& source, const std::filesystem::path& output, int threads,
                   const core::Progress& progress);

}  // namespace rosi::gguf
