// What file_io.h needs on every platform; the rest is in file_io_posix.cpp and file_io_portable.cpp.
#include "core/file_io.h"

#include <random>
#include <system_error>

#include "core/file_io_internal.h"

namespace rosi::core {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::size_t n_random = 8;  // digits

}  // namespace

std::string to_utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::filesystem::path from_utf8(const std::string& text) {
  return std::u8string(reinterpret_cast<const char8_t*>(text.data()), text.size());
}

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) noexcept {
  std::error_code ignored;  // set when one of them does not exist
  return std::filesystem::equivalent(a, b, ignored);
}

Error file_error(const std::string& what, const std::filesystem::path& path, int error, std::uint64_t bytes) {
  const std::string reason = std::generic_category().message(error);
  std::string message = what + " " + to_utf8(path) + ": " + reason;
  std::vector<Detail> details = {{"path", to_utf8(path)}, {"reason", reason}, {"errno", double(error)}};
  if (bytes > 0) {
    message += " (" + std::to_string(bytes) + " bytes are needed)";
    details.emplace_back("bytes", double(bytes));
  }
  return {ErrorCode::file_failed, message, std::move(details)};
}

Error short_read_error(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t bytes) {
  return {ErrorCode::file_failed,
          to_utf8(path) + " ended while " + std::to_string(bytes) + " bytes at byte " + std::to_string(offset) +
              " were being read: something else is changing it",
          {{"path", to_utf8(path)}, {"offset", double(offset)}, {"bytes", double(bytes)}}};
}

Error changed_error(const std::filesystem::path& path) {
  return {ErrorCode::file_failed,
          to_utf8(path) + " was changed while it was being read: run again on a finished file",
          {{"path", to_utf8(path)}}};
}

Error exists_error(const std::filesystem::path& path) {
  return {ErrorCode::output_exists,
          to_utf8(path) + " exists; choose another output, or ask to overwrite it",
          {{"path", to_utf8(path)}}};
}

void require_no_zero_byte(const std::filesystem::path& path) {
  if (path.native().find(std::filesystem::path::value_type{0}) == std::filesystem::path::string_type::npos) return;
  throw Error(ErrorCode::option_invalid, "a path can't have a zero byte in it", {{"path", to_utf8(path)}});
}

std::string PartialNames::make_mark() {
  std::random_device random;
  std::string mark = std::string(partial_mark) + std::to_string(process_id()) + "-";
  for (std::size_t i = 0; i < n_random; ++i) mark += hex_digits[random() % hex_digits.size()];
  return mark;
}

std::filesystem::path partial_path_for(const std::filesystem::path& path, const PartialNames& names) {
  const std::string mark = names.mark.empty() ? PartialNames::make_mark() : names.mark;
  std::filesystem::path::string_type name = path.native();
  name.resize(name.size() - std::filesystem::path(names.ending).native().size());
  std::filesystem::path partial = name;
  partial += mark;
  partial += names.ending;
  return partial;
}

bool is_partial_name(std::string_view name, std::string_view output, std::string_view ending) {
  output.remove_suffix(ending.size());
  if (!name.ends_with(ending)) return false;
  name.remove_suffix(ending.size());
  if (!name.starts_with(output) || !name.substr(output.size()).starts_with(partial_mark)) return false;
  const std::string_view rest = name.substr(output.size() + partial_mark.size());
  const std::size_t dash = rest.find('-');
  return dash != 0 && dash != std::string_view::npos && rest.find_first_not_of("0123456789") == dash &&
         rest.size() == dash + 1 + n_random && rest.find_first_not_of(hex_digits, dash + 1) == std::string_view::npos;
}

}  // namespace rosi::core
