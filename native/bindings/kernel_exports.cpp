// gatedFactors, and the kernels one by one for tests.
#include "bindings/args.h"
#include "bindings/kernel_values.h"
#include "bindings/promise_worker.h"
#include "bindings/tensor_args.h"
#include "decoder.h"
#include "kernels/column_mean.h"
#include "kernels/gram.h"
#include "kernels/halves.h"
#include "kernels/promote.h"
#include "kernels/rank_one.h"
#include "kernels/refit.h"
#include "kernels/repack.h"
#include "kernels/sigma_delta_cpu.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"
#include "kernels/widen.h"

namespace rosi::bindings {
namespace {

class GatedFactorsWorker final : public PromiseWorker {
 public:
  explicit GatedFactorsWorker(const Napi::CallbackInfo& info) : PromiseWorker(info.Env(), info[1]) {
    const auto request = info[0].As<Napi::Object>();
    kept_ = to_floats(request.Get("kept"));
    kept_count_ = to_int(request.Get("keptCount"), 0);
    mean_ = to_floats(request.Get("mean"));
    const auto rhos = request.Get("rhos").As<Napi::Array>();
    for (std::uint32_t i = 0; i < rhos.Length(); ++i) rhos_.push_back(Napi::Value(rhos[i]).As<Napi::Number>());
    threads_ = to_int(request.Get("threads"), 1);
    factors_.resize(rhos_.size() * mean_.size());
  }

