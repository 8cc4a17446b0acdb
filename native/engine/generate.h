// Next-token logits and greedy answers of many prompts at once.
#pragma once

#include <functional>

#include "engine/context.h"

namespace rosi::engine {

/// Logits [n_rows, n_vocab]: of each prompt's last token, or of the positions given for it, in prompt order.
std::vector<float> next_token_logits(Session& session, const std::vector<Tokens>& prompts,
                                     const std::vector<std::vector<int>>& positions, const RunOptions& options,
                                     const core::Progress& progress);

struct GenerateRequest {
  std::vector<Tokens> prompts;
  int max_tokens = 64;  // new tokens of an answer
  int parallel = 16;    // answers generated at once
  bool first_logits = false;
  RunOptions run;
};

struct GenerateResult {
  std::vector<Tokens> answers;      // one a prompt, without the token that ended it
  std::vector<float> first_logits;  // [n_prompts, n_vocab] of the answers' first tokens; empty unless asked for
};

/// Greedy answers. A finished answer's place is taken by the next prompt at once.
GenerateResult generate(Session& session, const GenerateRequest& request, const core::Progress& progress);

}  // namespace rosi::engine
