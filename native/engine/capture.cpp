#include "engine/capture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "ggml-backend.h"
#include "ggml.h"

namespace rosi::engine {
namespace {

/// N of the name "blk.N.…"; the last block for other names.
int block_of(const std::string& tensor, int n_layer) {
  int block = 0;
  return std::sscanf(tensor.c_str(), "blk.%d.", &block) == 1 ? block : n_layer - 1;
}

/// Copies rows out of the graph while it runs. llama.cpp may reuse a node's buffer once the callback has returned.
class Observer {
 public:
  Observer(const CaptureRequest& request, const ModelInfo& info, CaptureResult& result)
      : request_(request), result_(result) {
    result.n_layer = request.n_layer;
    result.d_model = info.d_model;
    result.streams.assign(
        request.prompts.size() * static_cast<std::size_t>(request.n_layer) * static_cast<std::size_t>(info.d_model),
        0.0f);
    index_rows();
    int last = request.n_layer - 1;
    for (const std::string& writer : request.writers) {
      writers_.emplace(writer, result.inputs.size());
      result.inputs.push_back({writer, 0, {}});
      last = std::max(last, block_of(writer, info.n_layer));
    }
    seen_layers_.assign(static_cast<std::size_t>(request.n_layer), false);
    last_ = "l_out-" + std::to_string(last);
  }

  bool wants(int prompt, int position) const { return !slots(prompt, position).empty(); }

  void start(const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
    rows_ = &rows;
    outputs_ = &outputs;
  }

  void finish() const {
    for (std::size_t layer = 0; layer < seen_layers_.size(); ++layer) {
      if (!seen_layers_[layer]) {
        throw core::Error(
            core::ErrorCode::model_unsupported,
            "this architecture's graph has no node 'l_out-" + std::to_string(layer) + "' for the stream after a block");
      }
    }
    for (const auto& input : result_.inputs) {
      if (input.rows.empty()) {
        throw core::Error(core::ErrorCode::model_unsupported,
                          "this architecture's graph does not multiply by " + input.writer, {{"tensor", input.writer}});
      }
    }
  }

  static bool observe(ggml_tensor* node, bool ask, void* self) {
    return static_cast<Observer*>(self)->on_node(node, ask);
  }

 private:
  /// Result rows that the row (prompt, position) fills; prompt -1 is the shared prefix.
  std::vector<std::size_t> slots(int prompt, int position) const {
    std::vector<std::size_t> found;
    const auto it = slots_.find(key(prompt, position));
    if (it != slots_.end()) found = it->second;
    return found;
  }
  static std::int64_t key(int prompt, int position) {
    return (static_cast<std::int64_t>(prompt) << 32) | static_cast<std::uint32_t>(position);
  }

  void index_rows() {
    const int prefix = shared_prefix(request_.prompts, false);
    std::size_t row = 0;
    const auto add = [&](int prompt, int position) {
      slots_[key(prompt, position)].push_back(row);
      if (position < prefix) slots_[key(-1, position)].push_back(row);
      ++row;
    };
    for (std::size_t i = 0; i < request_.prompts.size(); ++i) {
      const int last = static_cast<int>(request_.prompts[i].size()) - 1;
      if (request_.last) add(static_cast<int>(i), last);
      else slots_[key(static_cast<int>(i), last)];  // still an output: the stream is read there
    }
    for (std::size_t i = 0; i < request_.positions.size(); ++i) {
      for (const int position : request_.positions[i]) add(static_cast<int>(i), position);
    }
    result_.n_rows = static_cast<std::int64_t>(row);
  }

  bool on_node(ggml_tensor* node, bool ask) {
    if (node->op == GGML_OP_MUL_MAT && node->src[0] != nullptr) {
      const auto writer = writers_.find(node->src[0]->name);
      if (writer != writers_.end()) {
        if (!ask) copy_inputs(result_.inputs[writer->second], node->src[1]);
        return true;
      }
    }
    if (std::strncmp(node->name, "l_out-", 6) != 0) return !ask;
    if (ask) return block_of_stream(node) < seen_layers_.size() || last_ == node->name;
    copy_stream(node);
    return last_ != node->name;  // false ends the graph here: later blocks and the output head are not needed
  }

  static std::size_t block_of_stream(const ggml_tensor* node) {
    return static_cast<std::size_t>(std::atoi(node->name + std::strlen("l_out-")));
  }

