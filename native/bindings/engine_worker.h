// The frame of every call of the engine's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bindings/engine_handles.h"
#include "bindings/promise_worker.h"
#include "engine/placement.h"

namespace rosi::bindings {

/// compute() runs on a thread of its own. Where a server of a session that it uses is lost, that is what the promise
/// rejects with: whatever else went wrong is a consequence, and a result is of no value.
class EngineWorker : public PromiseWorker {
 protected:
  using PromiseWorker::PromiseWorker;
  virtual void compute() = 0;

  void run() final {
    try {
      compute();
    } catch (const core::Error& error) {
      if (error.code() != core::ErrorCode::aborted) engine::check_servers(servers_);
      throw;
    } catch (...) {
      engine::check_servers(servers_);
      throw;
    }
    engine::check_servers(servers_);
  }

  /// The session of a handle, which this call uses.
  std::shared_ptr<engine::Session> use(const Napi::Value& handle) {
    auto session = to_session(handle);
    servers_.insert(servers_.end(), session->servers().begin(), session->servers().end());
    return session;
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
  std::vector<std::string> servers_;
};

}  // namespace rosi::bindings
