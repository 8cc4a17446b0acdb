// The names of a split model's files: NAME-00001-of-00003.gguf and so on, as llama.cpp writes and expects them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rosi::gguf {

struct SplitName {
  std::string base;     // with the folder, up to the dash, UTF-8
  std::uint64_t part;   // from 1
  std::uint64_t count;  // 2 or more
};

/// Empty for a name of another form. One part of one is a whole file.
std::optional<SplitName> parse_split_name(const std::filesystem::path& path);

/// "-00002-of-00003.gguf"
std::string split_ending(std::uint64_t part, std::uint64_t count);

/// The files of the model that begins with `first`, in order. Throws core::Error{option_invalid} naming the file to
/// give when `first` is another part.
std::vector<std::filesystem::path> part_paths(const std::filesystem::path& first);

/// The files of a model written as `output` and split as `model` is: `output` itself, or one a part, named after it or,
/// where it is the name of a first part, with it. Throws core::Error{option_invalid} when it is the name of a part that
/// does not fit.
std::vector<std::filesystem::path> output_paths(const std::filesystem::path& model,
                                                const std::filesystem::path& output);

}  // namespace rosi::gguf
