// Applies a plan to a file: the one place where the file format and the kernels meet.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/progress.h"
#include "gguf/writer.h"
#include "kernels/rank_one.h"

namespace rosi {

/// W += left * right^T. The strength is part of `left`.
struct TensorUpdate {
  std::string name;
  std::vector<float> left;   // [n_out]
  std::vector<float> right;  // [n_in]
};

struct UpdatePlan {
  std::filesystem::path source;
  std::filesystem::path output;
  bool overwrite = false;
  bool draft = false;  // leave the output unpublished
  int threads = 1;
  std::vector<TensorUpdate> tensors;
  /// Strings to write under keys that begin with "rosi."; they replace all such keys of the source.
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct TensorResult {
  std::string name;
  std::uint32_t type = 0;
  kernels::Realised realised;
  std::string sha256;  // of the new bytes
};

struct UpdateResult {
  std::string source_sha256;
  std::vector<TensorResult> tensors;  // in the plan's order
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::string checksum;              // the value of rosi.checksum (gguf/record.h)
  std::optional<gguf::Draft> draft;  // when it was asked for
};

/// Writes plan.output. The output is whole or absent: it gets its name after the last byte is on the disk, and any
/// error or stop removes what was written. The same plan gives the same bytes for any number of threads.
/// Cost: one pass over the source to hash it and one to copy it, one over the output to hash it, and the kernels.
/// Memory: one tensor per thread beyond the mapped source, plus the plan.
/// Throws core::Error: option_invalid for a tensor that is not there or planned twice, factors of the wrong length or
/// not finite, a key outside "rosi." or reserved, an output that is the source; tensor_unsupported for types and shapes
/// that can't be edited; output_exists; gguf_invalid and model_unsupported from reading; file_failed; aborted.
UpdateResult update_file(const UpdatePlan& plan, const core::Progress& progress);

}  // namespace rosi
