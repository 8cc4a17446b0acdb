// Launches and indices only: the arithmetic is in promote_gpu.h. Compile with --fmad=false, as rank_one_cuda.cu.
#include "kernels/promote_cuda.h"

#include <cuda_runtime.h>

#include <string>

#include "core/error.h"
#include "kernels/blocks.h"
#include "kernels/promote_gpu.h"

namespace rosi::kernels {
namespace {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw core::Error(core::ErrorCode::engine_failed, std::string(what) + ": " + cudaGetErrorString(status),
                    {{"cuda", double(status)}});
}

/// Device memory, freed with the object.
class DeviceBytes {
 public:
  explicit DeviceBytes(std::size_t size) { check(cudaMalloc(&data_, size), "no device memory"); }
  explicit DeviceBytes(std::span<const std::byte> bytes) : DeviceBytes(bytes.size()) {
    check(cudaMemcpy(data_, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "copy to the device");
  }
  ~DeviceBytes() { cudaFree(data_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  template <class T>
  T* as() {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

/// One thread a weight, grid-stride.
template <class Block>
__global__ void decode_weights(const Block* source, std::int64_t n, float* values) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    values[k] = gpu::decoded(source, k);
  }
}

template <class Weight>
__global__ void encode_weights(const float* values, gpu::Shape shape, const float* left, const float* right,
                               Weight* target) {
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t n = shape.n_in * shape.n_out;
  for (std::int64_t k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < n; k += stride) {
    gpu::encode(target[k], values[k], left[k / shape.n_in], right[k % shape.n_in]);
  }
}

}  // namespace

void promote_to_floats_cuda(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t target_type,
                            std::span<std::byte> target, std::span<const float> left, std::span<const float> right) {
  const gpu::Shape shape{static_cast<std::int64_t>(right.size()), static_cast<std::int64_t>(left.size())};
  const std::int64_t n = shape.n_in * shape.n_out;
  DeviceBytes from(source), values(static_cast<std::size_t>(n) * sizeof(float)), to(target.size());
  DeviceBytes s(std::as_bytes(left)), t(std::as_bytes(right));
  const auto decode = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    decode_weights<<<1024, 256>>>(from.as<const Block>(), n, values.as<float>());
  };
  with_block(source_type, decode) || with_float(source_type, decode);
  check(cudaGetLastError(), "the decoding");
  with_float(target_type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    encode_weights<<<1024, 256>>>(values.as<const float>(), shape, s.as<const float>(), t.as<const float>(),
                                  to.as<Weight>());
  });
  check(cudaGetLastError(), "the rounding");
  check(cudaMemcpy(target.data(), to.as<std::byte>(), target.size(), cudaMemcpyDeviceToHost), "copy from the device");
}

}  // namespace rosi::kernels
