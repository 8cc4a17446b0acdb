#include "engine/graph_walk.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "engine/graph_nodes.h"

namespace rosi::engine {
namespace {

// A branch is a tree of a few sums; far beyond any real model's this is a graph that shares nodes in a way that would
// be walked for ever.
constexpr std::size_t kMostUses = 100'000;
// Operations between a head's product and the graph's last node: soft caps, scales, biases.
constexpr int kMostAfterHead = 64;

float parameter(const ggml_tensor* node, int which) {
  float value;
  std::memcpy(&value, node->op_params + which, sizeof value);
  return value;
}

bool is_embedding(const ggml_tensor* node) {
  if (node->op == GGML_OP_GET_ROWS && is_weight(node->src[0]))
    return std::strncmp(source_of(node->src[0])->name, "token_embd", 10) == 0;
  return node->op == GGML_OP_NONE && std::strcmp(node->name, "inp_embd") == 0;  // in place of tokens
}

/// The weight that a factor is made from by looking rows up, or null.
const ggml_tensor* weight_looked_up(const ggml_tensor* factor) {
  const ggml_tensor* node = source_of(factor);
  bool looked_up = false;
  for (;;) {
    if (node->op == GGML_OP_GET_ROWS) looked_up = true;
    else if (node->op != GGML_OP_REPEAT) break;
    node = source_of(node->src[0]);
  }
  return looked_up && is_weight(node) ? node : nullptr;
}

double only_element(const ggml_tensor* weight) {
  if (weight->data == nullptr) return std::nan("");
  return static_cast<double>(read_floats(weight)[0]);
}

}  // namespace

GraphWalk::GraphWalk(std::vector<const ggml_tensor*> nodes) : graph_(std::move(nodes)) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) index_.emplace(nodes_[i], static_cast<int>(i));
  end_ = find_end();
  for (;;) {
    walk();
    const ggml_tensor* restart = find_restart();
    if (restart == nullptr || !restarts_.insert(restart).second) break;
  }
}

int GraphWalk::index(const ggml_tensor* node) const {
  const auto found = index_.find(node);
  return found == index_.end() ? -1 : found->second;
}

const ggml_tensor* GraphWalk::find_end() const {
  const ggml_tensor* node = nodes_.empty() ? nullptr : nodes_.back();
  for (int i = 0; node != nullptr && node->op != GGML_OP_NONE && i < kMostAfterHead; ++i) {
    if (node->op == GGML_OP_MUL_MAT && is_weight(node->src[0])) {
      if (layer_of(source_of(node->src[0])->name) >= 0) break;  // inside a block: the graph has no head
      return node->src[1];
    }
    const bool leaf_first = (node->op == GGML_OP_ADD || node->op == GGML_OP_MUL) && is_leaf(node->src[0]);
    node = node->src[leaf_first ? 1 : 0];
  }
  for (const ggml_tensor* named : nodes_) {
    if (std::strcmp(named->name, "result_norm") == 0) return named;
  }
  throw core::Error(core::ErrorCode::model_unsupported,
                    "this architecture's graph has neither an output head nor a node 'result_norm' to start from");
}

bool GraphWalk::carries_stream(const ggml_tensor* node) {
  if (node == nullptr) return false;
  if (const auto known = carries_.find(node); known != carries_.end()) return known->second;
  bool carries = restarts_.contains(node) || is_embedding(node);
  if (!carries) {
    for (const int operand : linear_operands(node)) carries = carries_stream(node->src[operand]) || carries;
  }
  carries_[node] = carries;
  return carries;
}

bool GraphWalk::holds_matrix_product(const ggml_tensor* node) {
  if (const auto known = holds_product_.find(node); known != holds_product_.end()) return known->second;
  bool holds = (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID) &&
               (is_weight(node->src[0]) || is_weight(node->src[1]));
  for (const int operand : linear_operands(node)) holds = holds || holds_matrix_product(node->src[operand]);
  holds_product_[node] = holds;
  return holds;
}

