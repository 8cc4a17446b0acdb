// gatedFactor, and the kernels one by one for tests.
#include "bindings/args.h"
#include "bindings/kernel_values.h"
#include "bindings/promise_worker.h"
#include "kernels/gram.h"
#include "kernels/rank_one.h"

namespace rosi::bindings {
namespace {

class GatedFactorWorker final : public PromiseWorker {
 public:
  explicit GatedFactorWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), std::make_shared<std::atomic<bool>>(false), info[1]) {
    const auto request = info[0].As<Napi::Object>();
    kept_ = to_floats(request.Get("kept"));
    kept_count_ = to_int(request.Get("keptCount"), 0);
    mean_ = to_floats(request.Get("mean"));
    rho_ = request.Get("rho").As<Napi::Number>();
    threads_ = to_int(request.Get("threads"), 1);
    factor_.resize(mean_.size());
  }

 private:
  void run() override { kernels::gated_factor(kept_, kept_count_, mean_, rho_, threads_, factor_); }
  Napi::Value result() override { return to_js(Env(), factor_); }
  std::vector<float> kept_, mean_, factor_;
  std::int64_t kept_count_ = 0;
  double rho_ = 1;
  int threads_ = 1;
};

Napi::Value gated_factor(const Napi::CallbackInfo& info) { return PromiseWorker::start(std::make_unique<GatedFactorWorker>(info)); }

std::span<const std::byte> to_bytes(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const std::byte*>(array.Data()), array.ByteLength()};
}

/// _addRankOne(type, bytes, nIn, nOut, left, right, threads) -> { bytes, realised }
Napi::Value add_rank_one(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto source = to_bytes(info[1]);
  const auto left = to_floats(info[4]), right = to_floats(info[5]);
  auto target = Napi::Uint8Array::New(env, source.size());
  try {
    const kernels::Realised realised =
        kernels::add_rank_one(info[0].As<Napi::Number>(), source, {reinterpret_cast<std::byte*>(target.Data()), source.size()},
                              info[2].As<Napi::Number>().Int64Value(), info[3].As<Napi::Number>().Int64Value(), {left, right},
                              to_int(info[6], 1), {});
    Napi::Object js = Napi::Object::New(env);
    js.Set("bytes", target);
    js.Set("realised", to_js(env, realised));
    return js;
  } catch (const core::Error& error) {
    throw to_js_error(env, error);
  }
}

/// _dequantize(type, bytes, nIn, nOut) -> Float32Array
Napi::Value dequantize(const Napi::CallbackInfo& info) {
  const auto source = to_bytes(info[1]);
  const std::int64_t n_in = info[2].As<Napi::Number>().Int64Value(), n_out = info[3].As<Napi::Number>().Int64Value();
  auto values = Napi::Float32Array::New(info.Env(), static_cast<std::size_t>(n_in * n_out));
  const std::size_t row_bytes = source.size() / static_cast<std::size_t>(n_out);
  for (std::int64_t i = 0; i < n_out; ++i) {
    kernels::dequantize_row(info[0].As<Napi::Number>(), source.data() + static_cast<std::size_t>(i) * row_bytes, values.Data() + i * n_in, n_in);
  }
  return values;
}

}  // namespace

void register_kernels(Napi::Env env, Napi::Object exports) {
  exports.Set("gatedFactor", Napi::Function::New(env, gated_factor));
  exports.Set("_addRankOne", Napi::Function::New(env, add_rank_one));
  exports.Set("_dequantize", Napi::Function::New(env, dequantize));
}

}  // namespace rosi::bindings
