// What ends with its JavaScript environment: the main thread's, or that of a worker_threads Worker.
#pragma once

#include <napi.h>

#include <deque>
#include <memory>
#include <set>

namespace rosi::bindings {

class PromiseWorker;

/// One for each environment. All of it is for the JavaScript thread.
class Environment {
 public:
  /// Something that may not outlive its environment.
  class Member {
   public:
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   protected:
    Member() = default;
    virtual ~Member();
    /// A member that enters later ends earlier, and earlier than what its environment held before.
    void enter(Napi::Env env);
    void leave() noexcept;

   private:
    friend class Environment;
    virtual void stop() noexcept {}      // asks for the end and does not wait
    virtual void finish() noexcept = 0;  // waits, and takes away what would be left behind
    static void on_cleanup(void* member) noexcept;
    Environment* environment_ = nullptr;
  };

  /// Once, when the addon is loaded into an environment.
  static void attach(Napi::Env env);
  static Environment& of(Napi::Env env);
  ~Environment();

  /// Begins a call, or lets it wait for others to settle: each runs on a thread.
  void begin(std::unique_ptr<PromiseWorker> worker);
  void settled();

 private:
  explicit Environment(Napi::Env env);
  void begin_waiting();
  void end() noexcept;

  const napi_env env_;
  bool open_ = true;  // false: what is asked for now stays pending, nobody could hear of it
  std::set<Member*> members_;
  std::size_t n_running_ = 0;
  std::deque<std::unique_ptr<PromiseWorker>> waiting_;
};

}  // namespace rosi::bindings
