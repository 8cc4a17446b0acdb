// Reads activations while prompts run: the residual stream after the layers, and the inputs of the writers.
#pragma once

#include "engine/context.h"

namespace rosi::engine {

struct CaptureRequest {
  std::vector<Tokens> prompts;
  std::vector<std::string> streams;  // nodes that hold the stream, each read at the last token; of several parallel
                                     // streams the mean
  struct Writer {
    std::string name;
    int uses = 1;  // products with it in the graph; the inputs of the last one are kept
  };
  std::vector<Writer> writers;              // matrices whose inputs are wanted
  bool last = true;                         // writers' inputs at each prompt's last token
  std::vector<std::vector<int>> positions;  // and at these positions of each prompt; empty: none
  bool logits = false;  // whether those of the token that follows each prompt are wanted, for which all layers run
  RunOptions run;
};

struct CaptureResult {
  int d_model = 0;
  std::vector<float> streams;  // [n_prompts, n_streams, d_model]
  struct Inputs {
    std::string writer;
    std::int64_t d_in = 0;
    std::int64_t n_used = 1;  // experts in use at a position
    std::vector<float> rows;  // [n_rows, n_used, d_in]: the last tokens in prompt order, then the positions likewise
    std::vector<std::int32_t> experts;  // [n_rows, n_used]; empty for a matrix that is no expert's
  };
  std::vector<Inputs> inputs;  // in the request's order
  std::int64_t n_rows = 0;     // of each writer's inputs
  std::vector<float> logits;   // [n_prompts, n_vocab]; empty unless asked for
};

/// The graph ends where everything that is asked for has been read. Throws Error{model_unsupported} when it has no such
/// node or writer, Error{option_invalid}.
CaptureResult capture(Session& session, const CaptureRequest& request, const core::Progress& progress);

}  // namespace rosi::engine
