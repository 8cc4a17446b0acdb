#include "gguf/parser.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <limits>

#include "gguf/limits.h"

namespace rosi::gguf {
namespace {

std::string in_quotes(std::string_view text) {
  std::string quoted = "\"";
  return quoted.append(printable(text)).append("\"");
}

/// False when the product does not fit.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return false;
  product = a * b;
  return true;
}

std::string shape_text(const Tensor& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.n_dims; ++i) text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

}  // namespace

Parser::Parser(File& file) : file_(file), reader_(file.input_.path(), file.bytes_) {}

core::Error Parser::error(const char* check, const std::string& message, std::vector<core::Detail> details) const {
  return invalid(file_.input_.path(), check, message, std::move(details));
}

void Parser::parse() {
  parse_header();
  parse_metadata();
  parse_tensors();
  place_tensors();
}

void Parser::parse_header() {
  const std::string path = core::to_utf8(file_.input_.path());
  if (file_.bytes_.empty()) throw error("empty", path + " is empty: fetch it again", {{"fileBytes", 0.0}});
  const auto magic = reader_.take(4, "the magic number");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
    char hex[12];
    std::snprintf(hex, sizeof hex, "%02x %02x %02x %02x", unsigned(magic[0]), unsigned(magic[1]), unsigned(magic[2]),
                  unsigned(magic[3]));
    throw error("magic", path + " is not a GGUF file: it begins with " + hex + " instead of \"GGUF\"",
                {{"found", hex}});
  }
  file_.version_ = reader_.number<std::uint32_t>("the version");
  if (file_.version_ != 0 && (file_.version_ & 0xffff) == 0) {
    throw error("big_endian",
                path + " is a big-endian GGUF file; only little-endian ones can be read: convert it again",
                {{"version", double(file_.version_)}});
  }
  if (file_.version_ != 2 && file_.version_ != 3) {
    throw error("version",
                path + " has GGUF version " + std::to_string(file_.version_) + "; 2 and 3 can be read" +
                    (file_.version_ == 1 ? ": convert the model again" : ""),
                {{"version", double(file_.version_)}});
  }
  n_tensors_ = reader_.number<std::uint64_t>("the number of tensors");
  n_entries_ = reader_.number<std::uint64_t>("the number of metadata entries");
  const auto check_count = [&](std::uint64_t count, std::uint64_t limit, std::uint64_t least, const char* what) {
    if (count <= limit && count <= reader_.left() / least) return;
    throw error("count",
                path + " claims " + std::to_string(count) + " " + what + "; its " +
                    std::to_string(file_.bytes_.size()) + " bytes have room for " +
                    std::to_string(std::min(limit, reader_.left() / least)) + ": it is truncated or damaged",
                {{"count", double(count)}, {"limit", double(limit)}, {"fileBytes", double(file_.bytes_.size())}});
  };
  check_count(n_tensors_, limits::tensors, limits::least_tensor_bytes, "tensors");
  check_count(n_entries_, limits::metadata_entries, limits::least_entry_bytes, "metadata entries");
}

void Parser::parse_metadata() {
  for (std::uint64_t i = 0; i < n_entries_; ++i) file_.metadata_.push_back(parse_entry(i));
  for (const Entry& entry : file_.metadata_) {
    if (!file_.entries_by_key_.emplace(entry.key, &entry).second) {
      throw error("duplicate_key", "the metadata key " + in_quotes(entry.key) + " is there twice: the file is damaged",
                  {{"key", printable(entry.key)}});
    }
  }
  check_alignment();
}

Entry Parser::parse_entry(std::uint64_t index) {
  const std::uint64_t begin = reader_.offset();
  Entry entry;
  entry.key = reader_.string(limits::key_bytes, "metadata key " + std::to_string(index));
  if (entry.key.empty()) {
    throw error("empty_key", "metadata key " + std::to_string(index) + " is empty", {{"offset", double(begin)}});
  }
  const std::string what = "the metadata value of " + in_quotes(entry.key);
  entry.type = entry.element_type = parse_value_type(what);
  entry.count = 1;
  if (entry.type == ValueType::array) {
    parse_array(entry, what);
  } else if (entry.type == ValueType::string) {
    const std::string_view text = reader_.string(limits::string_bytes, what);
    entry.value = std::as_bytes(std::span(text.data(), text.size()));
  } else {
    entry.value = reader_.take(value_bytes(entry.type), what);
  }
  entry.raw = file_.bytes_.subspan(begin, reader_.offset() - begin);
  return entry;
}

