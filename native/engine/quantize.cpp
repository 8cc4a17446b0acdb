#include "engine/quantize.h"

#include <cstring>

#include "engine/backends.h"
#include "engine/session.h"
#include "ggml.h"

namespace rosi::engine {

std::vector<float> engine_dequantize(int type, const void* bytes, std::int64_t count) {
  const auto* traits =
      type < 0 || type >= GGML_TYPE_COUNT ? nullptr : ggml_get_type_traits(static_cast<ggml_type>(type));
  std::vector<float> values(static_cast<std::size_t>(count));
  if (type == GGML_TYPE_F32) {
    std::memcpy(values.data(), bytes, values.size() * sizeof(float));
  } else if (traits != nullptr && traits->to_float != nullptr) {
    traits->to_float(bytes, values.data(), count);
  } else {
    throw core::Error(core::ErrorCode::option_invalid, "the engine can't convert type " + std::to_string(type));
  }
  return values;
}

void engine_quantize(const std::string& source, const std::string& output, int file_type, int threads) {
  load_backends();
  take_engine_messages();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.nthread = threads;
  params.ftype = static_cast<llama_ftype>(file_type);
  params.allow_requantize = true;
  params.pure = true;  // one type for all matrices, not a mixture
  if (llama_model_quantize(source.c_str(), output.c_str(), &params) != 0)
    fail("the engine could not quantise " + source);
}

}  // namespace rosi::engine
