// What the engine is and computes on.
#include "bindings/args.h"
#include "bindings/promise_worker.h"
#include "engine/devices.h"

namespace rosi::bindings {
namespace {

/// engineReport(libraries) -> { done: Promise<NativeEngineReport>, cancel(): void }
class ReportWorker final : public PromiseWorker {
 public:
  explicit ReportWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), libraries_(to_strings(info[0])) {}

 private:
  void run() override { report_ = engine::engine_report(libraries_); }
  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("version", report_.version);
    js.Set("commit", report_.commit);
    Napi::Array devices = Napi::Array::New(Env(), report_.devices.size());
    for (std::uint32_t i = 0; i < report_.devices.size(); ++i) devices[i] = device(report_.devices[i]);
    js.Set("devices", devices);
    js.Set("notLoaded", to_js(Env(), report_.not_loaded));
    return js;
  }
  Napi::Object device(const engine::Device& device) {
    Napi::Object js = Napi::Object::New(Env());
    const bool told = device.total_bytes > 0;
    js.Set("name", device.name);
    js.Set("description", device.description);
    js.Set("kind", device.kind);
    js.Set("backend", device.backend);
    js.Set("library", device.library);
    js.Set("features", to_js(Env(), device.features));
    js.Set("freeBytes", told ? Napi::Number::New(Env(), static_cast<double>(device.free_bytes)) : Env().Null());
    js.Set("totalBytes", told ? Napi::Number::New(Env(), static_cast<double>(device.total_bytes)) : Env().Null());
    return js;
  }
  const std::vector<std::string> libraries_;
  engine::EngineReport report_;
};

}  // namespace

void register_devices(Napi::Env env, Napi::Object exports) {
  exports.Set("engineReport", Napi::Function::New(env, start<ReportWorker>));
}

}  // namespace rosi::bindings