ValueType Parser::parse_value_type(const std::string& what) {
  const std::uint64_t at = reader_.offset();
  const auto type = reader_.number<std::uint32_t>("the type of " + what);
  if (type >= n_value_types) {
    throw error("value_type",
                what + " has type " + std::to_string(type) + " at byte " + std::to_string(at) + "; types are 0 to " +
                    std::to_string(n_value_types - 1) + ": the file is damaged",
                {{"type", double(type)}, {"offset", double(at)}});
  }
  return static_cast<ValueType>(type);
}

void Parser::parse_array(Entry& entry, const std::string& what) {
  entry.element_type = parse_value_type(what);
  if (entry.element_type == ValueType::array) {
    throw error("nested_array", what + " is an array of arrays, which llama.cpp can't read",
                {{"key", printable(entry.key)}});
  }
  const std::uint64_t at = reader_.offset();
  entry.count = reader_.number<std::uint64_t>("the length of " + what);
  const bool strings = entry.element_type == ValueType::string;
  const std::uint64_t least = strings ? sizeof(std::uint64_t) : value_bytes(entry.element_type);
  if (entry.count > limits::array_elements || entry.count > reader_.left() / least) {
    throw error("array_length",
                what + " claims " + std::to_string(entry.count) + " elements at byte " + std::to_string(at) +
                    "; there is room for " + std::to_string(std::min(limits::array_elements, reader_.left() / least)) +
                    ": the file is truncated or damaged",
                {{"key", printable(entry.key)}, {"count", double(entry.count)}, {"offset", double(at)}});
  }
  const std::uint64_t begin = reader_.offset();
  if (strings) {
    for (std::uint64_t i = 0; i < entry.count; ++i) reader_.string(limits::string_bytes, what);
  } else {
    reader_.take(entry.count * least, what);
  }
  entry.value = file_.bytes_.subspan(begin, reader_.offset() - begin);
}

void Parser::check_alignment() {
  file_.alignment_ = limits::default_alignment;
  const Entry* entry = file_.find_entry("general.alignment");
  if (entry == nullptr) return;
  if (entry->type != ValueType::uint32) {
    throw error("alignment",
                std::string("general.alignment is of type ") + to_string(entry->type) + "; it must be uint32",
                {{"key", entry->key}});
  }
  const std::uint64_t alignment = *entry->whole_number();
  if (!std::has_single_bit(alignment) || alignment < limits::min_alignment || alignment > limits::max_alignment) {
    throw error("alignment",
                "general.alignment is " + std::to_string(alignment) + "; it must be a power of two from " +
                    std::to_string(limits::min_alignment) + " to " + std::to_string(limits::max_alignment),
                {{"key", entry->key}, {"alignment", double(alignment)}});
  }
  file_.alignment_ = static_cast<std::uint32_t>(alignment);
}

void Parser::parse_tensors() {
  const std::uint64_t begin = reader_.offset();
  for (std::uint64_t i = 0; i < n_tensors_; ++i) file_.tensors_.push_back(parse_tensor(i));
  file_.tensor_infos_ = {begin, reader_.offset()};
  for (const Tensor& tensor : file_.tensors_) {
    if (!file_.tensors_by_name_.emplace(tensor.name, &tensor).second) {
      throw error("duplicate_tensor", "the tensor " + printable(tensor.name) + " is there twice: the file is damaged",
                  {{"tensor", printable(tensor.name)}});
    }
  }
}

Tensor Parser::parse_tensor(std::uint64_t index) {
  const std::uint64_t begin = reader_.offset();
  Tensor tensor;
  tensor.name = reader_.string(limits::tensor_name_bytes, "the name of tensor " + std::to_string(index));
  // ggml takes names as C strings: past a zero byte it would see another name than we do.
  if (tensor.name.empty() || tensor.name.find('\0') != std::string::npos) {
    throw error("tensor_name", "the name of tensor " + std::to_string(index) + " is empty or has a zero byte in it",
                {{"offset", double(begin)}});
  }
  parse_shape(tensor, "the description of tensor " + printable(tensor.name));
  return tensor;
}

