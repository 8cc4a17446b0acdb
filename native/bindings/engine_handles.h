// Sessions and adapters as JavaScript sees them: opaque, type-tagged handles, freed on the JavaScript thread.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/adapter.h"

namespace rosi::bindings {

Napi::Value wrap(Napi::Env env, std::shared_ptr<engine::Session> session);
Napi::Value wrap(Napi::Env env, std::shared_ptr<engine::Adapter> adapter);
/// Throw core::Error{option_invalid} as a JavaScript error when the handle is of another kind or closed.
std::shared_ptr<engine::Session> to_session(const Napi::Value& value);
std::shared_ptr<engine::Adapter> to_adapter(const Napi::Value& value);
/// Drops the handle's share; what runs keeps its own. Any number of calls.
void close_handle(const Napi::Value& value);

}  // namespace rosi::bindings
