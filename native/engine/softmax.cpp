#include "engine/softmax.h"

#include <algorithm>
#include <cmath>

namespace rosi::engine {

RowSummary summarise(const float* logits, int n_vocab) {
  const float* top = std::max_element(logits, logits + n_vocab);
  const double highest = *top;
  double sum = 0;
  for (int i = 0; i < n_vocab; ++i) sum += std::exp(logits[i] - highest);
  return {highest + std::log(sum), static_cast<llama_token>(top - logits)};
}

double divergence(const float* base, double base_norm, const float* other, double other_norm, int n_vocab) {
  double sum = 0;
  for (int i = 0; i < n_vocab; ++i) {
    const double log_p = base[i] - base_norm;
    const double p = std::exp(log_p);
    if (p > 0) sum += p * (log_p - (other[i] - other_norm));  // a logit of -infinity: 0 * -infinity is no number
  }
  return std::max(0.0, sum);
}

}  // namespace rosi::engine
