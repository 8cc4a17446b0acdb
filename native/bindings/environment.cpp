#include "bindings/environment.h"

#include "bindings/promise_worker.h"

namespace rosi::bindings {
namespace {

// Threads at once. Long calls gain nothing beyond the processors, short ones should not wait behind a few long ones.
constexpr std::size_t most_running = 64;

}  // namespace

Environment::Member::~Member() { leave(); }

void Environment::Member::enter(Napi::Env env) {
  environment_ = &of(env);
  environment_->members_.insert(this);
  // Of its own, although it ends them all: hooks run in reverse order, and this one must come before those of Node that
  // close what the member calls JavaScript through.
  napi_add_env_cleanup_hook(env, on_cleanup, this);
}

void Environment::Member::on_cleanup(void* member) noexcept { static_cast<Member*>(member)->environment_->end(); }

void Environment::Member::leave() noexcept {
  if (environment_ == nullptr) return;
  environment_->members_.erase(this);
  napi_remove_env_cleanup_hook(environment_->env_, on_cleanup, this);
  environment_ = nullptr;
}

void Environment::attach(Napi::Env env) {
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  // process.exit() on the main thread runs no cleanup hooks; Worker.terminate() runs no listeners.
  const Napi::Value process = env.Global().Get("process");
  if (!process.IsObject() || !process.As<Napi::Object>().Get("on").IsFunction()) return;
  const auto on_exit = [environment](const Napi::CallbackInfo&) { environment->end(); };
  process.As<Napi::Object>().Get("on").As<Napi::Function>().Call(
      process, {Napi::String::New(env, "exit"), Napi::Function::New(env, on_exit, "rosiExit")});
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

Environment::Environment(Napi::Env env) : env_(env) {}
Environment::~Environment() = default;

void Environment::begin(std::unique_ptr<PromiseWorker> worker) {
  waiting_.push_back(std::move(worker));
  begin_waiting();
}

void Environment::settled() {
  --n_running_;
  begin_waiting();
}

void Environment::begin_waiting() {
  while (open_ && n_running_ < most_running && !waiting_.empty()) {
    ++n_running_;
    PromiseWorker::begin(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Environment::end() noexcept {
  open_ = false;
  waiting_.clear();
  // All are asked before one is waited for: calls on one session wait for each other.
  for (Member* member : members_) member->stop();
  while (!members_.empty()) {
    Member* member = *members_.begin();
    member->leave();
    member->finish();
  }
}

}  // namespace rosi::bindings
