// The engine's functions: sessions, tokens, run-time adapters, capture, logits, generation, scores.
#include <optional>

#include "bindings/args.h"
#include "bindings/engine_handles.h"
#include "bindings/engine_worker.h"
#include "core/file_io.h"
#include "core/softmax.h"
#include "engine/backends.h"
#include "engine/capture.h"
#include "engine/drift.h"
#include "engine/generate.h"
#include "engine/quantize.h"
#include "engine/score.h"
#include "gguf/file.h"
#include "gguf/hyperparameters.h"
#include "gguf/model.h"
#include "reading_copy.h"

namespace rosi::bindings {
namespace {

engine::RunOptions to_run_options(const Napi::Object& request) {
  engine::RunOptions options;
  if (const Napi::Value adapter = request.Get("adapter"); adapter.IsExternal()) options.adapter = to_adapter(adapter);
  if (const Napi::Value scale = request.Get("scale"); scale.IsNumber())
    options.scale = scale.As<Napi::Number>().FloatValue();
  options.threads = to_int(request.Get("threads"), 0);
  return options;
}

/// { threads, servers?, gpuLibraries?, gpuLayers? }
engine::Placement to_placement(const Napi::Object& how) {
  engine::Placement placement;
  if (how.Get("servers").IsArray()) placement.servers = to_strings(how.Get("servers"));
  if (how.Get("gpuLibraries").IsArray()) placement.gpu_libraries = to_strings(how.Get("gpuLibraries"));
  placement.layers = to_int(how.Get("gpuLayers"), 0);
  return placement;
}

/// { folder, maxBytes, always }; undefined: no copy.
struct ReadingCopy {
  ReadingCopyLimits limits;
  bool always;  // also where the engine is no faster by it
};

std::optional<ReadingCopy> to_reading_copy(const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto js = value.As<Napi::Object>();
  const auto max_bytes = static_cast<std::uint64_t>(js.Get("maxBytes").As<Napi::Number>().DoubleValue());
  return ReadingCopy{{core::from_utf8(js.Get("folder").As<Napi::String>()), max_bytes}, js.Get("always").ToBoolean()};
}

class OpenWorker final : public EngineWorker {
 public:
  OpenWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), path_(info[0].As<Napi::String>()) {
    const auto how = info[1].As<Napi::Object>();
    threads_ = to_int(how.Get("threads"), 1);
    placement_ = to_placement(how);
    copy_ = to_reading_copy(how.Get("readingCopy"));
  }

 private:
  void compute() override {
    const core::Progress progress = polled_progress();
    auto [source, copy] = prepare(core::slice(progress, 0, 0.5));
    if (copy) source.copy = core::to_utf8(copy->path());
    session_ =
        engine::Session::open(std::move(source), threads_, placement_, copy ? core::slice(progress, 0.5, 1) : progress);
  }

  /// What is open of the model's files is closed before the engine opens them.
  std::pair<engine::ModelSource, std::optional<gguf::Draft>> prepare(const core::Progress& progress) const {
    // ggml aborts the process on what it finds too late: check first.
    const gguf::Model model = gguf::Model::open(core::from_utf8(path_));
    gguf::check_hyperparameters(model.first());
    engine::ModelSource source{path_, {}, {}};
    for (const gguf::File& file : model.parts()) {
      for (const gguf::Tensor& tensor : file.tensors())
        source.tensors[tensor.name] = {{tensor.shape[0], tensor.shape[1], tensor.shape[2]}, tensor.type};
    }
    const bool helps = copy_ && placement_.is_here() && (copy_->always || engine::has_amx());
    return {std::move(source),
            helps ? make_reading_copy(model, copy_->limits, threads_, progress) : std::optional<gguf::Draft>()};
  }

