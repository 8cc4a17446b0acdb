// What acts while a model runs: rank-one updates of its matrices, or pushes of its stream.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"

namespace rosi::engine {

/// W + strength * left * rightᵀ, for each named matrix.
struct RankOneFactors {
  std::string name;            // of the matrix in the GGUF
  std::vector<float> left;     // [n_experts, n_out]
  std::vector<float> right;    // [n_experts, n_in]
  std::int64_t n_experts = 1;  // of the matrix
};

/// Throws Error{option_invalid} unless each names a matrix of the model's file and has its sizes: the engine would read
/// past the end, or end the process.
void check_factors(const Session& session, const std::vector<RankOneFactors>& factors);

/// A control vector's part in one block: added to the stream after it, on every token.
struct StreamPush {
  int layer;                  // from 1: the engine adds nothing after block 0
  std::vector<float> vector;  // [d_model]
};

/// Rank-one updates, or pushes of the stream, applied while the model runs, exactly and without touching its weights.
/// Those of one matrix add up.
class Adapter {
 public:
  /// Throws Error{option_invalid} for empty factors, Error{engine_failed} when the engine refuses them,
  /// Error{file_failed} when there is no room for a temporary file.
  static std::shared_ptr<Adapter> load(std::shared_ptr<Session> session, const std::vector<RankOneFactors>& factors);
  /// The same from an adapter's GGUF.
  static std::shared_ptr<Adapter> load(std::shared_ptr<Session> session, const std::string& path);
  /// Throws Error{option_invalid} for pushes that are not of the model's sizes, or two of a block.
  static std::shared_ptr<Adapter> push(std::shared_ptr<Session> session, const std::vector<StreamPush>& pushes);
  ~Adapter();
  /// Null for pushes.
  llama_adapter_lora* get() const noexcept { return adapter_; }
  /// [n_layer - 1, d_model], from block 1; empty for updates.
  const std::vector<float>& pushes() const noexcept { return pushes_; }
  const std::shared_ptr<Session>& session() const noexcept { return session_; }

 private:
  Adapter() = default;
  static std::shared_ptr<Adapter> read(std::shared_ptr<Session> session, std::FILE* stream);
  std::shared_ptr<Session> session_;  // the adapter is valid as long as its model
  llama_adapter_lora* adapter_ = nullptr;
  std::vector<float> pushes_;
};

}  // namespace rosi::engine
