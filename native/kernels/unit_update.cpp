#include "kernels/unit_update.h"

#include <cmath>

#include "core/error.h"

namespace rosi::kernels {
namespace {

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return std::sqrt(sum);
}

std::vector<float> scaled(std::span<const float> values, double factor) {
  std::vector<float> result(values.size());
  for (std::size_t k = 0; k < values.size(); ++k) result[k] = static_cast<float>(values[k] * factor);
  return result;
}

}  // namespace

UnitUpdate UnitUpdate::of(std::span<const float> left, std::span<const float> right) {
  const double left_norm = norm(left);
  const double right_norm = norm(right);
  UnitUpdate update;
  update.size = left_norm * right_norm;
  update.push = left_norm;
  if (!(update.size <= 1e37)) {
    throw core::Error(core::ErrorCode::option_invalid,
                      "the update's left or right factor has a number that is not finite, or is far too large",
                      {{"leftNorm", left_norm}, {"rightNorm", right_norm}});
  }
  // Below this the products underflow in float32, and no tensor type can show such a change.
  if (update.size < 1e-37) update.size = 0;
  if (update.size == 0) return update;
  update.s = scaled(left, 1 / left_norm);
  update.t = scaled(right, left_norm);
  update.mu = scaled(right, 1 / right_norm);
  return update;
}

}  // namespace rosi::kernels
