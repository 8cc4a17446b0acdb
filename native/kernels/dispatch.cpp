// From a type's number to its functions, and the checks that every entry shares.
#include <algorithm>
#include <limits>
#include <string>

#include "core/clones.h"
#include "core/error.h"
#include "kernels/blocks.h"
#include "kernels/halves.h"
#include "kernels/rank_one.h"
#include "kernels/row_codes.h"
#include "kernels/tensor_view.h"

namespace rosi::kernels {
namespace {

// 2^31: rows and columns are counted in 32 bits on the way; the largest real dimension is about 10^5 to 10^6.
constexpr std::int64_t kLargestDimension = std::numeric_limits<std::int32_t>::max();

void load_floats(const WeightF16* weights, float* out, std::int64_t n) { load_halves(weights, out, n); }
template <class Weight>
ROSI_WIDE_CLONES void load_floats(const Weight* __restrict weights, float* __restrict out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = weights[j].load();
}

}  // namespace

BlockSize block_size(std::uint32_t type) {
  BlockSize size{0, 0};
  const auto quantised = [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    size = {Block::kWeights, static_cast<int>(sizeof(Block))};
  };
  const auto floating = [&](auto tag) { size = {1, static_cast<int>(sizeof(typename decltype(tag)::Type))}; };
  with_block(type, quantised) || with_float(type, floating);
  return size;
}

const char* type_name(std::uint32_t type) {
  switch (type) {
    case kF32: return "F32";
    case kF16: return "F16";
    case kBF16: return "BF16";
    case kQ4_0: return "Q4_0";
    case kQ4_1: return "Q4_1";
    case kQ5_0: return "Q5_0";
    case kQ5_1: return "Q5_1";
    case kQ8_0: return "Q8_0";
    case kQ2_K: return "Q2_K";
    case kQ3_K: return "Q3_K";
    case kQ4_K: return "Q4_K";
    case kQ5_K: return "Q5_K";
    case kQ6_K: return "Q6_K";
    case kIQ4_NL: return "IQ4_NL";
    case kIQ4_XS: return "IQ4_XS";
    case kMXFP4: return "MXFP4";
    default: return "";
  }
}

bool supports_rank_one(std::uint32_t type) { return block_size(type).weights != 0; }

std::size_t row_bytes(std::uint32_t type, std::int64_t n_in) {
  const BlockSize size = block_size(type);
  if (size.weights == 0) {
    throw core::Error(core::ErrorCode::tensor_unsupported,
                      "tensors of type " + std::to_string(type) + " can't be edited weight by weight",
                      {{"type", double(type)}});
  }
  if (n_in < 1 || n_in > kLargestDimension) {
    throw core::Error(core::ErrorCode::option_invalid, "a row can't have " + std::to_string(n_in) + " weights",
                      {{"nIn", double(n_in)}});
  }
  if (n_in % size.weights != 0) {
    throw core::Error(core::ErrorCode::tensor_unsupported,
                      "a row of " + std::to_string(n_in) + " weights is no whole number of " + type_name(type) +
                          " blocks of " + std::to_string(size.weights),
                      {{"type", std::string(type_name(type))}, {"nIn", double(n_in)}});
  }
  return static_cast<std::size_t>(n_in / size.weights) * static_cast<std::size_t>(size.bytes);
}

void check_tensor(std::uint32_t type, std::int64_t n_in, std::int64_t n_out, std::size_t bytes) {
  const std::size_t row = row_bytes(type, n_in);
  // row < 2^34 and n_out < 2^31, so the product fits 64 bits.
  if (n_out >= 1 && n_out <= kLargestDimension && bytes == row * static_cast<std::size_t>(n_out)) return;
  throw core::Error(core::ErrorCode::option_invalid,
                    std::to_string(n_out) + " rows of " + std::to_string(row) + " bytes do not make a tensor of " +
                        std::to_string(bytes) + " bytes",
                    {{"nIn", double(n_in)}, {"nOut", double(n_out)}, {"bytes", double(bytes)}});
}

void dequantize_row(std::uint32_t type, const std::byte* row, float* out, std::int64_t n_in) {
  const bool is_float = with_float(
      type, [&](auto tag) { load_floats(reinterpret_cast<const typename decltype(tag)::Type*>(row), out, n_in); });
  if (is_float) return;
  const CodeFormat format = code_format(type);
  for (std::int64_t run = 0; run < n_in / kRun; run += kStretchRuns) {
    const std::int64_t n_runs = std::min<std::int64_t>(kStretchRuns, n_in / kRun - run);
    std::int8_t codes[kStretch];
    float steps[kStretchRuns * kRunGrids], offsets[kStretchRuns * kRunGrids];
    load_codes(type, row, run, n_runs, codes);
    load_grids(type, row, run, n_runs, steps, offsets);
    to_values(format, steps, offsets, codes, n_runs, out + run * kRun);
  }
}

}  // namespace rosi::kernels