void GraphWalk::walk() {
  carries_.clear();
  seen_.clear();
  uses_.clear();
  adapter_uses_.clear();
  unknown_.clear();
  lookups_.clear();
  embedding_ = nullptr;
  stream_steps_.clear();
  joins_.clear();
  if (carries_stream(end_)) {
    follow_stream(end_);
  } else {  // a restart may come to light
    not_understood(end_, {end_, end_}, "the head's input is not reached from the token embedding");
    follow_branch(end_, {end_, end_}, {});
  }
}

void GraphWalk::note(const ggml_tensor* node, Step step) {
  step.node = node;
  stream_steps_.push_back(std::move(step));
}

void GraphWalk::not_understood(const ggml_tensor* node, const Branch& branch, const std::string& why) {
  const bool known = std::any_of(unknown_.begin(), unknown_.end(),
                                 [&](const UnknownWrite& other) { return other.node == node && other.why == why; });
  if (!known) unknown_.push_back({node, branch.join, why});
}

void GraphWalk::follow_stream(const ggml_tensor* node) {
  if (!seen_.insert(node).second) return;
  if (restarts_.contains(node)) {
    joins_.push_back(node);
    follow_branch(node, {node, node}, {{StepKind::restart, {}, 1.0, {}}});
    return;
  }
  if (is_embedding(node)) {
    if (node->op == GGML_OP_GET_ROWS) embedding_ = source_of(node->src[0]);
    return;
  }
  const auto take_up = [&](const ggml_tensor* operand, Path path) {
    if (carries_stream(operand)) {
      follow_stream(operand);
      return false;
    }
    follow_branch(operand, {node, operand}, std::move(path));
    return true;
  };
  bool joined = false;
  switch (node->op) {
    case GGML_OP_ADD:
      if (const int bias = is_weight(node->src[0]) ? 0 : 1; is_weight(node->src[bias])) {
        note(node, {StepKind::bias, source_of(node->src[bias])->name, 1.0, {}});
        follow_stream(node->src[1 - bias]);
        break;
      }
      [[fallthrough]];
    case GGML_OP_ACC:
    case GGML_OP_SET:
    case GGML_OP_SET_ROWS:
      for (const int operand : linear_operands(node)) joined = take_up(node->src[operand], {}) || joined;
      break;
    case GGML_OP_SUB:
      joined = take_up(node->src[0], {});
      joined = take_up(node->src[1], {{StepKind::constant, {}, -1.0, {}}}) || joined;
      break;
    case GGML_OP_CONCAT:
      note(node, {StepKind::concat, {}, 1.0, {}});
      for (const int operand : linear_operands(node)) take_up(node->src[operand], {{StepKind::concat, {}, 1.0, {}}});
      joined = true;
      break;
    case GGML_OP_DSV4_HC_POST: {
      note(node, {StepKind::hyper_connection, {}, 1.0, {}});
      follow_stream(node->src[1]);
      Step step{StepKind::hyper_connection, {}, 1.0, {}};
      step.node = node->src[2];
      joined = take_up(node->src[0], {std::move(step)});
      break;
    }
    case GGML_OP_MUL: {
      const auto [carrier, factor, ambiguous] = split(node);
      note(node, multiplication(node, factor));
      follow_stream(carrier);
      if (carries_stream(factor))
        not_understood(node, {node, node}, "the stream is multiplied by something computed from itself");
      break;
    }
    case GGML_OP_SCALE:
      note(node, {StepKind::constant, {}, static_cast<double>(parameter(node, 0)), {}});
      follow_stream(node->src[0]);
      break;
    case GGML_OP_RMS_NORM:
    case GGML_OP_L2_NORM:
      note(node, {StepKind::norm, {}, 1.0, {}});
      follow_stream(node->src[0]);
      break;
    case GGML_OP_NORM:
    case GGML_OP_GROUP_NORM:
      note(node, {StepKind::other_norm, {}, 1.0, operation_of(node)});
      follow_stream(node->src[0]);
      break;
    default:
      if (source_of(node) == node && node->op != GGML_OP_GET_ROWS && node->op != GGML_OP_REPEAT)
        note(node, {StepKind::other, {}, 1.0, operation_of(node)});
      for (const int operand : linear_operands(node)) {
        if (carries_stream(node->src[operand])) follow_stream(node->src[operand]);
      }
  }
  if (joined) joins_.push_back(node);
}

