// The engine's own conversions of tensor types, for tests and measurements of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rosi::engine {

/// The engine's float32 values of `count` weights of a tensor type.
/// Throws Error{option_invalid} for a type that it can't convert.
std::vector<float> engine_dequantize(int type, const void* bytes, std::int64_t count);

/// Writes a model in another quantisation, as llama-quantize --pure does; `file_type` is a llama_ftype. Tensors that
/// are quantised already are requantised. Throws Error{engine_failed} with the engine's words.
void engine_quantize(const std::string& source, const std::string& output, int file_type, int threads);

}  // namespace rosi::engine
