#include "engine/dequantize.h"

#include <cstring>

#include "ggml.h"

namespace rosi::engine {
namespace {

void copy_floats(const void* bytes, float* values, std::int64_t n) {
  std::memcpy(values, bytes, static_cast<std::size_t>(n) * sizeof(float));
}

}  // namespace

Dequantize find_dequantizer(std::uint32_t type) noexcept {
  if (type == GGML_TYPE_F32) return copy_floats;
  return type < GGML_TYPE_COUNT ? ggml_get_type_traits(static_cast<ggml_type>(type))->to_float : nullptr;
}

}  // namespace rosi::engine
