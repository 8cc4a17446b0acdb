#include "bindings/engine_handles.h"

#include "bindings/promise_worker.h"

namespace rosi::bindings {
namespace {

struct Handle {
  std::shared_ptr<engine::Session> session;
  std::shared_ptr<engine::Adapter> adapter;
};
constexpr napi_type_tag kHandleTag = {0x5b7d9cfa0e4c4b1dULL, 0x9a6f3f0b7a1e4c22ULL};

Napi::Value make(Napi::Env env, Handle handle) {
  auto external =
      Napi::External<Handle>::New(env, new Handle(std::move(handle)), [](Napi::Env, Handle* owned) { delete owned; });
  napi_type_tag_object(env, external, &kHandleTag);
  return external;
}

Handle& get(const Napi::Value& value) {
  bool matches = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kHandleTag, &matches);
  if (!matches) throw Napi::TypeError::New(value.Env(), "expected a handle of this library");
  return *value.As<Napi::External<Handle>>().Data();
}

[[noreturn]] void refuse(const Napi::Value& value, const char* message) {
  throw to_js_error(value.Env(), core::Error(core::ErrorCode::option_invalid, message));
}

}  // namespace

Napi::Value wrap(Napi::Env env, std::shared_ptr<engine::Session> session) {
  return make(env, {std::move(session), nullptr});
}
Napi::Value wrap(Napi::Env env, std::shared_ptr<engine::Adapter> adapter) {
  return make(env, {nullptr, std::move(adapter)});
}

std::shared_ptr<engine::Session> to_session(const Napi::Value& value) {
  const Handle& handle = get(value);
  if (!handle.session) refuse(value, "the session is closed");
  return handle.session;
}

std::shared_ptr<engine::Adapter> to_adapter(const Napi::Value& value) {
  const Handle& handle = get(value);
  if (!handle.adapter) refuse(value, "the adapter is closed");
  return handle.adapter;
}

void close_handle(const Napi::Value& value) { get(value) = Handle{}; }

}  // namespace rosi::bindings
