// How far one run of a model is from another on the same texts, token by token.
#pragma once

#include <cstdint>

#include "engine/context.h"

namespace rosi::engine {

/// A text, of which the tokens `from` on are compared; 1 at least, since something must come before them.
struct DriftText {
  Tokens tokens;
  int from;
};

/// Of every compared token of the texts, in their order.
struct Drift {
  std::vector<double> kl;              // KL(base || other) in nats, given the tokens before
  std::vector<std::uint8_t> same_top;  // 1 where both hold the same token for the most likely
};

/// Both run the same batches in lockstep, so that no more than two batches' logits are held. The sessions may be one
/// and the same. Throws Error{option_invalid} naming the text, also when the vocabularies differ in size.
Drift drift(Session& base, const RunOptions& base_options, Session& other, const RunOptions& other_options,
            const std::vector<DriftText>& texts, const core::Progress& progress);

}  // namespace rosi::engine
