// Rows in full batches, for operations that read many outputs: the logits of a batch stay within a bound.
#pragma once

#include <functional>
#include <span>

#include "engine/context.h"

namespace rosi::engine {

/// What runs at once.
struct BatchLimits {
  int rows;       // of a decode
  int outputs;    // of a decode
  int cells;      // of all sequences at once; one alone may need more
  int sequences;  // 1 for models with recurrent state
};
BatchLimits batch_limits(const ModelInfo& info);

/// The rows in order, in pieces within the limits.
void for_each_batch(const std::vector<Context::Row>& rows, const BatchLimits& limits,
                    const std::function<void(const std::vector<Context::Row>& batch)>& run);

/// Which rows of a batch are outputs.
std::vector<int> outputs_of(const std::vector<Context::Row>& batch);

}  // namespace rosi::engine
