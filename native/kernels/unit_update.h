// A rank-one update as the kernels use it: a unit vector times a request per column.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rosi::kernels {

/// left * right^T = s * t^T with |s| = 1.
struct UnitUpdate {
  std::vector<float> s;   // [n_out] left / |left|
  std::vector<float> p;   // [n_out] unit vector along which each column's sum is kept exact: s unless told otherwise
  std::vector<float> t;   // [n_in] |left| * right: what each column's sum along s is to change by
  std::vector<float> mu;  // [n_in] t / |t|
  /// [n_in] How much of what a row lacks the column may repay, about 1: less where inputs are loud, since flips there
  /// are noise in the output. All 1 where the inputs are not known, and where all are alike.
  std::vector<float> repay;
  double size = 0;       // |left| |right|, the Frobenius norm of the update; 0 leaves the vectors empty
  double push = 0;       // |left|
  double alignment = 1;  // p . s: what each column's sum along p is to change by is alignment * t

  std::int64_t n_in() const { return static_cast<std::int64_t>(t.size()); }
  std::int64_t n_out() const { return static_cast<std::int64_t>(s.size()); }

  /// `mean_squares`: E[x_j^2] of the inputs, [n_in] or empty. `readout`: [n_out] or empty, where what follows weighs
  /// the channels, so that the output is not used along left. Throws core::Error{option_invalid} when a number is not
  /// finite or the product of norms leaves float32, or when the readout sees next to nothing of the left factor.
  static UnitUpdate of(std::span<const float> left, std::span<const float> right,
                       std::span<const float> mean_squares = {}, std::span<const float> readout = {});
};

}  // namespace rosi::kernels
