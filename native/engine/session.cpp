#include "engine/session.h"

#include <chrono>

#include "engine/assertions.h"
#include "engine/backends.h"
#include "engine/generate.h"

namespace rosi::engine {
namespace {

std::string meta(const llama_model* model, const char* key) {
  char buffer[256];
  return llama_model_meta_val_str(model, key, buffer, sizeof buffer) < 0 ? "" : buffer;
}

std::string token_text(const llama_vocab* vocab, llama_token token) {
  return token == LLAMA_TOKEN_NULL ? "" : llama_vocab_get_text(vocab, token);
}

std::vector<std::string> control_texts(const llama_vocab* vocab) {
  std::vector<std::string> texts;
  for (llama_token token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
    if (llama_vocab_get_attr(vocab, token) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN))
      texts.push_back(token_text(vocab, token));
  }
  return texts;
}

ModelInfo describe(const llama_model* model) {
  const llama_vocab* vocab = llama_model_get_vocab(model);
  char description[256];
  llama_model_desc(model, description, sizeof description);
  const char* chat_template = llama_model_chat_template(model, nullptr);
  return {
      .architecture = meta(model, "general.architecture"),
      .description = description,
      .n_layer = llama_model_n_layer(model),
      .d_model = llama_model_n_embd(model),
      .n_vocab = llama_vocab_n_tokens(vocab),
      .n_context = llama_model_n_ctx_train(model),
      .n_parameters = llama_model_n_params(model),
      .chat_template = chat_template == nullptr ? "" : chat_template,
      .bos_text = token_text(vocab, llama_vocab_bos(vocab)),
      .eos_text = token_text(vocab, llama_vocab_eos(vocab)),
      .control_texts = control_texts(vocab),
      .adds_bos = llama_vocab_get_add_bos(vocab) && llama_vocab_bos(vocab) != LLAMA_TOKEN_NULL,
      .recurrent = llama_model_is_recurrent(model) || llama_model_is_hybrid(model),
      .answers_at_once = answers_at_once(),
      .reads_copy = false,
  };
}

Tokens tokenize_text(const llama_vocab* vocab, const std::string& text, bool parse_special) {
  Tokens tokens(text.size() + 8);
  const auto length = static_cast<std::int32_t>(text.size());
  const auto run = [&] {
    return llama_tokenize(vocab, text.data(), length, tokens.data(), static_cast<std::int32_t>(tokens.size()), false,
                          parse_special);
  };
  try {
    std::int32_t count = run();
    if (count < 0) {  // more tokens than room: the engine says how many
      tokens.resize(static_cast<std::size_t>(-static_cast<std::int64_t>(count)));
      count = run();
    }
    tokens.resize(static_cast<std::size_t>(count));
  } catch (const std::exception& error) {
    throw core::Error(
        core::ErrorCode::engine_failed,
        std::string("the engine could not tokenise a text with this model's vocabulary: ") + error.what());
  }
  return tokens;
}

/// The engine divides by the sum of the sections, of which one at least must not be 0.
bool rotates_by_sections(const llama_model* model) {
  const llama_rope_type type = llama_model_rope_type(model);
  return type == LLAMA_ROPE_TYPE_MROPE || type == LLAMA_ROPE_TYPE_IMROPE;
}

bool has_no_sections(const llama_model* model) {
  const std::string sections = meta(model, (meta(model, "general.architecture") + ".rope.dimension_sections").c_str());
  return !sections.empty() && sections.find_first_of("123456789") == std::string::npos;
}

}  // namespace

void fail(const std::string& what) {
  const std::string cause = take_engine_messages();
  throw core::Error(core::ErrorCode::engine_failed, cause.empty() ? what : what + ": " + cause);
}

