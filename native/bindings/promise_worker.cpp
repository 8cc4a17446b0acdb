#include "bindings/promise_worker.h"

#include <cassert>
#include <system_error>

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
    : env_(env), deferred_(Napi::Promise::Deferred::New(env)) {
  if (on_progress.IsFunction()) listener_ = Napi::Persistent(on_progress.As<Napi::Function>());
}

PromiseWorker::~PromiseWorker() { assert(!thread_.joinable()); }  // run() would still be using what is gone here

Napi::Value PromiseWorker::start(std::unique_ptr<PromiseWorker> worker) {
  Napi::Env env = worker->env_;
  Napi::Object task = Napi::Object::New(env);
  task.Set("done", worker->deferred_.Promise());
  const auto stop = worker->stop_;
  task.Set("cancel", Napi::Function::New(env, [stop](const Napi::CallbackInfo&) { stop->store(true); }));
  Environment::of(env).begin(std::move(worker));
  return task;
}

void PromiseWorker::begin(Owner worker) {
  PromiseWorker& self = *worker;
  self.owner_ = new Owner(std::move(worker));
  // Node runs the last function when no message can come any more: after settle(), or at the end of the environment.
  self.javascript_ = JavaScript::New(
      self.env_, "rosi", 0, 1, self.owner_, [](Napi::Env, void*, Owner* owner) { delete owner; },
      static_cast<void*>(nullptr));
  self.enter(self.env_);
  try {
    self.thread_ = std::thread([&self] { self.work(); });
  } catch (const std::system_error& error) {
    self.failure_ = std::make_exception_ptr(core::Error(
        core::ErrorCode::engine_failed, std::string("the system gives no thread to work on: ") + error.what()));
    self.javascript_.NonBlockingCall(&finished);
  }
}

void PromiseWorker::work() noexcept {
  try {
    run();
  } catch (...) {
    failure_ = std::current_exception();
  }
  javascript_.NonBlockingCall(&finished);
}

core::Progress PromiseWorker::progress() {
  return [this](double done) {
    if (!listener_.IsEmpty()) {
      done_.store(done);
      if (!telling_.exchange(true)) javascript_.NonBlockingCall(&tick);
    }
    return !stop_->load();
  };
}

void PromiseWorker::on_message(Napi::Env env, Napi::Function, Owner* owner, Message* message) {
  if (static_cast<napi_env>(env) == nullptr || *owner == nullptr) return;  // left over when the environment ended
  if (*message == Message::tick) {
    (*owner)->tell();
  } else {
    (*owner)->settle();
    owner->reset();
  }
}

void PromiseWorker::tell() {
  telling_.store(false);
  if (thrown_) return;
  try {
    listener_.Call({Napi::Number::New(env_, done_.load())});
  } catch (const Napi::Error& error) {
    thrown_ = std::make_unique<Napi::Error>(error);
    stop_->store(true);
  }
}

void PromiseWorker::settle() {
  if (thread_.joinable()) thread_.join();
  leave();
  javascript_.Release();
  Environment::of(env_).settled();
  try {
    if (thrown_) throw Napi::Error(*thrown_);
    if (failure_) std::rethrow_exception(failure_);
    deferred_.Resolve(result());
  } catch (const core::Error& error) {
    deferred_.Reject(to_js_error(env_, error).Value());
  } catch (const Napi::Error& error) {
    deferred_.Reject(error.Value());
  } catch (const std::exception& error) {
    deferred_.Reject(Napi::Error::New(env_, error.what()).Value());
  }
}

void PromiseWorker::finish() noexcept {
  if (thread_.joinable()) thread_.join();
  owner_->reset();  // the end of this worker, and of what it made and could not hand over
}

}  // namespace rosi::bindings
