// What a row of logits says. Exponentials are float32, right to 2^-22 and the same on every instruction set; sums are
// float64.
#pragma once

namespace rosi::core {

/// The highest logit's token, of several the first.
int most_likely(const float* logits, int n_vocab);

struct RowSummary {
  double log_norm;  // log of the sum of e^logit: a token's log-probability is its logit less this
  int top;          // as of most_likely
};

RowSummary summarise(const float* logits, int n_vocab);

/// KL(base || other) in nats, of two rows and what is said of them; not below 0.
double divergence(const float* base, const RowSummary& of_base, const float* other, const RowSummary& of_other,
                  int n_vocab);

}  // namespace rosi::core
