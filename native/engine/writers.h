// The writers of a model: which matrices add to the residual stream, what lies between, and what is not understood.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph_walk.h"
#include "engine/session.h"

namespace rosi::engine {

/// What W += left * rightᵀ does to the stream, for the token's input x to the writer and the push s at the stream.
enum class WriterClass {
  direct,            // adds (right . x) * s, with left = s
  restart,           // as direct; the output starts the stream anew
  constant,          // as direct, with left = s / (factor * gains)
  expert,            // adds the router's sum of (right_e . x_e) over the experts in use, times s
  gate,              // as constant, times a number for each token
  hyper_connection,  // goes into each of several streams, with a number for each token
  post_norm,         // a norm follows: the change lies in the plane of s and the old output, with left = s / gains
  embedding,         // the token embeddings: the stream begins with a row of it, which is its column for that token
  unsupported        // the change's direction can't be chosen; `why` tells
};

/// What a run-time adapter does in place of an edit. The engine adds its term beside the matrix's output, but in some
/// graphs later on the way to the stream, and in some not at all.
struct AdapterWay {
  bool honoured;      // false: the engine ignores an adapter of this matrix, or adds it behind a gate or norm
  double ratio;       // its left factor is the edit's, times this; NaN: not known
  bool expert_scale;  // and, for each expert, times its element of the writer's `expert_scale`
};

struct Writer {
  std::string name;
  int layer;         // -1 outside the blocks
  std::string kind;  // in words, for people
  std::string type;  // e.g. "Q4_K"
  std::int64_t n_in, n_out, n_experts;
  WriterClass writer_class;
  std::string why;                    // unsupported: the reason; otherwise what to know of it
  double factor;                      // product of constants and scalars that reach the stream; NaN: weights not loaded
  std::vector<std::string> gains;     // tensors [n_out] that multiply the channels
  std::string expert_scale;           // tensor [n_experts] that multiplies the experts' outputs; empty: none
  std::vector<Step> path;             // of its first use, from the matrix to the stream; without nodes
  int uses;                           // products with it in the graph
  std::optional<AdapterWay> adapter;  // empty: not looked for
  std::string input, product, top,
      join;  // names of nodes; those made up by the engine ("node_12") may differ in another graph
};

struct LayerReport {
  int layer;
  bool covered;  // everything that the layer adds to the stream is understood: its writers, and what `reason` names
  std::string reason;  // why not; or why it has no writers; or what else it adds
  std::string stream;  // node that holds the stream after the layer; empty when there is none
  int n_streams;       // of hyper-connections: the node is [d_model, n_streams, n_tokens]
  bool stable;         // the node's name was given by the architecture and is its only one: it holds in every graph
};

struct UnknownReport {
  std::string operation, node, why;
  int layer;  // -1: not known
};

/// What happens to the stream itself, from the head backwards.
struct StreamStep {
  Step step;
  std::string node;
};

struct WriterReport {
  std::string architecture;
  std::vector<Writer> writers;  // in the order of computation
  /// The token embeddings, n_in tokens and n_out channels; in the file it is [n_out, n_in], each token's row together.
  /// `uses` counts the products with it: none unless it is the output head, too. Empty: the stream begins otherwise.
  std::optional<Writer> embedding;
  std::vector<LayerReport> layers;
  std::vector<UnknownReport> unknown;
  std::vector<StreamStep> stream_steps;
  std::vector<std::string> lookups;  // tables and inputs that are added to the stream as they are
  std::string end;                   // node that is the head's input
};

/// From the engine's graph, which is built with and without an adapter but not run.
/// Throws Error{model_unsupported} when there is no way to start, Error{engine_failed}, Error{aborted}.
WriterReport find_writers(const std::shared_ptr<Session>& session, const core::Progress& progress);

/// The same from a file, of which only the metadata is read: factors that need scalars are NaN, adapters not looked
/// for.
WriterReport find_writers_in_file(const std::string& path);

WriterReport describe(GraphWalk& walk, const llama_model* model);

const char* to_string(WriterClass writer_class);
const char* to_string(StepKind kind);

}  // namespace rosi::engine