void Parser::parse_shape(Tensor& tensor, const std::string& what) {
  const std::string name = printable(tensor.name);
  const auto n_dims = reader_.number<std::uint32_t>(what);
  if (n_dims < 1 || n_dims > limits::dimensions) {
    throw error("dimensions",
                name + " has " + std::to_string(n_dims) + " dimensions; 1 to " + std::to_string(limits::dimensions) +
                    " are possible",
                {{"tensor", name}, {"dimensions", double(n_dims)}});
  }
  tensor.n_dims = static_cast<int>(n_dims);
  tensor.shape = {1, 1, 1, 1};
  std::uint64_t weights = 1;
  bool fits = true;
  for (std::uint32_t i = 0; i < n_dims; ++i) {
    tensor.shape[i] = reader_.number<std::int64_t>(what);
    if (tensor.shape[i] <= 0) {
      throw error("dimensions",
                  "dimension " + std::to_string(i) + " of " + name + " is " + std::to_string(tensor.shape[i]) +
                      "; it must be positive",
                  {{"tensor", name}, {"dimension", double(i)}, {"size", double(tensor.shape[i])}});
    }
    fits = fits && multiply(weights, static_cast<std::uint64_t>(tensor.shape[i]), weights);
  }

  tensor.type = reader_.number<std::uint32_t>(what);
  const TensorType* type = find_type(tensor.type);
  if (type == nullptr) {
    const char* removed = find_removed_type(tensor.type);
    throw error("tensor_type",
                name + " has type " + std::to_string(tensor.type) +
                    (removed != nullptr
                         ? std::string(" (") + removed + "), which was removed from GGUF: quantize the model again"
                         : std::string(", which is not a type this version knows")),
                {{"tensor", name}, {"type", double(tensor.type)}});
  }
  if (tensor.shape[0] % type->block_weights != 0) {
    throw error(
        "block",
        "rows of " + name + " have " + std::to_string(tensor.shape[0]) + " weights; " + type->name +
            " stores them in blocks of " + std::to_string(type->block_weights),
        {{"tensor", name}, {"rowWeights", double(tensor.shape[0])}, {"blockWeights", double(type->block_weights)}});
  }
  std::uint64_t bytes = 0;
  // The number of weights must be a positive int64_t too: ggml counts with that.
  fits = fits && weights <= std::uint64_t(std::numeric_limits<std::int64_t>::max()) &&
         multiply(weights / type->block_weights, type->block_bytes, bytes);
  if (!fits) {
    throw error("size_overflow",
                "the size of " + name + " with shape " + shape_text(tensor) + " does not fit in 64 bits",
                {{"tensor", name}});
  }
  sizes_.push_back(bytes);
  tensor.offset = reader_.number<std::uint64_t>(what);  // place_tensors() makes it count from the start of the file
}

void Parser::place_tensors() {
  const std::uint64_t file_bytes = file_.bytes_.size();
  // No overflow: the reader's place is inside the file, and alignment is at most 2^20.
  const std::uint64_t data = (reader_.offset() + file_.alignment_ - 1) / file_.alignment_ * file_.alignment_;
  file_.data_offset_ = data;
  for (std::size_t i = 0; i < file_.tensors_.size(); ++i) {
    Tensor& tensor = file_.tensors_[i];
    const std::string name = printable(tensor.name);
    if (tensor.offset % file_.alignment_ != 0) {
      throw error("unaligned",
                  name + " has offset " + std::to_string(tensor.offset) +
                      ", which is not a multiple of the alignment " + std::to_string(file_.alignment_),
                  {{"tensor", name}, {"offset", double(tensor.offset)}, {"alignment", double(file_.alignment_)}});
    }
    const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    if (tensor.offset > most - data || sizes_[i] > most - data - tensor.offset) {
      throw error("offset_overflow",
                  name + " has offset " + std::to_string(tensor.offset) + " and " + std::to_string(sizes_[i]) +
                      " bytes, which does not fit in 64 bits",
                  {{"tensor", name}, {"offset", double(tensor.offset)}, {"bytes", double(sizes_[i])}});
    }
    tensor.offset += data;
    const std::uint64_t end = tensor.offset + sizes_[i];
    if (end > file_bytes) {
      throw error("truncated",
                  name + " ends at byte " + std::to_string(end) + " but the file has " + std::to_string(file_bytes) +
                      " bytes: it is truncated, fetch it again",
                  {{"tensor", name},
                   {"begin", double(tensor.offset)},
                   {"end", double(end)},
                   {"fileBytes", double(file_bytes)}});
    }
    tensor.bytes = file_.bytes_.subspan(tensor.offset, sizes_[i]);
  }
  check_overlap();
}

void Parser::check_overlap() const {
  const Tensor* before = nullptr;
  for (const Tensor* tensor : file_.tensors_by_offset()) {
    if (before != nullptr && before->offset + before->bytes.size() > tensor->offset) {
      throw error("overlap",
                  printable(before->name) + " ends at byte " + std::to_string(before->offset + before->bytes.size()) +
                      " but " + printable(tensor->name) + " begins at byte " + std::to_string(tensor->offset) +
                      ": the file is damaged",
                  {{"tensor", printable(tensor->name)},
                   {"other", printable(before->name)},
                   {"begin", double(tensor->offset)},
                   {"otherEnd", double(before->offset + before->bytes.size())}});
    }
    before = tensor;
  }
}

}  // namespace rosi::gguf
