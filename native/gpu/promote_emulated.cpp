#include "gpu/promote_emulated.h"

#include <cstring>
#include <vector>

#include "gpu/closure_emulated.h"
#include "gpu/promote_gpu.h"
#include "gpu/sweep_emulated.h"
#include "kernels/blocks.h"
#include "kernels/flip_weight.h"

namespace rosi::gpu {
namespace {

/// The passes of promote_cuda.cu. Threads run backwards: the device runs them in any order.
template <class Target>
struct Emulated {
  static constexpr bool kIsFloat = kUnitWeights<Target> == 1;
  Request request;
  std::uint32_t type;
  const UnitUpdate& update;
  std::span<std::byte> out;

  std::size_t n_weights() const { return static_cast<std::size_t>(request.shape.n_in * request.shape.n_out); }
  std::vector<Target> tensor() const { return std::vector<Target>(n_weights() / kUnitWeights<Target>); }

  void encode(std::vector<Target>& target, bool update_too) const {
    Request wanted = request;
    if (!update_too) wanted.left = nullptr;
    for (std::size_t u = target.size(); u-- > 0;) gpu::encode(wanted, static_cast<std::int64_t>(u), target.data());
  }

  std::vector<double> sums_along(const std::vector<Target>& target) const {
    std::vector<double> along(update.s.size());
    for (std::size_t row = along.size(); row-- > 0;) {
      double lanes[kRun];
      for (int lane = kRun; lane-- > 0;) {
        lanes[lane] = sum_lane(request, target.data(), update.mu.data(), static_cast<std::int64_t>(row), lane);
      }
      along[row] = join_lanes(lanes);
    }
    return along;
  }

  void flip(const std::vector<Target>& source, std::vector<Target>& target) const {
    const std::int64_t n_in = request.shape.n_in;
    std::vector<float> lack(update.t.size(), 0.0f);
    sweep_emulated(
        update, lack, [&](std::int64_t row) { return last_place(source[row * n_in]); },
        [&](std::int64_t row, const RowWeights& weights, const Penalties& pull, std::int64_t run, float carry,
            float* errors) {
          for (int lane = kRun; lane-- > 0;) {
            const std::int64_t j = run * kRun + lane;
            if (j >= n_in) continue;
            errors[lane] = flip_weight(source[row * n_in + j], target[row * n_in + j], weights, pull.row, update.t[j],
                                       update.mu[j], lack[j], carry);
          }
        });
  }

  void close(std::vector<Target>& target) const {
    const std::int64_t n_in = request.shape.n_in;
    std::vector<double> sums(static_cast<std::size_t>(kParts * n_in));
    for (std::int64_t part = kParts; part-- > 0;) {
      for (std::int64_t j = n_in; j-- > 0;) {
        sums[part * n_in + j] = sum_column(request, target.data(), update.p.data(), part, j);
      }
    }
    std::vector<float> lack(update.t.size());
    for (std::int64_t j = n_in; j-- > 0;) {
      lack[j] = join_column(sums.data(), n_in, j, update.alignment, update.t[j]);
    }
    auto* bytes = reinterpret_cast<std::byte*>(target.data());
    close_columns_emulated(type, bytes, bytes, update, lack);
  }

  void finish(const std::vector<Target>& target) const { std::memcpy(out.data(), target.data(), out.size()); }
};

std::vector<float> decode(std::uint32_t type, std::span<const std::byte> source, std::size_t n) {
  std::vector<float> values(n);
  const auto decode = [&](auto tag) {
    const auto* from = reinterpret_cast<const typename decltype(tag)::Type*>(source.data());
    for (std::size_t k = n; k-- > 0;) values[k] = decoded(from, static_cast<std::int64_t>(k));
  };
  with_block(type, decode) || with_float(type, decode);
  return values;
}

}  // namespace

void promote_emulated(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t type,
                      std::span<std::byte> target, const RankOne& update) {
  const UnitUpdate unit = UnitUpdate::of(update.left, update.right, {}, update.readout);
  const Shape shape{static_cast<std::int64_t>(update.right.size()), static_cast<std::int64_t>(update.left.size())};
  const std::vector<float> values = decode(source_type, source, update.left.size() * update.right.size());
  const Request request{shape, values.data(), update.left.data(), update.right.data()};
  with_target(type, [&](auto tag) {
    Emulated<typename decltype(tag)::Type> device{request, type, unit, target};
    gpu::promote(device, unit);
  });
}

}  // namespace rosi::gpu
