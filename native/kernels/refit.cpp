#include "kernels/refit.h"

#include <cstring>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/rank_one.h"
#include "kernels/requantise.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
void quantize_row(std::uint32_t type, const float* x, std::byte* row, std::int64_t n_in) {
  std::memset(row, 0, row_bytes(type, n_in));  // a grid of zeros, which any other is better than
  requantise_row(type, x, row, n_in);
  with_float(type, [&](auto tag) {
    auto* weights = reinterpret_cast<typename decltype(tag)::Type*>(row);
    for (std::int64_t j = 0; j < n_in; ++j) weights[j].store(x[j]);
  });
}

void requantise_rows(std::uint32_t type, std::span<const std::byte> source, std::span<std::byte> target,
                     const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress) {
  const std::int64_t n_in = update.n_in();
  const std::int64_t n_out = update.n_out();
  const std::size_t bytes = row_bytes(type, n_in);
  threads.for_each(n_out, [&](std::int64_t i, const core::ThreadPool::Run& run) {
    const std::byte* from = source.data() + static_cast<std::size_t>(i) * bytes;
    std::byte* to = target.data() + static_cast<std::size_t>(i) * bytes;
    std::memcpy(to, from, bytes);
    const float s = update.s[i];
    if (s == 0.0f) return;
    std::vector<float> row(static_cast<std::size_t>(n_in));
    dequantize_row(type, from, row.data(), n_in);
    for (std::int64_t j = 0; j < n_in; ++j) row[j] += s * update.t[j];
    requantise_row(type, row.data(), to, n_in);
    if (run.is_caller()) core::report(progress, double(i) / double(n_out));
  });
}

}  // namespace rosi::kernels
