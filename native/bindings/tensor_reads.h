#pragma once

#include <napi.h>

namespace rosi::bindings {

/// meanRows(path, names, onProgress?) → { done: Promise<Float32Array[]>, cancel(): void }, in the order of `names`.
/// readVectors(path, names) → { done: Promise<Float32Array[]>, cancel(): void }
Napi::Value read_vectors(const Napi::CallbackInfo& info);
Napi::Value mean_rows(const Napi::CallbackInfo& info);

}  // namespace rosi::bindings
