// A small context to look at the engine's graphs and to run a few tokens, each time from an empty memory.
#pragma once

#include <memory>
#include <vector>

#include "engine/llama_context.h"
#include "ggml-backend.h"

namespace rosi::engine {

class TrialContext {
 public:
  static constexpr int most_tokens = 64;

  /// `observe` sees every node while at most `n_tokens` tokens run. Throws Error{engine_failed}.
  explicit TrialContext(llama_model* model, int threads = 1, ggml_backend_sched_eval_callback observe = nullptr,
                        void* observer = nullptr, int n_tokens = most_tokens);

  /// Nodes of the graph for a few tokens, in the order of computation. Nothing is run; valid until the next call.
  std::vector<const ggml_tensor*> graph_nodes();

  /// From the next run on. Null: the model as it is.
  void use(const Adapter* adapter);

  /// Runs the tokens, each an output. Throws Error{engine_failed}.
  void run(const Tokens& tokens);

 private:
  LlamaContext context_;
};

}  // namespace rosi::engine
