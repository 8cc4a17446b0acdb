#include "gpu/library.h"

#include <algorithm>

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
  throw core::Error(core::ErrorCode::gpu_failed, name + " can't be used: " + why, {{"path", name}});
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
  if (api->version != kAbiVersion) refuse(path, "it is of another version of rosi");
  std::shared_ptr<const Library> library(new Library(api));
  if (library->devices().empty()) refuse(path, "it finds no GPU");
  return library;
}

Library::Library(const RosiGpuApi* api) : api_(api) {
  RosiGpuError error{};
  std::int32_t count = 0;
  require(api_->count_devices(&count, &error), error);
  for (std::int32_t i = 0; i < count; ++i) {
    RosiGpuDevice found{};
    require(api_->describe_device(i, &found, &error), error);
    devices_.push_back(
        {found.name, found.major, found.minor, found.total_bytes, found.free_bytes, found.bytes_per_second});
  }
}

double Library::run(int device, const RosiGpuRequest& request) const {
  RosiGpuError error{};
  double seconds = 0;
  require(api_->run(device, &request, &seconds, &error), error);
  return seconds;
}

Processor::Processor(std::shared_ptr<const Library> library)
    : library_(std::move(library)), in_work_(library_->devices().size(), 0) {}

void Processor::flip_and_close(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                               const kernels::RankOne& update) const {
  run(request_for(kRosiGpuFlipAndClose, type, source, type, target, update));
}

bool Processor::promote(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                        std::span<std::byte> target, const kernels::RankOne& update) const {
  if (!kernels::supports_rank_one(source_type)) return false;
  run(request_for(kRosiGpuPromote, source_type, source, type, target, update));
  return true;
}

void Processor::run(const RosiGpuRequest& request) const {
  std::size_t device = 0;
  {
    const std::lock_guard lock(mutex_);
    device = static_cast<std::size_t>(std::ranges::min_element(in_work_) - in_work_.begin());
    ++in_work_[device];
  }
  const auto done = [&] {
    const std::lock_guard lock(mutex_);
    --in_work_[device];
  };
  try {
    library_->run(static_cast<int>(device), request);
  } catch (...) {
    done();
    throw;
  }
  done();
}

}  // namespace rosi::gpu
