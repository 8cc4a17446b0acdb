#include "engine/push_prediction.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/graph_nodes.h"

namespace rosi::engine {
namespace {

/// RMS norm of rows of n: y / sqrt(mean(y^2) + epsilon), in place.
void normalise(std::vector<double>& rows, std::size_t n, double epsilon) {
  for (std::size_t row = 0; row + n <= rows.size(); row += n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += rows[row + i] * rows[row + i];
    const double scale = 1.0 / std::sqrt(sum / static_cast<double>(n) + epsilon);
    for (std::size_t i = 0; i < n; ++i) rows[row + i] *= scale;
  }
}

}  // namespace

std::vector<double> responses(const RankOneFactors& factors, const ggml_tensor* product) {
  const ggml_tensor* x = product->src[1];
  const std::vector<float> inputs = read_floats(x);
  const bool routed = product->op == GGML_OP_MUL_MAT_ID;
  const std::vector<std::int32_t> experts = routed ? read_integers(product->src[2]) : std::vector<std::int32_t>{};
  const auto n_in = static_cast<std::size_t>(x->ne[0]), n_rows = static_cast<std::size_t>(ggml_nrows(product));
  const std::size_t n_used = routed ? static_cast<std::size_t>(product->ne[1]) : 1;
  std::vector<double> result(n_rows);
  for (std::size_t row = 0; row < n_rows; ++row) {
    const std::size_t input_row = routed && x->ne[1] == 1 ? row / n_used : row;  // one input for all experts
    const std::size_t expert = routed ? static_cast<std::size_t>(experts[row]) : 0;
    for (std::size_t i = 0; i < n_in; ++i)
      result[row] +=
          static_cast<double>(inputs[input_row * n_in + i]) * static_cast<double>(factors.right[expert * n_in + i]);
  }
  return result;
}

PushPath::PushPath(const GraphWalk& walk, const std::vector<const WriterUse*>& uses) {
  const auto place = [&](const WriterUse* use) { return std::pair(walk.index(use->join), walk.index(use->product)); };
  const auto first = *std::min_element(uses.begin(), uses.end(), [&](auto* a, auto* b) { return place(a) < place(b); });
  join_ = walk.index(first->join);
  top_ = walk.index(first->top);
  for (const WriterUse* use : uses) {
    if (place(use) != place(first)) continue;
    const auto norm =
        std::find_if(use->path.begin(), use->path.end(), [](const Step& step) { return step.kind == StepKind::norm; });
    std::vector<Operation>& before = before_.emplace_back();
    for (auto step = use->path.begin(); step != norm; ++step) before.push_back(operation(walk, *step));
    if (norm == use->path.end()) continue;
    const int input = walk.index(norm->node->src[0]);
    known_ = known_ && input >= 0 && norm_input_.value_or(input) == input;
    norm_input_ = input;
    float epsilon;
    std::memcpy(&epsilon, norm->node->op_params, sizeof epsilon);
    epsilon_ = static_cast<double>(epsilon);
    if (use != first) continue;
    for (auto step = norm + 1; step != use->path.end(); ++step) after_.push_back(operation(walk, *step));
  }
  // Those of the first use: the others lead the same way, from other experts.
  for (const Step& step : first->path) {
    if (step.kind == StepKind::constant || step.kind == StepKind::scalar) factor_ *= step.value;
    if (step.kind == StepKind::expert_scale) expert_scale_ = read_floats(step.weight);
    if (step.kind == StepKind::channel) gains_.push_back(read_floats(step.weight));
  }
}

PushPath::Operation PushPath::operation(const GraphWalk& walk, const Step& step) {
  Operation result{step.kind, step.value, {}};
  switch (step.kind) {
    case StepKind::bias:
    case StepKind::expert_bias:
    case StepKind::constant:
    case StepKind::scalar:
    case StepKind::restart: break;
    case StepKind::channel: result.gain = read_floats(step.weight); break;
    case StepKind::router_weight:
    case StepKind::expert_scale:
    case StepKind::token_gate:
    case StepKind::hyper_connection:
      result.node = walk.index(step.node);
      known_ = known_ && result.node >= 0;
      break;
    case StepKind::slot: {
      const ggml_tensor *view = step.node, *below = view->src[0];
      const std::size_t start = below->view_src == nullptr ? 0 : below->view_offs;
      result.slot = (view->view_offs - start) / below->nb[1];
      result.n_slots = static_cast<std::size_t>(below->ne[1]);
      known_ = known_ && view->op == GGML_OP_VIEW && ggml_nrows(view) == below->ne[2];
      break;
    }
    default: known_ = false;
  }
  return result;
}

void PushPath::add_nodes(std::vector<int>& nodes) const {
  nodes.push_back(join_);
  nodes.push_back(top_);
  if (norm_input_) nodes.push_back(*norm_input_);
  for (const auto& operations : before_) {
    for (const Operation& operation : operations) nodes.push_back(operation.node);
  }
  for (const Operation& operation : after_) nodes.push_back(operation.node);
}

std::optional<std::vector<double>> PushPath::predict(const std::vector<float>& left, const std::vector<double>& sizes,
                                                     const Values& values) const {
  if (!known_ || sizes.empty()) return std::nullopt;
  const std::size_t n = left.size();
  std::vector<double> rows;
  for (const auto& operations : before_) {
    std::vector<double> size = sizes, direction(left.begin(), left.end());
    for (const Operation& operation : operations) {
      if (operation.kind == StepKind::hyper_connection) break;  // below: it multiplies the rows
      if (!operation.gain.empty()) {
        for (std::size_t i = 0; i < n; ++i) direction[i] *= static_cast<double>(operation.gain[i]);
      } else if (operation.kind == StepKind::slot) {
        std::vector<double> chosen;
        for (std::size_t row = operation.slot; row < size.size(); row += operation.n_slots) chosen.push_back(size[row]);
        size = std::move(chosen);
      } else if (operation.node >= 0) {
        const std::vector<float>& by = values.at(operation.node);
        if (by.empty() || size.size() % by.size() != 0) return std::nullopt;
        const std::size_t repeat = size.size() / by.size();  // one number for all experts of a token
        for (std::size_t row = 0; row < size.size(); ++row) size[row] *= static_cast<double>(by[row / repeat]);
      } else {
        for (double& value : size) value *= operation.value;
      }
    }
    if (rows.empty()) rows.assign(size.size() * n, 0.0);
    if (rows.size() != size.size() * n) return std::nullopt;
    for (std::size_t row = 0; row < size.size(); ++row) {
      for (std::size_t i = 0; i < n; ++i) rows[row * n + i] += size[row] * direction[i];
    }
  }
  if (norm_input_) {
    const std::vector<float>& input = values.at(*norm_input_);
    if (input.size() != rows.size()) return std::nullopt;
    std::vector<double> old(input.begin(), input.end());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += old[i];
    normalise(old, n, epsilon_);
    normalise(rows, n, epsilon_);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] -= old[i];
  }
  for (const Operation& operation : after_) {
    if (operation.kind == StepKind::slot) return std::nullopt;
    if (operation.kind == StepKind::hyper_connection) break;
    const std::vector<float>* by = operation.node >= 0 ? &values.at(operation.node) : nullptr;
    if (by != nullptr && (by->empty() || (rows.size() / n) % by->size() != 0)) return std::nullopt;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!operation.gain.empty()) rows[i] *= static_cast<double>(operation.gain[i % n]);
      else if (by != nullptr) rows[i] *= static_cast<double>((*by)[i / n / (rows.size() / n / by->size())]);
      else rows[i] *= operation.value;
    }
  }
  const std::vector<Operation>& last = norm_input_ ? after_ : before_[0];
  if (last.empty() || last.back().kind != StepKind::hyper_connection) return rows;
  const std::vector<float>& post = values.at(last.back().node);  // [streams, tokens]
  const std::size_t n_tokens = rows.size() / n, n_streams = post.size() / n_tokens;
  std::vector<double> streams(rows.size() * n_streams);
  for (std::size_t row = 0; row < n_tokens * n_streams; ++row) {
    for (std::size_t i = 0; i < n; ++i)
      streams[row * n + i] = rows[row / n_streams * n + i] * static_cast<double>(post[row]);
  }
  return streams;
}

