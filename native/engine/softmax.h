// What a row of logits says. All sums are float64.
#pragma once

#include "llama.h"

namespace rosi::engine {

struct RowSummary {
  double log_norm;  // log of the sum of e^logit: a token's log-probability is its logit less this
  llama_token top;  // the most likely token, of several the first
};

RowSummary summarise(const float* logits, int n_vocab);

/// KL(base || other) in nats, of two rows and their log_norm; not below 0.
double divergence(const float* base, double base_norm, const float* other, double other_norm, int n_vocab);

}  // namespace rosi::engine
