#include "gguf/writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "gguf/limits.h"
#include "gguf/record.h"

namespace rosi::gguf {
namespace {

constexpr std::uint64_t head_bytes = 4 + 4 + 8 + 8;           // magic, version, number of tensors, number of entries
constexpr std::uint64_t copy_step = std::uint64_t{16} << 20;  // between two looks at the caller's wish to stop

template <typename T>
void append_number(std::vector<std::byte>& target, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  target.insert(target.end(), bytes.begin(), bytes.end());
}

void append_text(std::vector<std::byte>& target, std::string_view text) {
  append_number(target, static_cast<std::uint64_t>(text.size()));
  const auto bytes = std::as_bytes(std::span(text));
  target.insert(target.end(), bytes.begin(), bytes.end());
}

/// The data section without the changed tensors.
std::vector<Range> unchanged_ranges(const File& source, std::span<const Tensor* const> changed) {
  std::vector<const Tensor*> sorted(changed.begin(), changed.end());
  std::ranges::sort(sorted, {}, &Tensor::offset);
  std::vector<Range> ranges;
  std::uint64_t begin = source.data_offset();
  for (const Tensor* tensor : sorted) {
    if (begin < tensor->offset) ranges.push_back({begin, tensor->offset});
    begin = tensor->offset + tensor->bytes.size();
  }
  if (begin < source.bytes().size()) ranges.push_back({begin, source.bytes().size()});
  return ranges;
}

}  // namespace

void check_output(const std::filesystem::path& source, const std::filesystem::path& output, bool overwrite) {
  const std::string name = core::to_utf8(output);
  const auto refuse = [&](const std::string& why) {
    return core::Error(core::ErrorCode::option_invalid, "output " + name + " " + why,
                       {{"option", "output"}, {"path", name}});
  };
  if (!output.has_filename()) throw refuse("is not the name of a file");
  if (core::same_file(source, output)) throw refuse("is the source itself: choose another output");
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(output, ignored))) return;
  const std::filesystem::file_status status = std::filesystem::status(output, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw refuse("is a folder, pipe or device: choose another output");
  }
  if (!overwrite) {
    throw core::Error(core::ErrorCode::output_exists, name + " exists; choose another output, or ask to overwrite it",
                      {{"path", name}});
  }
}

Draft::Draft(std::filesystem::path source, std::filesystem::path output, std::unique_ptr<core::OutputFile> file)
    : source_(std::move(source)), output_(std::move(output)), file_(std::move(file)) {}

void Draft::publish(bool overwrite) {
  check_output(source_, output_, overwrite);  // the folder may have changed in the meantime
  file_->publish(overwrite);
}

Writer::Writer(const File& source, const std::filesystem::path& output, bool overwrite, const Strings& added)
    : source_(source), path_(output) {
  check_output(source.input().path(), output, overwrite);
  std::uint64_t place = head_bytes;
  for (const Entry& entry : source.metadata()) {
    if (is_own_key(entry.key)) continue;
    const auto begin = static_cast<std::uint64_t>(entry.raw.data() - source.bytes().data());
    const std::uint64_t end = begin + entry.raw.size();
    if (!kept_.empty() && kept_.back().end == begin) kept_.back().end = end;
    else kept_.push_back({begin, end});
    place += entry.raw.size();
    ++n_entries_;
  }
  added_place_ = place;
  for (const auto& [key, value] : added) {
    append_text(added_, key);
    append_number(added_, static_cast<std::uint32_t>(ValueType::string));
    append_text(added_, value);
    texts_.push_back({key, {added_.size() - value.size(), added_.size()}});
    ++n_entries_;
  }
  infos_place_ = added_place_ + added_.size();
  const std::uint64_t infos_end = infos_place_ + (source.tensor_infos().end - source.tensor_infos().begin);
  data_place_ = (infos_end + source.alignment() - 1) / source.alignment() * source.alignment();
  output_bytes_ = data_place_ + (source.bytes().size() - source.data_offset());
  output_ = std::make_unique<core::OutputFile>(output, output_bytes_);
}

std::uint64_t Writer::unchanged_bytes(std::span<const Tensor* const> changed) const {
  std::uint64_t bytes = 0;
  for (const Range& range : unchanged_ranges(source_, changed)) bytes += range.end - range.begin;
  return bytes;
}

void Writer::copy_unchanged(std::span<const Tensor* const> changed, const core::OnBytes& on_bytes) {
  for (const Range& range : unchanged_ranges(source_, changed)) {
    for (std::uint64_t from = range.begin; from < range.end;) {
      const std::uint64_t n = std::min(range.end - from, copy_step);
      output_->copy(source_.input(), from, from - source_.data_offset() + data_place_, n);
      from += n;
      if (on_bytes) on_bytes(n);
    }
  }
}

void Writer::write_tensor(const Tensor& tensor, std::span<const std::byte> bytes) {
  assert(bytes.size() == tensor.bytes.size());
  output_->write(tensor.offset - source_.data_offset() + data_place_, bytes);
}

void Writer::set_text(std::string_view key, std::string_view value) {
  const std::uint64_t begin = text_place(key) - added_place_;
  assert(begin + value.size() <= added_.size());  // place and length were fixed by the constructor
  std::memcpy(added_.data() + begin, value.data(), value.size());
}

void Writer::write_header() {
  std::vector<std::byte> head;
  for (const char c : {'G', 'G', 'U', 'F'}) head.push_back(static_cast<std::byte>(c));
  append_number(head, source_.version());
  append_number(head, static_cast<std::uint64_t>(source_.tensors().size()));
  append_number(head, n_entries_);
  output_->write(0, head);
  std::uint64_t place = head.size();
  for (const Range& range : kept_) {
    output_->copy(source_.input(), range.begin, place, range.end - range.begin);
    place += range.end - range.begin;
  }
  output_->write(added_place_, added_);
  const Range infos = source_.tensor_infos();
  output_->copy(source_.input(), infos.begin, infos_place_, infos.end - infos.begin);
  const std::uint64_t infos_end = infos_place_ + (infos.end - infos.begin);
  const std::vector<std::byte> zeros(static_cast<std::size_t>(data_place_ - infos_end));
  output_->write(infos_end, zeros);
}

std::string Writer::checksum(std::string_view key, const core::OnBytes& on_bytes) {
  const std::uint64_t place = text_place(key);
  const std::string digest = core::sha256_with_zeros(
      output_bytes_, place, core::sha256_digits,
      [this](std::uint64_t offset, std::span<std::byte> target) { output_->read(offset, target); }, on_bytes);
  output_->write(place, std::as_bytes(std::span(digest)));
  return digest;
}

Draft Writer::finish() {
  output_->sync();
  return {source_.input().path(), path_, std::move(output_)};
}

std::uint64_t Writer::text_place(std::string_view key) const {
  const auto found = std::ranges::find(texts_, key, [](const auto& text) { return std::string_view(text.first); });
  assert(found != texts_.end());
  return added_place_ + found->second.begin;
}

}  // namespace rosi::gguf
