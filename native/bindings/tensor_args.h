// Tensors as the kernels' functions are given them.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bindings/args.h"

namespace rosi::bindings {

/// Four arguments, `type, bytes, nIn, nOut`, from `first` on. Whether they fit each other is not checked.
struct TensorArgs {
  std::uint32_t type;
  std::span<const std::byte> bytes;
  std::int64_t n_in;
  std::int64_t n_out;

  explicit TensorArgs(const Napi::CallbackInfo& info, std::size_t first = 0)
      : type(info[first].As<Napi::Number>()),
        n_in(info[first + 2].As<Napi::Number>().Int64Value()),
        n_out(info[first + 3].As<Napi::Number>().Int64Value()) {
    const Napi::Value value = info[first + 1];
    if (!value.IsTypedArray()) throw Napi::TypeError::New(info.Env(), "expected a Uint8Array");
    const auto array = value.As<Napi::TypedArray>();
    const auto* data = static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    bytes = {data, array.ByteLength()};
  }
};

inline std::span<std::byte> writable(Napi::Uint8Array& array) {
  return {reinterpret_cast<std::byte*>(array.Data()), array.ByteLength()};
}

inline std::vector<float> floats_if_given(const Napi::Value& value) {
  return value.IsUndefined() ? std::vector<float>() : to_floats(value);
}

}  // namespace rosi::bindings
