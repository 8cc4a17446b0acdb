// What a model's metadata may ask the engine for: it ends the process for some values that it can't run.
#pragma once

#include "gguf/file.h"

namespace rosi::gguf {

/// Throws Error{gguf_invalid} naming the key, its value and what is allowed. Keys that are absent or of another type
/// than the engine reads are left to it: it refuses them itself.
void check_hyperparameters(const File& file);

}  // namespace rosi::gguf
