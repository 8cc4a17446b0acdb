// readVectors: the numbers of small tensors. meanRows: the mean row of matrices in a file, of each expert's where there
// are several: the paper's right factor. rowMeans: the same of token embeddings, which are stored transposed.
#include "bindings/tensor_reads.h"

#include "bindings/args.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "decoder.h"
#include "gguf/model.h"
#include "kernels/column_mean.h"
#include "kernels/rank_one.h"

namespace rosi::bindings {
namespace {

const gguf::Tensor& find(const gguf::Model& model, const std::string& name) {
  const gguf::Tensor* tensor = model.find(name).tensor;
  if (tensor != nullptr) return *tensor;
  const std::string path = core::to_utf8(model.path());
  throw core::Error(core::ErrorCode::option_invalid, path + " has no tensor named " + name,
                    {{"tensor", name}, {"path", path}});
}

/// A vector of numbers for each named tensor of a model.
class TensorsWorker : public PromiseWorker {
 public:
  explicit TensorsWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[2]),
        path_(core::from_utf8(info[0].As<Napi::String>())),
        names_(to_strings(info[1])) {}

 protected:
  virtual std::vector<float> read(const gguf::Tensor& tensor) const = 0;

 private:
  void run() override {
    const gguf::Model model = gguf::Model::open(path_);
    const core::Progress tick = progress();
    for (const std::string& name : names_) {
      vectors_.push_back(read(find(model, name)));
      core::report(tick, double(vectors_.size()) / double(names_.size()));
    }
  }
  Napi::Value result() override {
    Napi::Array js = Napi::Array::New(Env(), vectors_.size());
    for (std::uint32_t i = 0; i < vectors_.size(); ++i) js[i] = to_js(Env(), vectors_[i]);
    return js;
  }

  const std::filesystem::path path_;
  const std::vector<std::string> names_;
  std::vector<std::vector<float>> vectors_;
};

/// A matrix of a type that can be read; of a stack [.., .., n] one of n.
kernels::EncodedRows matrix_of(const gguf::Tensor& tensor, std::size_t n, std::size_t which) {
  const Decode decode = find_decoder(tensor.type);
  if ((tensor.n_dims == 2 || tensor.n_dims == 3) && decode) {
    const std::size_t bytes = tensor.bytes.size() / n;
    return {tensor.bytes.subspan(which * bytes, bytes), bytes / static_cast<std::size_t>(tensor.shape[1]), decode};
  }
  const char* type = gguf::find_type(tensor.type)->name;
  throw core::Error(core::ErrorCode::tensor_unsupported,
                    tensor.name + " has type " + type + " and " + std::to_string(tensor.n_dims) +
                        " dimensions; a mean row is there for matrices of types that can be read",
                    {{"tensor", tensor.name}, {"type", type}, {"dimensions", double(tensor.n_dims)}});
}

/// meanRows(path, names, onProgress?) -> { done: Promise<Float32Array[]>, cancel(): void }
class MeanRowsWorker final : public TensorsWorker {
 public:
  using TensorsWorker::TensorsWorker;

 private:
  std::vector<float> read(const gguf::Tensor& tensor) const override {
    const auto n_in = static_cast<std::size_t>(tensor.shape[0]);
    const auto n_experts = static_cast<std::size_t>(tensor.n_dims == 3 ? tensor.shape[2] : 1);
    std::vector<float> rows(n_in * n_experts);
    for (std::size_t expert = 0; expert < n_experts; ++expert)
      kernels::column_mean(matrix_of(tensor, n_experts, expert), tensor.shape[0],
                           std::span(rows).subspan(expert * n_in, n_in));
    return rows;
  }
};

/// rowMeans(path, names, onProgress?) -> { done: Promise<Float32Array[]>, cancel(): void }
class RowMeansWorker final : public TensorsWorker {
 public:
  using TensorsWorker::TensorsWorker;

 private:
  std::vector<float> read(const gguf::Tensor& tensor) const override {
    std::vector<float> means(static_cast<std::size_t>(tensor.shape[1]));
    kernels::row_means(matrix_of(tensor, 1, 0), tensor.shape[0], means);
    return means;
  }
};

/// readVectors(path, names) -> { done: Promise<Float32Array[]>, cancel(): void }
class ReadVectorsWorker final : public TensorsWorker {
 public:
  using TensorsWorker::TensorsWorker;

 private:
  std::vector<float> read(const gguf::Tensor& tensor) const override {
    if (tensor.n_dims != 1 || !kernels::supports_rank_one(tensor.type)) {
      throw core::Error(core::ErrorCode::tensor_unsupported, tensor.name + " is no vector of a type that can be read",
                        {{"tensor", tensor.name}, {"type", gguf::find_type(tensor.type)->name}});
    }
    std::vector<float> values(static_cast<std::size_t>(tensor.shape[0]));
    kernels::dequantize_row(tensor.type, tensor.bytes.data(), values.data(), tensor.shape[0]);
    return values;
  }
};

}  // namespace

Napi::Value read_vectors(const Napi::CallbackInfo& info) { return start<ReadVectorsWorker>(info); }
Napi::Value mean_rows(const Napi::CallbackInfo& info) { return start<MeanRowsWorker>(info); }
Napi::Value row_means(const Napi::CallbackInfo& info) { return start<RowMeansWorker>(info); }

}  // namespace rosi::bindings