 private:
  void run() override { kernels::gated_factors(kept_, kept_count_, mean_, rhos_, threads_, factors_); }
  Napi::Value result() override {
    Napi::Array js = Napi::Array::New(Env(), rhos_.size());
    for (std::uint32_t i = 0; i < rhos_.size(); ++i) {
      const auto begin = factors_.begin() + std::ptrdiff_t(i * mean_.size());
      js[i] = to_js(Env(), std::vector<float>(begin, begin + std::ssize(mean_)));
    }
    return js;
  }
  std::vector<float> kept_, mean_, factors_;
  std::vector<double> rhos_;
  std::int64_t kept_count_ = 0;
  int threads_ = 1;
};

/// _addRankOne(type, bytes, nIn, nOut, left, right, threads, target?) -> { bytes, realised }
Napi::Value add_rank_one(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  const auto left = to_floats(info[4]), right = to_floats(info[5]);
  auto target =
      info[7].IsUndefined() ? Napi::Uint8Array::New(info.Env(), tensor.bytes.size()) : info[7].As<Napi::Uint8Array>();
  const kernels::Realised realised = kernels::add_rank_one(tensor.type, tensor.bytes, writable(target), tensor.n_in,
                                                           tensor.n_out, {left, right}, to_int(info[6], 1), {});
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("bytes", target);
  js.Set("realised", to_js(info.Env(), realised));
  return js;
}

/// _dequantize(type, bytes, nIn, nOut) -> Float32Array
Napi::Value dequantize(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  const std::size_t row = kernels::row_bytes(tensor.type, tensor.n_in);
  auto values = Napi::Float32Array::New(info.Env(), static_cast<std::size_t>(tensor.n_in * tensor.n_out));
  for (std::int64_t i = 0; i < tensor.n_out; ++i) {
    kernels::dequantize_row(tensor.type, tensor.bytes.data() + static_cast<std::size_t>(i) * row,
                            values.Data() + i * tensor.n_in, tensor.n_in);
  }
  return values;
}

/// _quantize(type, Float32Array, nIn, nOut) -> Uint8Array
Napi::Value quantize(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  const auto values = to_floats(info[1]);
  const std::size_t row = kernels::row_bytes(tensor.type, tensor.n_in);
  kernels::check_tensor(kernels::kF32, tensor.n_in, tensor.n_out, tensor.bytes.size());
  auto bytes = Napi::Uint8Array::New(info.Env(), row * static_cast<std::size_t>(tensor.n_out));
  for (std::int64_t i = 0; i < tensor.n_out; ++i) {
    kernels::quantize_row(tensor.type, values.data() + i * tensor.n_in,
                          writable(bytes).data() + static_cast<std::size_t>(i) * row, tensor.n_in);
  }
  return bytes;
}

kernels::EncodedRows encoded_rows(const TensorArgs& tensor) {
  return {tensor.bytes, kernels::row_bytes(tensor.type, tensor.n_in), find_decoder(tensor.type)};
}

/// _columnMean(type, bytes, nIn, nOut) -> Float32Array
Napi::Value column_mean(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  std::vector<float> mean(static_cast<std::size_t>(tensor.n_in));
  kernels::column_mean(encoded_rows(tensor), tensor.n_in, mean);
  return to_js(info.Env(), mean);
}

/// _repack(type, bytes, nIn, nOut, byLanes) -> Uint8Array, equal to bytes
Napi::Value repack(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  auto bytes = Napi::Uint8Array::New(info.Env(), tensor.bytes.size());
  std::copy(tensor.bytes.begin(), tensor.bytes.end(), writable(bytes).begin());
  kernels::repack(tensor.type, writable(bytes), info[4].ToBoolean());
  return bytes;
}

/// _flipCodes(type, bytes, nIn, nOut, left, right, threads, meanSquares?, readout?) -> Uint8Array: sweep and closure.
Napi::Value flip_codes(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  const auto update = kernels::UnitUpdate::of(to_floats(info[4]), to_floats(info[5]), floats_if_given(info[7]),
                                              floats_if_given(info[8]));
  if (update.n_in() != tensor.n_in || update.n_out() != tensor.n_out) {
    throw Napi::TypeError::New(info.Env(), "left and right must have nOut and nIn numbers and not be zero");
  }
  auto target = Napi::Uint8Array::New(info.Env(), tensor.bytes.size());
  const core::ThreadPool pool(to_int(info[6], 1));
  std::vector<float> lack(update.t.size());
  kernels::flip_codes(tensor.type, tensor.bytes, writable(target), update, lack, pool, {});
  kernels::close_columns(tensor.type, tensor.bytes, writable(target), update, lack, pool, {});
  return target;
}

/// _widen(type, bytes, nIn, nOut) -> { type, bytes }
Napi::Value widen(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  const std::optional<std::uint32_t> type = kernels::wider_type(tensor.type);
  if (!type) throw Napi::TypeError::New(info.Env(), "the type has no wider one");
  const std::size_t row = kernels::row_bytes(*type, tensor.n_in);
  auto target = Napi::Uint8Array::New(info.Env(), row * static_cast<std::size_t>(tensor.n_out));
  kernels::widen(tensor.type, tensor.bytes, writable(target));
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("type", *type);
  js.Set("bytes", target);
  return js;
}

/// _promote(type, bytes, nIn, nOut, left, right, targetType, threads, readout?) -> Uint8Array
Napi::Value promote(const Napi::CallbackInfo& info) {
  const TensorArgs tensor(info);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  const auto left = to_floats(info[4]), right = to_floats(info[5]), readout = floats_if_given(info[8]);
  const std::uint32_t type = info[6].As<Napi::Number>();
  if (std::int64_t(left.size()) != tensor.n_out || std::int64_t(right.size()) != tensor.n_in ||
      !kernels::is_promotion_target(type)) {
    throw Napi::TypeError::New(info.Env(), "left and right must have nOut and nIn numbers, and the target be one");
  }
  const std::size_t row = kernels::row_bytes(type, tensor.n_in);
  auto target = Napi::Uint8Array::New(info.Env(), row * static_cast<std::size_t>(tensor.n_out));
  const kernels::RankOne update{left, right, {}, readout};
  kernels::promote(encoded_rows(tensor), type, writable(target), tensor.n_in, tensor.n_out, update, to_int(info[7], 1),
                   {});
  return target;
}

/// _halves(bytes, left, right, portable) -> { sums: Uint8Array, values, before, after: Float32Array }: of as many F16
/// weights as `right` has numbers; before and after as the sum was written.
Napi::Value halves(const Napi::CallbackInfo& info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  const float left = info[1].As<Napi::Number>();
  const auto right = to_floats(info[2]);
  const bool portable = info[3].ToBoolean();
  if (bytes.ByteLength() != 2 * right.size()) throw Napi::TypeError::New(info.Env(), "expected 2 bytes a number");
  const auto n = static_cast<std::int64_t>(right.size());
  auto sums = Napi::Uint8Array::New(info.Env(), bytes.ByteLength());
  std::vector<float> values(right.size()), before(right.size()), after(right.size());
  const auto* source = reinterpret_cast<const kernels::WeightF16*>(writable(bytes).data());
  auto* target = reinterpret_cast<kernels::WeightF16*>(writable(sums).data());
  (portable ? kernels::internal::load_halves_portable : kernels::load_halves)(source, values.data(), n);
  (portable ? kernels::internal::add_to_halves_portable : kernels::add_to_halves)(source, target, n, left, right.data(),
                                                                                  before.data(), after.data());
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("sums", sums);
  js.Set("values", to_js(info.Env(), values));
  js.Set("before", to_js(info.Env(), before));
  js.Set("after", to_js(info.Env(), after));
  return js;
}

}  // namespace

void register_kernels(Napi::Env env, Napi::Object exports) {
  exports.Set("gatedFactors", Napi::Function::New(env, start<GatedFactorsWorker>));
  exports.Set("_addRankOne", Napi::Function::New(env, checked<add_rank_one>));
  exports.Set("_dequantize", Napi::Function::New(env, checked<dequantize>));
  exports.Set("_quantize", Napi::Function::New(env, checked<quantize>));
  exports.Set("_columnMean", Napi::Function::New(env, checked<column_mean>));
  exports.Set("_flipCodes", Napi::Function::New(env, checked<flip_codes>));
  exports.Set("_promote", Napi::Function::New(env, checked<promote>));
  exports.Set("_halves", Napi::Function::New(env, checked<halves>));
  exports.Set("_widen", Napi::Function::New(env, checked<widen>));
  exports.Set("_repack", Napi::Function::New(env, checked<repack>));
}

}  // namespace rosi::bindings
