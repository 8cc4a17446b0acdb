// W += left * right^T inside a tensor of a GGUF file, in the tensor's own type and size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/progress.h"
#include "kernels/accelerator.h"
#include "kernels/column_mean.h"

namespace rosi::kernels {

/// F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4, by the numbers of GGUF.
bool supports_rank_one(std::uint32_t type);

/// What a matrix is multiplied by when the model runs.
struct Inputs {
  std::span<const float> mean_squares;  // [n_in] E[x_j^2]; empty when they are not known
  double response_rms = 0;              // root mean square of right.x over the same inputs
};

/// The update: W[i][j] += left[i] * right[j]. The strength is part of `left`.
struct RankOne {
  std::span<const float> left;   // [n_out]
  std::span<const float> right;  // [n_in]
  Inputs inputs = {};
  /// [n_out] What follows uses the output along this, p its unit vector; empty: along left, p = s. Rounding then keeps
  /// the sum of each column along p rather than along s.
  std::span<const float> readout = {};
};

/// What a tensor really changed by, dW = target - source, against the request D = left * right^T. Measured on the two
/// tensors' bytes, see measure.h; dimensionless but for the last two. s and r are the unit vectors of left and right.
/// Of a stack of matrices see experts.h.
struct Realised {
  /// "copy" (nothing asked, bytes equal) | "add" | "code-flips" | "refit" | "promote" (written in another type)
  std::string mode = "copy";
  double relative_change = 0;  // |D| / |W|, Frobenius: what was asked for
  double gain = 1;             // p.(dW r) / p.(D r): the share that arrived; 1 is exact
  double worst_gain = 1;       // of the experts' gains the one farthest from 1
  double off_direction = 0;    // |dW r - s (s.dW r)| / |D|: what an input along r pushes beside s
  double column_error = 0;     // |p^T dW / p.s - t| / |t| with t = |left| right
  double worst_group = 1;      // least share that arrived in 32 neighbouring columns, among those with >= 1e-6 of |t|^2
  double collateral = 0;       // |dW - D| / |D|: the noise
  double step_ratio = 0;       // mean |D_ij| / mean |step|; 0 for float types
  double flipped = 0;          // share of weights whose value changed
  double saturated = 0;        // share of the changed weights that ended at the end of their code range
  /// The noise on real inputs, rms of (dW - D) x over rms of D x, dimensionless:
  /// sqrt(sum_j E[x_j^2] |column j of dW - D|^2) / (|left| response_rms). Leaves out what two inputs have in common,
  /// since the columns of rounding noise have nothing in common. Empty without inputs or update.
  std::optional<double> noise_to_signal;
  double size = 0;  // |D|
  double push = 0;  // |left|
};

/// Reads `source`, a whole tensor of n_out rows of n_in weights, and writes every byte of `target`, which must not
/// overlap it. Float types add and round to nearest even. Quantised types flip codes on the grid the tensor has, such
/// that the update along `left` and `right` survives (sigma_delta.h); where that is too coarse, they get a new grid.
/// An update of norm zero copies. Codes are flipped on `accelerator` where there is one; floats, new grids and what is
/// measured are computed here. The result does not depend on either, nor on `threads`. Memory: a few vectors of n_in
/// and n_out numbers, and for a new grid a second target. Throws core::Error: tensor_unsupported for other types,
/// option_invalid for sizes that do not fit or numbers that are not finite, aborted when `progress` returns false;
/// target is then undefined.
Realised add_rank_one(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                      std::int64_t n_in, std::int64_t n_out, const RankOne& update, int threads,
                      const core::Progress& progress, const Accelerator* accelerator = nullptr);

/// out[0..n_in) = the row's values, equal to the engine's. n_in must be a multiple of the type's block.
void dequantize_row(std::uint32_t type, const std::byte* row, float* out, std::int64_t n_in);

}  // namespace rosi::kernels
