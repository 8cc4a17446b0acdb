// What a file written by this library says about itself, under metadata keys that begin with "rosi.".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gguf/model.h"
#include "gguf/types.h"

namespace rosi::gguf {

inline constexpr std::string_view own_prefix = "rosi.";
inline constexpr std::string_view source_key = "rosi.source.sha256";
inline constexpr std::string_view tensors_key = "rosi.tensors";
inline constexpr std::string_view checksum_key = "rosi.checksum";
inline constexpr std::string_view parts_key = "rosi.parts";  // of split models alone

/// How many bytes after the last tensor's data are an undo delta (lib/undo/), as `undo_digits` decimal digits. The
/// caller of update_file() gives the key with other characters in their place, for seal() of seal.h.
inline constexpr std::string_view undo_key = "rosi.undo";
inline constexpr std::size_t undo_digits = 16;

inline bool is_own_key(std::string_view key) noexcept { return key.starts_with(own_prefix); }

/// A planned tensor in the output.
struct TensorRecord {
  std::string name;
  std::string sha256;                // of its bytes, 64 lower-case hex digits
  const TensorType* type = nullptr;  // where it is not the source's
};

struct Record {
  std::string source_sha256;  // of all its files, one after the other
  std::vector<TensorRecord> tensors;
  std::vector<std::string> parts;  // SHA-256 of the files after the first
  /// Of the whole first file, with '0' in place of these 64 digits themselves: core/checksum.h.
  std::string checksum;
  std::uint64_t checksum_place = 0;  // of its first digit, from the start of the file
  std::uint64_t undo_bytes = 0;      // at the end of the file
};

/// The value of `rosi.tensors`: a JSON array of {"name", "sha256"}, and "type" after the name where it has a new one.
std::string write_tensor_records(const std::vector<TensorRecord>& tensors);
/// The value of `rosi.parts`: a JSON array of strings.
std::string write_part_records(const std::vector<std::string>& digests);
/// From the model's first file. Throws core::Error{record_missing} when it has no record, {gguf_invalid} when it has a
/// damaged one.
Record read_record(const Model& model);

}  // namespace rosi::gguf
