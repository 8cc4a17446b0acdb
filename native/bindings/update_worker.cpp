// update: applies rank-one updates to a file and writes the result beside it.
#include "bindings/args.h"
#include "bindings/kernel_values.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "gguf/types.h"
#include "gguf/writer.h"
#include "update.h"

namespace rosi::bindings {
namespace {

UpdatePlan to_plan(const Napi::Object& request) {
  UpdatePlan plan;
  plan.source = core::from_utf8(request.Get("source").As<Napi::String>());
  plan.output = core::from_utf8(request.Get("output").As<Napi::String>());
  plan.overwrite = request.Get("overwrite").ToBoolean();
  plan.threads = to_int(request.Get("threads"), 1);
  const auto tensors = request.Get("tensors").As<Napi::Array>();
  for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
    const auto item = Napi::Value(tensors[i]).As<Napi::Object>();
    plan.tensors.push_back(
        {item.Get("name").As<Napi::String>(), to_floats(item.Get("left")), to_floats(item.Get("right"))});
  }
  const auto metadata = request.Get("metadata").As<Napi::Object>();
  const Napi::Array keys = metadata.GetPropertyNames();
  for (std::uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = Napi::Value(keys[i]).As<Napi::String>();
    plan.metadata.emplace_back(key, metadata.Get(key).As<Napi::String>());
  }
  return plan;
}

class UpdateWorker final : public PromiseWorker {
 public:
  explicit UpdateWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), plan_(to_plan(info[0].As<Napi::Object>())) {}

 private:
  void run() override { result_ = update_file(plan_, progress()); }

  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("sourceSha256", result_.source_sha256);
    js.Set("checksum", result_.checksum);
    js.Set("sourceBytes", double(result_.source_bytes));
    js.Set("outputBytes", double(result_.output_bytes));
    Napi::Array tensors = Napi::Array::New(Env(), result_.tensors.size());
    std::uint32_t n = 0;
    for (const TensorResult& tensor : result_.tensors) {
      Napi::Object item = Napi::Object::New(Env());
      item.Set("name", tensor.name);
      item.Set("type", gguf::find_type(tensor.type)->name);
      item.Set("sha256", tensor.sha256);
      item.Set("realised", to_js(Env(), tensor.realised));
      tensors[n++] = item;
    }
    js.Set("tensors", tensors);
    return js;
  }

  const UpdatePlan plan_;
  UpdateResult result_;
};

/// checkOutput(source, output, overwrite): throws what update() would, before the search is spent on getting there.
Napi::Value check_output(const Napi::CallbackInfo& info) {
  gguf::check_output(core::from_utf8(info[0].As<Napi::String>()), core::from_utf8(info[1].As<Napi::String>()),
                     info[2].ToBoolean());
  return info.Env().Undefined();
}

}  // namespace

/// update({source, output, overwrite, threads, tensors, metadata}, onProgress)
///   → { done: Promise<NativeUpdateResult>, cancel(): void }.
void register_update(Napi::Env env, Napi::Object exports) {
  exports.Set("checkOutput", Napi::Function::New(env, checked<check_output>));
  exports.Set("update", Napi::Function::New(env, start<UpdateWorker>));
}

}  // namespace rosi::bindings
