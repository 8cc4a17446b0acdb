// verify and sha256: what is checked about files.
#include "bindings/args.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "core/sha256.h"
#include "gguf/compare.h"

namespace rosi::bindings {
namespace {

std::filesystem::path to_path(const Napi::Value& value) { return core::from_utf8(value.As<Napi::String>()); }

class VerifyWorker final : public PromiseWorker {
 public:
  explicit VerifyWorker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), info[1]) {
    const auto request = info[0].As<Napi::Object>();
    if (request.Get("source").IsString()) source_ = to_path(request.Get("source"));
    output_ = to_path(request.Get("output"));
    threads_ = to_int(request.Get("threads"), 1);
  }

 private:
  void run() override { result_ = gguf::compare(source_, output_, threads_, progress()); }

  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("ok", result_.ok);
    js.Set("checksumOk", result_.checksum_ok);
    js.Set("sourceMatches", result_.source_matches ? Napi::Boolean::New(Env(), *result_.source_matches) : Env().Null());
    Napi::Array tensors = Napi::Array::New(Env(), result_.tensors.size());
    std::uint32_t n = 0;
    for (const gguf::TensorCheck& check : result_.tensors) tensors[n++] = tensor_to_js(check);
    js.Set("tensors", tensors);
    Napi::Array differences = Napi::Array::New(Env(), result_.unplanned_differences.size());
    n = 0;
    for (const gguf::Difference& difference : result_.unplanned_differences)
      differences[n++] = difference_to_js(difference);
    js.Set("unplannedDifferences", differences);
    return js;
  }

  Napi::Object tensor_to_js(const gguf::TensorCheck& check) {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("name", check.name);
    js.Set("sha256Ok", check.sha256_ok);
    js.Set("changedBytes", check.changed_bytes ? Napi::Number::New(Env(), double(*check.changed_bytes)) : Env().Null());
    return js;
  }

  Napi::Object difference_to_js(const gguf::Difference& difference) {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("where", difference.where);
    js.Set("firstOffset", double(difference.first_offset));
    js.Set("bytes", double(difference.bytes));
    if (difference.part > 0) js.Set("part", double(difference.part));
    return js;
  }

  std::optional<std::filesystem::path> source_;
  std::filesystem::path output_;
  int threads_ = 1;
  gguf::Comparison result_;
};

class Sha256Worker final : public PromiseWorker {
 public:
  explicit Sha256Worker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), info[1]) {
    for (const std::string& path : to_strings(info[0])) paths_.push_back(core::from_utf8(path));
  }

 private:
  void run() override {
    std::vector<core::InputFile> files;
    std::vector<const core::InputFile*> pointers;
    double done = 0, total = 0;
    for (const auto& path : paths_) files.push_back(core::InputFile::open(path));
    for (const core::InputFile& file : files) {
      pointers.push_back(&file);
      total += double(file.size());
    }
    const core::Progress tick = progress();
    digest_ = core::sha256(pointers, [&](std::uint64_t bytes) {
      done += double(bytes);
      core::report(tick, done / total);
    });
  }
  Napi::Value result() override { return Napi::String::New(Env(), digest_); }

  std::vector<std::filesystem::path> paths_;
  std::string digest_;
};

}  // namespace

/// verify({source?, output, threads?}, onProgress) → { done: Promise<VerifyResult>, cancel(): void };
/// sha256(paths, onProgress) → { done: Promise<string>, cancel(): void }: of the files one after the other.
void register_verify(Napi::Env env, Napi::Object exports) {
  exports.Set("verify", Napi::Function::New(env, start<VerifyWorker>));
  exports.Set("sha256", Napi::Function::New(env, start<Sha256Worker>));
}

}  // namespace rosi::bindings
