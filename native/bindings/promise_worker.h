// The frame of every long call: work on a thread of its own, a promise on the JavaScript thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "bindings/environment.h"
#include "core/error.h"
#include "core/progress.h"

namespace rosi::bindings {

/// A JavaScript Error with `code` and `details` as own properties; lib/errors.ts turns it into a RosiError.
Napi::Error to_js_error(Napi::Env env, const core::Error& error);

/// Constructor and result() run on the JavaScript thread, run() on a thread of its own, where nothing of Napi may be
/// touched. The promise settles once: with result(), or with the error that run() threw. Exceptions other than
/// core::Error are bugs and arrive without a code.
///
/// Not an AsyncWorker: at the end of an environment Node waits for those before anything can tell them to stop. This
/// one is stopped and waited for, so that process.exit() and Worker.terminate() take as long as a cancelled call.
class PromiseWorker : public Environment::Member {
 public:
  PromiseWorker(Napi::Env env, Napi::Value on_progress);
  ~PromiseWorker() override;

  /// Begins the work and returns `{ done: Promise, cancel(): void }`; lib/native.ts ties cancel to an AbortSignal.
  static Napi::Value start(std::unique_ptr<PromiseWorker> worker);

 protected:
  virtual void run() = 0;
  virtual Napi::Value result() = 0;
  /// For run(): tells the JavaScript listener without waiting for it, and returns false once cancelled. A slow listener
  /// misses values but not the last one; what it throws cancels the call and is what the promise rejects with.
  core::Progress progress();
  bool stopped() const { return stop_->load(); }
  Napi::Env Env() const { return env_; }

 private:
  friend class Environment;
  using Owner = std::unique_ptr<PromiseWorker>;
  enum class Message { tick, finished };
  static inline Message tick = Message::tick, finished = Message::finished;  // only a pointer to one can be sent
  static void on_message(Napi::Env env, Napi::Function, Owner* owner, Message* message);
  using JavaScript = Napi::TypedThreadSafeFunction<Owner, Message, &PromiseWorker::on_message>;

  static void begin(Owner worker);
  void work() noexcept;
  void tell();
  void settle();
  void stop() noexcept override { stop_->store(true); }
  void finish() noexcept override;

  const Napi::Env env_;
  const Napi::Promise::Deferred deferred_;
  Napi::FunctionReference listener_;                                                            // empty without one
  const std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);  // shared with cancel()
  JavaScript javascript_;
  Owner* owner_ = nullptr;  // javascript_ keeps it
  std::thread thread_;
  std::atomic<double> done_ = 0;
  std::atomic<bool> telling_ = false;  // a tick is on its way
  std::exception_ptr failure_;
  std::unique_ptr<Napi::Error> thrown_;  // by the listener
};

/// An export that runs a worker made from the call's arguments.
template <class Worker>
Napi::Value start(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(std::make_unique<Worker>(info));
}

/// A synchronous export whose core::Error arrives as a JavaScript error with its code, and any other exception, a bug,
/// without one.
template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Value checked(const Napi::CallbackInfo& info) {
  try {
    return call(info);
  } catch (const core::Error& error) {
    throw to_js_error(info.Env(), error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

}  // namespace rosi::bindings
