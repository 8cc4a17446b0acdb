#include "engine/assertions.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "ggml.h"

namespace rosi::engine {
namespace {

thread_local bool throwing = false;

/// ggml ends the process when this returns.
void on_failure(const char* message) {
  if (!throwing) {
    std::fprintf(stderr, "%s\n", message);
    return;
  }
  const char* file = std::strrchr(message, '/');  // the folders are of the machine that compiled the engine
  throw std::runtime_error(file == nullptr ? message : file + 1);
}

}  // namespace

void watch_assertions() { ggml_set_abort_callback(on_failure); }

ThrowingAssertions::ThrowingAssertions() noexcept { throwing = true; }
ThrowingAssertions::~ThrowingAssertions() { throwing = false; }

}  // namespace rosi::engine
