// What Node loads. Each part registers its own functions; their types are in lib/native.ts.
#include <napi.h>

#include "bindings/environment.h"

namespace rosi::bindings {

void register_devices(Napi::Env env, Napi::Object exports);
void register_engine(Napi::Env env, Napi::Object exports);
void register_files(Napi::Env env, Napi::Object exports);
void register_gpu(Napi::Env env, Napi::Object exports);
void register_inspect(Napi::Env env, Napi::Object exports);
void register_kernels(Napi::Env env, Napi::Object exports);
void register_update(Napi::Env env, Napi::Object exports);
void register_verify(Napi::Env env, Napi::Object exports);
void register_writers(Napi::Env env, Napi::Object exports);

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  Environment::attach(env);
  register_devices(env, exports);
  register_engine(env, exports);
  register_files(env, exports);
  register_gpu(env, exports);
  register_inspect(env, exports);
  register_kernels(env, exports);
  register_update(env, exports);
  register_verify(env, exports);
  register_writers(env, exports);
  return exports;
}

NODE_API_MODULE(rosi, init)

}  // namespace rosi::bindings
