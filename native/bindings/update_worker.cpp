// update: applies rank-one updates to a file and writes the result beside it, published at once or later.
#include "bindings/args.h"
#include "bindings/environment.h"
#include "bindings/kernel_values.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "gguf/draft.h"
#include "gguf/seal.h"
#include "gguf/split_name.h"
#include "gguf/types.h"
#include "gpu/library.h"
#include "update.h"

namespace rosi::bindings {
namespace {

TensorUpdate to_tensor_update(const Napi::Object& item) {
  TensorUpdate update;
  update.name = item.Get("name").As<Napi::String>();
  update.left = to_floats(item.Get("left"));
  update.right = to_floats(item.Get("right"));
  update.n_experts = to_int(item.Get("nExperts"), 1);
  if (!item.Get("type").IsUndefined()) update.type = item.Get("type").As<Napi::String>();
  if (!item.Get("inputs").IsUndefined()) {
    const auto inputs = item.Get("inputs").As<Napi::Object>();
    update.inputs = {to_floats(inputs.Get("meanSquares")), inputs.Get("responseRms").As<Napi::Number>()};
  }
  if (!item.Get("readout").IsUndefined()) update.readout = to_floats(item.Get("readout"));
  return update;
}

UpdatePlan to_plan(const Napi::Object& request) {
  UpdatePlan plan;
  plan.source = core::from_utf8(request.Get("source").As<Napi::String>());
  plan.trial = request.Get("trial").ToBoolean();
  if (!plan.trial) plan.output = core::from_utf8(request.Get("output").As<Napi::String>());
  plan.overwrite = request.Get("overwrite").ToBoolean();
  plan.draft = request.Get("draft").ToBoolean();
  plan.threads = to_int(request.Get("threads"), 1);
  const auto tensors = request.Get("tensors").As<Napi::Array>();
  for (std::uint32_t i = 0; i < tensors.Length(); ++i) {
    plan.tensors.push_back(to_tensor_update(Napi::Value(tensors[i]).As<Napi::Object>()));
  }
  const auto metadata = request.Get("metadata").As<Napi::Object>();
  const Napi::Array keys = metadata.GetPropertyNames();
  for (std::uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = Napi::Value(keys[i]).As<Napi::String>();
    plan.metadata.emplace_back(key, metadata.Get(key).As<Napi::String>());
  }
  return plan;
}

/// A draft in JavaScript's hands. It is removed when it is discarded, forgotten, or its environment ends.
class HeldDraft final : public Environment::Member {
 public:
  HeldDraft(Napi::Env env, gguf::Draft draft) : draft_(std::move(draft)) { enter(env); }
  std::optional<gguf::Draft>& draft() noexcept { return draft_; }

 private:
  void finish() noexcept override { draft_.reset(); }
  std::optional<gguf::Draft> draft_;
};
constexpr napi_type_tag draft_tag = {0x6c1f0a5e9d2b47f8ULL, 0x8b3e55d1c7094a6fULL};

Napi::Value wrap(Napi::Env env, gguf::Draft draft) {
  auto external = Napi::External<HeldDraft>::New(env, new HeldDraft(env, std::move(draft)),
                                                 [](Napi::Env, HeldDraft* owned) { delete owned; });
  napi_type_tag_object(env, external, &draft_tag);
  return external;
}

std::optional<gguf::Draft>& to_draft(const Napi::Value& value) {
  bool matches = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &draft_tag, &matches);
  if (!matches) throw Napi::TypeError::New(value.Env(), "expected a draft of this library");
  return value.As<Napi::External<HeldDraft>>().Data()->draft();
}

class UpdateWorker final : public PromiseWorker {
 public:
  explicit UpdateWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), plan_(to_plan(info[0].As<Napi::Object>())) {
    const Napi::Value library = info[0].As<Napi::Object>().Get("gpuLibrary");
    if (!library.IsUndefined()) gpu_library_ = core::from_utf8(library.As<Napi::String>());
  }

