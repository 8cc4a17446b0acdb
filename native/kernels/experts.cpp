#include "kernels/experts.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace rosi::kernels {
namespace {

// An expert that asks for less than this share of |D|^2 is too faint for a worst of its own.
constexpr double kFaintExpert = 1e-6;

double square(double x) { return x * x; }

}  // namespace

Realised combine(std::span<const Realised> experts) {
  if (experts.size() == 1) return experts.front();
  std::map<std::string, double> modes;  // share of |D|^2
  Realised all;
  double size = 0, weights = 0, gain = 0, off = 0, columns = 0, collateral = 0, push = 0, noise = 0, saturated = 0;
  double edited = 0;
  bool has_noise = false;
  for (const Realised& expert : experts) size += square(expert.size);
  for (const Realised& expert : experts) {
    if (expert.size == 0) continue;
    const double part = square(expert.size);
    edited += 1;
    modes[expert.mode] += part;
    if (expert.relative_change > 0) weights += part / square(expert.relative_change);
    gain += part * expert.gain;
    off += part * square(expert.off_direction);
    columns += part * square(expert.column_error);
    collateral += part * square(expert.collateral);
    all.step_ratio += expert.step_ratio;
    all.flipped += expert.flipped;
    saturated += expert.flipped * expert.saturated;
    push += square(expert.push);
    if (expert.noise_to_signal) {
      has_noise = true;
      noise += square(*expert.noise_to_signal * expert.push);
    }
    if (part < kFaintExpert * size) continue;
    if (std::fabs(expert.gain - 1) > std::fabs(all.worst_gain - 1)) all.worst_gain = expert.gain;
    all.worst_group = std::min(all.worst_group, expert.worst_group);
  }
  if (edited == 0) return experts.front();
  all.mode = std::ranges::max_element(modes, {}, [](const auto& mode) { return mode.second; })->first;
  all.size = std::sqrt(size);
  all.push = std::sqrt(push);
  all.relative_change = weights > 0 ? std::sqrt(size / weights) : 0;
  all.gain = gain / size;
  all.off_direction = std::sqrt(off / size);
  all.column_error = std::sqrt(columns / size);
  all.collateral = std::sqrt(collateral / size);
  all.saturated = all.flipped > 0 ? saturated / all.flipped : 0;
  all.step_ratio /= edited;
  all.flipped /= edited;
  if (has_noise) all.noise_to_signal = std::sqrt(noise / push);
  return all;
}

}  // namespace rosi::kernels
