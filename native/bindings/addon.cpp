// What Node loads. Each part registers its own functions; their types are in lib/native.ts.
#include <napi.h>

namespace rosi::bindings {

__attribute__((weak)) void register_engine(Napi::Env env, Napi::Object exports);
__attribute__((weak)) void register_inspect(Napi::Env env, Napi::Object exports);
__attribute__((weak)) void register_kernels(Napi::Env env, Napi::Object exports);
__attribute__((weak)) void register_update(Napi::Env env, Napi::Object exports);
__attribute__((weak)) void register_verify(Napi::Env env, Napi::Object exports);

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::String::New(env, ROSI_VERSION));
  if (register_engine) register_engine(env, exports);
  if (register_inspect) register_inspect(env, exports);
  if (register_kernels) register_kernels(env, exports);
  if (register_update) register_update(env, exports);
  if (register_verify) register_verify(env, exports);
  return exports;
}

NODE_API_MODULE(rosi, init)

}  // namespace rosi::bindings
