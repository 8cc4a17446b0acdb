// Many numbers in half precision at once, by the processor's own conversions where it has them.
#pragma once

#include <cstdint>

#include "kernels/block_float.h"

namespace rosi::kernels {

/// WeightF16::load() of each.
void load_halves(const WeightF16* halves, float* out, std::int64_t n);

/// sum_bits() of each weight and left * right[j], and the values of what it was and what it is. `target` may be
/// `source`.
void add_to_halves(const WeightF16* source, WeightF16* target, std::int64_t n, float left, const float* right,
                   float* before, float* after);

namespace internal {
/// The same without those instructions; tests compare them.
void load_halves_portable(const WeightF16* halves, float* out, std::int64_t n);
void add_to_halves_portable(const WeightF16* source, WeightF16* target, std::int64_t n, float left, const float* right,
                            float* before, float* after);
}  // namespace internal

}  // namespace rosi::kernels
