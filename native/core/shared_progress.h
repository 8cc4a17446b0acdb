// One progress for work that several threads do.
#pragma once

#include <atomic>
#include <mutex>

#include "core/progress.h"

namespace rosi::core {

/// Adds up units of work from any thread and tells `progress` the share done, one call at a time.
class SharedProgress {
 public:
  SharedProgress(const Progress& progress, double total) : progress_(progress), total_(total > 0 ? total : 1) {}

  /// Throws Error{aborted} once the caller wants to stop, on every thread that comes by.
  void add(double units) {
    if (!stopped_.load()) {
      const std::lock_guard lock(mutex_);
      done_ += units;
      if (progress_ && !progress_(done_ < total_ ? done_ / total_ : 1.0)) stopped_.store(true);
    }
    if (stopped_.load()) throw Error(ErrorCode::aborted, "stopped by the caller");
  }
  /// Makes the other threads stop: one of them has failed.
  void stop() noexcept { stopped_.store(true); }

 private:
  const Progress& progress_;
  const double total_;
  std::mutex mutex_;
  double done_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace rosi::core
