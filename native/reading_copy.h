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
  std::filesystem::path folder;  // for copies alone; made, for its owner alone, when it is not there
  std::uint64_t max_bytes = 0;
};

/// The same weights bit for bit, the matrices that have a wider type (kernels/widen.h) re-encoded in that. Empty where
/// they are less than a quarter of what the engine multiplies by, or where there is no room: the copy is larger than it
/// may be, takes more than half of what the disk has free, or can't be written. It is split as the model is, has no
/// name and leaves with the Draft. What killed processes have left in the folder goes. Memory: some MiB a thread.
/// Throws core::Error{file_failed} where the model itself can't be read or has changed, {aborted}.
std::optional<gguf::Draft> make_reading_copy(const gguf::Model& model, const ReadingCopyLimits& limits, int threads,
                                             const core::Progress& progress);

}  // namespace rosi
