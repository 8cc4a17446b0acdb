#include "engine/trial_context.h"

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

TrialContext::TrialContext(llama_model* model, int threads, ggml_backend_sched_eval_callback observe, void* observer) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kContext;
  params.n_batch = params.n_ubatch = most_tokens;
  params.n_seq_max = 1;
  params.n_outputs_max = most_tokens;
  params.n_threads = params.n_threads_batch = threads;
  params.kv_unified = true;
  params.no_perf = true;
  params.cb_eval = observe;
  params.cb_eval_user_data = observer;
  take_engine_messages();
  {
    const ThrowingAssertions here;
    context_.reset(llama_init_from_model(model, params));
  }
  if (!context_) fail("the engine could not make a small context");
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

void TrialContext::use(const Adapter* adapter) {
  llama_adapter_lora* one = adapter == nullptr ? nullptr : adapter->get();
  float scale = 1.0f;
  if (llama_set_adapters_lora(context_.get(), &one, adapter == nullptr ? 0 : 1, &scale) != 0)
    fail("the engine refused the rank-one adapter");
}

void TrialContext::run(const Tokens& tokens) {
  if (llama_memory_t memory = llama_get_memory(context_.get())) llama_memory_clear(memory, true);
  const auto count = static_cast<std::int32_t>(tokens.size());
  std::vector<llama_token> token = tokens;
  std::vector<llama_pos> position(tokens.size());
  std::vector<std::int32_t> n_sequences(tokens.size(), 1);
  llama_seq_id sequence = 0;
  std::vector<llama_seq_id*> sequences(tokens.size(), &sequence);
  std::vector<std::int8_t> output(tokens.size(), 1);
  for (std::size_t i = 0; i < tokens.size(); ++i) position[i] = static_cast<llama_pos>(i);
  take_engine_messages();
  const int code = llama_decode(context_.get(), {.n_tokens = count,
                                                 .token = token.data(),
                                                 .embd = nullptr,
                                                 .pos = position.data(),
                                                 .n_seq_id = n_sequences.data(),
                                                 .seq_id = sequences.data(),
                                                 .logits = output.data()});
  if (code != 0)
    fail("the engine could not run " + std::to_string(count) + " tokens (code " + std::to_string(code) + ")");
}

}  // namespace rosi::engine
