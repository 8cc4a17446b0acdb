// The writers of a model, found in the engine's graph, and the experiments that prove them.
#include <algorithm>
#include <cmath>

#include "bindings/args.h"
#include "bindings/engine_handles.h"
#include "bindings/engine_worker.h"
#include "core/file_io.h"
#include "engine/push_reach.h"
#include "engine/writers_check.h"
#include "gguf/hyperparameters.h"
#include "gguf/model.h"

namespace rosi::bindings {
namespace {

Napi::Value number(Napi::Env env, double value) {
  return std::isfinite(value) ? Napi::Value(Napi::Number::New(env, value)) : env.Null();
}

template <class List, class Make>
Napi::Array to_list(Napi::Env env, const List& list, Make make) {
  Napi::Array js = Napi::Array::New(env, list.size());
  for (std::uint32_t i = 0; i < list.size(); ++i) js[i] = make(list[i]);
  return js;
}

Napi::Object to_js(Napi::Env env, const engine::Step& step) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("kind", engine::to_string(step.kind));
  if (!step.tensor.empty()) js.Set("tensor", step.tensor);
  if (step.kind == engine::StepKind::constant || step.kind == engine::StepKind::scalar)
    js.Set("value", number(env, step.value));
  if (!step.what.empty()) js.Set("what", step.what);
  return js;
}

Napi::Object to_js(Napi::Env env, const engine::Writer& writer) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("name", writer.name);
  js.Set("layer", writer.layer);
  js.Set("kind", writer.kind);
  js.Set("type", writer.type);
  js.Set("nIn", static_cast<double>(writer.n_in));
  js.Set("nOut", static_cast<double>(writer.n_out));
  js.Set("nExperts", static_cast<double>(writer.n_experts));
  js.Set("class", engine::to_string(writer.writer_class));
  js.Set("why", writer.why);
  js.Set("factor", number(env, writer.factor));
  js.Set("gains", bindings::to_js(env, writer.gains));
  js.Set("expertScale", writer.expert_scale.empty() ? env.Null() : Napi::String::New(env, writer.expert_scale));
  js.Set("path", to_list(env, writer.path, [&](const engine::Step& step) { return to_js(env, step); }));
  js.Set("uses", writer.uses);
  if (writer.adapter) {
    Napi::Object adapter = Napi::Object::New(env);
    adapter.Set("honoured", writer.adapter->honoured);
    adapter.Set("ratio", number(env, writer.adapter->ratio));
    adapter.Set("expertScale", writer.adapter->expert_scale);
    js.Set("adapter", adapter);
  } else {
    js.Set("adapter", env.Null());
  }
  js.Set("input", writer.input);
  js.Set("product", writer.product);
  js.Set("top", writer.top);
  js.Set("join", writer.join);
  return js;
}

Napi::Object to_js(Napi::Env env, const engine::LayerReport& layer) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("layer", layer.layer);
  js.Set("covered", layer.covered);
  js.Set("reason", layer.reason);
  js.Set("stream", layer.stream.empty() ? env.Null() : Napi::String::New(env, layer.stream));
  js.Set("nStreams", layer.n_streams);
  js.Set("stable", layer.stable);
  return js;
}

Napi::Value to_js(Napi::Env env, const engine::WriterReport& report) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("architecture", report.architecture);
  js.Set("writers", to_list(env, report.writers, [&](const auto& writer) { return to_js(env, writer); }));
  js.Set("embedding", report.embedding ? to_js(env, *report.embedding) : env.Null());
  js.Set("layers", to_list(env, report.layers, [&](const auto& layer) { return to_js(env, layer); }));
  js.Set("unknown", to_list(env, report.unknown, [&](const engine::UnknownReport& unknown) {
           Napi::Object item = Napi::Object::New(env);
           item.Set("operation", unknown.operation);
           item.Set("node", unknown.node);
           item.Set("why", unknown.why);
           item.Set("layer", unknown.layer);
           return item;
         }));
  js.Set("stream", to_list(env, report.stream_steps, [&](const engine::StreamStep& step) {
           Napi::Object item = to_js(env, step.step);
           item.Set("node", step.node);
           return item;
         }));
  js.Set("lookups", bindings::to_js(env, report.lookups));
  js.Set("end", report.end);
  return js;
}