std::shared_ptr<Session> Session::open(ModelSource source, int threads, const Placement& placement,
                                       const core::Progress& progress) {
  load_backends();
  take_engine_messages();
  const std::string& path = source.path;
  llama_model_params params = llama_model_default_params();
  std::vector<ggml_backend_dev_t> devices =
      devices_of(placement);  // given also when there are none: else the engine chooses
  params.devices = devices.data();
  params.n_gpu_layers = placement.is_here() ? 0 : placement.layers;
  params.load_mode = LLAMA_LOAD_MODE_MMAP;
  bool stopped = false;
  struct Ticker {
    const core::Progress& progress;
    bool& stopped;
  } ticker{progress, stopped};
  params.progress_callback_user_data = &ticker;
  params.progress_callback = [](float done, void* data) {
    auto& self = *static_cast<Ticker*>(data);
    if (self.progress && !self.progress(done)) self.stopped = true;
    return !self.stopped;
  };
  std::shared_ptr<Session> session(new Session());
  session->threads_ = threads < 1 ? 1 : threads;
  session->tensors_ = std::move(source.tensors);
  session->servers_ = Servers(placement);
  {
    const ThrowingAssertions here;
    if (!source.copy.empty()) session->model_.reset(llama_model_load_from_file(source.copy.c_str(), params));
  }
  const bool reads_copy = session->model_ != nullptr;
  if (!reads_copy && !stopped) {
    take_engine_messages();
    const ThrowingAssertions here;
    session->model_.reset(llama_model_load_from_file(path.c_str(), params));
  }
  if (stopped) throw core::Error(core::ErrorCode::aborted, "stopped by the caller");
  session->servers_.check();
  if (!session->model_) fail("the engine could not load " + path);
  const auto refuse = [&](const char* why) { throw core::Error(core::ErrorCode::model_unsupported, path + why); };
  if (llama_model_has_encoder(session->model())) refuse(" has an encoder; only decoder-only chat models are supported");
  // The engine ends the process when such a vocabulary is asked for anything.
  if (llama_vocab_type(session->vocab()) == LLAMA_VOCAB_TYPE_NONE) refuse(" has no vocabulary");
  if (rotates_by_sections(session->model()) && has_no_sections(session->model()))
    refuse(" has rope.dimension_sections that are all 0, and its architecture rotates by them: the file is damaged");
  session->info_ = describe(session->model());
  session->info_.reads_copy = reads_copy;
  return session;
}

Session::~Session() = default;

std::unique_lock<std::timed_mutex> Session::take_turn(const core::Progress& progress) {
  std::unique_lock lock(operation_, std::defer_lock);
  while (!lock.try_lock_for(std::chrono::milliseconds(50))) core::report(progress, 0);
  return lock;
}

Tokens Session::tokenize(const std::vector<Segment>& segments, bool add_bos) const {
  bool joined = true;
  std::string text;
  for (const Segment& segment : segments) {
    text += segment.text;
    if (!segment.parse_special) {
      joined = joined && tokenize_text(vocab(), segment.text, true) == tokenize_text(vocab(), segment.text, false);
    }
  }
  Tokens tokens;
  // Not by the engine: asked for a BOS token it would also end the prompt with an EOS where the vocabulary adds one.
  if (add_bos && llama_vocab_bos(vocab()) != LLAMA_TOKEN_NULL) tokens.push_back(llama_vocab_bos(vocab()));
  const auto append = [&](const Tokens& part) { tokens.insert(tokens.end(), part.begin(), part.end()); };
  if (joined) {
    append(tokenize_text(vocab(), text, true));
  } else {
    for (const Segment& segment : segments) append(tokenize_text(vocab(), segment.text, segment.parse_special));
  }
  return tokens;
}

std::string Session::detokenize(const Tokens& tokens) const {
  // Piece by piece: llama_detokenize drops the first space of vocabularies that put one before every text.
  std::string text;
  for (const llama_token token : tokens) {
    if (token < 0 || token >= info_.n_vocab) {
      throw core::Error(core::ErrorCode::option_invalid,
                        "token " + std::to_string(token) + " is not in this model's vocabulary");
    }
    std::string piece(64, '\0');
    const auto spell = [&] {
      return llama_token_to_piece(vocab(), token, piece.data(), static_cast<std::int32_t>(piece.size()), 0, false);
    };
    std::int32_t length = spell();
    if (length < 0) {
      piece.resize(static_cast<std::size_t>(-length));
      length = spell();
    }
    text.append(piece, 0, static_cast<std::size_t>(length));
  }
  return text;
}

}  // namespace rosi::engine
