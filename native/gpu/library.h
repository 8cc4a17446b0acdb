// The kernels on GPUs, in a library that is loaded where it is installed: rosi-cuda, built from this folder.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "gpu/abi.h"
#include "kernels/accelerator.h"

namespace rosi::gpu {

struct Device {
  int index;
  std::string name;
  int major, minor;
  std::uint64_t total_bytes, free_bytes;  // 0: not told
  double bytes_per_second;                // of its memory, at most; 0: not told
};

/// A loaded library and its devices. Stays in the process, as drivers want it.
class Library {
 public:
  /// Throws core::Error{gpu_failed}: with a detail `library` when it can't be loaded or was built from other sources,
  /// without when there is no driver, or no device that can be used.
  static std::shared_ptr<const Library> open(const std::filesystem::path& path);

  const std::vector<Device>& devices() const noexcept { return devices_; }
  /// One pass on the device of an index; returns the seconds that its kernels took. Throws core::Error{gpu_failed} with
  /// its words.
  double run(int device, const RosiGpuRequest& request) const;

 private:
  explicit Library(const RosiGpuApi* api);
  const RosiGpuApi* api_;
  std::vector<Device> devices_;
};

/// All devices of a library: each tensor goes to the one that has the most memory left, and waits where others have
/// taken what it needs.
class Accelerator final : public kernels::Accelerator {
 public:
  explicit Accelerator(std::shared_ptr<const Library> library);
  bool flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      const kernels::RankOne& update) const override;
  bool promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
               std::span<std::byte> target, const kernels::RankOne& update) const override;

 private:
  /// False when no device has `bytes` of memory.
  bool run(const RosiGpuRequest& request, std::uint64_t bytes) const;
  const std::shared_ptr<const Library> library_;
  mutable std::mutex mutex_;
  mutable std::condition_variable freed_;
  std::vector<std::uint64_t> most_;          // of each device, bytes
  mutable std::vector<std::uint64_t> left_;  // of those
};

}  // namespace rosi::gpu