/// findWriters(session) -> { done: Promise<WriterReport>, cancel(): void }
class FindWorker final : public EngineWorker {
 public:
  explicit FindWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[1]), session_(use(info[0])) {}

 private:
  void compute() override { report_ = engine::find_writers(session_, progress()); }
  Napi::Value result() override { return to_js(Env(), report_); }
  std::shared_ptr<engine::Session> session_;
  engine::WriterReport report_;
};

/// findWritersInFile(path) -> { done: Promise<WriterReport>, cancel(): void }
class FindInFileWorker final : public PromiseWorker {
 public:
  explicit FindInFileWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), path_(info[0].As<Napi::String>()) {}

 private:
  void run() override {
    // ggml aborts the process on what it finds too late: check first.
    gguf::check_hyperparameters(gguf::Model::open(core::from_utf8(path_)).first());
    report_ = engine::find_writers_in_file(path_);
  }
  Napi::Value result() override { return to_js(Env(), report_); }
  const std::string path_;
  engine::WriterReport report_;
};

/// measureReach(session, { prompts, direction, writers }) -> { done: Promise<(number | null)[]>, cancel(): void }
class ReachWorker final : public EngineWorker {
 public:
  explicit ReachWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), session_(use(info[0])) {
    const auto request = info[1].As<Napi::Object>();
    request_.prompts = to_prompts(request.Get("prompts"));
    request_.direction = to_floats(request.Get("direction"));
    request_.writers = to_factors(request.Get("writers"));
    request_.threads = std::max(1, to_int(request.Get("threads"), 1));
  }

 private:
  void compute() override { reach_ = engine::measure_reach(session_, request_, progress()); }
  Napi::Value result() override {
    return to_list(Env(), reach_, [&](double reach) { return number(Env(), reach); });
  }
  std::shared_ptr<engine::Session> session_;
  engine::ReachRequest request_;
  std::vector<double> reach_;
};

/// _checkWriters(session, tokens, seed) -> { done: Promise<WritersCheck>, cancel(): void }
class CheckWorker final : public EngineWorker {
 public:
  explicit CheckWorker(const Napi::CallbackInfo& info)
      : EngineWorker(info.Env(), info[3]), session_(use(info[0])), seed_(info[2].As<Napi::Number>().Uint32Value()) {
    const auto tokens = info[1].As<Napi::Int32Array>();
    tokens_.assign(tokens.Data(), tokens.Data() + tokens.ElementLength());
  }

 private:
  void compute() override { check_ = engine::check_writers(session_, tokens_, seed_, progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("sameGraph", check_.same_graph);
    js.Set("repeatable", check_.repeatable);
    js.Set("remainder", number(Env(), check_.remainder));
    js.Set("movedBy", check_.moved_by);
    js.Set("writers", to_list(Env(), check_.writers, [&](const engine::WriterCheck& check) {
             Napi::Object item = Napi::Object::New(Env());
             item.Set("name", check.name);
             item.Set("prediction", check.prediction);
             item.Set("error", number(Env(), check.error));
             item.Set("change", number(Env(), check.change));
             item.Set("adapter", check.adapter);
             item.Set("adapterError", number(Env(), check.adapter_error));
             item.Set("adapterRatio", number(Env(), check.adapter_ratio));
             return item;
           }));
    return js;
  }
  std::shared_ptr<engine::Session> session_;
  engine::Tokens tokens_;
  const std::uint32_t seed_;
  engine::WritersCheck check_;
};

}  // namespace

void register_writers(Napi::Env env, Napi::Object exports) {
  exports.Set("findWriters", Napi::Function::New(env, start<FindWorker>));
  exports.Set("findWritersInFile", Napi::Function::New(env, start<FindInFileWorker>));
  exports.Set("measureReach", Napi::Function::New(env, start<ReachWorker>));
  exports.Set("_checkWriters", Napi::Function::New(env, start<CheckWorker>));
}

}  // namespace rosi::bindings
