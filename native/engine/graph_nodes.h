// Questions about single nodes of the engine's compute graph.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ggml.h"

namespace rosi::engine {

/// The tensor below views, reshapes, casts and copies; the node itself when it is none of these.
const ggml_tensor* source_of(const ggml_tensor* node);

/// Whether the node is an input of the graph (a weight, an adapter's tensor, token ids, a cache), perhaps viewed or
/// cast.
bool is_leaf(const ggml_tensor* node);

/// Whether the node is a tensor of the model's file, perhaps viewed or cast.
bool is_weight(const ggml_tensor* node);

/// Whether the node is a weight as it lies in the file: not transposed, no part of it, rows in order. A cast is
/// allowed.
bool is_whole_weight(const ggml_tensor* node);

/// Which operands the node is linear in, token by token, while the others stay as they are. Empty: none.
std::span<const int> linear_operands(const ggml_tensor* node);

/// N of "blk.N."; -1 for tensors outside the blocks.
int layer_of(const std::string& tensor);

/// What the node does, e.g. "MUL_MAT" or "SILU".
std::string operation_of(const ggml_tensor* node);

/// Elements of a float32, float16 or bfloat16 node in order, whatever its strides. Throws Error{model_unsupported} for
/// other types. Valid while the node's buffer is: of a computed node only until the engine goes on.
std::vector<float> read_floats(const ggml_tensor* node);

/// Elements of an int32 node in order.
std::vector<std::int32_t> read_integers(const ggml_tensor* node);

}  // namespace rosi::engine
