// Reads and changes nodes of the engine's graph while it runs.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "engine/graph_nodes.h"
#include "engine/trial_context.h"

namespace rosi::engine {

/// For a TrialContext. Nodes are named by their place in the order of computation.
class GraphObserver {
 public:
  using Values = std::map<int, std::vector<float>>;
  using Edits = std::map<int, std::function<void(ggml_tensor*)>>;

  static bool observe(ggml_tensor* node, bool ask, void* self) {
    return static_cast<GraphObserver*>(self)->on_node(node, ask);
  }
  /// The nodes that the run asks about; valid until the context's next run.
  std::vector<const ggml_tensor*> record(TrialContext& context, const Tokens& tokens) {
    start({}, {});
    recording_ = true;
    run(context, tokens);
    recording_ = false;
    return std::move(nodes_);
  }
  Values read(TrialContext& context, const Tokens& tokens, const std::vector<int>& which, Edits edits = {}) {
    start(which, std::move(edits));
    run(context, tokens);
    return std::move(values_);
  }

 private:
  void start(const std::vector<int>& which, Edits edits) {
    next_ = 0;
    nodes_.clear();
    values_.clear();
    edits_ = std::move(edits);
    for (const int index : which) {
      if (index >= 0) values_[index];
    }
  }
  void run(TrialContext& context, const Tokens& tokens) {
    failure_ = nullptr;
    context.run(tokens);
    if (failure_) std::rethrow_exception(failure_);
  }
  bool on_node(ggml_tensor* node, bool ask) {
    if (ask) {
      current_ = next_++;
      if (recording_) nodes_.push_back(node);
      return values_.contains(current_) || edits_.contains(current_);
    }
    try {  // the engine's frames are no place for an exception
      if (const auto edit = edits_.find(current_); edit != edits_.end()) edit->second(node);
      if (const auto value = values_.find(current_); value != values_.end()) value->second = read_floats(node);
    } catch (...) {
      failure_ = std::current_exception();
    }
    return true;
  }
  bool recording_ = false;
  int next_ = 0, current_ = 0;
  std::vector<const ggml_tensor*> nodes_;
  Values values_;
  Edits edits_;
  std::exception_ptr failure_;
};

}  // namespace rosi::engine
