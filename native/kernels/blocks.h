// All block types, and the step from a type's number to its C++ type.
#pragma once

#include <utility>

#include "kernels/block_float.h"
#include "kernels/block_iq4_nl.h"
#include "kernels/block_iq4_xs.h"
#include "kernels/block_mxfp4.h"
#include "kernels/block_q2_k.h"
#include "kernels/block_q3_k.h"
#include "kernels/block_q4_0.h"
#include "kernels/block_q4_1.h"
#include "kernels/block_q4_k.h"
#include "kernels/block_q5_0.h"
#include "kernels/block_q5_1.h"
#include "kernels/block_q5_k.h"
#include "kernels/block_q6_k.h"
#include "kernels/block_q8_0.h"
#include "kernels/types.h"

namespace rosi::kernels {

/// A type as a value, to pick a template instance: `with_block(type, [](auto tag) { using Block = decltype(tag)::Type;
/// })`.
template <class T>
struct Tag {
  using Type = T;
};

/// Calls `use` with the Tag of a quantised type; false, without a call, for any other type.
template <class Use>
bool with_block(std::uint32_t type, Use&& use) {
  switch (type) {
    case kQ4_0: use(Tag<BlockQ4_0>{}); return true;
    case kQ4_1: use(Tag<BlockQ4_1>{}); return true;
    case kQ5_0: use(Tag<BlockQ5_0>{}); return true;
    case kQ5_1: use(Tag<BlockQ5_1>{}); return true;
    case kQ8_0: use(Tag<BlockQ8_0>{}); return true;
    case kQ2_K: use(Tag<BlockQ2_K>{}); return true;
    case kQ3_K: use(Tag<BlockQ3_K>{}); return true;
    case kQ4_K: use(Tag<BlockQ4_K>{}); return true;
    case kQ5_K: use(Tag<BlockQ5_K>{}); return true;
    case kQ6_K: use(Tag<BlockQ6_K>{}); return true;
    case kIQ4_NL: use(Tag<BlockIQ4_NL>{}); return true;
    case kIQ4_XS: use(Tag<BlockIQ4_XS>{}); return true;
    case kMXFP4: use(Tag<BlockMXFP4>{}); return true;
    default: return false;
  }
}

/// Calls `use` with the codes of a quantised type, a CodeRange or a CodeTable.
template <class Use>
void with_codes(std::uint32_t type, Use&& use) {
  with_block(type, [&use](auto tag) { use(codes_of<typename decltype(tag)::Type>()); });
}

/// with_block() for the three float types.
template <class Use>
bool with_float(std::uint32_t type, Use&& use) {
  switch (type) {
    case kF32: use(Tag<WeightF32>{}); return true;
    case kF16: use(Tag<WeightF16>{}); return true;
    case kBF16: use(Tag<WeightBF16>{}); return true;
    default: return false;
  }
}

}  // namespace rosi::kernels
