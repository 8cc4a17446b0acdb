// What every use of llama_context shares: how one is made, given an adapter, and run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/adapter.h"

namespace rosi::engine {

struct FreeContext {
  void operator()(llama_context* context) const noexcept { llama_free(context); }
};
using LlamaContext = std::unique_ptr<llama_context, FreeContext>;

/// `shape` has sizes, threads and callbacks; sequences share their cells. Throws Error{engine_failed} naming `what`.
LlamaContext make_context(llama_model* model, llama_context_params shape, const std::string& what);

/// From the next decode on. Null: the model as it is. Throws Error{engine_failed}.
void use_adapter(llama_context* context, const Adapter* adapter, float scale);

struct BatchRow {
  llama_token token;
  int position;
  int sequence;
  bool output;
};
/// llama_decode's own code: 0 done, 2 stopped by the abort callback.
int decode(llama_context* context, const std::vector<BatchRow>& rows);

}  // namespace rosi::engine
