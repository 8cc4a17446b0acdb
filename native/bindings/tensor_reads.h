#pragma once

#include <napi.h>

namespace rosi::bindings {

/// meanRows(path, names, onProgress?) → { done: Promise<Float32Array[]>, cancel(): void }, in the order of `names`.
/// rowMeans(path, names, onProgress?) → the same, a mean for each row of a matrix
/// readVectors(path, names) → { done: Promise<Float32Array[]>, cancel(): void }
Napi::Value read_vectors(const Napi::CallbackInfo& info);
Napi::Value mean_rows(const Napi::CallbackInfo& info);
Napi::Value row_means(const Napi::CallbackInfo& info);

}  // namespace rosi::bindings
