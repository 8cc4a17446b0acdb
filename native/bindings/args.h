// JavaScript values to C++ values, on the JavaScript thread. lib/ has checked them; here only what memory safety needs.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/adapter.h"

namespace rosi::bindings {

std::vector<float> to_floats(const Napi::Value& value);                    // Float32Array
std::vector<engine::Tokens> to_prompts(const Napi::Value& value);          // Int32Array[]
std::vector<std::string> to_strings(const Napi::Value& value);             // string[]
std::vector<std::vector<int>> to_positions(const Napi::Value& value);      // number[][]; undefined: empty
std::vector<engine::RankOneFactors> to_factors(const Napi::Value& value);  // {name, left, right, nExperts?}[]
int to_int(const Napi::Value& value, int fallback);
Napi::Float32Array to_js(Napi::Env env, const std::vector<float>& values);
Napi::Float64Array to_js(Napi::Env env, const std::vector<double>& values);
Napi::Uint8Array to_js(Napi::Env env, const std::vector<std::uint8_t>& values);
/// The values themselves, without a copy: a capture of a large model is a gigabyte or two.
Napi::Float32Array hand_over(Napi::Env env, std::vector<float>&& values);
Napi::Int32Array to_js(Napi::Env env, const engine::Tokens& tokens);
Napi::Array to_js(Napi::Env env, const std::vector<std::string>& texts);

}  // namespace rosi::bindings
