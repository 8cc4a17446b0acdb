#include "engine/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <span>

#include "engine/backends.h"
#include "ggml.h"
#include "gguf.h"

namespace rosi::engine {
namespace {

struct Closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  void operator()(ggml_context* context) const noexcept { ggml_free(context); }
  void operator()(gguf_context* file) const noexcept { gguf_free(file); }
};

float* add(ggml_context* context, gguf_context* file, const std::string& name, std::size_t n_in, std::size_t n_out,
           std::size_t n_experts) {
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  ggml_tensor* tensor = ggml_new_tensor_3d(context, GGML_TYPE_F32, size(n_in), size(n_out), size(n_experts));
  ggml_set_name(tensor, name.c_str());
  gguf_add_tensor(file, tensor);
  return static_cast<float*>(tensor->data);
}

/// The engine's own rule. It looks a row of such an adapter's A up for each token, so that A is that of a transposed
/// matrix.
bool is_embedding(const std::string& name) { return name.ends_with("token_embd.weight"); }

using OfMatrix = std::vector<const RankOneFactors*>;

std::map<std::string, OfMatrix> by_matrix(const std::vector<RankOneFactors>& factors) {
  std::map<std::string, OfMatrix> matrices;
  for (const RankOneFactors& f : factors) matrices[f.name].push_back(&f);
  return matrices;
}

/// [n_experts, n, k]: for each expert the k vectors of n numbers are its columns.
void as_columns(const std::vector<std::span<const float>>& vectors, std::size_t n_experts, float* out) {
  const std::size_t k = vectors.size(), n = vectors.front().size() / n_experts;
  for (std::size_t expert = 0; expert < n_experts; ++expert) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 0; c < k; ++c) out[(expert * n + i) * k + c] = vectors[c][expert * n + i];
    }
  }
}

/// For each expert A [k, n_in], whose rows are the right factors, and B [n_out, k], whose columns are the left ones.
void add_matrix(ggml_context* context, gguf_context* file, const OfMatrix& factors) {
  const RankOneFactors& first = *factors.front();
  const std::size_t k = factors.size(), n_experts = static_cast<std::size_t>(first.n_experts);
  const std::size_t n_in = first.right.size() / n_experts, n_out = first.left.size() / n_experts;
  std::vector<std::span<const float>> lefts, rights;
  for (const RankOneFactors* f : factors) {
    lefts.emplace_back(f->left);
    rights.emplace_back(f->right);
  }
  const std::string a = first.name + ".lora_a", b = first.name + ".lora_b";
  if (is_embedding(first.name)) {
    as_columns(lefts, 1, add(context, file, a, k, n_out, 1));
    as_columns(rights, 1, add(context, file, b, k, n_in, 1));
    return;
  }
  float* rows = add(context, file, a, n_in, k, n_experts);
  for (std::size_t expert = 0; expert < n_experts; ++expert) {
    for (std::size_t c = 0; c < k; ++c) std::copy_n(&rights[c][expert * n_in], n_in, &rows[(expert * k + c) * n_in]);
  }
  as_columns(lefts, n_experts, add(context, file, b, k, n_out, n_experts));
}

/// The factors as a LoRA adapter, of as high a rank for each matrix as it has factors.
std::unique_ptr<std::FILE, Closer> write_adapter(const std::string& architecture,
                                                 const std::vector<RankOneFactors>& factors) {
  std::size_t bytes = 4096;
  for (const RankOneFactors& f : factors)
    bytes += (f.left.size() + f.right.size()) * sizeof(float) + 2 * (ggml_tensor_overhead() + 64);
  const std::unique_ptr<ggml_context, Closer> context(ggml_init({bytes, nullptr, false}));
  const std::unique_ptr<gguf_context, Closer> file(gguf_init_empty());
  gguf_set_val_str(file.get(), "general.type", "adapter");
  gguf_set_val_str(file.get(), "general.architecture", architecture.c_str());
  gguf_set_val_str(file.get(), "adapter.type", "lora");
  // 0: the engine does not divide by the rank, which differs from matrix to matrix. The scale given later is the
  // strength.
  gguf_set_val_f32(file.get(), "adapter.lora.alpha", 0.0f);
  for (const auto& [name, of_matrix] : by_matrix(factors)) add_matrix(context.get(), file.get(), of_matrix);
  std::unique_ptr<std::FILE, Closer> stream(std::tmpfile());  // unnamed: gone with the process whatever happens
  if (!stream)
    throw core::Error(core::ErrorCode::file_failed, "no temporary file could be made for the run-time adapter");
  if (!gguf_write_to_file_ptr(file.get(), stream.get(), false) || std::fflush(stream.get()) != 0) {
    throw core::Error(core::ErrorCode::file_failed, "the run-time adapter could not be written to a temporary file");
  }
  std::rewind(stream.get());
  return stream;
}

}  // namespace

