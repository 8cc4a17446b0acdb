// Walks the engine's compute graph backwards from the output head to every matrix that writes to the residual stream.
//
// The stream is what reaches the head from the token embedding through operations that are linear for each token (and
// norms). Where something else is added to it, a branch begins: it is followed backwards through such operations to the
// products with the model's matrices, the writers. No tensor's name decides what is a writer.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/whole_graph.h"
#include "ggml.h"

namespace rosi::engine {

/// What a step does to what a writer wrote.
enum class StepKind {
  bias,              // adds a tensor: no matter for a change
  expert_bias,       // adds a row of a tensor, chosen by the router
  constant,          // times `value`
  scalar,            // times the one element of a tensor: `value`, NaN where the weights are not loaded
  channel,           // times a vector over the channels, the norm's gain
  norm,              // RMS over the channels
  other_norm,        // a norm that subtracts a mean or works in groups
  slot,              // picks one of the experts in use
  router_weight,     // times the router's number for the token and the expert
  expert_scale,      // times the expert's element of a tensor
  token_gate,        // times a number computed for each token
  channel_gate,      // times numbers computed for each token and channel
  hyper_connection,  // goes into several streams, each with a number of its own for each token
  restart,           // is itself the stream from here on
  concat,            // put beside something else
  clamp,
  part,        // only some channels of it go on, or in another order
  transposed,  // the matrix is used transposed or in parts
  product,     // times something that holds another product with a matrix
  other        // `what` names the operation
};

struct Step {
  StepKind kind;
  std::string tensor;  // of the model: a gain, a bias, a scalar; otherwise empty
  double value = 1.0;
  std::string what;                     // the operation, where the kind doesn't tell
  const ggml_tensor* node = nullptr;    // what it is multiplied by, the norm, the view; valid as long as the graph
  const ggml_tensor* weight = nullptr;  // leaf of `tensor`, where it multiplies; valid as long as the model
};

/// One way of a matrix's output to the stream.
struct WriterUse {
  const ggml_tensor* product;  // MUL_MAT or MUL_MAT_ID
  const ggml_tensor* weight;   // its leaf
  const ggml_tensor* input;    // [n_in, ...]
  const ggml_tensor* join;     // where the branch meets the stream
  const ggml_tensor* top;      // the branch at the join
  std::vector<Step> path;      // from the product to the join
};

/// A way to the stream that the walk does not understand.
struct UnknownWrite {
  const ggml_tensor* node;
  const ggml_tensor* join;
  std::string why;
};

/// Something other than a matrix product that is added to the stream: rows of an embedding table, or an input.
struct Lookup {
  std::string tensor;
  const ggml_tensor* join;
};

class GraphWalk {
 public:
  /// Nodes in the order of computation. Throws Error{model_unsupported} when there is no output head to start from.
  explicit GraphWalk(std::vector<const ggml_tensor*> nodes);

  const std::vector<WriterUse>& uses() const noexcept { return uses_; }
  /// The same of a run-time adapter's terms: `weight` is the adapter's, "<writer>.lora_b".
  const std::vector<WriterUse>& adapter_uses() const noexcept { return adapter_uses_; }
  const std::vector<UnknownWrite>& unknown() const noexcept { return unknown_; }
  const std::vector<Lookup>& lookups() const noexcept { return lookups_; }
  /// The table of token embeddings that the stream begins with; null where it begins otherwise.
  const ggml_tensor* embedding() const noexcept { return embedding_; }
  /// What happens to the stream itself: the embedding's scale, norms and gains, the final norm.
  const std::vector<Step>& stream_steps() const noexcept { return stream_steps_; }
  /// Nodes of the stream at which it takes something up, puts parts together or restarts.
  const std::vector<const ggml_tensor*>& joins() const noexcept { return joins_; }
  /// Whether the node is a part of the stream on its way to the head.
  bool on_stream(const ggml_tensor* node) const { return seen_.contains(node); }
  /// The head's input.
  const ggml_tensor* end() const noexcept { return end_; }
  const std::vector<const ggml_tensor*>& nodes() const noexcept { return nodes_; }
  /// Position in the order of computation; -1 for leaves.
  int index(const ggml_tensor* node) const;
  bool carries_stream(const ggml_tensor* node);
  /// Whether `node` needs the result of `target`.
  bool depends_on(const ggml_tensor* node, const ggml_tensor* target) const;

 private:
  using Path = std::vector<Step>;  // from the join backwards
  struct Branch {
    const ggml_tensor* join;
    const ggml_tensor* top;
  };
  struct Factors {
    const ggml_tensor* carrier;  // what goes on
    const ggml_tensor* factor;   // what it is multiplied by
    bool ambiguous;              // both hold products with matrices
  };

  const ggml_tensor* find_end() const;
  void walk();
  void follow_stream(const ggml_tensor* node);
  void follow_branch(const ggml_tensor* node, const Branch& branch, Path path);
  void record(std::vector<WriterUse>& list, const ggml_tensor* product, int weight, const Branch& branch, Path path);
  void not_understood(const ggml_tensor* node, const Branch& branch, const std::string& why);
  void note(const ggml_tensor* node, Step step);
  Factors split(const ggml_tensor* product);
  Step multiplication(const ggml_tensor* product, const ggml_tensor* factor);
  bool holds_matrix_product(const ggml_tensor* node);
  const ggml_tensor* find_restart() const;
  const ggml_tensor* read_by(const ggml_tensor* input, const WriterUse& written) const;

  const WholeGraph graph_;
  const std::vector<const ggml_tensor*>& nodes_ = graph_.nodes();
  std::unordered_map<const ggml_tensor*, int> index_;
  std::unordered_set<const ggml_tensor*> restarts_;
  const ggml_tensor* end_ = nullptr;
  std::unordered_map<const ggml_tensor*, bool> carries_, holds_product_;
  std::unordered_set<const ggml_tensor*> seen_;
  std::vector<WriterUse> uses_, adapter_uses_;
  std::vector<UnknownWrite> unknown_;
  std::vector<Lookup> lookups_;
  const ggml_tensor* embedding_ = nullptr;
  std::vector<Step> stream_steps_;
  std::vector<const ggml_tensor*> joins_;
};

}  // namespace rosi::engine