  Napi::Value result() override { return wrap(Env(), session_); }
  const std::string path_;
  int threads_ = 1;
  engine::Placement placement_;
  std::optional<ReadingCopy> copy_;
  std::shared_ptr<engine::Session> session_;
};

class CaptureWorker final : public EngineWorker {
 public:
  CaptureWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), session_(use(info[0])) {
    const auto request = info[1].As<Napi::Object>();
    request_.prompts = to_prompts(request.Get("prompts"));
    request_.streams = to_strings(request.Get("streams"));
    const auto writers = request.Get("writers").As<Napi::Array>();
    for (std::uint32_t i = 0; i < writers.Length(); ++i) {
      const auto writer = Napi::Value(writers[i]).As<Napi::Object>();
      request_.writers.push_back({writer.Get("name").As<Napi::String>(), to_int(writer.Get("uses"), 1)});
    }
    request_.last = request.Get("last").IsUndefined() || request.Get("last").ToBoolean();
    request_.positions = to_positions(request.Get("positions"));
    request_.logits = request.Get("logits").ToBoolean();
    request_.run = to_run_options(request);
  }

 private:
  void compute() override { result_ = engine::capture(*session_, request_, polled_progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("dModel", result_.d_model);
    js.Set("nRows", static_cast<double>(result_.n_rows));
    js.Set("streams", hand_over(Env(), std::move(result_.streams)));
    js.Set("logits", request_.logits ? hand_over(Env(), std::move(result_.logits)) : Env().Null());
    Napi::Array inputs = Napi::Array::New(Env(), result_.inputs.size());
    for (std::uint32_t i = 0; i < result_.inputs.size(); ++i) {
      Napi::Object item = Napi::Object::New(Env());
      item.Set("writer", result_.inputs[i].writer);
      item.Set("dIn", static_cast<double>(result_.inputs[i].d_in));
      item.Set("nUsed", static_cast<double>(result_.inputs[i].n_used));
      const std::vector<std::int32_t>& experts = result_.inputs[i].experts;
      item.Set("experts", experts.empty() ? Env().Null() : Napi::Value(to_js(Env(), experts)));
      item.Set("rows", hand_over(Env(), std::move(result_.inputs[i].rows)));
      inputs[i] = item;
    }
    js.Set("inputs", inputs);
    return js;
  }
  std::shared_ptr<engine::Session> session_;
  engine::CaptureRequest request_;
  engine::CaptureResult result_;
};

class LogitsWorker final : public EngineWorker {
 public:
  LogitsWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), session_(use(info[0])) {
    const auto request = info[1].As<Napi::Object>();
    prompts_ = to_prompts(request.Get("prompts"));
    options_ = to_run_options(request);
  }

 private:
  void compute() override { logits_ = engine::next_token_logits(*session_, prompts_, options_, polled_progress()); }
  Napi::Value result() override { return hand_over(Env(), std::move(logits_)); }
  std::shared_ptr<engine::Session> session_;
  std::vector<engine::Tokens> prompts_;
  engine::RunOptions options_;
  std::vector<float> logits_;
};

class GenerateWorker final : public EngineWorker {
 public:
  GenerateWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), session_(use(info[0])) {
    const auto request = info[1].As<Napi::Object>();
    request_.prompts = to_prompts(request.Get("prompts"));
    request_.max_tokens = to_int(request.Get("maxTokens"), request_.max_tokens);
    request_.parallel = to_int(request.Get("parallel"), request_.parallel);
    request_.cells = to_int(request.Get("cells"), request_.cells);
    request_.first_logits = request.Get("firstLogits").ToBoolean();
    request_.log_likelihoods = request.Get("logLikelihoods").ToBoolean();
    request_.run = to_run_options(request);
  }

 private:
  void compute() override { result_ = engine::generate(*session_, request_, polled_progress()); }
  Napi::Value result() override {
    Napi::Array answers = Napi::Array::New(Env(), result_.answers.size());
    for (std::uint32_t i = 0; i < result_.answers.size(); ++i) answers[i] = to_js(Env(), result_.answers[i]);
    Napi::Object js = Napi::Object::New(Env());
    js.Set("answers", answers);
    js.Set("firstLogits", request_.first_logits ? hand_over(Env(), std::move(result_.first_logits)) : Env().Null());
    js.Set("logLikelihoods",
           request_.log_likelihoods ? Napi::Value(to_js(Env(), result_.log_likelihoods)) : Env().Null());
    return js;
  }
  std::shared_ptr<engine::Session> session_;
  engine::GenerateRequest request_;
  engine::GenerateResult result_;
};

