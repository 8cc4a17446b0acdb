#include "gguf/model.h"

#include <optional>
#include <unordered_map>

#include "gguf/limits.h"
#include "gguf/reader.h"
#include "gguf/split_name.h"

namespace rosi::gguf {
namespace {

std::uint64_t split_count(const File& file) {
  const Entry* entry = file.find_entry("split.count");
  return entry == nullptr ? 1 : entry->whole_number().value_or(1);
}

std::string file_name(const std::filesystem::path& path) { return core::to_utf8(path.filename()); }

/// A number that says how the parts belong together. The engine wants these very types.
void require_number(const File& file, const char* key, ValueType type, std::uint64_t expected) {
  const Entry* entry = file.find_entry(key);
  const std::string path = core::to_utf8(file.input().path());
  if (entry == nullptr || entry->type != type) {
    const std::string found = entry == nullptr ? "is absent" : std::string("has type ") + to_string(entry->type);
    throw invalid(file.input().path(), "split",
                  std::string(key) + " of " + path + " " + found + "; every part of a split model has it as " +
                      to_string(type) + ": split the model again",
                  {{"key", key}, {"expected", double(expected)}});
  }
  const std::optional<std::uint64_t> found = entry->whole_number();
  if (found == expected) return;
  throw invalid(file.input().path(), "split",
                std::string(key) + " of " + path + " is " + (found ? std::to_string(*found) : "negative") +
                    "; as its name and the other parts are, it must be " + std::to_string(expected) +
                    ": the files do not belong together",
                {{"key", key}, {"found", found ? double(*found) : -1}, {"expected", double(expected)}});
}

/// Whether the file's name says of parts what its metadata says.
void check_name(const File& file) {
  const std::uint64_t count = split_count(file);
  const std::optional<SplitName> name = parse_split_name(file.input().path());
  if (count <= 1 && !name) return;
  const std::string path = core::to_utf8(file.input().path());
  if (count <= 1) {
    throw invalid(file.input().path(), "split_name",
                  path + " is named as a part of " + std::to_string(name->count) +
                      ", but nothing in it says that the model is split: give it another name",
                  {{"key", "split.count"}, {"expected", double(name->count)}});
  }
  if (count > limits::parts) {
    throw invalid(file.input().path(), "split",
                  path + " is a part of " + std::to_string(count) + "; the most is " + std::to_string(limits::parts),
                  {{"key", "split.count"}, {"found", double(count)}, {"limit", double(limits::parts)}});
  }
  if (name && name->count == count) return;
  throw invalid(file.input().path(), "split_name",
                path + " is a part of a model split into " + std::to_string(count) +
                    " files; the name of the first must end in " + split_ending(1, count) +
                    ": give the parts their names back",
                {{"key", "split.count"}, {"expected", split_ending(1, count)}});
}

void check_architecture(const File& first, const File& other) {
  constexpr const char* key = "general.architecture";
  const Entry* found = other.find_entry(key);
  const Entry* expected = first.find_entry(key);
  if (found == nullptr || (expected != nullptr && found->text() == expected->text())) return;
  const auto text = [](const Entry* entry) {
    return printable(entry == nullptr ? "none" : entry->text().value_or("no string"));
  };
  throw invalid(other.input().path(), "split",
                std::string(key) + " of " + core::to_utf8(other.input().path()) + " is " + text(found) + ", of " +
                    file_name(first.input().path()) + " " + text(expected) + ": the files do not belong together",
                {{"key", key}, {"found", text(found)}, {"expected", text(expected)}});
}

File open_part(const std::filesystem::path& path, std::size_t part, std::size_t count) {
  std::error_code error;
  if (std::filesystem::exists(path, error) || error) return File::open(path);
  throw invalid(path, "split_missing",
                core::to_utf8(path) + " is missing: the model is split into " + std::to_string(count) +
                    " files, and all of them must be in one folder",
                {{"part", double(part)}, {"count", double(count)}});
}

/// That each tensor is there once, and as many as the parts say.
void check_tensors(std::span<const File> parts) {
  std::unordered_map<std::string_view, const File*> seen;
  for (const File& file : parts) {
    for (const Tensor& tensor : file.tensors()) {
      const auto [other, added] = seen.emplace(tensor.name, &file);
      if (added) continue;
      throw invalid(file.input().path(), "duplicate_tensor",
                    "the tensor " + printable(tensor.name) + " is in " + core::to_utf8(other->second->input().path()) +
                        " and in " + core::to_utf8(file.input().path()) + ": the files do not belong together",
                    {{"tensor", printable(tensor.name)}, {"other", core::to_utf8(other->second->input().path())}});
    }
  }
  if (seen.empty()) {
    const std::filesystem::path& path = parts.front().input().path();
    throw invalid(path, "no_tensors", core::to_utf8(path) + " has no tensors: it holds a vocabulary or metadata only");
  }
  if (parts.size() == 1) return;
  for (const File& file : parts) require_number(file, "split.tensors.count", ValueType::int32, seen.size());
}

}  // namespace

Model Model::open(const std::filesystem::path& first) {
  const std::vector<std::filesystem::path> paths = part_paths(first);
  Model model;
  model.parts_.push_back(File::open(first));
  check_name(model.first());
  for (std::size_t i = 1; i < paths.size(); ++i) model.parts_.push_back(open_part(paths[i], i + 1, paths.size()));
  if (paths.size() > 1) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      require_number(model.parts_[i], "split.no", ValueType::uint16, i);
      require_number(model.parts_[i], "split.count", ValueType::uint16, paths.size());
      check_architecture(model.first(), model.parts_[i]);
    }
  }
  check_tensors(model.parts_);
  return model;
}

std::vector<std::filesystem::path> Model::paths() const {
  std::vector<std::filesystem::path> paths;
  for (const File& file : parts_) paths.push_back(file.input().path());
  return paths;
}

Located Model::find(std::string_view name) const noexcept {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    if (const Tensor* tensor = parts_[part].find(name)) return {tensor, part};
  }
  return {nullptr, 0};
}

std::uint64_t Model::bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const File& file : parts_) bytes += file.bytes().size();
  return bytes;
}

std::string Model::sha256(const core::OnBytes& on_bytes) const {
  std::vector<const core::InputFile*> files;
  for (const File& file : parts_) files.push_back(&file.input());
  return core::sha256(files, on_bytes);
}

void Model::require_unchanged() const {
  for (const File& file : parts_) file.input().require_unchanged();
}

}  // namespace rosi::gguf
