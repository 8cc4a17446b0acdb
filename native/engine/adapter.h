// Rank-one updates that act while a model runs.
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

/// Updates applied while the model runs, exactly and without touching its weights. Those of one matrix add up.
class Adapter {
 public:
  /// Throws Error{option_invalid} for empty factors, Error{engine_failed} when the engine refuses them,
  /// Error{file_failed} when there is no room for a temporary file.
  static std::shared_ptr<Adapter> load(std::shared_ptr<Session> session, const std::vector<RankOneFactors>& factors);
  /// The same from an adapter's GGUF.
  static std::shared_ptr<Adapter> load(std::shared_ptr<Session> session, const std::string& path);
  ~Adapter();
  llama_adapter_lora* get() const noexcept { return adapter_; }
  const std::shared_ptr<Session>& session() const noexcept { return session_; }

 private:
  Adapter() = default;
  static std::shared_ptr<Adapter> read(std::shared_ptr<Session> session, std::FILE* stream);
  std::shared_ptr<Session> session_;  // the adapter is valid as long as its model
  llama_adapter_lora* adapter_ = nullptr;
};

}  // namespace rosi::engine
