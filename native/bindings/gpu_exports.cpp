// The library with the kernels for GPUs: what it finds, and its passes one by one.
#include "bindings/args.h"
#include "bindings/environment.h"
#include "bindings/promise_worker.h"
#include "bindings/tensor_args.h"
#include "core/file_io.h"
#include "gpu/library.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"

namespace rosi::bindings {
namespace {

/// gpuDevices(library) -> { done: Promise<GpuDevice[]>, cancel(): void }
class DevicesWorker final : public PromiseWorker {
 public:
  explicit DevicesWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), path_(core::from_utf8(info[0].As<Napi::String>())) {}

 private:
  void run() override { devices_ = gpu::Library::open(path_)->devices(); }
  Napi::Value result() override {
    Napi::Array js = Napi::Array::New(Env(), devices_.size());
    for (std::uint32_t i = 0; i < devices_.size(); ++i) {
      const gpu::Device& device = devices_[i];
      Napi::Object item = Napi::Object::New(Env());
      item.Set("name", device.name);
      item.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
      item.Set("totalBytes", double(device.total_bytes));
      item.Set("freeBytes", double(device.free_bytes));
      item.Set("bytesPerSecond", device.bytes_per_second);
      js[i] = item;
    }
    return js;
  }
  const std::filesystem::path path_;
  std::vector<gpu::Device> devices_;
};

RosiGpuPass to_pass(const Napi::Value& value) {
  const std::string name = value.As<Napi::String>();
  if (name == "flip") return kRosiGpuFlipAndClose;
  if (name == "add") return kRosiGpuAdd;
  if (name == "promote") return kRosiGpuPromote;
  if (name == "mean") return kRosiGpuColumnMean;
  throw Napi::TypeError::New(value.Env(), "the pass must be flip, add, promote or mean");
}

/// _gpuPass(library, place in gpuDevices(), pass, type, bytes, nIn, nOut, targetType, left?, right?, meanSquares?,
/// readout?)
///   -> { bytes, seconds }
Napi::Value gpu_pass(const Napi::CallbackInfo& info) {
  const auto library = gpu::Library::open(core::from_utf8(info[0].As<Napi::String>()));
  const RosiGpuPass pass = to_pass(info[2]);
  const TensorArgs tensor(info, 3);
  const std::uint32_t target_type = info[7].As<Napi::Number>();
  const auto left = floats_if_given(info[8]), right = floats_if_given(info[9]), squares = floats_if_given(info[10]),
             readout = floats_if_given(info[11]);
  kernels::check_tensor(tensor.type, tensor.n_in, tensor.n_out, tensor.bytes.size());
  const bool is_mean = pass == kRosiGpuColumnMean;
  const auto fits = [](const std::vector<float>& values, std::int64_t n, bool optional) {
    return values.size() == static_cast<std::size_t>(n) || (optional && values.empty());
  };
  if (!fits(left, tensor.n_out, is_mean) || !fits(right, tensor.n_in, is_mean) || !fits(squares, tensor.n_in, true) ||
      !fits(readout, tensor.n_out, true)) {
    throw Napi::TypeError::New(info.Env(), "left, right, meanSquares and readout must fit the tensor");
  }
  const std::size_t rows = is_mean ? 1 : static_cast<std::size_t>(tensor.n_out);
  auto target = Napi::Uint8Array::New(info.Env(), kernels::row_bytes(target_type, tensor.n_in) * rows);
  const auto data = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  const int place = to_int(info[1], 0);
  const auto& devices = library->devices();
  if (place < 0 || place >= std::ssize(devices)) throw Napi::TypeError::New(info.Env(), "no such device");
  const double seconds =
      library->run(devices[static_cast<std::size_t>(place)].index,
                   {pass, tensor.type, target_type, tensor.n_in, tensor.n_out, tensor.bytes.data(), tensor.bytes.size(),
                    target.Data(), target.ByteLength(), data(left), data(right), data(squares), data(readout)});
  Napi::Object js = Napi::Object::New(info.Env());
  js.Set("bytes", target);
  js.Set("seconds", seconds);
  return js;
}

}  // namespace

void register_gpu(Napi::Env env, Napi::Object exports) {
  exports.Set("gpuDevices", Napi::Function::New(env, start<DevicesWorker>));
  exports.Set("_gpuPass", Napi::Function::New(env, checked<gpu_pass>));
}

}  // namespace rosi::bindings
