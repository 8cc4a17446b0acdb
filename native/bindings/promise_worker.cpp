#include "bindings/promise_worker.h"

namespace rosi::bindings {

Napi::Error to_js_error(Napi::Env env, const core::Error& error) {
  Napi::Error js = Napi::Error::New(env, error.what());
  js.Value().Set("code", Napi::String::New(env, core::to_string(error.code())));
  Napi::Object details = Napi::Object::New(env);
  for (const auto& [name, value] : error.details()) {
    if (const auto* text = std::get_if<std::string>(&value)) details.Set(name, *text);
    else details.Set(name, std::get<double>(value));
  }
  js.Value().Set("details", details);
  return js;
}

PromiseWorker::PromiseWorker(Napi::Env env, Napi::Value on_progress)
    : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {
  if (on_progress.IsFunction()) {
    // A queue of one: a slow listener drops ticks and never stalls the work.
    listener_ = Napi::ThreadSafeFunction::New(env, on_progress.As<Napi::Function>(), "rosi progress", 1, 1);
    listener_.Unref(env);
    has_listener_ = true;
  }
}

PromiseWorker::~PromiseWorker() {
  if (has_listener_) listener_.Release();
}

Napi::Value PromiseWorker::start(std::unique_ptr<PromiseWorker> worker) {
  Napi::Env env = worker->Env();
  Napi::Object task = Napi::Object::New(env);
  task.Set("done", worker->deferred_.Promise());
  const auto stop = worker->stop_;
  task.Set("cancel", Napi::Function::New(env, [stop](const Napi::CallbackInfo&) { stop->store(true); }));
  worker.release()->Queue();  // AsyncWorker deletes itself after OnOK or OnError
  return task;
}

core::Progress PromiseWorker::progress() {
  return [this](double done) {
    if (has_listener_) {
      listener_.NonBlockingCall(
          [done](Napi::Env env, Napi::Function listener) { listener.Call({Napi::Number::New(env, done)}); });
    }
    return !stop_->load();
  };
}

void PromiseWorker::Execute() {
  try {
    run();
  } catch (const core::Error& error) {
    failure_ = std::make_unique<core::Error>(error);
    SetError(error.what());
  } catch (const std::exception& error) {
    SetError(error.what());
  }
}

void PromiseWorker::OnOK() {
  Napi::HandleScope scope(Env());
  try {
    deferred_.Resolve(result());
  } catch (const core::Error& error) {
    deferred_.Reject(to_js_error(Env(), error).Value());
  } catch (const Napi::Error& error) {
    deferred_.Reject(error.Value());
  }
}

void PromiseWorker::OnError(const Napi::Error& error) {
  Napi::HandleScope scope(Env());
  deferred_.Reject(failure_ ? to_js_error(Env(), *failure_).Value() : error.Value());
}

}  // namespace rosi::bindings
