#include "gguf/compare.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/sha256.h"
#include "core/shared_progress.h"
#include "gguf/file.h"
#include "gguf/layout.h"
#include "gguf/record.h"

namespace rosi::gguf {
namespace {

constexpr std::size_t piece = 1u << 20;  // between two looks at the caller's wish to stop

/// Differing bytes of two parts of the files, the surplus of the longer one among them.
struct Count {
  std::uint64_t bytes = 0;
  std::uint64_t first = 0;  // from the parts' beginning; 0 when they are equal

  void add(std::uint64_t at, std::uint64_t n) {
    if (bytes == 0) first = at;
    bytes += n;
  }
};

class Comparer {
 public:
  Comparer(const File* source, const File& output, const core::Progress& progress)
      : source_(source),
        output_(output),
        record_(read_record(output)),
        progress_(progress, total_work()),
        source_piece_(piece),
        output_piece_(piece) {}

  Comparison run() {
    const core::OnBytes on_bytes = [this](std::uint64_t n) { progress_.add(double(n)); };
    const std::string checksum = core::sha256_with_zeros(
        output_.bytes().size(), record_.checksum_place, core::sha256_digits,
        [this](std::uint64_t offset, std::span<std::byte> target) { output_.input().read(offset, target); }, on_bytes);
    result_.checksum_ok = checksum == record_.checksum;
    for (const TensorRecord& tensor : record_.tensors) check_planned(tensor);
    if (source_ != nullptr) {
      result_.source_matches = core::sha256(source_->input(), on_bytes) == record_.source_sha256;
      const Layout layout(*source_, retyped());
      compare_head(layout);
      compare_metadata();
      compare_tensors();
      compare_padding(layout);
    }
    result_.ok = result_.checksum_ok && result_.source_matches.value_or(true) &&
                 result_.unplanned_differences.empty() && std::ranges::all_of(result_.tensors, &TensorCheck::sha256_ok);
    return std::move(result_);
  }

 private:
  double total_work() const {
    double planned = 0;
    for (const TensorRecord& tensor : record_.tensors) {
      if (const Tensor* found = output_.find(tensor.name)) planned += double(found->bytes.size());
    }
    const double output = double(output_.bytes().size());
    return output + planned + (source_ == nullptr ? 0 : double(source_->bytes().size()) + output);
  }

  static Range range(const Tensor& tensor) { return {tensor.offset, tensor.offset + tensor.bytes.size()}; }
  static Range range(const File& file, const Entry& entry) {
    const auto begin = static_cast<std::uint64_t>(entry.raw.data() - file.bytes().data());
    return {begin, begin + entry.raw.size()};
  }

  /// Reads instead of looking at the mapping: that would count as this process's memory, file for file.
  Count count(Range source, Range output) {
    Count count;
    const std::uint64_t n_source = source.end - source.begin;
    const std::uint64_t n_output = output.end - output.begin;
    const std::uint64_t common = std::min(n_source, n_output);
    for (std::uint64_t done = 0; done < common;) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(piece, common - done));
      source_->input().read(source.begin + done, std::span(source_piece_).first(n));
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

  void unplanned(const std::string& where, std::uint64_t first_offset, std::uint64_t bytes) {
    result_.unplanned_differences.push_back({where, first_offset, bytes});
  }
  void compare_part(const std::string& where, Range source, Range output) {
    const Count differing = count(source, output);
    if (differing.bytes > 0) unplanned(where, output.begin + differing.first, differing.bytes);
  }
  void whole_part(const std::string& where, Range part) { unplanned(where, part.begin, part.end - part.begin); }

  void check_planned(const TensorRecord& record) {
    TensorCheck check;
    check.name = record.name;
    planned_.insert(record.name);
    if (const Tensor* tensor = output_.find(record.name)) {
      const std::string digest = core::sha256_with_zeros(
          tensor->bytes.size(), 0, 0,
          [&](std::uint64_t offset, std::span<std::byte> target) {
            output_.input().read(tensor->offset + offset, target);
          },
          [this](std::uint64_t n) { progress_.add(double(n)); });
      check.sha256_ok = digest == record.sha256 && (record.type == nullptr || record.type->id == tensor->type);
      const Tensor* before = source_ == nullptr ? nullptr : source_->find(record.name);
      if (before != nullptr) {
        const bool same = before->type == tensor->type;
        check.changed_bytes = same ? count(range(*before), range(*tensor)).bytes : tensor->bytes.size();
      }
    }
    result_.tensors.push_back(std::move(check));
  }

