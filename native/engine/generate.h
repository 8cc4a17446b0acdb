// Next-token logits and greedy answers of many prompts at once.
#pragma once

#include <functional>

#include "engine/context.h"

namespace rosi::engine {

/// Logits [n_prompts, n_vocab] of the token that follows each prompt.
std::vector<float> next_token_logits(Session& session, const std::vector<Tokens>& prompts, const RunOptions& options,
                                     const core::Progress& progress);

/// How many answers the engine generates fastest: its products by AMX take 16 rows at a time. Batches of 48 answers are
/// kept together (lib/evaluation), which are then one.
int answers_at_once();

struct GenerateRequest {
  std::vector<Tokens> prompts;
  int max_tokens = 64;               // new tokens of an answer
  int parallel = answers_at_once();  // most answers generated at once
  // Most tokens held for them: fewer answers run at once where prompts are long. At least the longest prompt's need.
  // Default: 2 GiB of keys and values in an 8B model.
  int cells = 16384;
  bool first_logits = false;
  bool log_likelihoods = false;
  RunOptions run;
};

struct GenerateResult {
  std::vector<Tokens> answers;          // one a prompt, without the token that ended it
  std::vector<float> first_logits;      // [n_prompts, n_vocab] of the answers' first tokens; empty unless asked for
  std::vector<double> log_likelihoods;  // of each answer's tokens after its prompt, summed; empty unless asked for
};

/// Greedy answers. A finished answer's place is taken by the next prompt at once.
GenerateResult generate(Session& session, const GenerateRequest& request, const core::Progress& progress);

}  // namespace rosi::engine
