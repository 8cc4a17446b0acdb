// meanRows: the mean row of matrices in a file, the right factor of the paper's update.
#include "bindings/mean_row_worker.h"

#include "bindings/args.h"
#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "gguf/file.h"
#include "kernels/rank_one.h"

namespace rosi::bindings {
namespace {

class MeanRowsWorker final : public PromiseWorker {
 public:
  explicit MeanRowsWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[2]),
        path_(core::from_utf8(info[0].As<Napi::String>())),
        names_(to_strings(info[1])) {}

 private:
  void run() override {
    const gguf::File file = gguf::File::open(path_);
    const core::Progress tick = progress();
    for (const std::string& name : names_) {
      const gguf::Tensor& tensor = find(file, name);
      rows_.emplace_back(static_cast<std::size_t>(tensor.shape[0]));
      kernels::column_mean(tensor.type, tensor.bytes, tensor.shape[0], tensor.shape[1], rows_.back());
      core::report(tick, double(rows_.size()) / double(names_.size()));
    }
  }

  const gguf::Tensor& find(const gguf::File& file, const std::string& name) const {
    const gguf::Tensor* tensor = file.find(name);
    if (tensor == nullptr) {
      throw core::Error(core::ErrorCode::option_invalid, core::to_utf8(path_) + " has no tensor named " + name,
                        {{"tensor", name}, {"path", core::to_utf8(path_)}});
    }
    const char* type = gguf::find_type(tensor->type)->name;
    if (tensor->n_dims != 2 || !kernels::supports_rank_one(tensor->type)) {
      throw core::Error(core::ErrorCode::tensor_unsupported,
                        name + " has type " + type + " and " + std::to_string(tensor->n_dims) +
                            " dimensions; a mean row is there for matrices of types that can be edited",
                        {{"tensor", name}, {"type", type}, {"dimensions", double(tensor->n_dims)}});
    }
    return *tensor;
  }

  Napi::Value result() override {
    Napi::Array js = Napi::Array::New(Env(), rows_.size());
    for (std::uint32_t i = 0; i < rows_.size(); ++i) js[i] = to_js(Env(), rows_[i]);
    return js;
  }

  const std::filesystem::path path_;
  const std::vector<std::string> names_;
  std::vector<std::vector<float>> rows_;
};

}  // namespace

Napi::Value mean_rows(const Napi::CallbackInfo& info) { return start<MeanRowsWorker>(info); }

}  // namespace rosi::bindings
