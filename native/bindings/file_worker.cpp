// writeFile: a whole new file from bytes that JavaScript made.
#include <vector>

#include "bindings/args.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "gguf/draft.h"

namespace rosi::bindings {
namespace {

std::vector<std::byte> to_bytes(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "expected a Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  const auto* data = static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return {data, data + array.ByteLength()};
}

class WriteFileWorker final : public PromiseWorker {
 public:
  explicit WriteFileWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]),
        output_(core::from_utf8(info[0].As<Napi::Object>().Get("output").As<Napi::String>())) {
    const auto request = info[0].As<Napi::Object>();
    overwrite_ = request.Get("overwrite").ToBoolean();
    for (const std::string& input : to_strings(request.Get("inputs"))) inputs_.push_back(core::from_utf8(input));
    const auto parts = request.Get("parts").As<Napi::Array>();
    for (std::uint32_t i = 0; i < parts.Length(); ++i) parts_.push_back(to_bytes(parts[i]));
  }

 private:
  void run() override {
    check();
    std::uint64_t size = 0;
    for (const auto& part : parts_) size += part.size();
    core::OutputFile file(output_, size);
    std::uint64_t place = 0;
    for (const auto& part : parts_) {
      file.write(place, part);
      place += part.size();
    }
    file.sync();
    if (stopped()) throw core::Error(core::ErrorCode::aborted, "stopped by the caller");
    check();  // the folder may have changed in the meantime
    file.publish(overwrite_);
  }
  Napi::Value result() override { return Env().Undefined(); }

  void check() const {
    gguf::check_output({}, output_, overwrite_);
    for (const auto& input : inputs_) gguf::check_output(input, output_, overwrite_);
  }

  const std::filesystem::path output_;
  bool overwrite_ = false;
  std::vector<std::filesystem::path> inputs_;
  std::vector<std::vector<std::byte>> parts_;
};

}  // namespace

/// writeFile({output, parts, overwrite, inputs}, onProgress?) → { done: Promise<void>, cancel(): void }.
void register_files(Napi::Env env, Napi::Object exports) {
  exports.Set("writeFile", Napi::Function::New(env, start<WriteFileWorker>));
}

}  // namespace rosi::bindings
