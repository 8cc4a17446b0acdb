#include "kernels/unit_update.h"

#include <algorithm>
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

// The quietest columns would otherwise have to take more flips than the closure can make up for.
constexpr double kLeastLoudness = 0.1;

/// 1 / loudness, such that with weights mu_j^2 the mean is 1: a row's lack is repaid as fast as without.
/// Loudness is the root of a column's power in units of the mean one: the power itself, which is the weight that the
/// noise has, did no better on inputs that it was not measured on (docs/low-bit.md).
std::vector<float> repayment(std::span<const float> mu, std::span<const float> mean_squares) {
  std::vector<float> repay(mu.size(), 1.0f);
  double mean = 0;
  for (const float square : mean_squares) mean += double{square};
  mean /= double(mu.size());
  if (!(mean > 0) || !std::isfinite(mean)) return repay;
  double plain = 0, weighted = 0;
  for (std::size_t j = 0; j < mu.size(); ++j) {
    repay[j] = static_cast<float>(1 / std::max(kLeastLoudness, std::sqrt(double{mean_squares[j]} / mean)));
    const double square = double{mu[j]} * double{mu[j]};
    plain += square;
    weighted += square * double{repay[j]};
  }
  for (float& share : repay) share = static_cast<float>(double{share} * (plain / weighted));
  return repay;
}

// A column's sum along p would have to be many times as exact for what it says along s.
constexpr double kLeastAlignment = 1e-3;

void read_along(UnitUpdate& update, std::span<const float> readout) {
  update.p = update.s;
  if (readout.empty()) return;
  const double length = norm(readout);
  if (length > 0 && std::isfinite(length)) {
    update.p = scaled(readout, 1 / length);
    update.alignment = 0;
    for (std::size_t i = 0; i < update.p.size(); ++i) update.alignment += double{update.p[i]} * double{update.s[i]};
    if (update.alignment < 0) {  // of a line both ends are the same readout
      for (float& value : update.p) value = -value;
      update.alignment = -update.alignment;
    }
  }
  if (length > 0 && update.alignment > kLeastAlignment) return;
  throw core::Error(core::ErrorCode::option_invalid,
                    "the update's readout is not finite, or sees next to nothing of its left factor",
                    {{"readoutNorm", length}, {"alignment", update.alignment}});
}

}  // namespace

UnitUpdate UnitUpdate::of(std::span<const float> left, std::span<const float> right,
                          std::span<const float> mean_squares, std::span<const float> readout) {
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
  update.repay = repayment(update.mu, mean_squares);
  read_along(update, readout);
  return update;
}

}  // namespace rosi::kernels
