// Gated right factors, solved through the Gram matrix of the kept inputs.
#pragma once

#include <cstdint>
#include <span>

namespace rosi::kernels {

/// r = (C + lambda I)^-1 m / (m^T (C + lambda I)^-1 m): r.m = 1, and r.x is small for the inputs to keep.
/// C = K^T K / n_kept, their uncentred second moment; lambda = rho * trace(C) / d_in. Solved in n_kept dimensions:
///
///   (C + lambda I)^-1 m = (m - K^T (n_kept lambda I + K K^T)^-1 K m) / lambda
///
/// kept [n_kept][d_in] row-major, mean m [d_in], factors [n_rhos][d_in], an r for each rho > 0, dimensionless; the Gram
/// matrix is made once. Products are float32 in
/// blocks of 512, sums of blocks and the Cholesky solution float64; the same bits for any number of threads. Without
/// kept inputs, or with all of them zero, r = m / |m|^2. Cost: n_kept^2 d_in / 2 multiplications,
/// n_kept^3 / 6 for each rho, and 2 n_kept^2 doubles.
/// Throws core::Error{option_invalid} for sizes that do not fit, rho <= 0, a mean of zero, numbers that are not finite.
void gated_factors(std::span<const float> kept, std::int64_t n_kept, std::span<const float> mean,
                   std::span<const double> rhos, int threads, std::span<float> factors);

}  // namespace rosi::kernels
