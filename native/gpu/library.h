// The kernels on GPUs, in a library that is loaded where it is installed: rosi-cuda, built from this folder.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "gpu/abi.h"
#include "kernels/processor.h"

namespace rosi::gpu {

struct Device {
  std::string name;
  int major, minor;
  std::uint64_t total_bytes, free_bytes;  // 0: not told
  double bytes_per_second;                // of its memory, at most; 0: not told
};

/// A loaded library and its devices. Stays in the process, as drivers want it.
class Library {
 public:
  /// Throws core::Error{gpu_failed} with the system's reason, or when it was built from other sources, or has no
  /// device.
  static std::shared_ptr<const Library> open(const std::filesystem::path& path);

  const std::vector<Device>& devices() const noexcept { return devices_; }
  /// One pass on a device; returns the seconds that its kernels took. Throws core::Error{gpu_failed} with its words.
  double run(int device, const RosiGpuRequest& request) const;

 private:
  explicit Library(const RosiGpuApi* api);
  const RosiGpuApi* api_;
  std::vector<Device> devices_;
};

/// All devices of a library as one processor: each tensor goes to the one that has the fewest in work.
class Processor final : public kernels::Processor {
 public:
  explicit Processor(std::shared_ptr<const Library> library);
  void flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      const kernels::RankOne& update) const override;
  bool promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
               std::span<std::byte> target, const kernels::RankOne& update) const override;

 private:
  void run(const RosiGpuRequest& request) const;
  const std::shared_ptr<const Library> library_;
  mutable std::mutex mutex_;
  mutable std::vector<int> in_work_;  // of each device
};

}  // namespace rosi::gpu
