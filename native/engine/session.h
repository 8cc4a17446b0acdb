// A model held in memory, and what can be asked of it. One operation runs at a time; closing waits for none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/progress.h"
#include "engine/placement.h"
#include "llama.h"

namespace rosi::engine {

using Tokens = std::vector<llama_token>;

struct ModelInfo {
  std::string architecture;  // general.architecture
  std::string description;   // e.g. "qwen2 0.5B Q4_K - Medium"
  int n_layer;
  int d_model;
  int n_vocab;
  int n_context;  // positions the model was trained for
  std::uint64_t n_parameters;
  std::string chat_template;  // empty when the file has none
  std::string bos_text;       // empty when the vocabulary has none
  std::string eos_text;
  std::vector<std::string> control_texts;  // of the tokens made only where special tokens are parsed
  bool adds_bos;                           // the vocabulary asks for a BOS token before every text
  bool recurrent;                          // has recurrent state: sequences are run one by one
  int answers_at_once;                     // that it generates fastest
  bool reads_copy;                         // ModelSource::copy
};

/// A piece of a prompt. Only the template's own text may become control tokens; a user's text is data.
struct Segment {
  std::string text;
  bool parse_special;
};

/// What the file says of a tensor; the engine does not tell.
struct FileTensor {
  std::array<std::int64_t, 3> shape;  // [n_in, n_out, n_experts]
  std::uint32_t type;                 // the engine may hold a wider one
};
using FileTensors = std::unordered_map<std::string, FileTensor>;

struct ModelSource {
  std::string path;  // UTF-8
  FileTensors tensors;
  std::string copy;  // what is read in its place where the engine can: the same weights, some tensors in wider types
                     // than `tensors` says (reading_copy.h). Empty: none
};

class Session {
 public:
  /// Maps the model, which the caller has validated, and sends what is placed elsewhere there. Throws
  /// Error{engine_failed} with the engine's words, Error{server_failed}, Error{model_unsupported} for encoders,
  /// Error{aborted}.
  static std::shared_ptr<Session> open(ModelSource source, int threads, const Placement& placement,
                                       const core::Progress& progress);
  ~Session();

  const ModelInfo& info() const noexcept { return info_; }
  int threads() const noexcept { return threads_; }
  const FileTensors& tensors() const noexcept { return tensors_; }
  const Servers& servers() const noexcept { return servers_; }
  llama_model* model() const noexcept { return model_.get(); }
  const llama_vocab* vocab() const noexcept { return llama_model_get_vocab(model_.get()); }
  /// Waits for the operations that came before. ggml's threads spin: two at once would slow each other down.
  /// Throws Error{aborted} within 50 ms of the caller's wish.
  std::unique_lock<std::timed_mutex> take_turn(const core::Progress& progress);

  /// Segments that hold no control-token text are joined first, so that tokens may span their borders as in training.
  /// Throws Error{engine_failed} for a text that the vocabulary has no tokens for.
  Tokens tokenize(const std::vector<Segment>& segments, bool add_bos) const;
  /// The text as the tokens spell it, a leading space of the first one too; control tokens spell nothing.
  /// Throws Error{option_invalid} for a token that the vocabulary does not have.
  std::string detokenize(const Tokens& tokens) const;

 private:
  Session() = default;
  struct FreeModel {
    void operator()(llama_model* model) const noexcept { llama_model_free(model); }
  };
  std::unique_ptr<llama_model, FreeModel> model_;
  ModelInfo info_;
  int threads_ = 1;
  FileTensors tensors_;
  Servers servers_;
  std::timed_mutex operation_;
};

/// Throws Error{engine_failed}: `what`, then what the engine said about it.
[[noreturn]] void fail(const std::string& what);

}  // namespace rosi::engine
