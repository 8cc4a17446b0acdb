// Least-squares grids for 16 or 32 neighbouring weights: the inner step of requantising.
#pragma once

#include "kernels/block.h"
#include "kernels/levels.h"

namespace rosi::kernels {

/// The step with the least squared error among eight that put the largest weight near an end of the codes, for x[0..n),
/// values being step * code, `codes` a CodeRange around zero or the table of IQ4. May be negative; 0 for all zeros. n
/// is 16 or 32.
template <class Codes>
float fit_step(const float* x, int n, const Codes& codes);

/// The exponent of an MXFP4 block with the least squared error for x[0..32).
int fit_exponent(const float* x);

/// The grid step * code + offset with the least squared error for x[0..n); codes 0 to `highest`, step >= 0. With
/// `offset_not_positive`, as in types that store a minimum without sign, offset <= 0. n is 16 or 32.
Grid fit_grid(const float* x, int n, int highest, bool offset_not_positive);

}  // namespace rosi::kernels
