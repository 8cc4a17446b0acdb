// For tests: a library like rosi-cuda whose two devices are this processor, going through the GPU's division of work
// thread by thread. They say that they have little memory, so that tensors wait for each other or have no room.
#include <chrono>
#include <string>

#include "gpu/exports.h"
#include "gpu/promote_emulated.h"
#include "gpu/rank_one_emulated.h"

namespace rosi::gpu {
namespace {

struct Emulated {
  static int count() { return 2; }
  static RosiGpuDevice describe(int device) {
    RosiGpuDevice described{};
    described.index = device;
    described.total_bytes = described.free_bytes = std::uint64_t{6} << 20;
    copy_text("emulated " + std::to_string(device), described.name);
    return described;
  }
  static void select(int device) {
    if (device < 0 || device >= count()) throw core::Error(core::ErrorCode::gpu_failed, "no such device");
  }

  static double flip_and_close(const Pass& pass, const kernels::UnitUpdate& unit) {
    return timed([&] { flip_and_close_emulated(pass.type, pass.source, pass.target, unit); });
  }
  static double add(const Pass& pass) {
    return timed([&] { add_floats_emulated(pass.type, pass.source, pass.target, pass.update); });
  }
  static double promote(const Pass& pass) {
    return timed([&] { promote_emulated(pass.type, pass.source, pass.target_type, pass.target, pass.update); });
  }
  static double column_mean(const Pass& pass) {
    return timed([&] { column_mean_emulated(pass.type, pass.source, pass.n_in, pass.n_out, pass.floats()); });
  }

 private:
  template <class Call>
  static double timed(const Call& call) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
};

}  // namespace
}  // namespace rosi::gpu

ROSI_GPU_EXPORT const RosiGpuApi* rosi_gpu() { return rosi::gpu::api<rosi::gpu::Emulated>(); }
