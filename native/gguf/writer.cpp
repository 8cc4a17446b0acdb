#include "gguf/writer.h"

#include <algorithm>
#include <cassert>
#include <set>

#include "core/checksum.h"

namespace rosi::gguf {
namespace {

constexpr std::uint64_t copy_step = std::uint64_t{16} << 20;  // between two looks at the caller's wish to stop

/// Bytes of the source and where they go, from the beginning of the data section.
struct Copy {
  Range from;
  std::uint64_t to;
};

/// Everything but the changed tensors, neighbours together.
std::vector<Copy> unchanged(const File& source, const Layout& layout, std::span<const Tensor* const> changed) {
  std::vector<Copy> copies;
  const auto add = [&](Range from, std::uint64_t to) {
    if (from.begin == from.end) return;
    if (!copies.empty()) {
      Copy& last = copies.back();
      if (last.from.end == from.begin && last.to + (last.from.end - last.from.begin) == to) {
        last.from.end = from.end;
        return;
      }
    }
    copies.push_back({from, to});
  };
  const std::set<const Tensor*> left_out(changed.begin(), changed.end());
  const std::vector<const Tensor*> tensors = source.tensors_by_offset();
  const std::span<const Gap> gaps = layout.gaps();  // one more than tensors
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    add(gaps[i].kept, gaps[i].offset + gaps[i].zeros);
    if (i == tensors.size()) break;
    const Tensor& tensor = *tensors[i];
    if (left_out.contains(&tensor)) continue;
    add({tensor.offset, tensor.offset + tensor.bytes.size()}, layout.place(tensor).offset);
  }
  return copies;
}

}  // namespace

Writer::Writer(const File& source, const Layout& layout, const Strings& added, const std::filesystem::path& output,
               const core::PartialNames& names)
    : source_(source),
      layout_(layout),
      header_(source, added),
      output_bytes_(header_.data_offset() + layout.bytes()),
      output_(std::make_unique<core::OutputFile>(output, output_bytes_, names)) {}

std::uint64_t Writer::unchanged_bytes(std::span<const Tensor* const> changed) const {
  std::uint64_t bytes = 0;
  for (const Copy& copy : unchanged(source_, layout_, changed)) bytes += copy.from.end - copy.from.begin;
  return bytes;
}

void Writer::copy_unchanged(std::span<const Tensor* const> changed, const core::OnBytes& on_bytes) {
  for (const Copy& copy : unchanged(source_, layout_, changed)) {
    for (std::uint64_t from = copy.from.begin; from < copy.from.end;) {
      const std::uint64_t n = std::min(copy.from.end - from, copy_step);
      output_->copy(source_.input(), from, from - copy.from.begin + copy.to + header_.data_offset(), n);
      from += n;
      if (on_bytes) on_bytes(n);
    }
  }
  for (const Gap& gap : layout_.gaps()) {
    if (gap.zeros == 0) continue;
    const std::vector<std::byte> zeros(static_cast<std::size_t>(gap.zeros));
    output_->write(header_.data_offset() + gap.offset, zeros);
  }
}

void Writer::write_tensor(const Tensor& tensor, std::span<const std::byte> bytes, std::uint64_t from) {
  const Place& place = layout_.place(tensor);
  assert(from + bytes.size() <= place.bytes);
  output_->write(header_.data_offset() + place.offset + from, bytes);
}

void Writer::set_text(std::string_view key, std::string_view value) { header_.set_text(key, value); }

void Writer::write_header() { header_.write(*output_, layout_.tensor_infos()); }

std::string Writer::checksum(std::string_view key, const core::ThreadPool& threads, const core::OnBytes& on_bytes) {
  const std::uint64_t place = header_.text_place(key);
  const std::string digest = core::checksum(
      output_bytes_, place, core::sha256_digits,
      [this](std::uint64_t offset, std::span<std::byte> target) { output_->read(offset, target); }, threads, on_bytes);
  output_->write(place, std::as_bytes(std::span(digest)));
  return digest;
}

std::string Writer::sha256(const core::OnBytes& on_bytes) const {
  const auto read = [this](std::uint64_t offset, std::span<std::byte> target) { output_->read(offset, target); };
  return core::sha256(output_bytes_, read, on_bytes);
}

std::unique_ptr<core::OutputFile> Writer::finish(Sync sync) {
  if (sync == Sync::to_disk) output_->sync();
  return std::move(output_);
}

}  // namespace rosi::gguf
