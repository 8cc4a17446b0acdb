// Where the data of an output lies: the source's tensors in the source's order, some of them in other types. A tensor
// that changes its size moves the ones after it; all else keeps its bytes and its distances.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gguf/file.h"

namespace rosi::gguf {

/// A tensor of the source that gets another type.
struct Retyped {
  const Tensor* tensor;
  std::uint32_t type;  // its blocks divide the tensor's rows
};

/// A tensor in the output.
struct Place {
  std::uint32_t type;
  std::uint64_t offset;  // from the beginning of the data section
  std::uint64_t bytes;
};

/// Bytes of the output that belong to no tensor: so many zeros, then bytes of the source.
struct Gap {
  std::uint64_t zeros;
  Range kept;            // in the source
  std::uint64_t offset;  // from the beginning of the data section
};

class Layout {
 public:
  /// `source` must outlive it. Without a tensor that changes its size the data section is laid out as the source's.
  Layout(const File& source, std::span<const Retyped> retyped);

  const Place& place(const Tensor& tensor) const;  // of the source
  /// Before, between and after the tensors, in the order of offsets.
  std::span<const Gap> gaps() const noexcept { return gaps_; }
  std::uint64_t bytes() const noexcept { return bytes_; }  // of the data section
  /// Names, shapes, types and offsets as the output describes its tensors; as many bytes as in the source.
  std::vector<std::byte> tensor_infos() const;

 private:
  const File& source_;
  std::vector<Place> places_;  // in the order of the source's tensors
  std::vector<Gap> gaps_;
  std::uint64_t bytes_ = 0;
};

}  // namespace rosi::gguf
