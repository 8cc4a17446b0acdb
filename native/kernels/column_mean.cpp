#include "kernels/column_mean.h"

#include <vector>

#include "core/clones.h"

namespace rosi::kernels {
namespace {

ROSI_CLONES void add_row(const float* row, double* sums, std::int64_t n_in) {
  for (std::int64_t j = 0; j < n_in; ++j) sums[j] += double{row[j]};
}

template <class OnRow>
std::int64_t for_each_row(const EncodedRows& matrix, std::int64_t n_in, OnRow on_row) {
  std::vector<float> row(static_cast<std::size_t>(n_in));
  const std::size_t n_out = matrix.bytes.size() / matrix.row_bytes;
  for (std::size_t i = 0; i < n_out; ++i) {
    matrix.decode(matrix.bytes.data() + i * matrix.row_bytes, row.data(), n_in);
    on_row(i, row);
  }
  return static_cast<std::int64_t>(n_out);
}

}  // namespace

void column_mean(const EncodedRows& matrix, std::int64_t n_in, std::span<float> out) {
  std::vector<double> sums(static_cast<std::size_t>(n_in), 0.0);
  const std::int64_t n_out =
      for_each_row(matrix, n_in, [&](std::size_t, const auto& row) { add_row(row.data(), sums.data(), n_in); });
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<float>(sums[j] / double(n_out));
}

void row_means(const EncodedRows& matrix, std::int64_t n_in, std::span<float> out) {
  for_each_row(matrix, n_in, [&](std::size_t i, const auto& row) {
    double sum = 0;
    for (const float value : row) sum += double{value};
    out[i] = static_cast<float>(sum / double(n_in));
  });
}

}  // namespace rosi::kernels
