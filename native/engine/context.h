// One llama.cpp context for one operation, and batches of several prompts that share a prefix.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/llama_context.h"

namespace rosi::engine {

/// How an operation runs the model.
struct RunOptions {
  std::shared_ptr<Adapter> adapter;  // none: the model as it is
  float scale = 1.0f;                // of the adapter
  int threads = 0;                   // 0: the session's
};

struct ContextShape {
  int n_context;  // cells over all sequences
  int n_batch;    // most tokens in a call of decode
  int n_sequences;
  int n_outputs;  // most rows with an output in a call of decode
};

class Context {
 public:
  /// Throws Error{option_invalid} for an adapter of another session, Error{engine_failed}.
  Context(Session& session, const ContextShape& shape, const RunOptions& options, const core::Progress& progress,
          ggml_backend_sched_eval_callback observe = nullptr, void* observer = nullptr);

  using Row = BatchRow;
  /// Runs the rows. Throws Error{aborted} within one graph node of the caller's wish, Error{engine_failed}.
  void decode(const std::vector<Row>& rows);
  /// Logits [n_vocab] of the i-th row of the last decode, valid until the next; the row must be an output.
  const float* logits(int row) const;

  void copy_sequence(int from, int to);
  void remove_sequence(int sequence);
  /// Tells the share done, which polls of the engine repeat until the next. Throws Error{aborted}.
  void report(double done) {
    core::report(progress_, done);
    last_done_ = done;
  }

 private:
  static bool should_abort(void* self);
  core::Progress progress_;
  double last_done_ = 0;
  LlamaContext context_;
};

/// Tokens that all prompts start with, at most one less than the shortest has. 0 for a single prompt, and for models
/// with recurrent state.
int shared_prefix(const std::vector<Tokens>& prompts, bool recurrent);

/// A prompt is at most as long as the model's context. Throws Error{option_invalid} naming the prompt; also when empty.
void check_prompts(const std::vector<Tokens>& prompts, int n_vocab, int n_context, int room);

/// A row of a decode.
struct PackedRow {
  int prompt;  // -1: the prefix that all prompts share
  int position;
};

/// Whether a row is the last one of a prompt.
bool is_last(const std::vector<Tokens>& prompts, const PackedRow& row);

/// Copies the logits of the prompts' last tokens that a decode had to `logits` [n_prompts, n_vocab].
void read_logits(const Context& context, const std::vector<Tokens>& prompts, const std::vector<PackedRow>& rows,
                 const std::vector<int>& outputs, std::vector<float>& logits);

/// What reads a decode: its rows, and which of them are outputs.
using PackedReader = std::function<void(Context&, const std::vector<PackedRow>& rows, const std::vector<int>& outputs)>;

/// Runs prompts to their ends in full batches, the shared prefix once. `wants(prompt, position)` says which rows are
/// outputs; `before` and `after` are called around each decode.
void run_packed(Session& session, const std::vector<Tokens>& prompts, const RunOptions& options,
                const core::Progress& progress, const std::function<bool(int prompt, int position)>& wants,
                const PackedReader& before, const PackedReader& after,
                ggml_backend_sched_eval_callback observe = nullptr, void* observer = nullptr);

}  // namespace rosi::engine