void GraphWalk::follow_branch(const ggml_tensor* node, const Branch& branch, Path path) {
  const auto go_on = [&](const ggml_tensor* operand, Step step) {
    path.push_back(std::move(step));
    follow_branch(operand, branch, std::move(path));
  };
  switch (node->op) {
    case GGML_OP_MUL_MAT:
    case GGML_OP_MUL_MAT_ID: {
      const std::string matrix = source_of(node->src[0])->name;
      if (is_weight(node->src[0])) record(uses_, node, 0, branch, std::move(path));
      else if (is_weight(node->src[1])) record(uses_, node, 1, branch, std::move(path));
      else if (is_leaf(node->src[0]) && matrix.ends_with(".lora_b"))
        record(adapter_uses_, node, 0, branch, std::move(path));
      else not_understood(node, branch, "a product of two computed tensors");
      return;
    }
    case GGML_OP_NONE: lookups_.push_back({node->name, branch.join}); return;
    case GGML_OP_GET_ROWS:
      if (is_weight(node->src[0])) lookups_.push_back({source_of(node->src[0])->name, branch.join});
      else follow_branch(node->src[0], branch, std::move(path));  // rows of tokens
      return;
    case GGML_OP_ADD:
    case GGML_OP_SUB:
      for (const int operand : {0, 1}) {
        const ggml_tensor *here = node->src[operand], *other = node->src[1 - operand];
        if (is_leaf(here) && !is_leaf(other)) continue;
        Path longer = path;
        if (is_leaf(other)) longer.push_back({StepKind::bias, source_of(other)->name, 1.0, {}});
        if (node->op == GGML_OP_SUB && operand == 1) longer.push_back({StepKind::constant, {}, -1.0, {}});
        follow_branch(here, branch, std::move(longer));
      }
      return;
    case GGML_OP_CONCAT:
      for (const int operand : {0, 1}) {
        Path longer = path;
        longer.push_back({StepKind::concat, {}, 1.0, {}});
        follow_branch(node->src[operand], branch, std::move(longer));
      }
      return;
    case GGML_OP_MUL: {
      const auto [carrier, factor, ambiguous] = split(node);
      if (ambiguous) {
        not_understood(node, branch, "a product of the outputs of two matrices");
        Path longer = path;
        longer.push_back({StepKind::product, {}, 1.0, {}});
        follow_branch(factor, branch, std::move(longer));
        go_on(carrier, {StepKind::product, {}, 1.0, {}});
      } else {
        go_on(carrier, multiplication(node, factor));
      }
      return;
    }
    case GGML_OP_DIV:
      if (is_weight(node->src[1]) && ggml_nelements(node->src[1]) == 1) {
        const ggml_tensor* weight = source_of(node->src[1]);
        go_on(node->src[0], {StepKind::scalar, weight->name, 1.0 / only_element(weight), {}});
      } else {
        go_on(node->src[0], {StepKind::other, {}, 1.0, "DIV"});
      }
      return;
    case GGML_OP_SCALE:
      go_on(node->src[0], {StepKind::constant, {}, static_cast<double>(parameter(node, 0)), {}});
      return;
    case GGML_OP_RMS_NORM: {
      Step step{StepKind::norm, {}, 1.0, {}};
      step.node = node;
      go_on(node->src[0], std::move(step));
      return;
    }
    case GGML_OP_NORM:
    case GGML_OP_GROUP_NORM:
    case GGML_OP_L2_NORM: go_on(node->src[0], {StepKind::other_norm, {}, 1.0, operation_of(node)}); return;
    case GGML_OP_CLAMP: go_on(node->src[0], {StepKind::clamp, {}, 1.0, {}}); return;
    case GGML_OP_ADD_ID: {
      Step step{StepKind::expert_bias, source_of(node->src[1])->name, 1.0, {}};
      go_on(node->src[0], std::move(step));
      return;
    }
    case GGML_OP_VIEW:
    case GGML_OP_RESHAPE:
    case GGML_OP_CONT:
    case GGML_OP_CPY:
    case GGML_OP_DUP: {
      const ggml_tensor* below = node->src[0];
      if (node->ne[0] != below->ne[0]) go_on(below, {StepKind::part, {}, 1.0, operation_of(node)});
      else if (ggml_nelements(node) != ggml_nelements(below)) {
        Step step{StepKind::slot, {}, 1.0, {}};
        step.node = node;
        go_on(below, std::move(step));
      } else {
        follow_branch(below, branch, std::move(path));
      }
      return;
    }
    default:
      if (linear_operands(node).empty())
        not_understood(node, branch, operation_of(node) + " without a matrix after it");
      else go_on(node->src[linear_operands(node)[0]], {StepKind::other, {}, 1.0, operation_of(node)});
  }
}

