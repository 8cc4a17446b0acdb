// Means of a matrix's rows: the right factor of the paper's update.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/encoded_rows.h"

namespace rosi::kernels {

/// out[j] = mean over rows i of W[i][j], summed in float64 in row order; out has n_in numbers.
void column_mean(const EncodedRows& matrix, std::int64_t n_in, std::span<float> out);

/// out[i] = mean over columns j of W[i][j], in float64: the mean row of a table that is stored transposed, as token
/// embeddings are. `out` has a number for each row.
void row_means(const EncodedRows& matrix, std::int64_t n_in, std::span<float> out);

}  // namespace rosi::kernels
