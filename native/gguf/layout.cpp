#include "gguf/layout.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace rosi::gguf {
namespace {

std::uint64_t bytes_as(const Tensor& tensor, std::uint32_t type_id) {
  const TensorType* before = find_type(tensor.type);
  const TensorType* after = find_type(type_id);
  assert(after != nullptr && tensor.shape[0] % after->block_weights == 0);
  // No overflow: a weight takes at least a bit of a file in memory's address space, and 64 bits at most.
  return tensor.bytes.size() / before->block_bytes * before->block_weights / after->block_weights * after->block_bytes;
}

}  // namespace

Layout::Layout(const File& source, std::span<const Retyped> retyped) : source_(source) {
  const std::span<const Tensor> tensors = source.tensors();
  for (const Tensor& tensor : tensors) places_.push_back({tensor.type, 0, tensor.bytes.size()});
  for (const auto& [tensor, type] : retyped) {
    places_[static_cast<std::size_t>(tensor - tensors.data())] = {type, 0, bytes_as(*tensor, type)};
  }
  const std::uint64_t alignment = source.alignment();
  const auto padding = [&](std::uint64_t place) { return (alignment - place % alignment) % alignment; };
  std::uint64_t from = source.data_offset();  // in the source, whose data section is aligned as ours
  Gap gap{0, {from, from}, 0};
  const auto end_gap = [&](std::uint64_t end) {
    gap.kept.end = std::max(gap.kept.begin, end);
    gaps_.push_back(gap);
    bytes_ += gap.zeros + (gap.kept.end - gap.kept.begin);
  };
  for (const Tensor* tensor : source.tensors_by_offset()) {
    end_gap(tensor->offset);
    Place& place = places_[static_cast<std::size_t>(tensor - tensors.data())];
    place.offset = bytes_;
    bytes_ += place.bytes;
    from = tensor->offset + tensor->bytes.size();
    gap = {0, {from, from}, bytes_};
    if (place.bytes != tensor->bytes.size()) {
      // Its own padding goes with it; what lies beyond begins at an aligned place and stays.
      gap.zeros = padding(bytes_);
      const std::uint64_t beyond = std::min(from + padding(from - source.data_offset()), source.bytes().size());
      gap.kept = {beyond, beyond};
    }
  }
  end_gap(source.bytes().size());
}

const Place& Layout::place(const Tensor& tensor) const {
  return places_[static_cast<std::size_t>(&tensor - source_.tensors().data())];
}

std::vector<std::byte> Layout::tensor_infos() const {
  const Range range = source_.tensor_infos();
  const auto infos = source_.bytes().subspan(range.begin, range.end - range.begin);
  std::vector<std::byte> target(infos.begin(), infos.end());
  std::uint64_t at = 0;
  for (const Tensor& tensor : source_.tensors()) {
    const Place& place = this->place(tensor);
    at += 8 + tensor.name.size() + 4 + 8 * static_cast<std::uint64_t>(tensor.n_dims);
    std::memcpy(target.data() + at, &place.type, 4);
    std::memcpy(target.data() + at + 4, &place.offset, 8);
    at += 4 + 8;
  }
  assert(at == target.size());
  return target;
}

}  // namespace rosi::gguf
