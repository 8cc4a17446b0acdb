#include "kernels/promote_emulated.h"

#include <vector>

#include "kernels/blocks.h"
#include "kernels/promote_gpu.h"

namespace rosi::kernels {

void promote_to_floats_emulated(std::uint32_t source_type, std::span<const std::byte> source, std::uint32_t target_type,
                                std::span<std::byte> target, std::span<const float> left,
                                std::span<const float> right) {
  std::vector<float> values(left.size() * right.size());
  const auto n = static_cast<std::int64_t>(values.size());
  const auto decode = [&](auto tag) {
    const auto* from = reinterpret_cast<const typename decltype(tag)::Type*>(source.data());
    for (std::int64_t k = 0; k < n; ++k) values[k] = gpu::decoded(from, k);
  };
  with_block(source_type, decode) || with_float(source_type, decode);
  with_float(target_type, [&](auto tag) {
    auto* to = reinterpret_cast<typename decltype(tag)::Type*>(target.data());
    for (std::int64_t k = 0; k < n; ++k) gpu::encode(to[k], values[k], left[k / right.size()], right[k % right.size()]);
  });
}

}  // namespace rosi::kernels
