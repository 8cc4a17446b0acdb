#include "engine/batches.h"

#include <algorithm>

namespace rosi::engine {
namespace {

constexpr int kRows = 512;            // a full micro-batch of the engine: larger ones are no faster on a CPU
constexpr int kCells = 512;           // every token attends over all of them: more cost time and fill batches no better
constexpr int kSequences = 64;        // of 256 the engine allows
constexpr int kLogitBytes = 1 << 26;  // the engine takes them twice, for its graph and for what it hands out

}  // namespace

BatchLimits batch_limits(const ModelInfo& info) {
  const int row_bytes = info.n_vocab * static_cast<int>(sizeof(float));
  return {.rows = kRows,
          .outputs = std::clamp(kLogitBytes / row_bytes, 1, kRows),
          .cells = kCells,
          .sequences = info.recurrent ? 1 : kSequences};
}

void for_each_batch(const std::vector<Context::Row>& rows, const BatchLimits& limits,
                    const std::function<void(const std::vector<Context::Row>&)>& run) {
  std::vector<Context::Row> batch;
  int outputs = 0;
  for (const Context::Row& row : rows) {
    if (static_cast<int>(batch.size()) == limits.rows || (row.output && outputs == limits.outputs)) {
      run(batch);
      batch.clear();
      outputs = 0;
    }
    batch.push_back(row);
    outputs += row.output;
  }
  if (!batch.empty()) run(batch);
}

std::vector<int> outputs_of(const std::vector<Context::Row>& batch) {
  std::vector<int> outputs;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].output) outputs.push_back(static_cast<int>(i));
  }
  return outputs;
}

}  // namespace rosi::engine
