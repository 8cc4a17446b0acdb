// SHA-256 with the SHA extensions of x86-64; chosen at run time.
#include "core/sha256.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

namespace rosi::core::internal {

extern const std::uint32_t sha256_constants[64];

namespace {

// gcc 12 knows no __builtin_cpu_supports("sha").
bool detect() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/// Several independent messages at once: the instructions of one leave most of the processor idle while they wait for
/// each other.
template <int kMessages>
__attribute__((target("sha,sse4.1,ssse3"), always_inline)) inline void compress(
    std::uint32_t* const (&states)[kMessages], const std::byte* (&data)[kMessages], std::size_t n_blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  // The instructions want the state as (a, b, e, f) and (c, d, g, h), highest lane first.
  __m128i abef[kMessages], cdgh[kMessages];
  for (int m = 0; m < kMessages; ++m) {
    const auto* state = reinterpret_cast<const __m128i*>(states[m]);
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128(state), 0xB1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128(state + 1), 0x1B);
    abef[m] = _mm_alignr_epi8(low, high, 8);
    cdgh[m] = _mm_blend_epi16(high, low, 0xF0);
  }
  for (; n_blocks > 0; --n_blocks) {
    __m128i abef_before[kMessages], cdgh_before[kMessages];
    __m128i w[kMessages][4];  // a ring of the last sixteen schedule words
    for (int m = 0; m < kMessages; ++m) {
      abef_before[m] = abef[m];
      cdgh_before[m] = cdgh[m];
      for (int i = 0; i < 4; ++i) {
        w[m][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data[m] + 16 * i)), big_endian);
      }
      data[m] += 64;
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {  // four rounds each
#pragma GCC unroll 2
      for (int m = 0; m < kMessages; ++m) {
        __m128i(&words)[4] = w[m];
        if (i >= 4) {
          // w[t] = sigma1(w[t-2]) + w[t-7] + sigma0(w[t-15]) + w[t-16], four at a time
          const __m128i seven_before = _mm_alignr_epi8(words[(i + 3) % 4], words[(i + 2) % 4], 4);
          const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(words[i % 4], words[(i + 1) % 4]), seven_before);
          words[i % 4] = _mm_sha256msg2_epu32(sum, words[(i + 3) % 4]);
        }
        __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(sha256_constants + 4 * i));
        k = _mm_add_epi32(k, words[i % 4]);
        cdgh[m] = _mm_sha256rnds2_epu32(cdgh[m], abef[m], k);
        abef[m] = _mm_sha256rnds2_epu32(abef[m], cdgh[m], _mm_shuffle_epi32(k, 0x0E));
      }
    }
    for (int m = 0; m < kMessages; ++m) {
      abef[m] = _mm_add_epi32(abef[m], abef_before[m]);
      cdgh[m] = _mm_add_epi32(cdgh[m], cdgh_before[m]);
    }
  }
  for (int m = 0; m < kMessages; ++m) {
    auto* state = reinterpret_cast<__m128i*>(states[m]);
    const __m128i low = _mm_shuffle_epi32(abef[m], 0x1B);
    const __m128i high = _mm_shuffle_epi32(cdgh[m], 0xB1);
    _mm_storeu_si128(state, _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128(state + 1, _mm_alignr_epi8(high, low, 8));
  }
}

__attribute__((target("sha,sse4.1,ssse3"))) void one(std::uint32_t* state, const std::byte* data,
                                                     std::size_t n_blocks) {
  std::uint32_t* const states[1] = {state};
  const std::byte* messages[1] = {data};
  compress<1>(states, messages, n_blocks);
}

__attribute__((target("sha,sse4.1,ssse3"))) void two(const Messages& messages, std::size_t n_blocks) {
  const std::byte* data[2] = {messages.data[0], messages.data[1]};
  compress<2>(messages.states, data, n_blocks);
}

bool is_available() {
  static const bool available = detect();
  return available;
}

}  // namespace

bool sha256_blocks_accelerated(std::uint32_t* state, const std::byte* data, std::size_t n_blocks) {
  if (is_available()) one(state, data, n_blocks);
  return is_available();
}

bool sha256_blocks_accelerated(const Messages& messages, std::size_t n_blocks) {
  if (is_available()) two(messages, n_blocks);
  return is_available();
}

}  // namespace rosi::core::internal

#else

namespace rosi::core::internal {
bool sha256_blocks_accelerated(std::uint32_t*, const std::byte*, std::size_t) { return false; }
bool sha256_blocks_accelerated(const Messages&, std::size_t) { return false; }
}  // namespace rosi::core::internal

#endif
