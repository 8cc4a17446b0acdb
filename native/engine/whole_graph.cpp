#include "engine/whole_graph.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "ggml-backend.h"

namespace rosi::engine {
namespace {

bool is_weight_buffer(const ggml_tensor* leaf) {
  return leaf->buffer != nullptr && ggml_backend_buffer_get_usage(leaf->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
}

/// The engine names a copy DEVICE#ORIGINAL#NUMBER, cut to what a name holds. Empty where it is none.
std::string_view original_name(const ggml_tensor* tensor) {
  if (tensor->op != GGML_OP_NONE || tensor->view_src != nullptr || is_weight_buffer(tensor)) return {};
  const std::string_view name(tensor->name);
  const std::size_t first = name.find('#');
  if (first == std::string_view::npos) return {};
  const std::size_t last = name.rfind('#');
  const bool cut = name.size() + 1 == GGML_MAX_NAME;
  if (last == first) return cut ? name.substr(first + 1) : std::string_view{};
  return name.substr(first + 1, last - first - 1);
}

bool is_original(const ggml_tensor& candidate, const ggml_tensor& copy, std::string_view name) {
  const std::string_view own(candidate.name);
  const bool cut = std::string_view(copy.name).size() + 1 == GGML_MAX_NAME;
  return (cut ? own.starts_with(name) : own == name) && candidate.type == copy.type &&
         std::equal(candidate.ne, candidate.ne + GGML_MAX_DIMS, copy.ne);
}

}  // namespace

WholeGraph::WholeGraph(std::vector<const ggml_tensor*> nodes) : nodes_(std::move(nodes)) {
  const auto reads_copy = [](const ggml_tensor* node) {
    return std::any_of(node->src, node->src + GGML_MAX_SRC,
                       [](const ggml_tensor* from) { return from != nullptr && !original_name(from).empty(); });
  };
  if (std::none_of(nodes_.begin(), nodes_.end(), reads_copy)) return;
  std::unordered_map<const ggml_tensor*, ggml_tensor*> stand_in;
  for (const ggml_tensor*& node : nodes_) {
    ggml_tensor& own = stand_ins_.emplace_back(*node);
    for (ggml_tensor*& from : own.src) {
      if (from == nullptr) continue;
      if (const auto found = stand_in.find(from); found != stand_in.end()) from = found->second;
      else if (const std::string_view name = original_name(from); !name.empty())
        from = stand_in[from] = &original_of(*from, name);
    }
    stand_in.emplace(node, &own);
    node = &own;
  }
}

ggml_tensor& WholeGraph::original_of(const ggml_tensor& copy, std::string_view name) {
  // The last of that name: a copy is read soon after it was made.
  const auto found = std::find_if(stand_ins_.rbegin(), stand_ins_.rend(),
                                  [&](const ggml_tensor& one) { return is_original(one, copy, name); });
  if (found != stand_ins_.rend()) return *found;
  // Of an adapter's tensor or an input, which no node computes.
  ggml_tensor& leaf = stand_ins_.emplace_back(copy);
  ggml_format_name(&leaf, "%.*s", static_cast<int>(name.size()), name.data());
  return leaf;
}

}  // namespace rosi::engine
