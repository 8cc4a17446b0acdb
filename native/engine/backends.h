// Loads the engine's compute backends once in a process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rosi::engine {

/// Loads the CPU variants that lie beside this library and picks the fastest this machine can run. Any number of
/// calls, from any thread. Throws Error{engine_failed} naming the folder when none could be loaded.
void load_backends();

/// What the engine last complained about on this process, for error messages; cleared by the call.
std::string take_engine_messages();

/// The engine's own float32 values of `count` weights of a tensor type; for tests of our kernels.
/// Throws Error{option_invalid} for a type that it can't convert.
std::vector<float> engine_dequantize(int type, const void* bytes, std::int64_t count);

/// llama.cpp's version, e.g. "v0.5.0".
std::string engine_version();

}  // namespace rosi::engine