  /// Calls take(row of the batch, row of the tensor); the last block keeps only rows with an output.
  template <class Take>
  void each_row(const ggml_tensor* tensor, Take take) const {
    const auto n_rows = static_cast<std::size_t>(ggml_nrows(tensor));
    if (n_rows == rows_->size()) {
      for (std::size_t i = 0; i < n_rows; ++i) take((*rows_)[i], i);
    } else {
      for (std::size_t i = 0; i < std::min(n_rows, outputs_->size()); ++i)
        take((*rows_)[static_cast<std::size_t>((*outputs_)[i])], i);
    }
  }

  static void read_row(const ggml_tensor* tensor, std::size_t row, float* target) {
    // Rows may be strided (a view); a row itself is contiguous.
    ggml_backend_tensor_get(tensor, target, row * tensor->nb[1],
                            static_cast<std::size_t>(tensor->ne[0]) * sizeof(float));
  }

  void copy_inputs(CaptureResult::Inputs& inputs, const ggml_tensor* x) {
    if (x->type != GGML_TYPE_F32 || x->ne[2] != 1 || x->ne[3] != 1) {
      throw core::Error(core::ErrorCode::model_unsupported,
                        "the inputs of " + inputs.writer + " are not plain float32 rows");
    }
    if (inputs.rows.empty()) {
      inputs.d_in = x->ne[0];
      inputs.rows.assign(static_cast<std::size_t>(result_.n_rows * x->ne[0]), 0.0f);
    }
    each_row(x, [&](const PackedRow& row, std::size_t i) {
      for (const std::size_t slot : slots(row.prompt, row.position))
        read_row(x, i, &inputs.rows[slot * static_cast<std::size_t>(inputs.d_in)]);
    });
  }

  void copy_stream(const ggml_tensor* node) {
    const std::size_t layer = block_of_stream(node);
    if (layer >= seen_layers_.size() || node->type != GGML_TYPE_F32 || node->ne[0] != result_.d_model) return;
    seen_layers_[layer] = true;
    each_row(node, [&](const PackedRow& row, std::size_t i) {
      if (row.prompt < 0 ||
          row.position + 1 != static_cast<int>(request_.prompts[static_cast<std::size_t>(row.prompt)].size()))
        return;
      const std::size_t at = static_cast<std::size_t>(row.prompt) * seen_layers_.size() + layer;
      read_row(node, i, &result_.streams[at * static_cast<std::size_t>(result_.d_model)]);
    });
  }

  const CaptureRequest& request_;
  CaptureResult& result_;
  std::unordered_map<std::string, std::size_t> writers_;
  std::unordered_map<std::int64_t, std::vector<std::size_t>> slots_;
  std::vector<bool> seen_layers_;
  std::string last_;
  const std::vector<PackedRow>* rows_ = nullptr;
  const std::vector<int>* outputs_ = nullptr;
};

void check_request(const CaptureRequest& request, const ModelInfo& info) {
  if (request.n_layer < 0 || request.n_layer > info.n_layer) {
    throw core::Error(core::ErrorCode::option_invalid, "streams of " + std::to_string(request.n_layer) +
                                                           " blocks were asked for; this model has " +
                                                           std::to_string(info.n_layer));
  }
  if (!request.positions.empty() && request.positions.size() != request.prompts.size()) {
    throw core::Error(core::ErrorCode::option_invalid, "positions must be given for every prompt or for none");
  }
  for (std::size_t i = 0; i < request.positions.size(); ++i) {
    for (const int position : request.positions[i]) {
      if (position < 0 || position >= static_cast<int>(request.prompts[i].size())) {
        throw core::Error(core::ErrorCode::option_invalid,
                          "position " + std::to_string(position) + " is outside prompt " + std::to_string(i));
      }
    }
  }
}

}  // namespace

CaptureResult capture(Session& session, const CaptureRequest& request, const core::Progress& progress) {
  check_prompts(request.prompts, session.info().n_vocab, session.info().n_context, 0);
  check_request(request, session.info());
  CaptureResult result;
  Observer observer(request, session.info(), result);
  const auto last = [&](int prompt, int position) {
    return prompt >= 0 && position + 1 == static_cast<int>(request.prompts[static_cast<std::size_t>(prompt)].size());
  };
  run_packed(
      session, request.prompts, request.run, progress,
      [&](int prompt, int position) { return last(prompt, position) || observer.wants(prompt, position); },
      [&](Context&, const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
        observer.start(rows, outputs);
      },
      [](Context&, const std::vector<PackedRow>&, const std::vector<int>&) {}, Observer::observe, &observer);
  if (!request.prompts.empty()) observer.finish();
  return result;
}

}  // namespace rosi::engine
