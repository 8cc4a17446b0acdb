// What the walk says of each layer: whether its writers explain it, and where the stream is after it.
#pragma once

#include "engine/writers.h"

namespace rosi::engine {

/// The layer whose matrices a write needs since it left the stream, or that its node is named after; -1: not known.
int layer_of_write(GraphWalk& walk, const UnknownWrite& write);

/// From a report that has its writers and unknown writes.
std::vector<LayerReport> describe_layers(GraphWalk& walk, const WriterReport& report, int n_layer);

}  // namespace rosi::engine