class ScoreWorker final : public EngineWorker {
 public:
  ScoreWorker(const Napi::CallbackInfo& info) : EngineWorker(info.Env(), info[2]), session_(use(info[0])) {
    const auto request = info[1].As<Napi::Object>();
    std::vector<engine::Tokens> prefixes = to_prompts(request.Get("prefixes"));
    const auto options = request.Get("options").As<Napi::Array>();
    for (std::uint32_t i = 0; i < prefixes.size(); ++i)
      groups_.push_back({std::move(prefixes[i]), to_prompts(options.Get(i))});
    run_ = to_run_options(request);
  }

 private:
  void compute() override { scores_ = engine::score(*session_, groups_, run_, polled_progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("logLikelihoods", to_js(Env(), scores_.log_likelihoods));
    js.Set("greedy", to_js(Env(), scores_.greedy));
    return js;
  }
  std::shared_ptr<engine::Session> session_;
  std::vector<engine::ScoreGroup> groups_;
  engine::RunOptions run_;
  engine::Scores scores_;
};

class DriftWorker final : public EngineWorker {
 public:
  DriftWorker(const Napi::CallbackInfo& info)
      : EngineWorker(info.Env(), info[3]), base_(use(info[0])), other_(use(info[1])) {
    const auto request = info[2].As<Napi::Object>();
    std::vector<engine::Tokens> texts = to_prompts(request.Get("texts"));
    const auto from = request.Get("from").As<Napi::Array>();
    for (std::uint32_t i = 0; i < texts.size(); ++i) texts_.push_back({std::move(texts[i]), to_int(from.Get(i), 0)});
    base_run_ = to_run_options(request.Get("base").As<Napi::Object>());
    other_run_ = to_run_options(request.Get("other").As<Napi::Object>());
  }

 private:
  void compute() override { drift_ = engine::drift(*base_, base_run_, *other_, other_run_, texts_, polled_progress()); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("kl", to_js(Env(), drift_.kl));
    js.Set("sameTop", to_js(Env(), drift_.same_top));
    return js;
  }
  std::shared_ptr<engine::Session> base_, other_;
  std::vector<engine::DriftText> texts_;
  engine::RunOptions base_run_, other_run_;
  engine::Drift drift_;
};

Napi::Value session_info(const Napi::CallbackInfo& info) {
  const engine::ModelInfo& model = to_session(info[0])->info();
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("architecture", model.architecture);
  js.Set("description", model.description);
  js.Set("nLayer", model.n_layer);
  js.Set("dModel", model.d_model);
  js.Set("nVocab", model.n_vocab);
  js.Set("nContext", model.n_context);
  js.Set("nParameters", static_cast<double>(model.n_parameters));
  js.Set("chatTemplate", model.chat_template.empty() ? info.Env().Null()
                                                     : Napi::Value(Napi::String::New(info.Env(), model.chat_template)));
  js.Set("bosText", model.bos_text);
  js.Set("eosText", model.eos_text);
  js.Set("addsBos", model.adds_bos);
  js.Set("answersAtOnce", model.answers_at_once);
  js.Set("readsCopy", model.reads_copy);
  js.Set("controlTokens", to_js(info.Env(), model.control_texts));
  return js;
}

Napi::Value tokenize(const Napi::CallbackInfo& info) {
  const auto list = info[1].As<Napi::Array>();
  std::vector<engine::Segment> segments;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto item = Napi::Value(list[i]).As<Napi::Object>();
    segments.push_back({item.Get("text").As<Napi::String>(), item.Get("parseSpecial").ToBoolean()});
  }
  const bool add_bos = info[2].ToBoolean();
  return to_js(info.Env(), to_session(info[0])->tokenize(segments, add_bos));
}

Napi::Value detokenize(const Napi::CallbackInfo& info) {
  const auto tokens = info[1].As<Napi::Int32Array>();
  return Napi::String::New(info.Env(),
                           to_session(info[0])->detokenize({tokens.Data(), tokens.Data() + tokens.ElementLength()}));
}