void GraphWalk::record(std::vector<WriterUse>& list, const ggml_tensor* product, int weight, const Branch& branch,
                       Path path) {
  if (list.size() >= kMostUses)
    throw core::Error(core::ErrorCode::model_unsupported, "this architecture's graph is too tangled to be walked");
  if (weight != 0 || (is_weight(product->src[0]) && !is_whole_weight(product->src[0])))
    path.push_back({StepKind::transposed, {}, 1.0, {}});
  std::reverse(path.begin(), path.end());
  if (product->op == GGML_OP_MUL_MAT_ID) {
    // A number for each token that meets an expert's output before the experts are taken apart is the router's.
    for (Step& step : path) {
      if (step.kind == StepKind::slot) break;
      if (step.kind == StepKind::token_gate) step.kind = StepKind::router_weight;
    }
  }
  list.push_back(
      {product, source_of(product->src[weight]), product->src[1 - weight], branch.join, branch.top, std::move(path)});
}

GraphWalk::Factors GraphWalk::split(const ggml_tensor* product) {
  const ggml_tensor *a = product->src[0], *b = product->src[1];
  // In the order of what tells most: the stream itself, a weight as factor, one number a token as factor, a matrix.
  if (carries_stream(a) != carries_stream(b)) return carries_stream(a) ? Factors{a, b, false} : Factors{b, a, false};
  if (is_leaf(b)) return {a, b, false};
  if (is_leaf(a)) return {b, a, false};
  if ((a->ne[0] == 1) != (b->ne[0] == 1)) return b->ne[0] == 1 ? Factors{a, b, false} : Factors{b, a, false};
  const bool in_a = holds_matrix_product(a), in_b = holds_matrix_product(b);
  if (in_a != in_b) return in_a ? Factors{a, b, false} : Factors{b, a, false};
  return {a, b, in_a && in_b};
}

Step GraphWalk::multiplication(const ggml_tensor* product, const ggml_tensor* factor) {
  Step step{StepKind::other, {}, 1.0, {}};
  step.node = factor;
  if (is_weight(factor)) {
    const ggml_tensor* weight = source_of(factor);
    step.tensor = weight->name;
    step.weight = weight;
    if (ggml_nelements(factor) == 1) {
      step.kind = StepKind::scalar;
      step.value = only_element(weight);
    } else if (ggml_nelements(factor) == product->ne[0] && factor->ne[0] == product->ne[0]) {
      step.kind = StepKind::channel;
    } else {
      step.what = "a multiplication by a part of " + step.tensor;
    }
  } else if (const ggml_tensor* weight = weight_looked_up(factor); weight != nullptr && factor->ne[0] == 1) {
    step.kind = StepKind::expert_scale;
    step.tensor = weight->name;
    step.weight = weight;
  } else {
    step.kind = factor->ne[0] == 1 ? StepKind::token_gate : StepKind::channel_gate;
  }
  return step;
}

}  // namespace rosi::engine
