// How a row of any type is turned into numbers: by the kernels where they have the type, otherwise by the engine.
#pragma once

#include <cstdint>

#include "kernels/encoded_rows.h"

namespace rosi {

using Decode = decltype(kernels::EncodedRows::decode);

/// Empty for types that neither converts.
Decode find_decoder(std::uint32_t type);

}  // namespace rosi
