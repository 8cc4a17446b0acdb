// One progress for work that several threads do.
#pragma once

#include <mutex>

#include "core/progress.h"

namespace rosi::core {

/// Adds up units of work from any thread and tells `progress` the share done, one call at a time.
class SharedProgress {
 public:
  SharedProgress(const Progress& progress, double total) : progress_(progress), total_(total > 0 ? total : 1) {}

  /// False once the caller wants to stop, for every thread that comes by.
  bool advance(double units) {
    const std::lock_guard lock(mutex_);
    done_ += units;
    if (!stopped_ && progress_) stopped_ = !progress_(done_ < total_ ? done_ / total_ : 1.0);
    return !stopped_;
  }
  /// Makes every thread that comes by stop: another one has failed.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  /// advance(), throwing Error{aborted}.
  void add(double units) {
    if (!advance(units)) throw Error(ErrorCode::aborted, "stopped by the caller");
  }

 private:
  const Progress& progress_;
  const double total_;
  std::mutex mutex_;
  double done_ = 0;
  bool stopped_ = false;
};

}  // namespace rosi::core
