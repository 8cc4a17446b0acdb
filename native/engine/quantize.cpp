#include "engine/quantize.h"

#include "engine/backends.h"
#include "engine/dequantize.h"
#include "engine/session.h"

namespace rosi::engine {

std::vector<float> engine_dequantize(int type, const void* bytes, std::int64_t count) {
  const Dequantize dequantize = type < 0 ? nullptr : find_dequantizer(static_cast<std::uint32_t>(type));
  if (dequantize == nullptr) {
    throw core::Error(core::ErrorCode::option_invalid, "the engine can't convert type " + std::to_string(type));
  }
  std::vector<float> values(static_cast<std::size_t>(count));
  dequantize(bytes, values.data(), count);
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
