#include "engine/llama_context.h"

#include <vector>

#include "engine/assertions.h"
#include "engine/backends.h"

namespace rosi::engine {

LlamaContext make_context(llama_model* model, llama_context_params shape, const std::string& what) {
  shape.n_ubatch = shape.n_batch;
  shape.kv_unified = true;  // sequences share the prefix's cells
  shape.no_perf = true;
  shape.op_offload = false;  // products with weights here would be run elsewhere, on copies that have other names
  take_engine_messages();
  LlamaContext context;
  {
    const ThrowingAssertions here;
    context.reset(llama_init_from_model(model, shape));
  }
  if (!context) fail("the engine could not make " + what);
  return context;
}

void use_adapter(llama_context* context, const Adapter* adapter, float scale) {
  if (adapter != nullptr && !adapter->pushes().empty()) {
    const ModelInfo& info = adapter->session()->info();
    std::vector<float> pushes = adapter->pushes();
    for (float& value : pushes) value *= scale;
    if (llama_set_adapter_cvec(context, pushes.data(), pushes.size(), info.d_model, 1, info.n_layer - 1) != 0)
      fail("the engine refused the control vector");
    return;
  }
  llama_adapter_lora* one = adapter == nullptr ? nullptr : adapter->get();
  if (llama_set_adapters_lora(context, &one, adapter == nullptr ? 0 : 1, &scale) != 0)
    fail("the engine refused the rank-one adapter");
}

int decode(llama_context* context, const std::vector<BatchRow>& rows) {
  std::vector<llama_token> token(rows.size());
  std::vector<llama_pos> position(rows.size());
  std::vector<std::int32_t> n_sequences(rows.size(), 1);
  std::vector<llama_seq_id> sequence(rows.size());
  std::vector<llama_seq_id*> sequences(rows.size());
  std::vector<std::int8_t> output(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    token[i] = rows[i].token;
    position[i] = rows[i].position;
    sequence[i] = rows[i].sequence;
    sequences[i] = &sequence[i];
    output[i] = rows[i].output;
  }
  take_engine_messages();
  return llama_decode(context, {.n_tokens = static_cast<std::int32_t>(rows.size()),
                                .token = token.data(),
                                .embd = nullptr,
                                .pos = position.data(),
                                .n_seq_id = n_sequences.data(),
                                .seq_id = sequences.data(),
                                .logits = output.data()});
}

}  // namespace rosi::engine
