// The functions of abi.h over a backend: a class of static functions that computes on one kind of device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string>

#include "core/error.h"
#include "gpu/abi.h"
#include "kernels/promote.h"
#include "kernels/rank_one.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"
#include "kernels/unit_update.h"

#if defined(_WIN32)
#define ROSI_GPU_EXPORT extern "C" __declspec(dllexport)
#else
#define ROSI_GPU_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace rosi::gpu {

/// A request's tensors as the backends take them, once their sizes are known to fit.
struct Pass {
  std::uint32_t type, target_type;
  std::int64_t n_in, n_out;
  std::span<const std::byte> source;
  std::span<std::byte> target;
  kernels::RankOne update;

  static Pass of(const RosiGpuRequest& request) {
    const auto floats = [](const float* data, std::int64_t n) {
      return data == nullptr ? std::span<const float>() : std::span(data, static_cast<std::size_t>(n));
    };
    const std::int64_t n_in = request.n_in, n_out = request.n_out;
    const bool is_mean = request.pass == kRosiGpuColumnMean;
    kernels::check_tensor(request.type, n_in, n_out, request.source_size);
    kernels::check_tensor(request.target_type, n_in, is_mean ? 1 : n_out, request.target_size);
    if (!fits(request)) throw core::Error(core::ErrorCode::tensor_unsupported, "the types are not for this pass");
    if (!is_mean && (request.left == nullptr || request.right == nullptr)) {
      throw core::Error(core::ErrorCode::option_invalid, "this pass needs left and right");
    }
    return {request.type,
            request.target_type,
            n_in,
            n_out,
            {static_cast<const std::byte*>(request.source), request.source_size},
            {static_cast<std::byte*>(request.target), request.target_size},
            {floats(request.left, n_out),
             floats(request.right, n_in),
             {floats(request.mean_squares, n_in)},
             floats(request.readout, n_out)}};
  }

  static bool fits(const RosiGpuRequest& request) {
    const bool is_float = kernels::block_size(request.type).weights == 1;
    switch (request.pass) {
      case kRosiGpuFlipAndClose: return !is_float && request.target_type == request.type;
      case kRosiGpuAdd: return is_float && request.target_type == request.type;
      case kRosiGpuPromote: return kernels::is_promotion_target(request.target_type);
      case kRosiGpuColumnMean: return request.target_type == kernels::kF32;
    }
    return false;
  }

  /// The target of a mean.
  std::span<float> floats() const { return {reinterpret_cast<float*>(target.data()), target.size() / sizeof(float)}; }

  kernels::UnitUpdate unit() const {
    return kernels::UnitUpdate::of(update.left, update.right, update.inputs.mean_squares, update.readout);
  }
};

inline void copy_text(const std::string& text, std::span<char> out) {
  const std::size_t n = std::min(text.size(), out.size() - 1);
  std::memcpy(out.data(), text.data(), n);
  out[n] = 0;
}

template <class Call>
int guarded(RosiGpuError* error, const Call& call) noexcept {
  core::ErrorCode code = core::ErrorCode::gpu_failed;
  std::string words;
  try {
    call();
    return 0;
  } catch (const core::Error& thrown) {
    code = thrown.code();
    words = thrown.what();
  } catch (const std::exception& thrown) {
    words = thrown.what();
  } catch (...) {
    words = "something unknown failed";
  }
  error->code = static_cast<std::int32_t>(code);
  copy_text(words, error->message);
  return 1;
}

template <class Backend>
const RosiGpuApi* api() {
  static const RosiGpuApi functions{
      sources,
      [](std::int32_t* count, RosiGpuError* error) { return guarded(error, [&] { *count = Backend::count(); }); },
      [](std::int32_t device, RosiGpuDevice* out, RosiGpuError* error) {
        return guarded(error, [&] { *out = Backend::describe(device); });
      },
      [](std::int32_t device, const RosiGpuRequest* request, double* kernel_seconds, RosiGpuError* error) {
        return guarded(error, [&] {
          const Pass pass = Pass::of(*request);
          double seconds = 0;
          Backend::select(device);
          switch (request->pass) {
            case kRosiGpuFlipAndClose:
              if (const kernels::UnitUpdate unit = pass.unit(); unit.size > 0) {
                seconds = Backend::flip_and_close(pass, unit);
              } else {
                std::copy(pass.source.begin(), pass.source.end(), pass.target.begin());
              }
              break;
            case kRosiGpuAdd: seconds = Backend::add(pass); break;
            case kRosiGpuPromote: seconds = Backend::promote(pass); break;
            case kRosiGpuColumnMean: seconds = Backend::column_mean(pass); break;
          }
          if (kernel_seconds != nullptr) *kernel_seconds = seconds;
        });
      }};
  return &functions;
}

}  // namespace rosi::gpu
