#include "kernels/gram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "core/clones.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "kernels/host_device.h"

namespace rosi::kernels {
namespace {

constexpr std::int64_t kDepth = 512;  // products summed in float32 before they join a float64 sum
constexpr std::int64_t kTile = 64;    // rows and columns of the Gram matrix that one task fills
constexpr int kRows = 4, kColumns = 16;

/// acc[r][c] = sum over k < depth of a[r][k] * b[k][c], b being packed with kTile columns.
ROSI_INLINE void multiply(const float* const* a, const float* b, std::int64_t depth, float (*acc)[kColumns]) {
  float sums[kRows][kColumns] = {};
  for (std::int64_t k = 0; k < depth; ++k) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) sums[r][c] += a[r][k] * b[k * kTile + c];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kColumns; ++c) acc[r][c] = sums[r][c];
  }
}

/// Adds K[rows] K[columns]^T over `depth` inputs to `tile`. Rows past the end point to zeros.
ROSI_CLONES void add_panel(const float* const* rows, const float* packed, std::int64_t depth, double* tile) {
  for (std::int64_t i = 0; i < kTile; i += kRows) {
    for (std::int64_t j = 0; j < kTile; j += kColumns) {
      float acc[kRows][kColumns];
      multiply(rows + i, packed + j, depth, acc);
      for (int r = 0; r < kRows; ++r) {
        for (int c = 0; c < kColumns; ++c) tile[(i + r) * kTile + j + c] += double{acc[r][c]};
      }
    }
  }
}

/// Dot product in float64 over eight lanes: one order for every instruction set.
template <class A, class B>
ROSI_CLONES double dot(const A* a, const B* b, std::int64_t n) {
  double lanes[8] = {};
  std::int64_t k = 0;
  for (; k + 8 <= n; k += 8) {
    for (int l = 0; l < 8; ++l) lanes[l] += double{a[k + l]} * double{b[k + l]};
  }
  for (; k < n; ++k) lanes[k % 8] += double{a[k]} * double{b[k]};
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

ROSI_CLONES void subtract_scaled(const float* row, double factor, double* out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) out[j] -= factor * double{row[j]};
}

/// The lower triangle of K K^T, [n][n] row-major.
std::vector<double> gram_matrix(const float* kept, std::int64_t n, std::int64_t d, const core::ThreadPool& threads) {
  std::vector<double> gram(static_cast<std::size_t>(n * n), 0.0);
  const std::int64_t tiles = (n + kTile - 1) / kTile;
  threads.for_each(tiles * (tiles + 1) / 2, [&](std::int64_t task, const core::ThreadPool::Run&) {
    std::int64_t tile_row = 0;
    while ((tile_row + 1) * (tile_row + 2) / 2 <= task) ++tile_row;
    const std::int64_t i0 = tile_row * kTile;
    const std::int64_t j0 = (task - tile_row * (tile_row + 1) / 2) * kTile;
    const std::vector<float> zeros(static_cast<std::size_t>(kDepth), 0.0f);
    std::vector<float> packed(static_cast<std::size_t>(kDepth * kTile), 0.0f);
    std::vector<double> tile(static_cast<std::size_t>(kTile * kTile), 0.0);
    const float* rows[kTile];
    for (std::int64_t k0 = 0; k0 < d; k0 += kDepth) {
      const std::int64_t depth = std::min(kDepth, d - k0);
      for (std::int64_t i = 0; i < kTile; ++i) rows[i] = i0 + i < n ? kept + (i0 + i) * d + k0 : zeros.data();
      for (std::int64_t j = 0; j < std::min(kTile, n - j0); ++j) {
        const float* column = kept + (j0 + j) * d + k0;
        for (std::int64_t k = 0; k < depth; ++k) packed[static_cast<std::size_t>(k * kTile + j)] = column[k];
      }
      add_panel(rows, packed.data(), depth, tile.data());
    }
    for (std::int64_t i = i0; i < std::min(n, i0 + kTile); ++i) {
      for (std::int64_t j = j0; j < std::min(n, j0 + kTile) && j <= i; ++j) {
        gram[static_cast<std::size_t>(i * n + j)] = tile[static_cast<std::size_t>((i - i0) * kTile + j - j0)];
      }
    }
  });
  return gram;
}

