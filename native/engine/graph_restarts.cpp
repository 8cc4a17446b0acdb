// The part of GraphWalk that finds where an architecture starts its stream anew.
#include <algorithm>

#include "engine/graph_nodes.h"
#include "engine/graph_walk.h"

namespace rosi::engine {

bool GraphWalk::depends_on(const ggml_tensor* node, const ggml_tensor* target) const {
  const int first = index(target);
  std::unordered_set<const ggml_tensor*> seen;
  std::vector<const ggml_tensor*> open = {node};
  while (!open.empty()) {
    const ggml_tensor* at = open.back();
    open.pop_back();
    if (at == target) return true;
    if (at == nullptr || index(at) < first || !seen.insert(at).second) continue;  // nothing earlier needs it
    open.insert(open.end(), std::begin(at->src), std::end(at->src));
    open.push_back(at->view_src);
  }
  return false;
}

/// A branch in which one writer reads what another wrote holds a stream of its own: the architecture restarted it where
/// the second reads. Null: there is none.
const ggml_tensor* GraphWalk::find_restart() const {
  std::vector<const WriterUse*> order;
  for (const WriterUse& use : uses_) order.push_back(&use);
  std::stable_sort(order.begin(), order.end(),
                   [this](const WriterUse* a, const WriterUse* b) { return index(a->product) < index(b->product); });
  for (auto written = order.begin(); written != order.end(); ++written) {
    if (restarts_.contains((*written)->join)) continue;
    for (auto reader = written + 1; reader != order.end(); ++reader) {
      const WriterUse &a = **written, &b = **reader;
      if (a.top == b.top && a.product != b.product && depends_on(b.input, a.product)) return read_by(b.input, a);
    }
  }
  return nullptr;
}

/// The last node on the way from a writer to the stream that `input` needs.
const ggml_tensor* GraphWalk::read_by(const ggml_tensor* input, const WriterUse& written) const {
  const ggml_tensor* last = written.product;
  std::unordered_set<const ggml_tensor*> seen;
  std::vector<const ggml_tensor*> open = {written.top};
  while (!open.empty()) {
    const ggml_tensor* node = open.back();
    open.pop_back();
    if (index(node) <= index(last) || !seen.insert(node).second || !depends_on(node, written.product)) continue;
    if (depends_on(input, node)) last = node;
    else
      for (const int operand : linear_operands(node)) open.push_back(node->src[operand]);
  }
  return last;
}

}  // namespace rosi::engine
