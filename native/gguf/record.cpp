#include "gguf/record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/sha256.h"
#include "gguf/reader.h"

namespace rosi::gguf {
namespace {

bool is_digest(std::string_view text) {
  return text.size() == core::sha256_digits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string json_string(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json += "\\u00";
      json += digits[byte >> 4];
      json += digits[byte & 15];
    } else {
      json += c;
    }
  }
  return json + '"';
}

/// Reads back what write_tensor_records() writes and nothing else: our own form, byte for byte.
class RecordParser {
 public:
  explicit RecordParser(std::string_view text) : rest_(text) {}

  std::optional<std::vector<TensorRecord>> parse() {
    std::vector<TensorRecord> tensors;
    if (!skip("[")) return std::nullopt;
    while (!rest_.starts_with(']')) {
      if (!tensors.empty() && !skip(",")) return std::nullopt;
      TensorRecord tensor;
      if (!skip("{\"name\":") || !string(tensor.name) || !type(tensor.type) || !skip(",\"sha256\":") ||
          !string(tensor.sha256) || !skip("}") || !is_digest(tensor.sha256)) {
        return std::nullopt;
      }
      tensors.push_back(std::move(tensor));
    }
    if (rest_ != "]") return std::nullopt;
    return tensors;
  }

  std::optional<std::vector<std::string>> parse_digests() {
    std::vector<std::string> digests;
    if (!skip("[")) return std::nullopt;
    while (!rest_.starts_with(']')) {
      std::string digest;
      if ((!digests.empty() && !skip(",")) || !string(digest) || !is_digest(digest)) return std::nullopt;
      digests.push_back(std::move(digest));
    }
    if (rest_ != "]") return std::nullopt;
    return digests;
  }

 private:
  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  bool type(const TensorType*& type) {
    if (!skip(",\"type\":")) return true;
    std::string name;
    if (!string(name)) return false;
    type = find_type(name);
    return type != nullptr;
  }

  bool string(std::string& text) {
    if (!skip("\"")) return false;
    while (!rest_.empty() && rest_.front() != '"') {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '\\' && !escape(c)) return false;
      text += c;
    }
    return skip("\"");
  }

  bool escape(char& c) {
    if (rest_.empty()) return false;
    c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' || c == '\\') return true;
    unsigned code = 0;
    if (c != 'u' || rest_.size() < 4) return false;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, code, 16);
    if (error != std::errc() || end != rest_.data() + 4 || code >= 0x20) return false;
    rest_.remove_prefix(4);
    c = static_cast<char>(code);
    return true;
  }

  std::string_view rest_;
};

std::string_view own_text(const File& file, std::string_view key) {
  const Entry* entry = file.find_entry(key);
  if (entry == nullptr || !entry->text()) {
    throw invalid(file.input().path(), "record",
                  core::to_utf8(file.input().path()) + " has no " + std::string(key) +
                      " beside the other rosi keys: it was changed after rosi wrote it",
                  {{"key", std::string(key)}});
  }
  return *entry->text();
}

core::Error damaged(const File& file, std::string_view key) {
  return invalid(file.input().path(), "record",
                 "the value of " + std::string(key) + " in " + core::to_utf8(file.input().path()) + " is damaged",
                 {{"key", std::string(key)}});
}

std::string own_digest(const File& file, std::string_view key) {
  const std::string_view text = own_text(file, key);
  if (!is_digest(text)) throw damaged(file, key);
  return std::string(text);
}

std::uint64_t undo_bytes(const File& file) {
  const std::string_view digits = own_text(file, undo_key);
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
  if (digits.size() != undo_digits || error != std::errc() || end != digits.data() + digits.size() ||
      bytes > file.bytes().size()) {
    throw damaged(file, undo_key);
  }
  return bytes;
}

}  // namespace

std::string write_tensor_records(const std::vector<TensorRecord>& tensors) {
  std::string json = "[";
  for (const TensorRecord& tensor : tensors) {
    if (json.size() > 1) json += ',';
    json += "{\"name\":" + json_string(tensor.name);
    if (tensor.type != nullptr) json += ",\"type\":" + json_string(tensor.type->name);
    json += ",\"sha256\":" + json_string(tensor.sha256) + "}";
  }
  return json + "]";
}

std::string write_part_records(const std::vector<std::string>& digests) {
  std::string json = "[";
  for (const std::string& digest : digests) json += (json.size() > 1 ? "," : "") + json_string(digest);
  return json + "]";
}

Record read_record(const Model& model) {
  const File& file = model.first();
  std::size_t n_tensors = 0;
  for (const File& part : model.parts()) n_tensors += part.tensors().size();
  if (std::ranges::none_of(std::array{checksum_key, source_key, tensors_key},
                           [&](std::string_view key) { return file.find_entry(key) != nullptr; })) {
    const std::string path = core::to_utf8(file.input().path());
    throw core::Error(core::ErrorCode::record_missing,
                      path +
                          " carries no rosi record (metadata keys rosi.*): rosi did not harden it, "
                          "so there is nothing to verify it against",
                      {{"path", path}});
  }
  Record record;
  record.checksum = own_digest(file, checksum_key);
  const Entry* checksum = file.find_entry(checksum_key);
  record.checksum_place = static_cast<std::uint64_t>(checksum->value.data() - file.bytes().data());
  record.source_sha256 = own_digest(file, source_key);
  auto tensors = RecordParser(own_text(file, tensors_key)).parse();
  if (!tensors || tensors->size() > n_tensors) throw damaged(file, tensors_key);
  record.tensors = std::move(*tensors);
  if (file.find_entry(parts_key) != nullptr) {
    auto parts = RecordParser(own_text(file, parts_key)).parse_digests();
    if (!parts) throw damaged(file, parts_key);
    record.parts = std::move(*parts);
  }
  if (file.find_entry(undo_key) != nullptr) record.undo_bytes = undo_bytes(file);
  return record;
}

}  // namespace rosi::gguf
