// The library rosi-cuda: the kernels on NVIDIA's GPUs behind the functions of abi.h.
#include <cuda_runtime.h>

#include "gpu/closure_cuda.h"
#include "gpu/device_array.cuh"
#include "gpu/exports.h"
#include "gpu/promote_cuda.h"
#include "gpu/rank_one_cuda.h"

namespace rosi::gpu {
namespace {

struct Cuda {
  static int count() {
    int driver = 0, count = 0;
    // 0 without a driver, where the next call would speak of one that is too old.
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      throw core::Error(core::ErrorCode::gpu_failed, "no NVIDIA driver is installed");
    }
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorNoDevice) return 0;
    check(status, "looking for devices");
    return count;
  }

  static RosiGpuDevice describe(int device) {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device), "a device's properties");
    check(cudaSetDevice(device), "choosing a device");
    if (!properties.memoryPoolsSupported) {
      throw core::Error(core::ErrorCode::gpu_failed, std::string(properties.name) + " has no memory pools");
    }
    require_code();
    RosiGpuDevice described{};
    described.index = device;
    copy_text(properties.name, described.name);
    described.major = properties.major;
    described.minor = properties.minor;
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "a device's memory");
    described.free_bytes = free;
    described.total_bytes = total;
    int kilohertz = 0;
    if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, device) == cudaSuccess) {
      // Both edges of the clock carry data.
      described.bytes_per_second = 2e3 * kilohertz * properties.memoryBusWidth / 8;
    }
    cudaGetLastError();  // not told: nothing that the next launch is to be blamed for
    return described;
  }

  static void select(int device) {
    check(cudaSetDevice(device), "choosing a device");
    // What a tensor leaves the next one takes, instead of the system.
    cudaMemPool_t pool = nullptr;
    std::uint64_t all = ~std::uint64_t{0};
    check(cudaDeviceGetDefaultMemPool(&pool, device), "the memory pool");
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "the memory pool");
  }

  static double flip_and_close(const Pass& pass, const kernels::UnitUpdate& unit) {
    return flip_and_close_cuda(pass.type, pass.source, pass.target, unit);
  }
  static double add(const Pass& pass) { return add_floats_cuda(pass.type, pass.source, pass.target, pass.update); }
  static double promote(const Pass& pass) {
    return promote_cuda(pass.type, pass.source, pass.target_type, pass.target, pass.update);
  }
  static double column_mean(const Pass& pass) {
    return column_mean_cuda(pass.type, pass.source, pass.n_in, pass.n_out, pass.floats());
  }
};

}  // namespace
}  // namespace rosi::gpu

ROSI_GPU_EXPORT const RosiGpuApi* rosi_gpu() { return rosi::gpu::api<rosi::gpu::Cuda>(); }
