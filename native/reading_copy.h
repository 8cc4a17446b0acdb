// A copy of a model for the engine to read, where this processor multiplies the types of its matrices slowly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/progress.h"
#include "gguf/draft.h"
#include "gguf/model.h"

namespace rosi {

/// Where a copy may lie, and how large it may be.
struct ReadingCopyLimits {
  std::filesystem::path folder;  // made when it is not there
  std::uint64_t max_bytes = 0;
};

/// The same weights bit for bit, the matrices that have a wider type (kernels/widen.h) in that. Empty where there are
/// none, or no room: the copy is larger than it may be, or takes more than half of what the disk has free. It is split
/// as the model is, has no name and leaves with the Draft. Memory: a tensor a thread. Throws core::Error{file_failed},
/// {aborted}.
std::optional<gguf::Draft> make_reading_copy(const gguf::Model& model, const ReadingCopyLimits& limits, int threads,
                                             const core::Progress& progress);

}  // namespace rosi
