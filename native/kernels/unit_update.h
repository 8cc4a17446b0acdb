// A rank-one update as the kernels use it: a unit vector times a request per column.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rosi::kernels {

/// left * right^T = s * t^T with |s| = 1.
struct UnitUpdate {
  std::vector<float> s;   // [n_out] left / |left|
  std::vector<float> t;   // [n_in] |left| * right: what each column's sum along s is to change by
  std::vector<float> mu;  // [n_in] t / |t|
  double size = 0;        // |left| |right|, the Frobenius norm of the update; 0 leaves the vectors empty
  double push = 0;        // |left|

  std::int64_t n_in() const { return static_cast<std::int64_t>(t.size()); }
  std::int64_t n_out() const { return static_cast<std::int64_t>(s.size()); }

  /// Throws core::Error{option_invalid} when a number is not finite or the product of norms leaves float32.
  static UnitUpdate of(std::span<const float> left, std::span<const float> right);
};

}  // namespace rosi::kernels
