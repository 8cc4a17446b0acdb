// The frame of every long call: work on a worker thread, a promise on the JavaScript thread.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/progress.h"

namespace rosi::bindings {

/// A JavaScript Error with `code` and `details` as own properties; lib/errors.ts turns it into a RosiError.
Napi::Error to_js_error(Napi::Env env, const core::Error& error);

/// Constructor and result() run on the JavaScript thread, run() on a worker, where nothing of Napi may be touched.
/// The promise settles once: with result(), or with the error that run() threw. Exceptions other than core::Error are
/// bugs and arrive without a code.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  PromiseWorker(Napi::Env env, Napi::Value on_progress);
  ~PromiseWorker() override;

  /// Queues the worker and returns `{ done: Promise, cancel(): void }`; lib/native.ts ties cancel to an AbortSignal.
  static Napi::Value start(std::unique_ptr<PromiseWorker> worker);

 protected:
  virtual void run() = 0;
  virtual Napi::Value result() = 0;
  /// For run(): posts to the JavaScript listener without blocking, and returns false once cancelled.
  core::Progress progress();
  bool stopped() const { return stop_->load(); }

 private:
  void Execute() final;
  void OnOK() final;
  void OnError(const Napi::Error& error) final;

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);  // shared with cancel()
  Napi::ThreadSafeFunction listener_;                                                     // empty without a listener
  bool has_listener_ = false;
  std::unique_ptr<core::Error> failure_;
};

/// An export that runs a worker made from the call's arguments.
template <class Worker>
Napi::Value start(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(std::make_unique<Worker>(info));
}

/// A synchronous export whose core::Error arrives as a JavaScript error with its code.
template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Value checked(const Napi::CallbackInfo& info) {
  try {
    return call(info);
  } catch (const core::Error& error) {
    throw to_js_error(info.Env(), error);
  }
}

}  // namespace rosi::bindings
