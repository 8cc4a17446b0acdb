// What the engine can compute on, for people: its backends, as they were loaded, and their devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rosi::engine {

struct Device {
  std::string name;         // short: CPU, CUDA0
  std::string description;  // of the hardware, as its driver calls it
  std::string kind;         // cpu, gpu, igpu (integrated, in the host's memory), accel or meta (several as one)
  std::string backend;
  std::string library;                // UTF-8 path of the file that the backend was loaded from
  std::vector<std::string> features;  // that the backend was compiled for or found: AVX2, F16C
  std::uint64_t free_bytes = 0;       // with total_bytes; both 0 where the backend does not tell
  std::uint64_t total_bytes = 0;
};

struct EngineReport {
  std::string version;  // ggml's own
  std::string commit;
  std::vector<Device> devices;
  std::vector<std::string> not_loaded;  // of the libraries asked for
};

/// Loads the engine's backends, then those of `libraries` (UTF-8 paths). The latter stay for the life of the process,
/// and models that are loaded later may compute on them: a process that does more than look must not give any. Throws
/// as load_backends().
EngineReport engine_report(const std::vector<std::string>& libraries);

}  // namespace rosi::engine