double PushPath::share_beside(const std::vector<float>& left, const std::vector<double>& change,
                              const Values& values) const {
  const std::size_t n = left.size();
  std::vector<double> direction(left.begin(), left.end());
  for (const std::vector<float>& gain : gains_) {
    for (std::size_t i = 0; i < n && i < gain.size(); ++i) direction[i] *= static_cast<double>(gain[i]);
  }
  if (change.empty() || change.size() % n != 0) return 1.0;
  const auto top = values.find(top_);
  const bool two = has_norm() && top != values.end() && top->second.size() == change.size();
  double beside = 0, all = 0, dd = 0;
  for (const double d : direction) dd += d * d;
  for (std::size_t row = 0; row < change.size(); row += n) {
    double cd = 0, cy = 0, yy = 0, yd = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double y = two ? static_cast<double>(top->second[row + i]) : 0.0;
      cd += change[row + i] * direction[i];
      cy += change[row + i] * y;
      yy += y * y;
      yd += y * direction[i];
    }
    double p = cd / dd, q = 0;
    if (const double determinant = dd * yy - yd * yd; determinant > 1e-12 * dd * yy) {
      p = (cd * yy - cy * yd) / determinant;
      q = (cy * dd - cd * yd) / determinant;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double y = two ? static_cast<double>(top->second[row + i]) : 0.0;
      const double rest = change[row + i] - p * direction[i] - q * y;
      beside += rest * rest;
      all += change[row + i] * change[row + i];
    }
  }
  return all > 0 ? std::sqrt(beside / all) : 1.0;
}

}  // namespace rosi::engine
