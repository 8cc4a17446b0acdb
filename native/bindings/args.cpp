#include "bindings/args.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace rosi::bindings {

std::vector<float> to_floats(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw Napi::TypeError::New(value.Env(), "expected a Float32Array");
  }
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<engine::Tokens> to_prompts(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<engine::Tokens> prompts(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list[i];
    if (!item.IsTypedArray() || item.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
      throw Napi::TypeError::New(value.Env(), "expected an Int32Array of tokens");
    }
    const auto tokens = item.As<Napi::Int32Array>();
    prompts[i].assign(tokens.Data(), tokens.Data() + tokens.ElementLength());
  }
  return prompts;
}

std::vector<std::string> to_strings(const Napi::Value& value) {
  std::vector<std::string> strings;
  if (!value.IsArray()) return strings;
  const auto list = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < list.Length(); ++i) strings.push_back(Napi::Value(list[i]).As<Napi::String>());
  return strings;
}

std::vector<std::vector<int>> to_positions(const Napi::Value& value) {
  std::vector<std::vector<int>> positions;
  if (!value.IsArray()) return positions;
  const auto list = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto inner = Napi::Value(list[i]).As<Napi::Array>();
    positions.emplace_back();
    for (std::uint32_t j = 0; j < inner.Length(); ++j)
      positions.back().push_back(Napi::Value(inner[j]).As<Napi::Number>());
  }
  return positions;
}

std::vector<engine::RankOneFactors> to_factors(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<engine::RankOneFactors> factors;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto item = Napi::Value(list[i]).As<Napi::Object>();
    factors.push_back({item.Get("name").As<Napi::String>(), to_floats(item.Get("left")), to_floats(item.Get("right")),
                       std::max(1, to_int(item.Get("nExperts"), 1))});
  }
  return factors;
}

int to_int(const Napi::Value& value, int fallback) {
  return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : fallback;
}

Napi::Float32Array to_js(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Float64Array to_js(Napi::Env env, const std::vector<double>& values) {
  auto array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Uint8Array to_js(Napi::Env env, const std::vector<std::uint8_t>& values) {
  auto array = Napi::Uint8Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Float32Array hand_over(Napi::Env env, std::vector<float>&& values) {
  if (values.empty()) return to_js(env, values);  // Node would hand out a detached buffer
  auto owned = std::make_unique<std::vector<float>>(std::move(values));
  const std::size_t count = owned->size();
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, owned->data(), count * sizeof(float),
      [](napi_env, void*, void* vector) { delete static_cast<std::vector<float>*>(vector); }, owned.get(), &buffer);
  if (status != napi_ok) return to_js(env, *owned);  // Electron takes no memory that V8 did not allocate
  owned.release();
  return Napi::Float32Array::New(env, count, Napi::ArrayBuffer(env, buffer), 0);
}

Napi::Int32Array to_js(Napi::Env env, const engine::Tokens& tokens) {
  auto array = Napi::Int32Array::New(env, tokens.size());
  std::copy(tokens.begin(), tokens.end(), array.Data());
  return array;
}

Napi::Array to_js(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array js = Napi::Array::New(env, texts.size());
  for (std::uint32_t i = 0; i < js.Length(); ++i) js[i] = texts[i];
  return js;
}

}  // namespace rosi::bindings
