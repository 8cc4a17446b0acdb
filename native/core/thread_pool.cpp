#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rosi::core {
namespace {

struct Shared {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::exception_ptr error;  // the first one, guarded by mutex
};

class ThreadRun final : public ThreadPool::Run {
 public:
  ThreadRun(const Shared& shared, bool caller) : shared_(shared), caller_(caller) {}
  bool failed() const noexcept override { return shared_.failed.load(std::memory_order_relaxed); }
  bool is_caller() const noexcept override { return caller_; }

 private:
  const Shared& shared_;
  bool caller_;
};

}  // namespace

void ThreadPool::for_each(std::int64_t count,
                          const std::function<void(std::int64_t index, const Run& run)>& task) const {
  Shared shared;
  const auto work = [&](bool caller) noexcept {
    const ThreadRun run(shared, caller);
    while (!run.failed()) {
      const std::int64_t index = shared.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      try {
        task(index, run);
      } catch (...) {
        const std::lock_guard lock(shared.mutex);
        if (!shared.error) shared.error = std::current_exception();
        shared.failed.store(true, std::memory_order_relaxed);
      }
    }
  };
  std::vector<std::thread> others;
  const std::int64_t wanted = std::min<std::int64_t>(threads_, count) - 1;
  for (std::int64_t k = 0; k < wanted; ++k) {
    try {
      others.emplace_back(work, false);
    } catch (const std::system_error&) {
      break;  // the system is out of threads: the ones there are do the work
    }
  }
  work(true);
  for (std::thread& other : others) other.join();
  if (shared.error) std::rethrow_exception(shared.error);
}

}  // namespace rosi::core
