#include "engine/graph_nodes.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "ggml-backend.h"

namespace rosi::engine {
namespace {

bool is_copy(const ggml_tensor* node) {
  switch (node->op) {
    case GGML_OP_VIEW:
    case GGML_OP_RESHAPE:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
    case GGML_OP_CONT:
    case GGML_OP_CPY:
    case GGML_OP_DUP: return true;
    default: return false;
  }
}

bool same_shape(const ggml_tensor* a, const ggml_tensor* b) {
  return a->ne[0] == b->ne[0] && a->ne[1] == b->ne[1] && a->ne[2] == b->ne[2] && a->ne[3] == b->ne[3];
}

/// The node's bytes from its first element to its last, gaps of its strides included.
std::vector<char> read_bytes(const ggml_tensor* node) {
  std::vector<char> bytes(ggml_nbytes(node));
  if (!bytes.empty()) ggml_backend_tensor_get(node, bytes.data(), 0, bytes.size());
  return bytes;
}

template <class Take>
void each_element(const ggml_tensor* node, const std::vector<char>& bytes, Take take) {
  for (std::int64_t i3 = 0; i3 < node->ne[3]; ++i3)
    for (std::int64_t i2 = 0; i2 < node->ne[2]; ++i2)
      for (std::int64_t i1 = 0; i1 < node->ne[1]; ++i1)
        for (std::int64_t i0 = 0; i0 < node->ne[0]; ++i0) {
          const std::int64_t index[] = {i0, i1, i2, i3};
          std::size_t offset = 0;
          for (int d = 0; d < 4; ++d) offset += static_cast<std::size_t>(index[d]) * node->nb[d];
          take(bytes.data() + offset);
        }
}

template <class T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

const ggml_tensor* source_of(const ggml_tensor* node) {
  while (is_copy(node) && node->src[0] != nullptr) node = node->src[0];
  return node;
}

bool is_leaf(const ggml_tensor* node) { return source_of(node)->op == GGML_OP_NONE; }

bool is_weight(const ggml_tensor* node) {
  const ggml_tensor* leaf = source_of(node);
  // The engine marks the buffers of a model's weights so; those of caches, inputs and adapters it doesn't.
  return leaf->op == GGML_OP_NONE && leaf->buffer != nullptr &&
         ggml_backend_buffer_get_usage(leaf->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
}

bool is_whole_weight(const ggml_tensor* node) {
  if (!is_weight(node)) return false;
  const ggml_tensor* weight = source_of(node);
  for (const ggml_tensor* at = node; at != weight; at = at->src[0]) {
    if (at->op == GGML_OP_PERMUTE || at->op == GGML_OP_TRANSPOSE || !same_shape(at, weight)) return false;
  }
  return true;
}

std::span<const int> linear_operands(const ggml_tensor* node) {
  static constexpr int first[] = {0}, both[] = {0, 1}, rows_and_target[] = {0, 2};
  switch (node->op) {
    case GGML_OP_VIEW:
    case GGML_OP_RESHAPE:
    case GGML_OP_CONT:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
    case GGML_OP_DUP:
    case GGML_OP_CPY:
    case GGML_OP_SCALE:
    case GGML_OP_REPEAT:
    case GGML_OP_PAD:
    case GGML_OP_GET_ROWS:
    case GGML_OP_DIV:
    case GGML_OP_ADD1:
    case GGML_OP_ADD_ID:
    case GGML_OP_SUM_ROWS:
    case GGML_OP_DSV4_HC_PRE:
    // Not linear, but they keep what goes through them along its direction, up to a factor for each token.
    case GGML_OP_NORM:
    case GGML_OP_RMS_NORM:
    case GGML_OP_GROUP_NORM:
    case GGML_OP_L2_NORM:
    case GGML_OP_CLAMP: return first;
    case GGML_OP_ADD:
    case GGML_OP_SUB:
    case GGML_OP_MUL:
    case GGML_OP_CONCAT:
    case GGML_OP_SET:
    case GGML_OP_ACC:
    case GGML_OP_DSV4_HC_POST: return both;
    case GGML_OP_SET_ROWS: return rows_and_target;
    default: return {};
  }
}

int layer_of(const std::string& tensor) {
  const std::size_t at = tensor.find("blk.");
  return at == std::string::npos ? -1 : std::atoi(tensor.c_str() + at + 4);
}

std::string operation_of(const ggml_tensor* node) {
  if (node->op == GGML_OP_UNARY) return ggml_unary_op_name(ggml_get_unary_op(node));
  if (node->op == GGML_OP_GLU) return ggml_glu_op_name(ggml_get_glu_op(node));
  return ggml_op_name(node->op);
}

std::vector<float> read_floats(const ggml_tensor* node) {
  if (node->type != GGML_TYPE_F32 && node->type != GGML_TYPE_F16 && node->type != GGML_TYPE_BF16) {
    throw core::Error(
        core::ErrorCode::model_unsupported,
        std::string(node->name) + " has type " + ggml_type_name(node->type) + "; expected F32, F16 or BF16",
        {{"tensor", std::string(node->name)}});
  }
  const std::vector<char> bytes = read_bytes(node);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(ggml_nelements(node)));
  each_element(node, bytes, [&](const char* element) {
    if (node->type == GGML_TYPE_F32) values.push_back(load<float>(element));
    else if (node->type == GGML_TYPE_F16) values.push_back(ggml_fp16_to_fp32(load<ggml_fp16_t>(element)));
    else values.push_back(ggml_bf16_to_fp32(load<ggml_bf16_t>(element)));
  });
  return values;
}

std::vector<std::int32_t> read_integers(const ggml_tensor* node) {
  if (node->type != GGML_TYPE_I32)
    throw core::Error(core::ErrorCode::model_unsupported, std::string(node->name) + " does not hold integers");
  const std::vector<char> bytes = read_bytes(node);
  std::vector<std::int32_t> values;
  values.reserve(static_cast<std::size_t>(ggml_nelements(node)));
  each_element(node, bytes, [&](const char* element) { values.push_back(load<std::int32_t>(element)); });
  return values;
}

}  // namespace rosi::engine