 private:
  void run() override {
    if (gpu_library_) plan_.accelerator = std::make_shared<gpu::Accelerator>(gpu::Library::open(*gpu_library_));
    result_ = update_file(plan_, progress());
  }

  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    if (!plan_.trial) {
      js.Set("sourceSha256", result_.source_sha256);
      js.Set("checksum", result_.checksum);
      js.Set("output", core::to_utf8(result_.output));
    }
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
    if (result_.draft) {
      Napi::Object draft = Napi::Object::New(Env());
      draft.Set("path", core::to_utf8(result_.draft->path()));
      draft.Set("handle", wrap(Env(), std::move(*result_.draft)));
      js.Set("draft", draft);
    }
    return js;
  }

  UpdatePlan plan_;
  std::optional<std::filesystem::path> gpu_library_;
  UpdateResult result_;
};

/// Holds the draft while it works, so that it can't be published meanwhile; a draft that can't be sealed is removed.
class SealWorker final : public PromiseWorker {
 public:
  explicit SealWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[2]), undo_bytes_(std::uint64_t(info[1].As<Napi::Number>().Int64Value())) {
    std::optional<gguf::Draft>& held = to_draft(info[0]);
    if (!held)
      throw to_js_error(Env(), {core::ErrorCode::option_invalid, "the draft is published or discarded already"});
    handle_ = Napi::Persistent(info[0].As<Napi::Object>());
    draft_ = std::move(held);
    held.reset();
  }

 private:
  void run() override { gguf::seal(*draft_, undo_bytes_, progress()); }
  Napi::Value result() override {
    to_draft(handle_.Value()) = std::move(draft_);
    return Env().Undefined();
  }

  const std::uint64_t undo_bytes_;
  Napi::ObjectReference handle_;
  std::optional<gguf::Draft> draft_;
};

/// checkOutput(source, output, overwrite): throws what update() would, before the search is spent on getting there.
Napi::Value check_output(const Napi::CallbackInfo& info) {
  gguf::check_output(core::from_utf8(info[0].As<Napi::String>()), core::from_utf8(info[1].As<Napi::String>()),
                     info[2].ToBoolean());
  return info.Env().Undefined();
}

/// outputPaths(model, output): the files of `output`, split as `model` is; of a model itself, its own.
Napi::Value output_paths(const Napi::CallbackInfo& info) {
  const std::vector<std::filesystem::path> paths =
      gguf::output_paths(core::from_utf8(info[0].As<Napi::String>()), core::from_utf8(info[1].As<Napi::String>()));
  Napi::Array js = Napi::Array::New(info.Env(), paths.size());
  for (std::uint32_t i = 0; i < paths.size(); ++i) js[i] = Napi::String::New(info.Env(), core::to_utf8(paths[i]));
  return js;
}

/// publish(draft, overwrite): gives it the output's name. What fails can be tried again.
Napi::Value publish(const Napi::CallbackInfo& info) {
  std::optional<gguf::Draft>& draft = to_draft(info[0]);
  if (!draft) throw core::Error(core::ErrorCode::option_invalid, "the draft is published or discarded already");
  draft->publish(info[1].ToBoolean());
  draft.reset();
  return info.Env().Undefined();
}

/// discard(draft): removes it unless it is published. Any number of calls.
Napi::Value discard(const Napi::CallbackInfo& info) {
  to_draft(info[0]).reset();
  return info.Env().Undefined();
}

}  // namespace

/// update({source, output, overwrite, draft?, threads, gpuLibrary?, tensors, metadata}, onProgress)
///   → { done: Promise<NativeUpdateResult>, cancel(): void };
/// update({source, trial: true, threads, gpuLibrary?, tensors, metadata}, onProgress)
///   → { done: Promise<UpdateTrial>, cancel(): void };
/// seal(draft, undoBytes, onProgress) → { done: Promise<void>, cancel(): void }.
void register_update(Napi::Env env, Napi::Object exports) {
  exports.Set("checkOutput", Napi::Function::New(env, checked<check_output>));
  exports.Set("outputPaths", Napi::Function::New(env, checked<output_paths>));
  exports.Set("discard", Napi::Function::New(env, discard));
  exports.Set("publish", Napi::Function::New(env, checked<publish>));
  exports.Set("seal", Napi::Function::New(env, start<SealWorker>));
  exports.Set("update", Napi::Function::New(env, start<UpdateWorker>));
}

}  // namespace rosi::bindings
