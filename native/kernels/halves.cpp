#include "kernels/halves.h"

#include "core/clones.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define ROSI_F16C 1
#endif

namespace rosi::kernels {
namespace internal {

ROSI_WIDE_CLONES void load_halves_portable(const WeightF16* halves, float* out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = halves[j].load();
}

ROSI_WIDE_CLONES void add_to_halves_portable(const WeightF16* source, WeightF16* target, std::int64_t n, float left,
                                             const float* right, float* before, float* after) {
  for (std::int64_t j = 0; j < n; ++j) {
    const auto bits = load_bits<std::uint16_t>(source[j].bytes);
    const std::uint16_t sum = sum_bits<WeightF16>(bits, left, right[j]);
    store_bits(target[j].bytes, sum);
    before[j] = WeightF16::decode(bits);
    after[j] = WeightF16::decode(sum);
  }
}

}  // namespace internal

#if defined(ROSI_F16C)
namespace {

constexpr std::int64_t kLanes = 8;

bool has_f16c() {
  // Not every compiler knows __builtin_cpu_supports("f16c"). That of AVX2 asks the system, too.
  static const bool available = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
  }();
  return available;
}

__attribute__((target("avx2,f16c"))) void load_eights(const WeightF16* halves, float* out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + j));
    _mm256_storeu_ps(out + j, _mm256_cvtph_ps(bits));
  }
}

/// sum_bits(), step by step.
__attribute__((target("avx2,f16c"))) void add_eights(const WeightF16* source, WeightF16* target, std::int64_t n,
                                                     float left, const float* right, float* before, float* after) {
  const __m256 lefts = _mm256_set1_ps(left);
  const __m256 largest = _mm256_set1_ps(WeightF16::kLargest);
  const __m256 smallest = _mm256_set1_ps(-WeightF16::kLargest);
  for (std::int64_t j = 0; j < n; j += kLanes) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + j));
    const __m256 request = _mm256_mul_ps(lefts, _mm256_loadu_ps(right + j));
    const __m256 weights = _mm256_cvtph_ps(bits);
    _mm256_storeu_ps(before + j, weights);
    __m256 sum = _mm256_add_ps(weights, request);
    // Of min and max the second operand stays where one is no number, as in smaller() and larger().
    sum = _mm256_max_ps(smallest, _mm256_min_ps(largest, sum));
    const __m128i moved = _mm256_cvtps_ph(sum, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    // All NaNs become one, of either sign.
    const __m128i magnitude = _mm_and_si128(moved, _mm_set1_epi16(0x7fff));
    const __m128i is_nan = _mm_cmpgt_epi16(magnitude, _mm_set1_epi16(0x7c00));
    const __m128i nan = _mm_or_si128(_mm_andnot_si128(_mm_set1_epi16(0x7fff), moved), _mm_set1_epi16(0x7e00));
    const __m128i rounded = _mm_blendv_epi8(moved, nan, is_nan);
    const __m256i zeros = _mm256_castps_si256(_mm256_cmp_ps(request, _mm256_setzero_ps(), _CMP_EQ_OQ));
    const __m128i is_zero = _mm_packs_epi32(_mm256_castsi256_si128(zeros), _mm256_extracti128_si256(zeros, 1));
    const __m128i result = _mm_blendv_epi8(rounded, bits, is_zero);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target + j), result);
    _mm256_storeu_ps(after + j, _mm256_cvtph_ps(result));
  }
}

}  // namespace
#endif

void load_halves(const WeightF16* halves, float* out, std::int64_t n) {
  std::int64_t done = 0;
#if defined(ROSI_F16C)
  if (has_f16c()) load_eights(halves, out, done = n / kLanes * kLanes);
#endif
  internal::load_halves_portable(halves + done, out + done, n - done);
}

void add_to_halves(const WeightF16* source, WeightF16* target, std::int64_t n, float left, const float* right,
                   float* before, float* after) {
  std::int64_t done = 0;
#if defined(ROSI_F16C)
  if (has_f16c()) add_eights(source, target, done = n / kLanes * kLanes, left, right, before, after);
#endif
  internal::add_to_halves_portable(source + done, target + done, n - done, left, right + done, before + done,
                                   after + done);
}

}  // namespace rosi::kernels
