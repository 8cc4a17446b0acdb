// Predicts from a writer's path what a push at its output does to the stream.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "engine/adapter.h"
#include "engine/graph_walk.h"

namespace rosi::engine {

/// right_e . x for each row of a computed product with the writer, [experts in use, tokens] with the former first.
std::vector<double> responses(const RankOneFactors& factors, const ggml_tensor* product);

/// The ways of one writer's first product to its first join, with what is needed of the model to follow them.
class PushPath {
 public:
  using Values = std::map<int, std::vector<float>>;  // of nodes, by their place in the order of computation

  PushPath(const GraphWalk& walk, const std::vector<const WriterUse*>& uses);

  int join() const noexcept { return join_; }
  bool has_norm() const noexcept { return norm_input_.has_value(); }
  double factor() const noexcept { return factor_; }                                 // product of the constants
  const std::vector<std::vector<float>>& gains() const noexcept { return gains_; }   // each [n_out]
  const std::vector<float>& expert_scale() const noexcept { return expert_scale_; }  // [n_experts]; empty: none
  /// Adds the nodes whose values predict() and share_beside() need.
  void add_nodes(std::vector<int>& nodes) const;

  /// Change at the join, rows of [n_out] as the join has them, of a push left[i] * sizes[row] at the product's output;
  /// `values` are the nodes' without it. None: a step's effect is not known.
  std::optional<std::vector<double>> predict(const std::vector<float>& left, const std::vector<double>& sizes,
                                             const Values& values) const;

  /// Share of the change that lies neither along the push nor, after a norm, along the old output.
  double share_beside(const std::vector<float>& left, const std::vector<double>& change, const Values& values) const;

 private:
  struct Operation {
    StepKind kind;
    double value = 1.0;
    std::vector<float> gain;
    int node = -1;  // of a number for each token
    std::size_t slot = 0, n_slots = 0;
  };
  Operation operation(const GraphWalk& walk, const Step& step);

  int join_ = -1, top_ = -1;
  std::vector<std::vector<Operation>> before_;  // for each use, up to the norm
  std::vector<Operation> after_;                // from the norm on
  std::optional<int> norm_input_;
  double epsilon_ = 0;
  double factor_ = 1.0;
  std::vector<std::vector<float>> gains_;
  std::vector<float> expert_scale_;
  bool known_ = true;  // every step's effect
};

}  // namespace rosi::engine
