// Fills a File from its bytes, checking as it goes. Private to gguf/.
#pragma once

#include "gguf/file.h"
#include "gguf/reader.h"

namespace rosi::gguf {

class Parser {
 public:
  explicit Parser(File& file);
  void parse();

 private:
  void parse_header();    // magic, version, counts
  void parse_metadata();  // pairs, then what follows from them: alignment
  void parse_tensors();   // descriptions
  void place_tensors();   // descriptions → bytes in the file

  Entry parse_entry(std::uint64_t index);
  void parse_array(Entry& entry, const std::string& what);
  ValueType parse_value_type(const std::string& what);
  void check_alignment();
  Tensor parse_tensor(std::uint64_t index);
  void parse_shape(Tensor& tensor, const std::string& what);
  void check_overlap() const;

  core::Error error(const char* check, const std::string& message, std::vector<core::Detail> details = {}) const;

  File& file_;
  Reader reader_;
  std::uint64_t n_tensors_ = 0;
  std::uint64_t n_entries_ = 0;
  std::vector<std::uint64_t> sizes_;  // bytes of each tensor, from type and shape
};

}  // namespace rosi::gguf
