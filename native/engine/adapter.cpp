#include "engine/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

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

ggml_tensor* add(ggml_context* context, gguf_context* file, const std::string& name, const std::vector<float>& values,
                 std::int64_t n_in, std::int64_t n_out, std::int64_t n_experts) {
  ggml_tensor* tensor = ggml_new_tensor_3d(context, GGML_TYPE_F32, n_in, n_out, n_experts);
  std::memcpy(tensor->data, values.data(), values.size() * sizeof(float));
  ggml_set_name(tensor, name.c_str());
  gguf_add_tensor(file, tensor);
  return tensor;
}

/// The engine's own rule. It looks a row of such an adapter's A up for each token, so that A is left [n_out, 1] and B
/// right [n_in, 1].
bool is_embedding(const std::string& name) { return name.ends_with("token_embd.weight"); }

/// The factors as a LoRA adapter of rank one: A = rightᵀ [1, n_in], B = left [n_out, 1], for each expert.
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
  gguf_set_val_f32(file.get(), "adapter.lora.alpha", 1.0f);  // alpha / rank = 1: the scale given later is the strength
  for (const RankOneFactors& f : factors) {
    const std::int64_t n_in = static_cast<std::int64_t>(f.right.size()) / f.n_experts;
    const std::int64_t n_out = static_cast<std::int64_t>(f.left.size()) / f.n_experts;
    if (is_embedding(f.name)) {
      add(context.get(), file.get(), f.name + ".lora_a", f.left, 1, n_out, 1);
      add(context.get(), file.get(), f.name + ".lora_b", f.right, 1, n_in, 1);
      continue;
    }
    add(context.get(), file.get(), f.name + ".lora_a", f.right, n_in, 1, f.n_experts);
    add(context.get(), file.get(), f.name + ".lora_b", f.left, 1, n_out, f.n_experts);
  }
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
    const auto found = session.shapes().find(f.name);
    if (found == session.shapes().end()) {
      throw core::Error(core::ErrorCode::option_invalid, "the model has no tensor named " + f.name,
                        {{"tensor", f.name}});
    }
    if (is_embedding(f.name) && !session.shapes().contains("output.weight")) {
      throw core::Error(core::ErrorCode::option_invalid,
                        f.name + " is the output head, too: the engine has no adapter of it", {{"tensor", f.name}});
    }
    const auto [n_in, n_out, n_experts] = found->second;
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
  if (adapter->adapter_ == nullptr) fail("the engine refused the adapter");
  adapter->session_ = std::move(session);
  return adapter;
}

Adapter::~Adapter() {
  if (adapter_ != nullptr) llama_adapter_lora_free(adapter_);
}

}  // namespace rosi::engine