/// Solves A x = b in place, A symmetric positive definite, given by and overwritten in its lower triangle. False when
/// it is not.
bool solve(std::vector<double>& a, std::vector<double>& b) {
  const std::int64_t n = static_cast<std::int64_t>(b.size());
  const auto row = [&](std::int64_t i) { return a.data() + i * n; };
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) row(i)[j] = (row(i)[j] - dot(row(i), row(j), j)) / row(j)[j];
    const double pivot = row(i)[i] - dot(row(i), row(i), i);
    if (!(pivot > 0)) return false;
    row(i)[i] = std::sqrt(pivot);
  }
  for (std::int64_t i = 0; i < n; ++i) b[i] = (b[i] - dot(row(i), b.data(), i)) / row(i)[i];
  for (std::int64_t i = n; i-- > 0;) {
    b[i] /= row(i)[i];
    for (std::int64_t j = 0; j < i; ++j) b[j] -= row(i)[j] * b[i];
  }
  return true;
}

[[noreturn]] void refuse(const std::string& message, std::vector<core::Detail> details) {
  throw core::Error(core::ErrorCode::option_invalid, message, std::move(details));
}

}  // namespace

void gated_factors(std::span<const float> kept, std::int64_t n_kept, std::span<const float> mean,
                   std::span<const double> rhos, int threads, std::span<float> factors) {
  const std::int64_t d = static_cast<std::int64_t>(mean.size());
  // 2^15: the solution holds n_kept^2 doubles, 8 GiB at this number; a few hundred inputs are enough.
  if (n_kept < 0 || n_kept > 32768 || d < 1 || factors.size() != rhos.size() * mean.size() ||
      kept.size() != static_cast<std::size_t>(n_kept) * mean.size()) {
    refuse("the kept inputs must be keptCount rows as long as the mean input, and each factor as long as it too",
           {{"keptCount", double(n_kept)}, {"kept", double(kept.size())}, {"mean", double(mean.size())}});
  }
  for (const double rho : rhos) {
    if (!(rho > 0) || !std::isfinite(rho)) refuse("rho must be a number above 0", {{"rho", rho}});
  }
  const double mean_squares = dot(mean.data(), mean.data(), d);
  if (!(mean_squares > 0) || !std::isfinite(mean_squares)) {
    refuse("the mean input is zero, or has a number that is not finite", {{"meanSquares", mean_squares}});
  }
  double trace = 0;  // of K K^T
  for (std::int64_t i = 0; i < n_kept; ++i) trace += dot(kept.data() + i * d, kept.data() + i * d, d);
  if (!std::isfinite(trace)) refuse("a kept input has a number that is not finite", {{"trace", trace}});
  std::vector<double> gram, along_kept(trace > 0 ? static_cast<std::size_t>(n_kept) : 0);
  if (trace > 0) gram = gram_matrix(kept.data(), n_kept, d, core::ThreadPool(threads));
  for (std::size_t i = 0; i < along_kept.size(); ++i) {
    along_kept[i] = dot(kept.data() + static_cast<std::int64_t>(i) * d, mean.data(), d);
  }
  for (std::size_t k = 0; k < rhos.size(); ++k) {
    const double rho = rhos[k];
    std::vector<double> unscaled(mean.begin(), mean.end());  // proportional to (C + lambda I)^-1 m
    if (trace > 0) {
      // n_kept * lambda, since lambda = rho * trace(C) / d and trace(C) = trace / n_kept.
      const double ridge = rho * trace / double(d);
      std::vector<double> ridged = gram, weights = along_kept;
      for (std::int64_t i = 0; i < n_kept; ++i) ridged[static_cast<std::size_t>(i * n_kept + i)] += ridge;
      if (!solve(ridged, weights))
        refuse("rho is too small for the kept inputs, which are nearly dependent", {{"rho", rho}});
      for (std::int64_t i = 0; i < n_kept; ++i) subtract_scaled(kept.data() + i * d, weights[i], unscaled.data(), d);
    }
    const double along_mean = dot(mean.data(), unscaled.data(), d);
    if (!(along_mean > 0)) refuse("rho is too small: the mean input lies within the kept ones", {{"rho", rho}});
    float* factor = factors.data() + static_cast<std::int64_t>(k) * d;
    for (std::int64_t j = 0; j < d; ++j) factor[j] = static_cast<float>(unscaled[j] / along_mean);
  }
}

}  // namespace rosi::kernels
