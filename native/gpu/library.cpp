#include "gpu/library.h"

#include <algorithm>
#include <string_view>

#include "gpu/rank_one_gpu.h"
#include "kernels/rank_one.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace rosi::gpu {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  const std::string name = core::to_utf8(path);
  throw core::Error(core::ErrorCode::gpu_failed, name + " can't be used: " + why, {{"library", name}});
}

/// The library's entry. It is never unloaded.
RosiGpuEntry entry_of(const std::filesystem::path& path) {
#if defined(_WIN32)
  const HMODULE library = LoadLibraryW(path.c_str());
  if (library == nullptr) refuse(path, "it could not be loaded, error " + std::to_string(GetLastError()));
  return reinterpret_cast<RosiGpuEntry>(reinterpret_cast<void*>(GetProcAddress(library, kEntryName)));
#else
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse(path, dlerror());
  return reinterpret_cast<RosiGpuEntry>(dlsym(library, kEntryName));
#endif
}

void require(int status, const RosiGpuError& error) {
  if (status != 0) throw core::Error(static_cast<core::ErrorCode>(error.code), error.message);
}

const float* data_or_null(std::span<const float> values) { return values.empty() ? nullptr : values.data(); }

RosiGpuRequest request_for(RosiGpuPass pass, std::uint32_t type, std::span<const std::byte> source,
                           std::uint32_t target_type, std::span<std::byte> target, const kernels::RankOne& update) {
  return {pass,
          type,
          target_type,
          static_cast<std::int64_t>(update.right.size()),
          static_cast<std::int64_t>(update.left.size()),
          source.data(),
          source.size(),
          target.data(),
          target.size(),
          update.left.data(),
          update.right.data(),
          data_or_null(update.inputs.mean_squares),
          data_or_null(update.readout)};
}

}  // namespace

std::shared_ptr<const Library> Library::open(const std::filesystem::path& path) {
  const RosiGpuEntry entry = entry_of(path);
  if (entry == nullptr) refuse(path, "it is no library of rosi's kernels");
  const RosiGpuApi* api = entry();
  if (std::string_view(api->sources) != sources) {
    refuse(path, "it was built from other sources than the addon: build it again");
  }
  return std::shared_ptr<const Library>(new Library(api));
}

Library::Library(const RosiGpuApi* api) : api_(api) {
  RosiGpuError error{};
  std::int32_t count = 0;
  require(api_->count_devices(&count, &error), error);
  std::string why;
  for (std::int32_t i = 0; i < count; ++i) {
    RosiGpuDevice found{};
    if (api_->describe_device(i, &found, &error) != 0) {
      why += std::string("; device ") + std::to_string(i) + ": " + error.message;
      continue;
    }
    devices_.push_back({found.index, found.name, found.major, found.minor, found.total_bytes, found.free_bytes,
                        found.bytes_per_second});
  }
  if (devices_.empty()) throw core::Error(core::ErrorCode::gpu_failed, "no GPU that can be used was found" + why);
}

double Library::run(int device, const RosiGpuRequest& request) const {
  RosiGpuError error{};
  double seconds = 0;
  require(api_->run(device, &request, &seconds, &error), error);
  return seconds;
}

Accelerator::Accelerator(std::shared_ptr<const Library> library) : library_(std::move(library)) {
  for (const Device& device : library_->devices()) {
    // Some of it is the driver's, and pieces do not fill it. What is not told is taken for enough.
    const double told = device.total_bytes > 0 ? 0.9 * double(device.free_bytes) : 1e18;
    most_.push_back(static_cast<std::uint64_t>(told));
  }
  left_ = most_;
}

bool Accelerator::flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                                 const kernels::RankOne& update) const {
  const Shape shape{std::ssize(update.right), std::ssize(update.left)};
  const auto hands = static_cast<std::uint64_t>(tiles(shape) * shape.n_out);
  return run(request_for(kRosiGpuFlipAndClose, type, source, type, target, update),
             2 * source.size() + sizeof(HandWord) * hands);
}

bool Accelerator::promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                          std::span<std::byte> target, const kernels::RankOne& update) const {
  if (!kernels::supports_rank_one(source_type)) return false;
  return run(request_for(kRosiGpuPromote, source_type, source, type, target, update),
             source.size() + 4 * update.left.size() * update.right.size() + 3 * target.size());
}

bool Accelerator::run(const RosiGpuRequest& request, std::uint64_t bytes) const {
  std::size_t device = 0;
  {
    std::unique_lock lock(mutex_);
    if (bytes > *std::ranges::max_element(most_)) return false;
    // A device that is idle has all of `most_`, so that the largest tensor gets its turn.
    freed_.wait(lock, [&] {
      device = static_cast<std::size_t>(std::ranges::max_element(left_) - left_.begin());
      return bytes <= left_[device];
    });
    left_[device] -= bytes;
  }
  const auto done = [&] {
    {
      const std::lock_guard lock(mutex_);
      left_[device] += bytes;
    }
    freed_.notify_all();
  };
  try {
    library_->run(library_->devices()[device].index, request);
  } catch (...) {
    done();
    throw;
  }
  done();
  return true;
}

}  // namespace rosi::gpu
