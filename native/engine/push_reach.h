// How far a writer's push comes at the stream, on real prompts: through gates, routers and norms that no constant
// tells.
#pragma once

#include "core/progress.h"
#include "engine/adapter.h"

namespace rosi::engine {

struct ReachRequest {
  std::vector<Tokens> prompts;
  std::vector<float> direction;  // [d_model], a unit vector
  int threads = 1;
  std::vector<RankOneFactors> writers;  // small or large: the reach is that of a small push
};

/// For each writer the mean over the prompts' last tokens of (change of the stream along `direction`) at its join, of
/// parallel streams the mean, for W += left * rightᵀ; NaN where a step on its way is not understood. One run a prompt.
/// Throws Error{option_invalid} for a matrix that is no writer, Error{engine_failed}, Error{aborted}.
std::vector<double> measure_reach(const std::shared_ptr<Session>& session, const ReachRequest& request,
                                  const core::Progress& progress);

}  // namespace rosi::engine
