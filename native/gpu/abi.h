// What a library with the kernels for GPUs exports (rosi-cuda): C types alone, so that another compiler may have built
// it. Made from the same sources as the addon that loads it: `sources` says whether it was.
#pragma once

#include <cstdint>

extern "C" {

struct RosiGpuDevice {
  std::int32_t index;  // what run() is told
  char name[256];
  std::int32_t major, minor;  // compute capability
  std::uint64_t total_bytes, free_bytes;
  double bytes_per_second;  // of its memory, at most; 0: not told
};

/// What went wrong: a core::ErrorCode and words.
struct RosiGpuError {
  std::int32_t code;
  char message[512];
};

enum RosiGpuPass : std::int32_t {
  kRosiGpuFlipAndClose,  // quantised types: flip_codes() and close_columns()
  kRosiGpuPromote,       // promote() to target_type
  kRosiGpuAdd,           // float types: add_floats() of all weights; updates add here, where they also measure
  kRosiGpuColumnMean,    // column_mean(); the target is n_in floats, left and right are not looked at
};

/// One pass over a matrix of n_out rows of n_in weights. Sizes are in bytes; what may be null is not given.
struct RosiGpuRequest {
  RosiGpuPass pass;
  std::uint32_t type, target_type;
  std::int64_t n_in, n_out;
  const void* source;
  std::uint64_t source_size;
  void* target;
  std::uint64_t target_size;
  const float* left;          // [n_out]
  const float* right;         // [n_in]
  const float* mean_squares;  // [n_in] or null
  const float* readout;       // [n_out] or null
};

/// The functions return 0, or another number after filling `error`. Any thread may call them at any time.
struct RosiGpuApi {
  const char* sources;  // gpu::sources; of any version the first member
  int (*count_devices)(std::int32_t* count, RosiGpuError* error);
  /// Fails for a device that can't be used. Makes the driver's context on it.
  int (*describe_device)(std::int32_t device, RosiGpuDevice* out, RosiGpuError* error);
  /// `kernel_seconds` (may be null): what it took without the copies of the tensor.
  int (*run)(std::int32_t device, const RosiGpuRequest* request, double* kernel_seconds, RosiGpuError* error);
};

/// The one exported function.
using RosiGpuEntry = const RosiGpuApi* (*)();
}

namespace rosi::gpu {

inline constexpr const char* kEntryName = "rosi_gpu";

/// SHA-256 of the sources that both sides are made from (hash_sources.cmake).
extern const char* const sources;

}  // namespace rosi::gpu
