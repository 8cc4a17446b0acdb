// Memory of the current device, sizes of launches, and CUDA's errors as ours.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"

namespace rosi::kernels {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw core::Error(core::ErrorCode::engine_failed, std::string(what) + ": " + cudaGetErrorString(status),
                    {{"cuda", double(status)}});
}

inline constexpr unsigned kAllLanes = 0xffffffffu;  // of a warp

/// How many blocks of `block` threads make `threads`.
inline unsigned blocks_for(std::int64_t threads, int block) {
  return static_cast<unsigned>((threads + block - 1) / block);
}

/// Device memory for `count` values; freed with the object.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    check(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)), "no device memory");
  }
  explicit DeviceArray(std::span<const T> values) : DeviceArray(values.size()) {
    check(cudaMemcpy(data_, values.data(), values.size_bytes(), cudaMemcpyHostToDevice), "copy to the device");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() { return data_; }
  const T* get() const { return data_; }
  void clear() { check(cudaMemset(data_, 0, count_ * sizeof(T)), "clear device memory"); }
  void read(std::span<T> out) {
    check(cudaMemcpy(out.data(), data_, out.size_bytes(), cudaMemcpyDeviceToHost), "copy from the device");
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

}  // namespace rosi::kernels
