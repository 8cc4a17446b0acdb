// Applies a plan to a model: the one place where the file format, the kernels and the engine's types meet.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/progress.h"
#include "gguf/draft.h"
#include "kernels/accelerator.h"
#include "kernels/rank_one.h"

namespace rosi {

/// What a tensor's inputs are like when the model runs.
struct InputStatistics {
  std::vector<float> mean_squares;  // [n_in] or [n_experts, n_in]: E[x_j^2]
  double response_rms;              // root mean square of right.x over the same inputs
};

/// W += left * right^T, for each expert. The strength is part of `left`.
struct TensorUpdate {
  std::string name;
  std::vector<float> left;     // [n_experts, n_out]
  std::vector<float> right;    // [n_experts, n_in]
  std::int64_t n_experts = 1;  // shape[2] of the tensor
  std::string type;            // to write it in, as gguf/types.h names it; empty: its own
  std::optional<InputStatistics> inputs;
  std::vector<float> readout;  // [n_out], for all experts: kernels/rank_one.h; empty: left
};

struct UpdatePlan {
  std::filesystem::path source;  // of a split model, its first file
  std::filesystem::path output;  // gguf/split_name.h; not looked at in a trial
  bool overwrite = false;
  bool draft = false;  // leave the output unpublished
  bool trial = false;  // compute all, write nothing
  int threads = 1;
  std::shared_ptr<const kernels::Accelerator> accelerator;  // that computes tensors; none: this one
  std::vector<TensorUpdate> tensors;
  /// Strings to write under keys that begin with "rosi."; they replace all such keys of the source.
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct TensorResult {
  std::string name;
  std::uint32_t type = 0;      // in the output
  kernels::Realised realised;  // of experts: kernels/experts.h
  std::string sha256;          // of the new bytes
};

struct UpdateResult {
  std::string source_sha256;          // of all files, one after the other; empty in a trial, as output and checksum
  std::vector<TensorResult> tensors;  // in the plan's order
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::string checksum;              // the value of rosi.checksum (gguf/record.h)
  std::filesystem::path output;      // of a split model, its first file
  std::optional<gguf::Draft> draft;  // when it was asked for
};

/// Writes plan.output, each planned tensor in its own type or the one it names, which moves the tensors after it
/// (gguf/layout.h). A matrix or expert whose update is zero keeps its bytes, or its values as its new type has them.
/// A trial measures the same and tells the output's size. A split model is written split in the same way. Each file is
/// whole or absent: all get their names after the last byte of the last is on the disk (gguf/draft.h), and any error or
/// stop before removes what was written. The same plan gives the same bytes for any
/// number of threads. Cost: one pass over the source to hash it and one to copy it, one over the output to hash it, and
/// the kernels. Memory: the tensors in work, 48 MiB or one, and as much again or twice
/// where one gets new grids or a wider type, beyond the mapped source and the plan; with an accelerator one for each
/// thread. Throws core::Error:
/// option_invalid for a tensor that is not there or planned twice, factors or inputs of the wrong length or not finite,
/// a type that nothing is promoted to, a key outside "rosi." or reserved, an output that is the source;
/// tensor_unsupported for types and shapes that can't be edited, or not in the type asked for; output_exists;
/// gguf_invalid and model_unsupported from reading; file_failed; aborted.
UpdateResult update_file(const UpdatePlan& plan, const core::Progress& progress);

}  // namespace rosi
