#include "engine/trial_context.h"

#include <algorithm>
#include <exception>

#include "engine/assertions.h"
#include "engine/backends.h"
#include "llama-ext.h"

namespace rosi::engine {
namespace {

constexpr std::uint32_t kContext = 256;  // some architectures work in chunks of 64 or 128
// Two or more tell a number for each token from one for all; a prime is no number of experts, heads or channels.
constexpr std::uint32_t kGraphTokens = 7;

}  // namespace

TrialContext::TrialContext(llama_model* model, int threads, ggml_backend_sched_eval_callback observe, void* observer,
                           int n_tokens) {
  llama_context_params params = llama_context_default_params();
  const auto most = static_cast<std::uint32_t>(std::max(n_tokens, most_tokens));
  params.n_ctx = std::max(kContext, most);
  params.n_batch = most;
  params.n_seq_max = 1;
  params.n_outputs_max = most;
  params.n_threads = params.n_threads_batch = threads;
  params.cb_eval = observe;
  params.cb_eval_user_data = observer;
  context_ = make_context(model, params, "a small context");
}

std::vector<const ggml_tensor*> TrialContext::graph_nodes() {
  take_engine_messages();
  ggml_cgraph* graph = nullptr;
  try {
    const ThrowingAssertions here;
    graph = llama_graph_reserve(context_.get(), kGraphTokens, 1, kGraphTokens);
  } catch (const std::exception& error) {
    fail(std::string("the engine could not build its graph: ") + error.what());
  }
  if (graph == nullptr) fail("the engine could not build its graph");
  std::vector<const ggml_tensor*> nodes(static_cast<std::size_t>(ggml_graph_n_nodes(graph)));
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = ggml_graph_node(graph, static_cast<int>(i));
  return nodes;
}

void TrialContext::use(const Adapter* adapter) { use_adapter(context_.get(), adapter, 1.0f); }

void TrialContext::run(const Tokens& tokens) {
  if (llama_memory_t memory = llama_get_memory(context_.get())) llama_memory_clear(memory, true);
  std::vector<BatchRow> rows;
  for (const llama_token token : tokens) rows.push_back({token, static_cast<int>(rows.size()), 0, true});
  if (const int code = decode(context_.get(), rows); code != 0)
    fail("the engine could not run " + std::to_string(rows.size()) + " tokens (code " + std::to_string(code) + ")");
}

}  // namespace rosi::engine
