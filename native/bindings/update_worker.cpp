// update, verify, inspect, meanRows, sha256: what is done to files.
#include "bindings/args.h"
#include "bindings/kernel_values.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "core/sha256.h"
#include "gguf/compare.h"
#include "gguf/file.h"
#include "update.h"

namespace rosi::bindings {
namespace {

StopFlag new_stop_flag() { return std::make_shared<std::atomic<bool>>(false); }
std::filesystem::path to_path(const Napi::Value& value) { return core::from_utf8(value.As<Napi::String>()); }

class UpdateWorker final : public PromiseWorker {
 public:
  explicit UpdateWorker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), new_stop_flag(), info[1]) {
    const auto request = info[0].As<Napi::Object>();
    plan_.source = to_path(request.Get("source"));
    plan_.output = to_path(request.Get("output"));
    plan_.overwrite = request.Get("overwrite").ToBoolean();
    plan_.threads = to_int(request.Get("threads"), 1);
    const auto tensors = request.Get("tensors").As<Napi::Array>();
    for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
      const auto item = Napi::Value(tensors[i]).As<Napi::Object>();
      plan_.tensors.push_back({item.Get("name").As<Napi::String>(), to_floats(item.Get("left")), to_floats(item.Get("right"))});
    }
    const auto metadata = request.Get("metadata").As<Napi::Object>();
    const Napi::Array keys = metadata.GetPropertyNames();
    for (std::uint32_t i = 0; i < keys.Length(); ++i) {
      const std::string key = Napi::Value(keys[i]).As<Napi::String>();
      plan_.metadata.emplace_back(key, metadata.Get(key).As<Napi::String>());
    }
  }

 private:
  void run() override { result_ = update_file(plan_, progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("sourceSha256", result_.source_sha256);
    js.Set("sourceBytes", static_cast<double>(result_.source_bytes));
    js.Set("outputBytes", static_cast<double>(result_.output_bytes));
    Napi::Array tensors = Napi::Array::New(Env(), result_.tensors.size());
    for (std::uint32_t i = 0; i < result_.tensors.size(); ++i) {
      const TensorResult& tensor = result_.tensors[i];
      Napi::Object item = Napi::Object::New(Env());
      item.Set("name", tensor.name);
      item.Set("type", gguf::find_type(tensor.type)->name);
      item.Set("sha256", tensor.sha256);
      item.Set("realised", to_js(Env(), tensor.realised));
      tensors[i] = item;
    }
    js.Set("tensors", tensors);
    return js;
  }
  UpdatePlan plan_;
  UpdateResult result_;
};

class VerifyWorker final : public PromiseWorker {
 public:
  explicit VerifyWorker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), new_stop_flag(), info[1]) {
    const auto request = info[0].As<Napi::Object>();
    if (request.Get("source").IsString()) source_ = to_path(request.Get("source"));
    output_ = to_path(request.Get("output"));
  }

 private:
  void run() override { result_ = gguf::compare(source_, output_, progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("ok", result_.ok);
    js.Set("checksumOk", result_.checksum_ok);
    js.Set("sourceMatches", result_.source_matches ? Napi::Value(Napi::Boolean::New(Env(), *result_.source_matches)) : Env().Null());
    Napi::Array tensors = Napi::Array::New(Env(), result_.tensors.size());
    for (std::uint32_t i = 0; i < result_.tensors.size(); ++i) {
      const auto& check = result_.tensors[i];
      Napi::Object item = Napi::Object::New(Env());
      item.Set("name", check.name);
      item.Set("sha256Ok", check.sha256_ok);
      item.Set("changedBytes", check.changed_bytes ? Napi::Value(Napi::Number::New(Env(), double(*check.changed_bytes))) : Env().Null());
      tensors[i] = item;
    }
    js.Set("tensors", tensors);
    Napi::Array differences = Napi::Array::New(Env(), result_.unplanned_differences.size());
    for (std::uint32_t i = 0; i < result_.unplanned_differences.size(); ++i) {
      const auto& difference = result_.unplanned_differences[i];
      Napi::Object item = Napi::Object::New(Env());
      item.Set("where", difference.where);
      item.Set("firstOffset", double(difference.first_offset));
      item.Set("bytes", double(difference.bytes));
      differences[i] = item;
    }
    js.Set("unplannedDifferences", differences);
    return js;
  }
  std::optional<std::filesystem::path> source_;
  std::filesystem::path output_;
  gguf::Comparison result_;
};

class MeanRowsWorker final : public PromiseWorker {
 public:
  explicit MeanRowsWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), new_stop_flag(), info[2]), path_(to_path(info[0])), names_(to_strings(info[1])) {}

 private:
  void run() override {
    const gguf::File file = gguf::File::open(path_);
    const core::Progress tick = progress();
    for (const std::string& name : names_) {
      const gguf::Tensor* tensor = file.find(name);
      if (tensor == nullptr || tensor->n_dims != 2) {
        throw core::Error(core::ErrorCode::option_invalid, core::to_utf8(path_) + " has no matrix named " + name, {{"tensor", name}});
      }
      rows_.emplace_back(static_cast<std::size_t>(tensor->shape[0]));
      kernels::column_mean(tensor->type, tensor->bytes, tensor->shape[0], tensor->shape[1], rows_.back());
      core::report(tick, double(rows_.size()) / double(names_.size()));
    }
  }
  Napi::Value result() override {
    Napi::Array js = Napi::Array::New(Env(), rows_.size());
    for (std::uint32_t i = 0; i < rows_.size(); ++i) js[i] = to_js(Env(), rows_[i]);
    return js;
  }
  std::filesystem::path path_;
  std::vector<std::string> names_;
  std::vector<std::vector<float>> rows_;
};

class Sha256Worker final : public PromiseWorker {
 public:
  explicit Sha256Worker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), new_stop_flag(), info[1]), path_(to_path(info[0])) {}

 private:
  void run() override {
    const core::InputFile file = core::InputFile::open(path_);
    const core::Progress tick = progress();
    double done = 0;
    digest_ = core::sha256(file, [&](std::uint64_t bytes) { core::report(tick, (done += double(bytes)) / double(file.size())); });
  }
  Napi::Value result() override { return Napi::String::New(Env(), digest_); }
  std::filesystem::path path_;
  std::string digest_;
};

template <class Worker>
Napi::Value start(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(std::make_unique<Worker>(info));
}

}  // namespace

void register_update(Napi::Env env, Napi::Object exports) {
  exports.Set("update", Napi::Function::New(env, start<UpdateWorker>));
  exports.Set("meanRows", Napi::Function::New(env, start<MeanRowsWorker>));
  exports.Set("sha256", Napi::Function::New(env, start<Sha256Worker>));
}

void register_verify(Napi::Env env, Napi::Object exports) { exports.Set("verify", Napi::Function::New(env, start<VerifyWorker>)); }

}  // namespace rosi::bindings
