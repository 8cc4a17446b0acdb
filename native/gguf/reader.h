// Reads numbers and strings from bytes that may lie. Private to gguf/.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/file_io.h"

namespace rosi::gguf {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in the file");

/// Text from a file, fit for a message: no control characters, not endless.
inline std::string printable(std::string_view text) {
  constexpr std::size_t longest = 100;
  std::string safe(text.substr(0, longest));
  for (char& c : safe) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text.size() > longest ? safe + "..." : safe;
}

/// `check` is a stable word for the kind of damage; the path and it become details.
inline core::Error invalid(const std::filesystem::path& path, const char* check, const std::string& message,
                           std::vector<core::Detail> details = {}) {
  details.emplace_back("path", core::to_utf8(path));
  details.emplace_back("check", check);
  return {core::ErrorCode::gguf_invalid, message, std::move(details)};
}

class Reader {
 public:
  Reader(const std::filesystem::path& path, std::span<const std::byte> bytes) : path_(path), bytes_(bytes) {}

  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t left() const noexcept { return bytes_.size() - offset_; }

  /// `what` names the thing for the message of a file that ends too early.
  template <typename T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(std::uint64_t n, const std::string& what) {
    if (n > left()) {
      throw invalid(path_, "truncated",
                    what + " takes " + std::to_string(n) + " bytes from byte " + std::to_string(offset_) +
                        ", but the file has " + std::to_string(bytes_.size()) +
                        " bytes: it is truncated or damaged, fetch it again",
                    {{"offset", double(offset_)}, {"bytes", double(n)}, {"fileBytes", double(bytes_.size())}});
    }
    const auto part = bytes_.subspan(static_cast<std::size_t>(offset_), static_cast<std::size_t>(n));
    offset_ += n;
    return part;
  }

  std::string_view string(std::uint64_t longest, const std::string& what) {
    const std::uint64_t at = offset_;
    const auto n = number<std::uint64_t>("the length of " + what);
    if (n > longest) {
      throw invalid(path_, "string_length",
                    what + " at byte " + std::to_string(at) + " claims " + std::to_string(n) +
                        " characters; the most is " + std::to_string(longest) + ": the file is damaged",
                    {{"offset", double(at)}, {"length", double(n)}, {"limit", double(longest)}});
    }
    const auto text = take(n, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

 private:
  const std::filesystem::path& path_;
  std::span<const std::byte> bytes_;
  std::uint64_t offset_ = 0;
};

}  // namespace rosi::gguf
