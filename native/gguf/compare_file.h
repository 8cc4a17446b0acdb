// One written file against the file it was made from, byte for byte. Private to gguf/.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/shared_progress.h"
#include "gguf/compare.h"
#include "gguf/layout.h"
#include "gguf/record.h"

namespace rosi::gguf {

/// Differing bytes of two parts of the files, the surplus of the longer one among them.
struct Count {
  std::uint64_t bytes = 0;
  std::uint64_t first = 0;  // from the parts' beginning; 0 when they are equal

  void add(std::uint64_t at, std::uint64_t n) {
    if (bytes == 0) first = at;
    bytes += n;
  }
};

inline Range range(const Tensor& tensor) { return {tensor.offset, tensor.offset + tensor.bytes.size()}; }

class FileComparer {
 public:
  /// Both must outlive it.
  FileComparer(const File& source, const File& output, core::SharedProgress& progress);

  /// Everything but `rosi.*` keys, the bytes of the tensors in `records` and the last `undo_bytes` of the output must
  /// be equal, and lie where the types of those put it.
  std::vector<Difference> run(const std::vector<TensorRecord>& records, std::uint64_t undo_bytes);
  /// Reads instead of looking at the mapping: that would count as this process's memory, file for file.
  Count count(Range source, Range output);

 private:
  std::vector<Retyped> retyped(const std::vector<TensorRecord>& records) const;
  void unplanned(const std::string& where, std::uint64_t first_offset, std::uint64_t bytes);
  void compare_range(const std::string& where, Range source, Range output);
  void whole_range(const std::string& where, Range part);
  void compare_head(const Layout& layout);
  void compare_metadata();
  void compare_tensors(const std::vector<TensorRecord>& records);
  void compare_padding(const Layout& layout, std::uint64_t undo_bytes);
  void compare_zeros(Range part);

  const File& source_;
  const File& output_;
  core::SharedProgress& progress_;
  std::vector<std::byte> source_piece_;
  std::vector<std::byte> output_piece_;
  std::vector<Difference> differences_;
};

}  // namespace rosi::gguf
