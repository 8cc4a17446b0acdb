#include "kernels/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/clones.h"
#include "kernels/quantise_block.h"

namespace rosi::kernels {
namespace {

// Candidates of a grid with an offset, on either side of the plain one, each kStride codes apart in where the largest
// weight lands.
constexpr int kReach = 8;
constexpr float kStride = 0.125f;

template <int n, class Codes>
ROSI_CLONES float step_for(const float* x, const Codes& codes) {
  return best_step<n>(x, codes);
}

template <int n>
ROSI_CLONES Grid grid_for(const float* x, int highest, bool offset_not_positive) {
  float low = x[0], high = x[0], total = 0, power = 0;
  for (int k = 0; k < n; ++k) {
    low = smaller(low, x[k]);
    high = larger(high, x[k]);
    total += x[k];
    power += x[k] * x[k];
  }
  if (offset_not_positive) low = smaller(low, 0.0f);
  if (!(high > low)) return {0, offset_not_positive && low > 0 ? 0 : low};
  const float levels = static_cast<float>(highest), count = static_cast<float>(n);
  Grid best{(high - low) / levels, low};
  float best_error = kNoMove;
  for (int candidate = -kReach; candidate <= kReach; ++candidate) {
    const float inverse = (levels + kStride * static_cast<float>(candidate)) / (high - low);
    float codes[n] = {}, squares[n] = {}, products[n] = {};
    for (int k = 0; k < n; ++k) {
      codes[k] = larger(0.0f, smaller(levels, to_integer((x[k] - low) * inverse)));
      squares[k] = codes[k] * codes[k];
      products[k] = codes[k] * x[k];
    }
    const float code = tree_sum<n>(codes), square = tree_sum<n>(squares), product = tree_sum<n>(products);
    const float determinant = count * square - code * code;
    if (!(determinant > 0)) continue;
    Grid grid{(count * product - code * total) / determinant, (square * total - code * product) / determinant};
    if (offset_not_positive && grid.offset > 0) grid = {product / square, 0};
    if (!(grid.step > 0)) continue;
    const float error = power + grid.step * grid.step * square + count * grid.offset * grid.offset -
                        2 * grid.step * product - 2 * grid.offset * total + 2 * grid.step * grid.offset * code;
    if (error < best_error) {
      best_error = error;
      best = grid;
    }
  }
  return best;
}

/// Squared error of the nearest MXFP4 codes for x[0..32).
double table_error(const float* x, float step) {
  double error = 0;
  for (int k = 0; k < kRun; ++k) {
    const double miss = double{CodeTable<Fp4Levels>::nearest(x[k] / step) * step} - double{x[k]};
    error += miss * miss;
  }
  return error;
}

}  // namespace

template <class Codes>
float fit_step(const float* x, int n, const Codes& codes) {
  return n == 16 ? step_for<16>(x, codes) : step_for<32>(x, codes);
}
template float fit_step(const float* x, int n, const CodeRange& codes);
template float fit_step(const float* x, int n, const CodeTable<Iq4Levels>& codes);

int fit_exponent(const float* x) {
  float largest = 0;
  for (int k = 0; k < kRun; ++k) largest = larger(largest, magnitude(x[k]));
  if (largest == 0.0f) return 0;
  // Below exponent 2 the step is too small a number to divide by.
  constexpr int kLeast = 2, kMost = 254;
  const int plain = std::clamp(std::ilogb(largest), -kMost, kMost) + 125;  // the largest weight at 8 to 16 steps
  int best = kLeast;
  double best_error = std::numeric_limits<double>::infinity();
  for (int exponent = std::max(kLeast, plain - 1); exponent <= std::min(kMost, plain + 1); ++exponent) {
    const double error = table_error(x, std::ldexp(1.0f, exponent - 128));
    if (error >= best_error) continue;
    best_error = error;
    best = exponent;
  }
  return best;
}

Grid fit_grid(const float* x, int n, int highest, bool offset_not_positive) {
  return n == 16 ? grid_for<16>(x, highest, offset_not_positive) : grid_for<32>(x, highest, offset_not_positive);
}

}  // namespace rosi::kernels
