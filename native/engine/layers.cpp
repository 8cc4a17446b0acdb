#include "engine/layers.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/graph_nodes.h"

namespace rosi::engine {
namespace {

/// N of names like "ffn_out-N", which the engine gives to nodes of block N; -1 when the name has no such end.
int layer_in_name(const ggml_tensor* node) {
  const std::string name = node->name;
  const std::size_t dash = name.rfind('-');
  if (dash == std::string::npos || dash + 1 == name.size()) return -1;
  const std::string digits = name.substr(dash + 1, name.find(' ', dash) - dash - 1);
  const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
  return number && digits.size() < 6 ? std::stoi(digits) : -1;
}

/// For each layer the node that holds the stream after it: the last at which it took something up before the next
/// layer.
class Streams {
 public:
  explicit Streams(GraphWalk& walk) : walk_(walk) {
    for (const WriterUse& use : walk.uses()) {
      const int layer = layer_of(use.weight->name), at = walk.index(use.join);
      if (layer < 0 || at < 0) continue;
      const auto [found, is_new] = spans_.emplace(layer, Span{at, at});
      if (is_new) continue;
      found->second.first = std::min(found->second.first, at);
      found->second.last = std::max(found->second.last, at);
    }
    for (const ggml_tensor* node : walk.nodes()) ++names_[node->name];
  }

  void describe(LayerReport& report) const {
    const auto span = spans_.find(report.layer);
    if (span == spans_.end()) return;
    const auto next = std::next(span);
    const int end = next == spans_.end() ? static_cast<int>(walk_.nodes().size()) : next->second.first;
    if (span->second.last >= end) return;  // layers that the graph runs more than once have no one place
    // Where the engine applies control vectors, if the architecture has such a place on its stream.
    const std::string hook = "l_out-" + std::to_string(report.layer);
    const ggml_tensor* stream = nullptr;
    for (int at = end; stream == nullptr && --at >= span->second.last;) {
      const ggml_tensor* node = walk_.nodes()[static_cast<std::size_t>(at)];
      if (node->name == hook && walk_.on_stream(node)) stream = node;
    }
    if (stream == nullptr) {
      for (const ggml_tensor* join : walk_.joins()) {
        const int at = walk_.index(join);
        if (at >= span->second.last && at < end && (stream == nullptr || at > walk_.index(stream))) stream = join;
      }
    }
    if (stream == nullptr) return;
    report.stream = stream->name;
    report.n_streams = stream->ne[2] > 1 ? static_cast<int>(stream->ne[1]) : 1;  // [d_model, n_streams, n_tokens]
    const bool given = !report.stream.starts_with("node_") && report.stream.find(' ') == std::string::npos;
    report.stable = given && names_.at(report.stream) == 1;
  }

 private:
  struct Span {
    int first, last;  // joins
  };
  GraphWalk& walk_;
  std::map<int, Span> spans_;
  std::unordered_map<std::string, int> names_;
};

}  // namespace

int layer_of_write(GraphWalk& walk, const UnknownWrite& write) {
  std::unordered_set<const ggml_tensor*> seen;
  std::vector<const ggml_tensor*> open = {write.node};
  int layer = -1;
  while (!open.empty()) {
    const ggml_tensor* node = open.back();
    open.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    if (is_weight(node)) layer = std::max(layer, layer_of(source_of(node)->name));
    else if (!walk.carries_stream(node)) open.insert(open.end(), std::begin(node->src), std::end(node->src));
  }
  if (layer < 0) layer = layer_in_name(write.node);
  return layer < 0 ? layer_in_name(write.join) : layer;
}

std::vector<LayerReport> describe_layers(GraphWalk& walk, const WriterReport& report, int n_layer) {
  std::set<int> in_graph, with_writers;
  for (const ggml_tensor* node : walk.nodes()) {
    const bool product = node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID;
    if (product && is_weight(node->src[0])) in_graph.insert(layer_of(source_of(node->src[0])->name));
  }
  for (const Writer& writer : report.writers) with_writers.insert(writer.layer);
  const Streams streams(walk);
  std::vector<LayerReport> layers;
  for (int layer = 0; layer < n_layer; ++layer) {
    LayerReport line{layer, true, {}, {}, 1, false};
    streams.describe(line);
    if (!with_writers.contains(layer)) {
      line.covered = !in_graph.contains(layer);
      line.reason =
          line.covered ? "the graph multiplies by no matrix of this layer" : "none of its matrices is found to write";
    }
    for (const Writer& writer : report.writers) {
      for (const Step& step : writer.path) {
        if (writer.layer == layer && step.kind == StepKind::expert_bias)
          line.reason = "the router also weighs rows of " + step.tensor;
      }
    }
    for (const UnknownReport& unknown : report.unknown) {
      if (unknown.layer != layer && unknown.layer >= 0) continue;
      line.covered = false;
      line.reason = unknown.operation + " at " + unknown.node + ": " + unknown.why;
    }
    layers.push_back(std::move(line));
  }
  return layers;
}

}  // namespace rosi::engine
