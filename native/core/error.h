// The one exception type of this library. A code is the contract with JavaScript; the message is for people.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rosi::core {

enum class ErrorCode {
  aborted,             // the caller asked to stop
  engine_failed,       // llama.cpp returned an error
  file_failed,         // the operating system refused to read, write, sync or rename
  gguf_invalid,        // a GGUF file is damaged or hostile
  gpu_failed,          // a GPU, its driver, or the library with the kernels for it
  model_unsupported,   // a valid model that this version can't treat
  option_invalid,      // an argument out of range
  output_exists,       // refusing to overwrite
  record_missing,      // a valid GGUF file that this library did not write
  server_failed,       // an RPC server that holds a part of the model can't be reached, or was lost
  tensor_unsupported,  // a tensor type or shape that can't be edited in place
};

/// The word JavaScript sees, e.g. "GGUF_INVALID". Kept equal to RosiErrorCode in lib/errors.ts.
inline const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::aborted: return "ABORTED";
    case ErrorCode::engine_failed: return "ENGINE_FAILED";
    case ErrorCode::file_failed: return "FILE_FAILED";
    case ErrorCode::gguf_invalid: return "GGUF_INVALID";
    case ErrorCode::gpu_failed: return "GPU_FAILED";
    case ErrorCode::model_unsupported: return "MODEL_UNSUPPORTED";
    case ErrorCode::option_invalid: return "OPTION_INVALID";
    case ErrorCode::output_exists: return "OUTPUT_EXISTS";
    case ErrorCode::record_missing: return "RECORD_MISSING";
    case ErrorCode::server_failed: return "SERVER_FAILED";
    case ErrorCode::tensor_unsupported: return "TENSOR_UNSUPPORTED";
  }
  return "ENGINE_FAILED";
}

/// A name and a number or text of the message, for programs. Errors are made in many places: what these do is compiled
/// once, in error.cpp.
struct Detail {
  Detail(const char* name, double number);
  Detail(const char* name, std::string text);
  Detail(const char* name, const char* text);
  Detail(const Detail&);
  Detail(Detail&&) noexcept;
  Detail& operator=(Detail&&) noexcept;
  ~Detail();

  std::string name;
  std::variant<std::string, double> value;
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::vector<Detail> details = {});
  Error(const Error&);
  ~Error() override;
  ErrorCode code() const noexcept { return code_; }
  const std::vector<Detail>& details() const noexcept { return details_; }

 private:
  ErrorCode code_;
  std::vector<Detail> details_;
};

}  // namespace rosi::core
