#include "gguf/header.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "gguf/record.h"

namespace rosi::gguf {
namespace {

constexpr std::uint64_t head_bytes = 4 + 4 + 8 + 8;  // magic, version, number of tensors, number of entries

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

}  // namespace

Header::Header(const File& source, const Strings& added) : source_(source) {
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
  data_offset_ = (infos_end + source.alignment() - 1) / source.alignment() * source.alignment();
}

void Header::set_text(std::string_view key, std::string_view value) {
  const std::uint64_t begin = text_place(key) - added_place_;
  assert(begin + value.size() <= added_.size());  // place and length were fixed by the constructor
  std::memcpy(added_.data() + begin, value.data(), value.size());
}

std::uint64_t Header::text_place(std::string_view key) const {
  const auto found = std::ranges::find(texts_, key, [](const auto& text) { return std::string_view(text.first); });
  assert(found != texts_.end());
  return added_place_ + found->second.begin;
}

void Header::write(core::OutputFile& output, std::span<const std::byte> tensor_infos) const {
  std::vector<std::byte> head;
  for (const char c : {'G', 'G', 'U', 'F'}) head.push_back(static_cast<std::byte>(c));
  append_number(head, source_.version());
  append_number(head, static_cast<std::uint64_t>(source_.tensors().size()));
  append_number(head, n_entries_);
  output.write(0, head);
  std::uint64_t place = head.size();
  for (const Range& range : kept_) {
    output.copy(source_.input(), range.begin, place, range.end - range.begin);
    place += range.end - range.begin;
  }
  output.write(added_place_, added_);
  output.write(infos_place_, tensor_infos);
  const std::uint64_t infos_end = infos_place_ + tensor_infos.size();
  const std::vector<std::byte> zeros(static_cast<std::size_t>(data_offset_ - infos_end));
  output.write(infos_end, zeros);
}

}  // namespace rosi::gguf
