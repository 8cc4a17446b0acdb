// A graph as it was before the engine split it between devices.
#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "ggml.h"

namespace rosi::engine {

/// Where a device needs what another one computed, the engine lets its nodes read a copy, which knows nothing of where
/// it comes from but the name. Here such nodes read the original again. Without any copy the nodes are the engine's
/// own; else they are stand-ins of equal content, since the engine's may be about to run.
class WholeGraph {
 public:
  /// Nodes in the order of computation.
  explicit WholeGraph(std::vector<const ggml_tensor*> nodes);
  WholeGraph(const WholeGraph&) = delete;
  WholeGraph& operator=(const WholeGraph&) = delete;

  /// In the same order, as many. Valid as long as this and the engine's graph.
  const std::vector<const ggml_tensor*>& nodes() const noexcept { return nodes_; }

 private:
  ggml_tensor& original_of(const ggml_tensor& copy, std::string_view name);
  std::vector<const ggml_tensor*> nodes_;
  std::deque<ggml_tensor> stand_ins_;
};

}  // namespace rosi::engine
