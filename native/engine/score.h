// How likely a model finds given continuations of given texts.
#pragma once

#include <cstdint>

#include "engine/context.h"

namespace rosi::engine {

/// Continuations of one text, each on its own.
struct ScoreGroup {
  Tokens prefix;                // at least one token
  std::vector<Tokens> options;  // of at least one token each
};

/// Of every token of the options, in their order, group by group.
struct Scores {
  std::vector<double> log_likelihoods;  // nats, given the prefix and the option's tokens before it
  std::vector<std::uint8_t> greedy;     // 1 where the model holds no other token for more likely
};

/// A prefix is run once and shared by its options, and what many groups in a row begin with is run once for them all.
/// Throws Error{option_invalid} naming the group, also when a prefix and an option are beyond the model's context.
Scores score(Session& session, const std::vector<ScoreGroup>& groups, const RunOptions& options,
             const core::Progress& progress);

}  // namespace rosi::engine
