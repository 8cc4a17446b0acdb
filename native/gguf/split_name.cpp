#include "gguf/split_name.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "core/error.h"
#include "core/file_io.h"

namespace rosi::gguf {
namespace {

constexpr std::string_view form = "-00000-of-00000.gguf";  // 0 stands for a digit
constexpr std::string_view extension = ".gguf";

bool has_form(std::string_view ending) {
  return std::ranges::equal(
      ending, form, [](char c, char expected) { return expected == '0' ? c >= '0' && c <= '9' : c == expected; });
}

std::uint64_t number(std::string_view ending, std::size_t at) {
  std::uint64_t value = 0;
  std::from_chars(ending.data() + at, ending.data() + at + 5, value);
  return value;
}

std::vector<std::filesystem::path> all_parts(const std::string& base, std::uint64_t count) {
  std::vector<std::filesystem::path> paths;
  for (std::uint64_t part = 1; part <= count; ++part)
    paths.push_back(core::from_utf8(base + split_ending(part, count)));
  return paths;
}

}  // namespace

std::optional<SplitName> parse_split_name(const std::filesystem::path& path) {
  const std::string text = core::to_utf8(path);
  if (core::to_utf8(path.filename()).size() <= form.size()) return std::nullopt;
  const std::string_view ending = std::string_view(text).substr(text.size() - form.size());
  if (!has_form(ending)) return std::nullopt;
  const SplitName name{text.substr(0, text.size() - form.size()), number(ending, 1), number(ending, 10)};
  if (name.count < 2 || name.part < 1 || name.part > name.count) return std::nullopt;
  return name;
}

std::string split_ending(std::uint64_t part, std::uint64_t count) {
  char text[64];
  std::snprintf(text, sizeof text, "-%05u-of-%05u.gguf", static_cast<unsigned>(part), static_cast<unsigned>(count));
  return text;
}

std::vector<std::filesystem::path> part_paths(const std::filesystem::path& first) {
  const std::optional<SplitName> name = parse_split_name(first);
  if (!name) return {first};
  if (name->part != 1) {
    const std::string path = core::to_utf8(first), needed = name->base + split_ending(1, name->count);
    throw core::Error(core::ErrorCode::option_invalid,
                      path + " is part " + std::to_string(name->part) + " of a model split into " +
                          std::to_string(name->count) + " files; give the first: " + needed,
                      {{"option", "model"}, {"path", path}, {"first", needed}});
  }
  return all_parts(name->base, name->count);
}

std::vector<std::filesystem::path> output_paths(const std::filesystem::path& model,
                                                const std::filesystem::path& output) {
  const std::uint64_t count = part_paths(model).size();
  const std::string path = core::to_utf8(output);
  if (const std::optional<SplitName> name = parse_split_name(output)) {
    if (name->part == 1 && name->count == count) return all_parts(name->base, count);
    throw core::Error(core::ErrorCode::option_invalid,
                      "output " + path + " is the name of part " + std::to_string(name->part) + " of " +
                          std::to_string(name->count) + ", and the model has " +
                          (count == 1 ? "one file" : std::to_string(count) + " files") +
                          ": choose a name without these numbers",
                      {{"option", "output"}, {"path", path}, {"count", double(count)}});
  }
  if (count == 1) return {output};
  return all_parts(path.ends_with(extension) ? path.substr(0, path.size() - extension.size()) : path, count);
}

}  // namespace rosi::gguf
