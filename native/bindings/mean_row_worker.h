#pragma once

#include <napi.h>

namespace rosi::bindings {

/// meanRows(path, names, onProgress?) → { done: Promise<Float32Array[]>, cancel(): void }, in the order of `names`.
Napi::Value mean_rows(const Napi::CallbackInfo& info);

}  // namespace rosi::bindings
