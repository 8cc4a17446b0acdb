#include "engine/capture.h"

#include <algorithm>
#include <unordered_map>

#include "engine/graph_nodes.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace rosi::engine {
namespace {

/// Copies rows out of the graph while it runs. llama.cpp may reuse a node's buffer once the callback has returned.
class Observer {
 public:
  Observer(const CaptureRequest& request, const ModelInfo& info, CaptureResult& result)
      : request_(request), result_(result) {
    result.d_model = info.d_model;
    result.streams.assign(request.prompts.size() * request.streams.size() * static_cast<std::size_t>(info.d_model),
                          0.0f);
    index_rows();
    for (const CaptureRequest::Writer& writer : request.writers) {
      writers_.emplace(writer.name, result.inputs.size());
      result.inputs.push_back({writer.name, 0, 1, {}, {}});
      n_wanted_ += static_cast<std::size_t>(std::max(1, writer.uses));
    }
    for (const std::string& stream : request.streams) streams_.emplace(stream, streams_.size());
    seen_streams_.assign(request.streams.size(), false);
    n_wanted_ += streams_.size();
    if (request.logits) result.logits.resize(request.prompts.size() * static_cast<std::size_t>(info.n_vocab));
  }

  bool wants(int prompt, int position) const {
    return is_last(request_.prompts, {prompt, position}) || !slots(prompt, position).empty();
  }

  void start(const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
    rows_ = &rows;
    outputs_ = &outputs;
    n_read_ = 0;
  }

  void finish() const {
    for (std::size_t i = 0; i < seen_streams_.size(); ++i) {
      if (!seen_streams_[i]) {
        throw core::Error(core::ErrorCode::model_unsupported,
                          "this architecture's graph has no node '" + request_.streams[i] + "' for the stream");
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
    if ((node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID) && node->src[0] != nullptr) {
      const auto writer = writers_.find(node->src[0]->name);
      if (writer != writers_.end()) {
        if (ask) return true;
        copy_inputs(result_.inputs[writer->second], node);
        return goes_on();
      }
    }
    const auto stream = streams_.find(node->name);
    if (stream == streams_.end()) return !ask;
    if (ask) return true;
    copy_stream(node, stream->second);
    return goes_on();
  }

  /// After a node was read. False ends the graph there: what comes after is not needed.
  bool goes_on() { return ++n_read_ < n_wanted_ || request_.logits; }

  /// Calls take(row of the batch, token of the node); after the last attention only rows with an output are left.
  template <class Take>
  void each_row(std::int64_t n_tokens, Take take) const {
    const auto n_rows = static_cast<std::size_t>(n_tokens);
    if (n_rows == rows_->size()) {
      for (std::size_t i = 0; i < n_rows; ++i) take((*rows_)[i], i);
    } else {
      for (std::size_t i = 0; i < std::min(n_rows, outputs_->size()); ++i)
        take((*rows_)[static_cast<std::size_t>((*outputs_)[i])], i);
    }
  }

  /// `offset` in bytes. Rows may be strided (a view); a row itself is contiguous.
  static void read_row(const ggml_tensor* tensor, std::size_t offset, float* target) {
    ggml_backend_tensor_get(tensor, target, offset, static_cast<std::size_t>(tensor->ne[0]) * sizeof(float));
  }

  void copy_inputs(CaptureResult::Inputs& inputs, const ggml_tensor* product) {
    const ggml_tensor* x = product->src[1];
    const bool routed = product->op == GGML_OP_MUL_MAT_ID;
    if (x->type != GGML_TYPE_F32 || x->ne[3] != 1 || (!routed && x->ne[2] != 1)) {
      throw core::Error(core::ErrorCode::model_unsupported,
                        "the inputs of " + inputs.writer + " are not plain float32 rows", {{"tensor", inputs.writer}});
    }
    const std::vector<std::int32_t> experts = routed ? read_integers(product->src[2]) : std::vector<std::int32_t>{};
    const std::size_t n_used = routed ? static_cast<std::size_t>(product->src[2]->ne[0]) : 1;
    const auto width = static_cast<std::size_t>(x->ne[0]);
    if (inputs.rows.empty()) {
      inputs.d_in = x->ne[0];
      inputs.n_used = static_cast<std::int64_t>(n_used);
      inputs.rows.assign(static_cast<std::size_t>(result_.n_rows) * n_used * width, 0.0f);
      if (routed) inputs.experts.assign(static_cast<std::size_t>(result_.n_rows) * n_used, 0);
    }
    if (inputs.n_used != static_cast<std::int64_t>(n_used) || inputs.d_in != x->ne[0]) {
      throw core::Error(core::ErrorCode::model_unsupported,
                        "the graph multiplies by " + inputs.writer + " with inputs of two shapes",
                        {{"tensor", inputs.writer}});
    }
    each_row(routed ? x->ne[2] : x->ne[1], [&](const PackedRow& row, std::size_t token) {
      for (const std::size_t slot : slots(row.prompt, row.position)) {
        for (std::size_t u = 0; u < n_used; ++u) {
          const std::size_t at = slot * n_used + u;
          const std::size_t same = x->ne[1] == 1 ? 0 : u;  // one input for all experts
          read_row(x, routed ? token * x->nb[2] + same * x->nb[1] : token * x->nb[1], &inputs.rows[at * width]);
          if (routed) inputs.experts[at] = experts[token * n_used + u];
        }
      }
    });
  }

  void copy_stream(const ggml_tensor* node, std::size_t index) {
    if (node->type != GGML_TYPE_F32 || node->ne[0] != result_.d_model) return;
    seen_streams_[index] = true;
    const bool parallel = node->ne[2] > 1;  // hyper-connections: [d_model, streams, tokens]
    const auto n = static_cast<std::size_t>(parallel ? node->ne[1] : 1);
    const auto width = static_cast<std::size_t>(result_.d_model);
    std::vector<float> one(width);
    each_row(parallel ? node->ne[2] : ggml_nrows(node), [&](const PackedRow& row, std::size_t token) {
      if (!is_last(request_.prompts, row)) return;
      float* target = &result_.streams[(static_cast<std::size_t>(row.prompt) * seen_streams_.size() + index) * width];
      for (std::size_t k = 0; k < n; ++k) {
        read_row(node, parallel ? token * node->nb[2] + k * node->nb[1] : token * node->nb[1],
                 n == 1 ? target : one.data());
        for (std::size_t j = 0; n > 1 && j < width; ++j) target[j] += one[j] / static_cast<float>(n);
      }
    });
  }

  const CaptureRequest& request_;
  CaptureResult& result_;
  std::unordered_map<std::string, std::size_t> writers_, streams_;
  std::unordered_map<std::int64_t, std::vector<std::size_t>> slots_;
  std::vector<bool> seen_streams_;
  std::size_t n_wanted_ = 0, n_read_ = 0;  // of one run of the graph
  const std::vector<PackedRow>* rows_ = nullptr;
  const std::vector<int>* outputs_ = nullptr;
};

void check_request(const CaptureRequest& request) {
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
  check_request(request);
  CaptureResult result;
  Observer observer(request, session.info(), result);
  run_packed(
      session, request.prompts, request.run, progress,
      [&](int prompt, int position) { return observer.wants(prompt, position); },
      [&](Context&, const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
        observer.start(rows, outputs);
      },
      [&](Context& context, const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
        if (request.logits) read_logits(context, request.prompts, rows, outputs, result.logits);
      },
      Observer::observe, &observer);
  if (!request.prompts.empty()) observer.finish();
  return result;
}

}  // namespace rosi::engine
