// Whether a plan fits a file, before anything is read or written at length.
#pragma once

#include <cstdint>
#include <vector>

#include "decoder.h"
#include "gguf/header.h"
#include "gguf/model.h"
#include "update.h"

namespace rosi {

/// A planned tensor that fits.
struct Job {
  const TensorUpdate* update;
  const gguf::Tensor* tensor;
  std::size_t part;    // the file that it is in
  std::uint32_t type;  // in the output
  /// Reads the tensor's rows when it is promoted; empty when it keeps its type.
  Decode decode;
};

/// In the plan's order; `source` and `updates` must outlive them. Throws what update_file() says of tensors.
std::vector<Job> check_tensors(const gguf::Model& source, const std::vector<TensorUpdate>& updates);

/// Throws what update_file() says of keys.
void check_metadata(const gguf::Strings& metadata);

}  // namespace rosi
