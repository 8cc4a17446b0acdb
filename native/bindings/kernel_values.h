// What the kernels measured, as JavaScript sees it.
#pragma once

#include <napi.h>

#include "kernels/rank_one.h"

namespace rosi::bindings {

/// RealisedUpdate of lib/native.ts.
inline Napi::Object to_js(Napi::Env env, const kernels::Realised& realised) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("mode", realised.mode);
  js.Set("relativeChange", realised.relative_change);
  js.Set("gain", realised.gain);
  js.Set("worstGain", realised.worst_gain);
  js.Set("offDirection", realised.off_direction);
  js.Set("columnError", realised.column_error);
  js.Set("worstGroup", realised.worst_group);
  js.Set("collateral", realised.collateral);
  js.Set("stepRatio", realised.step_ratio);
  js.Set("flipped", realised.flipped);
  js.Set("saturated", realised.saturated);
  js.Set("noiseToSignal", realised.noise_to_signal ? Napi::Number::New(env, *realised.noise_to_signal) : env.Null());
  return js;
}

}  // namespace rosi::bindings
