#include "gguf/compare_file.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace rosi::gguf {
namespace {

constexpr std::size_t piece = 1u << 20;  // between two looks at the caller's wish to stop

Range range(const File& file, const Entry& entry) {
  const auto begin = static_cast<std::uint64_t>(entry.raw.data() - file.bytes().data());
  return {begin, begin + entry.raw.size()};
}

/// What belongs to no tensor, without the last `undo_bytes`.
std::vector<Range> gaps(const File& file, std::uint64_t undo_bytes) {
  std::vector<Range> gaps;
  std::uint64_t begin = file.data_offset();
  for (const Tensor* tensor : file.tensors_by_offset()) {
    gaps.push_back({begin, tensor->offset});
    begin = range(*tensor).end;
  }
  gaps.push_back({begin, std::max<std::uint64_t>(begin, file.bytes().size() - undo_bytes)});
  return gaps;
}

}  // namespace

FileComparer::FileComparer(const File& source, const File& output, core::SharedProgress& progress)
    : source_(source), output_(output), progress_(progress), source_piece_(piece), output_piece_(piece) {}

std::vector<Difference> FileComparer::run(const std::vector<TensorRecord>& records, std::uint64_t undo_bytes) {
  const std::vector<Retyped> promoted = retyped(records);
  const Layout layout(source_, promoted);
  compare_head(layout);
  compare_metadata();
  compare_tensors(records);
  compare_padding(layout, undo_bytes);
  return std::move(differences_);
}

Count FileComparer::count(Range source, Range output) {
  Count count;
  const std::uint64_t n_source = source.end - source.begin;
  const std::uint64_t n_output = output.end - output.begin;
  const std::uint64_t common = std::min(n_source, n_output);
  for (std::uint64_t done = 0; done < common;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(piece, common - done));
    source_.input().read(source.begin + done, std::span(source_piece_).first(n));
    output_.input().read(output.begin + done, std::span(output_piece_).first(n));
    if (std::memcmp(source_piece_.data(), output_piece_.data(), n) != 0) {
      for (std::size_t i = 0; i < n; ++i) {
        if (source_piece_[i] != output_piece_[i]) count.add(done + i, 1);
      }
    }
    done += n;
    progress_.add(double(n));
  }
  if (n_source != n_output) count.add(common, std::max(n_source, n_output) - common);
  return count;
}

void FileComparer::unplanned(const std::string& where, std::uint64_t first_offset, std::uint64_t bytes) {
  differences_.push_back({where, first_offset, bytes});
}
void FileComparer::compare_range(const std::string& where, Range source, Range output) {
  const Count differing = count(source, output);
  if (differing.bytes > 0) unplanned(where, output.begin + differing.first, differing.bytes);
}
void FileComparer::whole_range(const std::string& where, Range part) {
  unplanned(where, part.begin, part.end - part.begin);
}

/// The planned tensors that have another type than the source's. A type that can't hold a tensor is none of ours: the
/// descriptions then differ.
std::vector<Retyped> FileComparer::retyped(const std::vector<TensorRecord>& records) const {
  std::vector<Retyped> retyped;
  for (const TensorRecord& record : records) {
    const Tensor* tensor = source_.find(record.name);
    if (tensor == nullptr || record.type == nullptr || tensor->shape[0] % record.type->block_weights != 0) continue;
    retyped.push_back({tensor, record.type->id});
  }
  return retyped;
}

/// Version and the descriptions of tensors. The counts show in what they count.
void FileComparer::compare_head(const Layout& layout) {
  constexpr Range version = {4, 8};
  compare_range("header", version, version);
  const Range range = output_.tensor_infos();
  const std::vector<std::byte> expected = layout.tensor_infos();
  const auto found = output_.bytes().subspan(range.begin, range.end - range.begin);
  Count differing;
  const std::size_t common = std::min(expected.size(), found.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (expected[i] != found[i]) differing.add(i, 1);
  }
  if (expected.size() != found.size()) differing.add(common, std::max(expected.size(), found.size()) - common);
  if (differing.bytes > 0) unplanned("header", range.begin + differing.first, differing.bytes);
}

void FileComparer::compare_metadata() {
  std::vector<const Entry*> order;  // of the output's entries that the source has too, as the source has them
  for (const Entry& entry : source_.metadata()) {
    if (is_own_key(entry.key)) continue;
    const std::string where = "metadata:" + entry.key;
    if (const Entry* other = output_.find_entry(entry.key)) {
      compare_range(where, range(source_, entry), range(output_, *other));
      order.push_back(other);
    } else {
      whole_range(where, range(source_, entry));
    }
  }
  for (const Entry& entry : output_.metadata()) {
    if (!is_own_key(entry.key) && source_.find_entry(entry.key) == nullptr) {
      whole_range("metadata:" + entry.key, range(output_, entry));
    }
  }
  const auto swapped = std::ranges::is_sorted_until(order, {}, [](const Entry* entry) { return entry->raw.data(); });
  if (swapped != order.end()) whole_range("header", range(output_, **swapped));
}

void FileComparer::compare_tensors(const std::vector<TensorRecord>& records) {
  std::set<std::string_view> planned;
  for (const TensorRecord& record : records) planned.insert(record.name);
  for (const Tensor& tensor : source_.tensors()) {
    const Tensor* other = output_.find(tensor.name);
    if (other == nullptr) whole_range(tensor.name, range(tensor));
    else if (!planned.contains(tensor.name)) compare_range(tensor.name, range(tensor), range(*other));
  }
  for (const Tensor& tensor : output_.tensors()) {
    if (source_.find(tensor.name) == nullptr) whole_range(tensor.name, range(tensor));
  }
}

/// What belongs to no tensor: zeros before the data section, then what the layout has between and after the tensors.
void FileComparer::compare_padding(const Layout& layout, std::uint64_t undo_bytes) {
  const std::uint64_t begin = output_.tensor_infos().end;
  const std::uint64_t end = std::min<std::uint64_t>(output_.data_offset(), output_.bytes().size());
  compare_zeros({begin, end});
  const std::span<const Gap> expected = layout.gaps();
  const std::vector<Range> found = gaps(output_, undo_bytes);
  if (expected.size() != found.size()) return;  // the tensors' descriptions differ, which was noted
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::uint64_t zeros_end = found[i].begin + expected[i].zeros;
    const std::uint64_t kept = std::min(zeros_end, found[i].end);
    compare_zeros({found[i].begin, kept});
    if (kept < zeros_end) unplanned("padding", kept, zeros_end - kept);  // missing
    compare_range("padding", expected[i].kept, {kept, found[i].end});
  }
}

/// A part of the output, shorter than the alignment.
void FileComparer::compare_zeros(Range part) {
  Count not_zero;
  for (std::uint64_t i = part.begin; i < part.end; ++i) {
    if (output_.bytes()[i] != std::byte{0}) not_zero.add(i - part.begin, 1);
  }
  if (not_zero.bytes > 0) unplanned("padding", part.begin + not_zero.first, not_zero.bytes);
}

}  // namespace rosi::gguf
