// Where a model computes besides this machine's processor: the engine's RPC servers, GPUs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ggml-backend.h"

namespace rosi::engine {

struct Placement {
  std::vector<std::string> servers;        // of the engine's own RPC servers, HOST:PORT each; none: this machine's GPUs
  std::vector<std::string> gpu_libraries;  // UTF-8 paths of backends to load; they stay for the life of the process
  int layers = 0;                          // blocks that are placed there, from the last, the head as one; -1: all

  bool is_here() const noexcept { return layers == 0; }
};

/// The devices of a placement, then a null: the engine's own form. Throws Error{server_failed} naming the server,
/// Error{engine_failed} naming a library that can't be loaded, or where there is no GPU.
std::vector<ggml_backend_dev_t> devices_of(const Placement& placement);

/// Servers that hold a part of a model, and whether they still do.
class Servers {
 public:
  Servers() = default;
  /// Of a placement whose servers are connected: devices_of() does that.
  explicit Servers(const Placement& placement);
  /// Throws Error{server_failed} for the first one that was lost since, whatever answers there now: what was on it is
  /// gone, and what was computed since is of no value.
  void check() const;

 private:
  std::vector<std::pair<std::string, std::uint64_t>> losses_;  // how often each was lost before
};

}  // namespace rosi::engine
