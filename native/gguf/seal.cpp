#include "gguf/seal.h"

#include <algorithm>
#include <span>
#include <string>

#include "core/checksum.h"
#include "gguf/record.h"

namespace rosi::gguf {
namespace {

/// Of a value of so many characters, from the start of the file.
std::uint64_t place_of(const File& file, std::string_view key, std::size_t characters) {
  const Entry* entry = file.find_entry(key);
  if (entry == nullptr || !entry->text() || entry->value.size() != characters) {
    throw core::Error(core::ErrorCode::option_invalid,
                      "the draft has no " + std::string(key) + " of " + std::to_string(characters) + " characters",
                      {{"key", std::string(key)}});
  }
  return static_cast<std::uint64_t>(entry->value.data() - file.bytes().data());
}

}  // namespace

void seal(Draft& draft, std::uint64_t undo_bytes, const core::Progress& progress) {
  const File file = File::open(draft.path());
  const std::uint64_t size = file.bytes().size();
  const std::uint64_t checksum_place = place_of(file, checksum_key, core::sha256_digits);
  std::string digits = std::to_string(undo_bytes);
  digits.insert(0, undo_digits - std::min(digits.size(), undo_digits), '0');
  core::OutputFile& output = draft.first();
  output.write(place_of(file, undo_key, undo_digits), std::as_bytes(std::span(digits)));
  double done = 0;
  const std::string checksum = core::checksum(
      size, checksum_place, core::sha256_digits,
      [&](std::uint64_t offset, std::span<std::byte> target) { output.read(offset, target); }, core::ThreadPool(1),
      [&](std::uint64_t bytes) { core::report(progress, (done += double(bytes)) / double(size)); });
  output.write(checksum_place, std::as_bytes(std::span(checksum)));
  output.sync();
}

}  // namespace rosi::gguf
