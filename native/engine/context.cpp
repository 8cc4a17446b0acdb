#include "engine/context.h"

#include <algorithm>

namespace rosi::engine {
namespace {

constexpr int kBatchTokens = 512;  // a full micro-batch of the engine: larger ones are no faster on a CPU
constexpr int kMaxSequences = 64;  // of 256 the engine allows; more make the attention mask wider than it is worth

}  // namespace

Context::Context(Session& session, const ContextShape& shape, const RunOptions& options, const core::Progress& progress,
                 ggml_backend_sched_eval_callback observe, void* observer)
    : progress_(progress) {
  if (options.adapter && options.adapter->session().get() != &session)
    throw core::Error(core::ErrorCode::option_invalid, "the adapter was made for another session");
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(shape.n_context);
  params.n_batch = static_cast<std::uint32_t>(shape.n_batch);
  params.n_seq_max = static_cast<std::uint32_t>(shape.n_sequences);
  params.n_outputs_max = static_cast<std::uint32_t>(std::max(shape.n_outputs, shape.n_sequences));
  params.n_threads = params.n_threads_batch = options.threads > 0 ? options.threads : session.threads();
  params.cb_eval = observe;
  params.cb_eval_user_data = observer;
  params.abort_callback = should_abort;
  params.abort_callback_data = this;
  context_ = make_context(session.model(), params, "a context of " + std::to_string(shape.n_context) + " tokens");
  if (options.adapter) use_adapter(context_.get(), options.adapter.get(), options.scale);
}

bool Context::should_abort(void* self) {
  auto& context = *static_cast<Context*>(self);
  return context.progress_ && !context.progress_(context.last_done_);
}

void Context::decode(const std::vector<Row>& rows) {
  const int code = engine::decode(context_.get(), rows);
  if (code == 2) throw core::Error(core::ErrorCode::aborted, "stopped by the caller");
  if (code != 0) {
    fail("the engine could not run a batch of " + std::to_string(rows.size()) + " tokens (code " +
         std::to_string(code) + ")");
  }
}

const float* Context::logits(int row) const {
  const float* values = llama_get_logits_ith(context_.get(), row);
  if (values == nullptr) fail("the engine gave no logits for a row");
  return values;
}

void Context::copy_sequence(int from, int to) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, -1);
}

void Context::remove_sequence(int sequence) { llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, -1, -1); }

int shared_prefix(const std::vector<Tokens>& prompts, bool recurrent) {
  if (prompts.size() < 2 || recurrent) return 0;
  std::size_t length = prompts[0].size();
  for (const Tokens& prompt : prompts) {
    const auto end = prompt.begin() + static_cast<std::ptrdiff_t>(std::min(length, prompt.size()));
    length = static_cast<std::size_t>(std::mismatch(prompt.begin(), end, prompts[0].begin()).first - prompt.begin());
    length = std::min(length, prompt.size() - 1);
  }
  return static_cast<int>(length);
}

void check_prompts(const std::vector<Tokens>& prompts, int n_vocab, int n_context, int room) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto refuse = [&](const std::string& why) {
      throw core::Error(core::ErrorCode::option_invalid, "prompt " + std::to_string(i) + " " + why,
                        {{"prompt", static_cast<double>(i)}, {"tokens", static_cast<double>(prompts[i].size())}});
    };
    if (prompts[i].empty()) refuse("has no tokens");
    if (static_cast<std::int64_t>(prompts[i].size()) + room > n_context) {
      refuse("has " + std::to_string(prompts[i].size()) + " tokens; with " + std::to_string(room) +
             " more that is beyond this model's context of " + std::to_string(n_context));
    }
    for (const llama_token token : prompts[i]) {
      if (token < 0 || token >= n_vocab)
        refuse("holds token " + std::to_string(token) + ", which the vocabulary does not have");
    }
  }
}

bool is_last(const std::vector<Tokens>& prompts, const PackedRow& row) {
  return row.prompt >= 0 && row.position + 1 == static_cast<int>(prompts[static_cast<std::size_t>(row.prompt)].size());
}

void read_logits(const Context& context, const std::vector<Tokens>& prompts, const std::vector<PackedRow>& rows,
                 const std::vector<int>& outputs, std::vector<float>& logits) {
  const std::size_t n_vocab = logits.size() / prompts.size();
  for (const int output : outputs) {
    const PackedRow& row = rows[static_cast<std::size_t>(output)];
    if (is_last(prompts, row))
      std::copy_n(context.logits(output), n_vocab, &logits[static_cast<std::size_t>(row.prompt) * n_vocab]);
  }
}

void run_packed(Session& session, const std::vector<Tokens>& prompts, const RunOptions& options,
                const core::Progress& progress, const std::function<bool(int, int)>& wants, const PackedReader& before,
                const PackedReader& after, ggml_backend_sched_eval_callback observe, void* observer) {
  if (prompts.empty()) return;
  check_prompts(prompts, session.info().n_vocab, session.info().n_context, 0);
  const auto turn = session.take_turn(progress);
  const int prefix = shared_prefix(prompts, session.info().recurrent);
  std::size_t longest = 0, total = static_cast<std::size_t>(prefix);
  for (const Tokens& prompt : prompts) {
    longest = std::max(longest, prompt.size());
    total += prompt.size() - static_cast<std::size_t>(prefix);
  }
  const int budget = std::max<int>(kBatchTokens, static_cast<int>(longest));
  const int most = session.info().recurrent ? 1 : kMaxSequences;
  Context context(session,
                  {.n_context = prefix + budget, .n_batch = budget, .n_sequences = most + 1, .n_outputs = budget},
                  options, progress, observe, observer);

  std::size_t done = 0;
  const auto run = [&](const std::vector<Context::Row>& rows, const std::vector<PackedRow>& packed) {
    std::vector<int> outputs;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].output) outputs.push_back(static_cast<int>(i));
    }
    before(context, packed, outputs);
    context.decode(rows);
    after(context, packed, outputs);
    done += rows.size();
    context.report(static_cast<double>(done) / static_cast<double>(total));
  };

  if (prefix > 0) {
    std::vector<Context::Row> rows;
    std::vector<PackedRow> packed;
    for (int position = 0; position < prefix; ++position) {
      rows.push_back({prompts[0][static_cast<std::size_t>(position)], position, 0, wants(-1, position)});
      packed.push_back({-1, position});
    }
    run(rows, packed);
  }
  for (std::size_t next = 0; next < prompts.size();) {
    std::vector<Context::Row> rows;
    std::vector<PackedRow> packed;
    int sequence = 0;
    for (; next < prompts.size() && sequence < most; ++next) {
      const Tokens& prompt = prompts[next];
      if (!rows.empty() &&
          rows.size() + prompt.size() - static_cast<std::size_t>(prefix) > static_cast<std::size_t>(budget))
        break;
      ++sequence;
      if (prefix > 0) context.copy_sequence(0, sequence);
      for (int position = prefix; position < static_cast<int>(prompt.size()); ++position) {
        const int index = static_cast<int>(next);
        rows.push_back({prompt[static_cast<std::size_t>(position)], position, sequence, wants(index, position)});
        packed.push_back({index, position});
      }
    }
    run(rows, packed);
    for (int used = 1; used <= sequence; ++used) context.remove_sequence(used);
  }
}

}  // namespace rosi::engine
