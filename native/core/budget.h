// Memory that tasks of one ThreadPool share.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/error.h"
#include "core/thread_pool.h"

namespace rosi::core {

class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : bytes_(bytes) {}

  /// Waits until so much is free; what is larger than the whole gets it alone. Throws Error{aborted} when another task
  /// has failed. Whoever holds some must need nothing to go on that waits here.
  void take(std::uint64_t bytes, const ThreadPool::Run& run) {
    std::unique_lock lock(mutex_);
    while (taken_ > 0 && taken_ + bytes > bytes_) {
      returned_.wait_for(lock, std::chrono::milliseconds(50));
      if (run.failed()) throw Error(ErrorCode::aborted, "another part failed");
    }
    taken_ += bytes;
  }
  void give_back(std::uint64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      taken_ -= bytes;
    }
    returned_.notify_all();
  }

 private:
  const std::uint64_t bytes_;
  std::uint64_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable returned_;
};

}  // namespace rosi::core