  /// The planned tensors that have another type than the source's. A type that can't hold a tensor is none of ours: the
  /// descriptions then differ.
  std::vector<Retyped> retyped() const {
    std::vector<Retyped> retyped;
    for (const TensorRecord& record : record_.tensors) {
      const Tensor* tensor = source_->find(record.name);
      if (tensor == nullptr || record.type == nullptr || tensor->shape[0] % record.type->block_weights != 0) continue;
      retyped.push_back({tensor, record.type->id});
    }
    return retyped;
  }

  /// Version and the descriptions of tensors. The counts show in what they count.
  void compare_head(const Layout& layout) {
    constexpr Range version = {4, 8};
    compare_part("header", version, version);
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

  void compare_metadata() {
    std::vector<const Entry*> order;  // of the output's entries that the source has too, as the source has them
    for (const Entry& entry : source_->metadata()) {
      if (is_own_key(entry.key)) continue;
      const std::string where = "metadata:" + entry.key;
      if (const Entry* other = output_.find_entry(entry.key)) {
        compare_part(where, range(*source_, entry), range(output_, *other));
        order.push_back(other);
      } else {
        whole_part(where, range(*source_, entry));
      }
    }
    for (const Entry& entry : output_.metadata()) {
      if (!is_own_key(entry.key) && source_->find_entry(entry.key) == nullptr) {
        whole_part("metadata:" + entry.key, range(output_, entry));
      }
    }
    const auto swapped = std::ranges::is_sorted_until(order, {}, [](const Entry* entry) { return entry->raw.data(); });
    if (swapped != order.end()) whole_part("header", range(output_, **swapped));
  }

  void compare_tensors() {
    for (const Tensor& tensor : source_->tensors()) {
      const Tensor* other = output_.find(tensor.name);
      if (other == nullptr) whole_part(tensor.name, range(tensor));
      else if (!planned_.contains(tensor.name)) compare_part(tensor.name, range(tensor), range(*other));
    }
    for (const Tensor& tensor : output_.tensors()) {
      if (source_->find(tensor.name) == nullptr) whole_part(tensor.name, range(tensor));
    }
  }

  /// What belongs to no tensor: zeros before the data section, then what the layout has between and after the tensors.
  void compare_padding(const Layout& layout) {
    const std::uint64_t begin = output_.tensor_infos().end;
    const std::uint64_t end = std::min<std::uint64_t>(output_.data_offset(), output_.bytes().size());
    compare_zeros({begin, end});
    const std::span<const Gap> expected = layout.gaps();
    const std::vector<Range> found = gaps(output_);
    if (expected.size() != found.size()) return;  // the tensors' descriptions differ, which was noted
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::uint64_t zeros_end = found[i].begin + expected[i].zeros;
      const std::uint64_t kept = std::min(zeros_end, found[i].end);
      compare_zeros({found[i].begin, kept});
      if (kept < zeros_end) unplanned("padding", kept, zeros_end - kept);  // missing
      compare_part("padding", expected[i].kept, {kept, found[i].end});
    }
  }

  /// A part of the output, shorter than the alignment.
  void compare_zeros(Range part) {
    Count not_zero;
    for (std::uint64_t i = part.begin; i < part.end; ++i) {
      if (output_.bytes()[i] != std::byte{0}) not_zero.add(i - part.begin, 1);
    }
    if (not_zero.bytes > 0) unplanned("padding", part.begin + not_zero.first, not_zero.bytes);
  }

  static std::vector<Range> gaps(const File& file) {
    std::vector<Range> gaps;
    std::uint64_t begin = file.data_offset();
    for (const Tensor* tensor : file.tensors_by_offset()) {
      gaps.push_back({begin, tensor->offset});
      begin = range(*tensor).end;
    }
    gaps.push_back({begin, std::max<std::uint64_t>(begin, file.bytes().size())});
    return gaps;
  }

  const File* const source_;  // null when there is none
  const File& output_;
  const Record record_;
  core::SharedProgress progress_;
  std::vector<std::byte> source_piece_;
  std::vector<std::byte> output_piece_;
  std::set<std::string, std::less<>> planned_;
  Comparison result_;
};

}  // namespace

Comparison compare(const std::optional<std::filesystem::path>& source, const std::filesystem::path& output,
                   const core::Progress& progress) {
  const File written = File::open(output);
  if (!source) return Comparer(nullptr, written, progress).run();
  const File original = File::open(*source);
  return Comparer(&original, written, progress).run();
}

}  // namespace rosi::gguf
