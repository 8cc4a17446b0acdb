// The frame of every call of the engine's.
#pragma once

#include <memory>
#include <vector>

#include "bindings/engine_handles.h"
#include "bindings/promise_worker.h"
#include "engine/session.h"

namespace rosi::bindings {

/// compute() runs on a thread of its own. Where a server of a session that it uses is lost, that is what the promise
/// rejects with: whatever else went wrong is a consequence, and a result is of no value.
class EngineWorker : public PromiseWorker {
 protected:
  using PromiseWorker::PromiseWorker;
  virtual void compute() = 0;

  void run() final {
    check_servers();
    try {
      compute();
    } catch (const core::Error& error) {
      if (error.code() != core::ErrorCode::aborted) check_servers();
      throw;
    } catch (...) {
      check_servers();
      throw;
    }
    check_servers();
  }

  /// The session of a handle, which this call uses.
  std::shared_ptr<engine::Session> use(const Napi::Value& handle) {
    sessions_.push_back(to_session(handle));
    return sessions_.back();
  }

  /// The engine polls for a stop before every node of its graph: the listener hears of what changed alone.
  core::Progress polled_progress() {
    return [this, post = progress(), last = -1.0](double done) mutable {
      if (done == last) return !stopped();
      last = done;
      return post(done);
    };
  }

 private:
  void check_servers() const {
    for (const auto& session : sessions_) session->servers().check();
  }
  std::vector<std::shared_ptr<engine::Session>> sessions_;
};

}  // namespace rosi::bindings
