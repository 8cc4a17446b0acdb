#include "kernels/column_mean.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "kernels/clones.h"
#include "kernels/rank_one.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
namespace {

ROSI_CLONES void add_row(const float* row, double* sums, std::int64_t n_in) {
  for (std::int64_t j = 0; j < n_in; ++j) sums[j] += double{row[j]};
}

}  // namespace

void column_mean(std::uint32_t type, std::span<const std::byte> tensor, std::int64_t n_in, std::int64_t n_out,
                 std::span<float> out) {
  check_tensor(type, n_in, n_out, tensor.size());
  if (out.size() != static_cast<std::size_t>(n_in)) {
    throw core::Error(
        core::ErrorCode::option_invalid,
        "the mean row has " + std::to_string(n_in) + " numbers; got room for " + std::to_string(out.size()),
        {{"nIn", double(n_in)}, {"size", double(out.size())}});
  }
  const std::size_t bytes = row_bytes(type, n_in);
  std::vector<float> row(static_cast<std::size_t>(n_in));
  std::vector<double> sums(static_cast<std::size_t>(n_in), 0.0);
  for (std::int64_t i = 0; i < n_out; ++i) {
    dequantize_row(type, tensor.data() + static_cast<std::size_t>(i) * bytes, row.data(), n_in);
    add_row(row.data(), sums.data(), n_in);
  }
  for (std::int64_t j = 0; j < n_in; ++j) out[j] = static_cast<float>(sums[j] / double(n_out));
}

}  // namespace rosi::kernels
