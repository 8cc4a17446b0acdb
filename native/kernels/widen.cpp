#include "kernels/widen.h"

#include <cassert>

#include "core/clones.h"
#include "kernels/blocks.h"

namespace rosi::kernels {
namespace {

void take_scales(const BlockQ5_0& from, BlockQ8_0& to) { to.scale = from.scale; }
void take_scales(const BlockIQ4_NL& from, BlockQ8_0& to) { to.scale = from.scale; }
void take_scales(const BlockQ3_K& from, BlockQ6_K& to) {
  to.scale_unit = from.scale_unit;
  for (int k = 0; k < 16; ++k) to.scales[k] = static_cast<std::uint8_t>(from.scale(k));
}

template <class From, class To>
ROSI_CLONES void widen_blocks(const From* __restrict source, To* __restrict target, std::size_t count) {
  static_assert(From::kWeights == To::kWeights && From::kStepWeights == To::kStepWeights);
  static_assert(From::kLowest - From::kCentre >= To::kLowest - To::kCentre &&
                From::kHighest - From::kCentre <= To::kHighest - To::kCentre);
  for (std::size_t b = 0; b < count; ++b) {
    take_scales(source[b], target[b]);
    for (int run = 0; run < From::kWeights / kRun; ++run) {
      for (int lane = 0; lane < kRun; ++lane)
        target[b].set_code(run, lane, source[b].code(run, lane) - From::kCentre + To::kCentre);
    }
  }
}

template <class From, class To>
void widen_tensor(std::span<const std::byte> source, std::span<std::byte> target) {
  assert(source.size() / sizeof(From) == target.size() / sizeof(To));
  widen_blocks(reinterpret_cast<const From*>(source.data()), reinterpret_cast<To*>(target.data()),
               target.size() / sizeof(To));
}

}  // namespace

std::optional<std::uint32_t> wider_type(std::uint32_t type) {
  switch (type) {
    case kQ5_0:
    case kIQ4_NL: return kQ8_0;
    case kQ3_K: return kQ6_K;
    default: return std::nullopt;
  }
}

void widen(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target) {
  assert(wider_type(type));
  switch (type) {
    case kQ5_0: return widen_tensor<BlockQ5_0, BlockQ8_0>(source, target);
    case kIQ4_NL: return widen_tensor<BlockIQ4_NL, BlockQ8_0>(source, target);
    case kQ3_K: return widen_tensor<BlockQ3_K, BlockQ6_K>(source, target);
    default: return;
  }
}

}  // namespace rosi::kernels
