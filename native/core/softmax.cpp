#include "core/softmax.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/clones.h"
#include "core/host_device.h"

namespace rosi::core {
namespace {

constexpr int kLanes = 16;
constexpr float kLowest = -87.0f;  // e^x of less is subnormal or nothing

/// e^x for x from kLowest to 0; NaN of NaN. 2^n times a polynomial on the rest, both of which vectorise.
ROSI_INLINE float exp_of(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which its low bits then hold
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const float shifted = x * kLog2E + kMagic;
  const float n = shifted - kMagic;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  // The least largest error of a polynomial of this degree over |r| <= ln(2) / 2 (Cephes).
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const auto exponent = (std::bit_cast<std::uint32_t>(shifted) + 127u) << 23;
  return (p * (r * r) + r + 1.0f) * std::bit_cast<float>(exponent);
}

ROSI_INLINE void add_exps(const float* logits, float highest, int n, double* sums) {
  for (int k = 0; k < n; ++k) {
    const float x = logits[k] - highest;
    sums[k] += double{exp_of(x < kLowest ? kLowest : x)};
  }
}

/// Sum of e^(logit - highest), at least 1.
ROSI_WIDE_CLONES double sum_exps(const float* logits, float highest, int n_vocab) {
  double sums[kLanes] = {};
  int begin = 0;
  for (; begin + kLanes <= n_vocab; begin += kLanes) add_exps(logits + begin, highest, kLanes, sums);
  add_exps(logits + begin, highest, n_vocab - begin, sums);
  return std::accumulate(sums, sums + kLanes, 0.0);
}

ROSI_WIDE_CLONES float highest_of(const float* logits, int n) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  int begin = 0;
  for (; begin + kLanes <= n; begin += kLanes) {
    for (int k = 0; k < kLanes; ++k) lanes[k] = lanes[k] < logits[begin + k] ? logits[begin + k] : lanes[k];
  }
  for (; begin < n; ++begin) lanes[0] = std::max(lanes[0], logits[begin]);
  return *std::max_element(lanes, lanes + kLanes);
}

ROSI_INLINE void add_terms(const float* base, float highest, const float* other, int n, double difference,
                           double* sums) {
  for (int k = 0; k < n; ++k) {
    const float x = base[k] - highest;
    const double term = double{exp_of(x < kLowest ? kLowest : x)} * ((double{base[k]} - double{other[k]}) - difference);
    sums[k] += x < kLowest ? 0.0 : term;  // a logit of -infinity: 0 * -infinity is no number
  }
}

/// Sum of e^(base - highest) (base - other - difference).
ROSI_WIDE_CLONES double sum_terms(const float* base, float highest, const float* other, int n_vocab,
                                  double difference) {
  double sums[kLanes] = {};
  int begin = 0;
  for (; begin + kLanes <= n_vocab; begin += kLanes) {
    add_terms(base + begin, highest, other + begin, kLanes, difference, sums);
  }
  add_terms(base + begin, highest, other + begin, n_vocab - begin, difference, sums);
  return std::accumulate(sums, sums + kLanes, 0.0);
}

}  // namespace

int most_likely(const float* logits, int n_vocab) {
  constexpr int kStretch = 1024;  // few enough that the one with the highest is looked through once more at no cost
  int first = 0;
  float highest = highest_of(logits, std::min(kStretch, n_vocab));
  for (int begin = kStretch; begin < n_vocab; begin += kStretch) {
    const float here = highest_of(logits + begin, std::min(kStretch, n_vocab - begin));
    if (!(here > highest)) continue;
    highest = here;
    first = begin;
  }
  const float* end = logits + std::min(first + kStretch, n_vocab);
  const float* top = std::find(logits + first, end, highest);
  return static_cast<int>((top == end ? logits + first : top) - logits);  // NaN is equal to nothing
}

RowSummary summarise(const float* logits, int n_vocab) {
  const int top = most_likely(logits, n_vocab);
  const float highest = logits[top];
  return {double{highest} + std::log(sum_exps(logits, highest, n_vocab)), top};
}

double divergence(const float* base, const RowSummary& of_base, const float* other, const RowSummary& of_other,
                  int n_vocab) {
  const float highest = base[of_base.top];
  const double sum = sum_terms(base, highest, other, n_vocab, of_base.log_norm - of_other.log_norm);
  return sum < 0 ? 0.0 : sum * std::exp(double{highest} - of_base.log_norm);  // NaN stays NaN
}

}  // namespace rosi::core
