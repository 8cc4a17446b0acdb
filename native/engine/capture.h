// Reads activations while prompts run: the residual stream after each block, and the inputs of the writers.
#pragma once

#include "engine/context.h"

namespace rosi::engine {

struct CaptureRequest {
  std::vector<Tokens> prompts;
  int n_layer = 0;                          // of this many first blocks, the residual after each at the last token
  std::vector<std::string> writers;         // matrices whose inputs are wanted
  bool last = true;                         // writers' inputs at each prompt's last token
  std::vector<std::vector<int>> positions;  // and at these positions of each prompt; empty: none
  RunOptions run;
};

struct CaptureResult {
  int n_layer = 0;  // as asked for
  int d_model = 0;
  std::vector<float> streams;  // [n_prompts, n_layer, d_model]
  struct Inputs {
    std::string writer;
    std::int64_t d_in = 0;
    std::vector<float> rows;  // [n_rows, d_in]: the last tokens in prompt order, then the positions in prompt order
  };
  std::vector<Inputs> inputs;  // in the request's order
  std::int64_t n_rows = 0;     // of each writer's inputs
};

/// The graph ends at the last block that is asked for. Throws Error{model_unsupported} when it has no node for a block
/// or a writer that was asked for, Error{option_invalid} for more blocks than the model has.
CaptureResult capture(Session& session, const CaptureRequest& request, const core::Progress& progress);

}  // namespace rosi::engine