Napi::Value load_adapter(const Napi::CallbackInfo& info) {
  const std::shared_ptr<engine::Session> session = to_session(info[0]);
  const std::vector<engine::RankOneFactors> factors = to_factors(info[1]);
  engine::check_factors(*session, factors);
  return wrap(info.Env(), engine::Adapter::load(session, factors));
}

/// loadPushes(session, [{ layer, vector }]) -> adapter
Napi::Value load_pushes(const Napi::CallbackInfo& info) {
  const auto list = info[1].As<Napi::Array>();
  std::vector<engine::StreamPush> pushes;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto item = list.Get(i).As<Napi::Object>();
    pushes.push_back({to_int(item.Get("layer"), -1), to_floats(item.Get("vector"))});
  }
  return wrap(info.Env(), engine::Adapter::push(to_session(info[0]), pushes));
}

/// _loadAdapterFile(session, path) -> adapter
Napi::Value load_adapter_file(const Napi::CallbackInfo& info) {
  const std::string path = info[1].As<Napi::String>();
  return wrap(info.Env(), engine::Adapter::load(to_session(info[0]), path));
}

Napi::Value close(const Napi::CallbackInfo& info) {
  close_handle(info[0]);
  return info.Env().Undefined();
}

/// _engineDequantize(type, bytes, count) -> Float32Array
Napi::Value engine_dequantize(const Napi::CallbackInfo& info) {
  const auto bytes = info[1].As<Napi::Uint8Array>();
  return to_js(info.Env(),
               engine::engine_dequantize(to_int(info[0], -1), bytes.Data(), info[2].As<Napi::Number>().Int64Value()));
}

/// _softmax(logits, others) -> {top, logNorm, divergence}: of the first row, and KL from it to the other
Napi::Value softmax(const Napi::CallbackInfo& info) {
  const auto logits = to_floats(info[0]), others = to_floats(info[1]);
  const int n = static_cast<int>(logits.size());
  const core::RowSummary row = core::summarise(logits.data(), n), other = core::summarise(others.data(), n);
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("top", row.top);
  js.Set("logNorm", row.log_norm);
  js.Set("divergence", core::divergence(logits.data(), row, others.data(), other, n));
  return js;
}

/// _engineQuantize(source, output, fileType, threads)
Napi::Value engine_quantize(const Napi::CallbackInfo& info) {
  engine::engine_quantize(info[0].As<Napi::String>(), info[1].As<Napi::String>(), to_int(info[2], -1),
                          to_int(info[3], 1));
  return info.Env().Undefined();
}

}  // namespace

void register_engine(Napi::Env env, Napi::Object exports) {
  exports.Set("openSession", Napi::Function::New(env, start<OpenWorker>));
  exports.Set("closeHandle", Napi::Function::New(env, close));
  exports.Set("sessionInfo", Napi::Function::New(env, session_info));
  exports.Set("tokenize", Napi::Function::New(env, checked<tokenize>));
  exports.Set("detokenize", Napi::Function::New(env, checked<detokenize>));
  exports.Set("loadAdapter", Napi::Function::New(env, checked<load_adapter>));
  exports.Set("loadPushes", Napi::Function::New(env, checked<load_pushes>));
  exports.Set("capture", Napi::Function::New(env, start<CaptureWorker>));
  exports.Set("nextTokenLogits", Napi::Function::New(env, start<LogitsWorker>));
  exports.Set("_engineDequantize", Napi::Function::New(env, checked<engine_dequantize>));
  exports.Set("_engineQuantize", Napi::Function::New(env, checked<engine_quantize>));
  exports.Set("_softmax", Napi::Function::New(env, checked<softmax>));
  exports.Set("_loadAdapterFile", Napi::Function::New(env, checked<load_adapter_file>));
  exports.Set("generate", Napi::Function::New(env, start<GenerateWorker>));
  exports.Set("score", Napi::Function::New(env, start<ScoreWorker>));
  exports.Set("drift", Napi::Function::New(env, start<DriftWorker>));
}

}  // namespace rosi::bindings
