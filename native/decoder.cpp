#include "decoder.h"

#include "engine/dequantize.h"
#include "kernels/rank_one.h"

namespace rosi {

Decode find_decoder(std::uint32_t type) {
  if (kernels::supports_rank_one(type))
    return
        [type](const std::byte* row, float* values, std::int64_t n) { kernels::dequantize_row(type, row, values, n); };
  if (const engine::Dequantize dequantize = engine::find_dequantizer(type))
    return [dequantize](const std::byte* row, float* values, std::int64_t n) { dequantize(row, values, n); };
  return {};
}

}  // namespace rosi
