// Splits independent tasks over threads for the length of one call.
#pragma once

#include <cstdint>
#include <functional>

namespace rosi::core {

/// Runs task(0) .. task(count - 1), each once, on at most `threads` threads, the calling one among them. Tasks are
/// taken in ascending order, so a task may wait for a lower one; it must then give up when `failed()` of the same run
/// turns true. The first exception stops further tasks and is thrown again here, after all threads have ended.
/// threads < 1 counts as 1. There is no shared pool: a call within a task starts
/// threads of its own, so it must ask for as many as the outer one leaves idle.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads) {}

  /// What a running task may ask.
  class Run {
   public:
    virtual bool failed() const noexcept = 0;
    /// True on the thread that called for_each: the only one that may report progress.
    virtual bool is_caller() const noexcept = 0;

   protected:
    ~Run() = default;
  };

  void for_each(std::int64_t count, const std::function<void(std::int64_t index, const Run& run)>& task) const;
  int threads() const noexcept { return threads_; }

 private:
  int threads_;
};

}  // namespace rosi::core
