// Launches and indices only: the arithmetic is in promote_gpu.h. Compile with --fmad=false, as rank_one_cuda.cu.
#include "kernels/promote_cuda.h"

#include <cuda_runtime.h>

#include "kernels/blocks.h"
#include "kernels/device_array.cuh"
#include "kernels/promote_gpu.h"

namespace rosi::kernels {
namespace {

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
  DeviceArray<std::byte> from(source), to(target.size());
  DeviceArray<float> values(static_cast<std::size_t>(n)), s(left), t(right);
  const auto decode = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    decode_weights<<<1024, 256>>>(reinterpret_cast<const Block*>(from.get()), n, values.get());
  };
  with_block(source_type, decode) || with_float(source_type, decode);
  check(cudaGetLastError(), "the decoding");
  with_float(target_type, [&](auto tag) {
    using Weight = typename decltype(tag)::Type;
    encode_weights<<<1024, 256>>>(values.get(), shape, s.get(), t.get(), reinterpret_cast<Weight*>(to.get()));
  });
  check(cudaGetLastError(), "the rounding");
  to.read(target);
}

}  // namespace rosi::kernels
