// A stack of matrices, one for each expert, that are updated one by one.
#pragma once

#include <span>

#include "kernels/rank_one.h"

namespace rosi::kernels {

/// One Realised for the stack as a block-diagonal matrix, over the experts whose update is not zero:
/// - gain: the mean weighted with |D_e|^2, which is s.(dW r) / |D| of the whole; worst_gain: the one farthest from 1;
/// - relative_change, off_direction, column_error, collateral: of the whole, by the squares of their parts;
/// - worst_group: the least; step_ratio, flipped: the mean; saturated: of all changed weights;
/// - noise_to_signal: root of mean noise power over mean signal power, every expert counting equally;
/// - mode: that of the largest part of |D|^2.
/// worst_gain and worst_group pass over experts with less than 1e-6 of |D|^2. A single matrix stays as it is.
Realised combine(std::span<const Realised> experts);

}  // namespace rosi::kernels
