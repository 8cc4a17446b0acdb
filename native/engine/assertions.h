// Failed assertions of the engine as errors, where nothing but the thread that failed is harmed by that.
#pragma once

namespace rosi::engine {

/// Once, before anything of the engine runs.
void watch_assertions();

/// While one lives, what ggml would end the process for is thrown on this thread as std::runtime_error, and llama.cpp
/// refuses what it was doing. For loading a model and making a context: not for running a graph, whose other threads
/// would wait for this one for ever.
class ThrowingAssertions {
 public:
  ThrowingAssertions() noexcept;
  ~ThrowingAssertions();
  ThrowingAssertions(const ThrowingAssertions&) = delete;
  ThrowingAssertions& operator=(const ThrowingAssertions&) = delete;
};

}  // namespace rosi::engine
