// A draft to whose file an undo delta was appended.
#pragma once

#include <cstdint>

#include "core/progress.h"
#include "gguf/draft.h"

namespace rosi::gguf {

/// Writes under undo_key (record.h) that the last `undo_bytes` of the draft's first file are an undo delta, and the
/// file's checksum anew; waits until the disk has all. Cost: one pass over the file. Throws core::Error{option_invalid}
/// when the file has no place for the number; {gguf_invalid}, {file_failed}, {aborted}.
void seal(Draft& draft, std::uint64_t undo_bytes, const core::Progress& progress);

}  // namespace rosi::gguf
