// Memory of the current device and what brings tensors there and back, all in the stream of the calling thread: threads
// with a tensor each have their copies and kernels run beside each other's.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace rosi::gpu {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next launch would be blamed for it
  throw core::Error(core::ErrorCode::gpu_failed, std::string(what) + ": " + cudaGetErrorString(status),
                    {{"cuda", double(status)}});
}

/// Of the calling thread: where every copy and launch goes.
inline const cudaStream_t kStream = cudaStreamPerThread;
inline constexpr unsigned kAllLanes = 0xffffffffu;  // of a warp

/// How many blocks of `block` threads make `threads`.
inline unsigned blocks_for(std::int64_t threads, int block) {
  return static_cast<unsigned>((threads + block - 1) / block);
}

/// Two halves of memory that the device copies from and to by itself. While one half is under way, the other is filled
/// or emptied, so that the pages of a mapped file are read during the copy. Lent from those of the current device,
/// which stay until the process ends: when a thread ends, or a library is unloaded, CUDA may not be called.
class Ferry {
 public:
  class Loan {
   public:
    Loan() {
      check(cudaGetDevice(&device_), "the current device");
      {
        const std::lock_guard lock(all().mutex);
        std::vector<std::unique_ptr<Ferry>>& idle = all().idle[device_];
        if (!idle.empty()) {
          ferry_ = std::move(idle.back());
          idle.pop_back();
        }
      }
      if (ferry_ == nullptr) ferry_ = std::make_unique<Ferry>();
    }
    ~Loan() {
      const std::lock_guard lock(all().mutex);
      all().idle[device_].push_back(std::move(ferry_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Ferry* operator->() { return ferry_.get(); }

   private:
    int device_ = 0;
    std::unique_ptr<Ferry> ferry_;
  };

  Ferry() {
    for (Half& half : halves_) {
      check(cudaHostAlloc(reinterpret_cast<void**>(&half.data), kHalf, cudaHostAllocPortable), "no pinned memory");
      check(cudaEventCreateWithFlags(&half.done, cudaEventDisableTiming), "an event");
    }
  }
  ~Ferry() {
    for (const Half& half : halves_) {
      if (half.done != nullptr) cudaEventDestroy(half.done);
      cudaFreeHost(half.data);
    }
  }
  Ferry(const Ferry&) = delete;
  Ferry& operator=(const Ferry&) = delete;

  /// `from` is free again afterwards; the last copies may still be under way in the stream.
  void bring(std::byte* device, std::span<const std::byte> from) {
    for (std::size_t at = 0, k = 0; at < from.size(); at += kHalf, ++k) {
      Half& half = halves_[k % 2];
      const std::size_t n = std::min(kHalf, from.size() - at);
      wait(half);
      std::memcpy(half.data, from.data() + at, n);
      check(cudaMemcpyAsync(device + at, half.data, n, cudaMemcpyHostToDevice, kStream), "copy to the device");
      check(cudaEventRecord(half.done, kStream), "an event");
    }
  }

  void fetch(const std::byte* device, std::span<std::byte> to) {
    for (std::size_t at = 0, k = 0; at < to.size() + kHalf; at += kHalf, ++k) {
      if (at < to.size()) {
        Half& half = halves_[k % 2];
        const std::size_t n = std::min(kHalf, to.size() - at);
        wait(half);  // for what bring() may have left under way
        check(cudaMemcpyAsync(half.data, device + at, n, cudaMemcpyDeviceToHost, kStream), "copy from the device");
        check(cudaEventRecord(half.done, kStream), "an event");
      }
      if (at == 0) continue;
      Half& before = halves_[(k + 1) % 2];
      wait(before);
      std::memcpy(to.data() + (at - kHalf), before.data, std::min(kHalf, to.size() - (at - kHalf)));
    }
  }

 private:
  struct Ferries {
    std::mutex mutex;
    std::map<int, std::vector<std::unique_ptr<Ferry>>> idle;  // of each device
  };
  static Ferries& all() {
    static Ferries& ferries = *new Ferries;
    return ferries;
  }

  static constexpr std::size_t kHalf = std::size_t{4} << 20;
  struct Half {
    std::byte* data = nullptr;
    cudaEvent_t done = nullptr;
  };
  static void wait(const Half& half) { check(cudaEventSynchronize(half.done), "waiting for a copy"); }
  Half halves_[2];
};

/// Device memory for `count` values; freed with the object, in the order of the stream.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    check(cudaMallocAsync(reinterpret_cast<void**>(&data_), count * sizeof(T), kStream), "no device memory");
  }
  explicit DeviceArray(std::span<const T> values) : DeviceArray(values.size()) {
    Ferry::Loan()->bring(reinterpret_cast<std::byte*>(data_), std::as_bytes(values));
  }
  ~DeviceArray() { cudaFreeAsync(data_, kStream); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() { return data_; }
  const T* get() const { return data_; }
  void clear() { check(cudaMemsetAsync(data_, 0, count_ * sizeof(T), kStream), "clear device memory"); }
  void copy(const DeviceArray& other) {
    check(cudaMemcpyAsync(data_, other.data_, count_ * sizeof(T), cudaMemcpyDeviceToDevice, kStream), "a copy");
  }
  /// Waits for the stream.
  void read(std::span<T> out) {
    Ferry::Loan()->fetch(reinterpret_cast<std::byte*>(data_), std::as_writable_bytes(out));
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

/// What the stream takes from here on.
class KernelClock {
 public:
  KernelClock() {
    check(cudaEventCreate(&begin_), "an event");
    check(cudaEventCreate(&end_), "an event");
    check(cudaEventRecord(begin_, kStream), "an event");
  }
  ~KernelClock() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  KernelClock(const KernelClock&) = delete;
  KernelClock& operator=(const KernelClock&) = delete;

  /// Seconds; waits for the stream.
  double stop() {
    float milliseconds = 0;
    check(cudaEventRecord(end_, kStream), "an event");
    check(cudaEventSynchronize(end_), "the kernels");
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "an event");
    return double{milliseconds} / 1000;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace rosi::gpu