void check_factors(const Session& session, const std::vector<RankOneFactors>& factors) {
  const auto finite = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  };
  for (const RankOneFactors& f : factors) {
    if (!finite(f.left) || !finite(f.right)) {
      throw core::Error(core::ErrorCode::option_invalid, "the factors of " + f.name + " are not all finite numbers",
                        {{"tensor", f.name}});
    }
    const auto found = session.tensors().find(f.name);
    if (found == session.tensors().end()) {
      throw core::Error(core::ErrorCode::option_invalid, "the model has no tensor named " + f.name,
                        {{"tensor", f.name}});
    }
    if (is_embedding(f.name) && !session.tensors().contains("output.weight")) {
      throw core::Error(core::ErrorCode::option_invalid,
                        f.name + " is the output head, too: the engine has no adapter of it", {{"tensor", f.name}});
    }
    const auto [n_in, n_out, n_experts] = found->second.shape;
    const auto n_left = static_cast<std::int64_t>(f.left.size()), n_right = static_cast<std::int64_t>(f.right.size());
    if (f.n_experts == n_experts && n_left == n_out * n_experts && n_right == n_in * n_experts) continue;
    throw core::Error(core::ErrorCode::option_invalid,
                      "the factors of " + f.name + " must have " + std::to_string(n_out * n_experts) + " and " +
                          std::to_string(n_in * n_experts) + " numbers for its " + std::to_string(n_experts) +
                          " experts; got " + std::to_string(n_left) + " and " + std::to_string(n_right) + " for " +
                          std::to_string(f.n_experts),
                      {{"tensor", f.name},
                       {"left", static_cast<double>(n_left)},
                       {"right", static_cast<double>(n_right)},
                       {"nExperts", static_cast<double>(f.n_experts)}});
  }
}

std::shared_ptr<Adapter> Adapter::load(std::shared_ptr<Session> session, const std::vector<RankOneFactors>& factors) {
  if (factors.empty()) throw core::Error(core::ErrorCode::option_invalid, "an adapter needs at least one matrix");
  return read(std::move(session), write_adapter(session->info().architecture, factors).get());
}

std::shared_ptr<Adapter> Adapter::load(std::shared_ptr<Session> session, const std::string& path) {
  const std::unique_ptr<std::FILE, Closer> stream(std::fopen(path.c_str(), "rb"));
  if (!stream) throw core::Error(core::ErrorCode::file_failed, "the adapter " + path + " can't be opened");
  return read(std::move(session), stream.get());
}

std::shared_ptr<Adapter> Adapter::read(std::shared_ptr<Session> session, std::FILE* stream) {
  take_engine_messages();
  std::shared_ptr<Adapter> adapter(new Adapter());
  adapter->adapter_ = llama_adapter_lora_init_from_file_ptr(session->model(), stream);
  session->servers().check();
  if (adapter->adapter_ == nullptr) fail("the engine refused the adapter");
  adapter->session_ = std::move(session);
  return adapter;
}

std::shared_ptr<Adapter> Adapter::push(std::shared_ptr<Session> session, const std::vector<StreamPush>& pushes) {
  const auto n_layer = session->info().n_layer;
  const auto d_model = static_cast<std::size_t>(session->info().d_model);
  const auto refuse = [](const std::string& why, int layer) {
    throw core::Error(core::ErrorCode::option_invalid, "the push after block " + std::to_string(layer) + " " + why,
                      {{"layer", double(layer)}});
  };
  std::shared_ptr<Adapter> adapter(new Adapter());
  adapter->pushes_.resize(static_cast<std::size_t>(std::max(0, n_layer - 1)) * d_model);
  std::vector<bool> seen(static_cast<std::size_t>(n_layer));
  for (const auto& [layer, vector] : pushes) {
    if (layer < 1 || layer >= n_layer)
      refuse("has no place: the model's blocks with one are 1 to " + std::to_string(n_layer - 1), layer);
    if (vector.size() != d_model)
      refuse("has " + std::to_string(vector.size()) + " numbers; the stream has " + std::to_string(d_model), layer);
    if (!std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); }))
      refuse("is not all finite numbers", layer);
    if (seen[static_cast<std::size_t>(layer)]) refuse("is given twice", layer);
    seen[static_cast<std::size_t>(layer)] = true;
    std::copy(vector.begin(), vector.end(),
              adapter->pushes_.begin() + std::ptrdiff_t(layer - 1) * std::ptrdiff_t(d_model));
  }
  if (pushes.empty()) throw core::Error(core::ErrorCode::option_invalid, "a control vector needs at least one push");
  adapter->session_ = std::move(session);
  return adapter;
}

Adapter::~Adapter() {
  if (adapter_ != nullptr) llama_adapter_lora_free(adapter_);
}

}  // namespace rosi::engine
