#include "engine/drift.h"

#include <algorithm>
#include <functional>

#include "core/softmax.h"
#include "core/thread_pool.h"
#include "engine/batches.h"

namespace rosi::engine {
namespace {

using Turn = std::unique_lock<std::timed_mutex>;

/// In one order for all callers: two drifts between the same sessions would otherwise wait for each other forever.
std::pair<Turn, Turn> take_turns(Session& a, Session& b, const core::Progress& progress) {
  if (&a == &b) return {a.take_turn(progress), Turn()};
  Session& first = std::less<Session*>()(&a, &b) ? a : b;
  Session& second = &first == &a ? b : a;
  Turn turn = first.take_turn(progress);
  return {std::move(turn), second.take_turn(progress)};
}

void check(const std::vector<DriftText>& texts, const ModelInfo& base, const ModelInfo& other) {
  if (base.n_vocab != other.n_vocab) {
    throw core::Error(core::ErrorCode::option_invalid,
                      "the models have vocabularies of " + std::to_string(base.n_vocab) + " and " +
                          std::to_string(other.n_vocab) + " tokens: only models of one vocabulary can be compared");
  }
  std::vector<Tokens> tokens;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].from < 1 || texts[i].from > static_cast<int>(texts[i].tokens.size())) {
      throw core::Error(core::ErrorCode::option_invalid,
                        "text " + std::to_string(i) + " is to be compared from token " + std::to_string(texts[i].from) +
                            " on; it has " + std::to_string(texts[i].tokens.size()),
                        {{"text", static_cast<double>(i)}});
    }
    tokens.push_back(texts[i].tokens);
  }
  check_prompts(tokens, base.n_vocab, std::min(base.n_context, other.n_context), 0);
}

BatchLimits limits_of(const ModelInfo& base, const ModelInfo& other) {
  BatchLimits limits = batch_limits(base);
  limits.sequences = std::min(limits.sequences, batch_limits(other).sequences);
  return limits;
}

}  // namespace

Drift drift(Session& base, const RunOptions& base_options, Session& other, const RunOptions& other_options,
            const std::vector<DriftText>& texts, const core::Progress& progress) {
  check(texts, base.info(), other.info());
  Drift result;
  if (texts.empty()) return result;
  const BatchLimits limits = limits_of(base.info(), other.info());
  const int n_vocab = base.info().n_vocab;
  std::size_t longest = 0, total = 0, done = 0;
  for (const DriftText& text : texts) {
    longest = std::max(longest, text.tokens.size());
    total += text.tokens.size();
  }
  const core::Progress shared = [&](double share) { return !progress || progress(share); };  // one for both contexts
  const auto turns = take_turns(base, other, progress);
  const ContextShape shape{.n_context = std::max(limits.cells, static_cast<int>(longest)),
                           .n_batch = limits.rows,
                           .n_sequences = limits.sequences,
                           .n_outputs = limits.outputs};
  Context base_context(base, shape, base_options, shared);
  Context other_context(other, shape, other_options, shared);
  const core::ThreadPool pool(base_options.threads > 0 ? base_options.threads : base.threads());

  for (std::size_t next = 0; next < texts.size();) {
    std::vector<Context::Row> rows;
    int sequence = 0;
    for (; next < texts.size() && sequence < limits.sequences; ++next) {
      const auto& [tokens, from] = texts[next];
      if (sequence > 0 && rows.size() + tokens.size() > static_cast<std::size_t>(shape.n_context)) break;
      for (int position = 0; position + 1 < static_cast<int>(tokens.size()); ++position) {
        const auto at = static_cast<std::size_t>(position);
        rows.push_back({tokens[at], position, sequence, position + 1 >= from});
      }
      done += tokens.size();
      ++sequence;
    }
    std::size_t place = result.kl.size();
    const std::size_t size = place + outputs_of(rows).size();
    result.kl.resize(size);
    result.same_top.resize(size);
    for_each_batch(rows, limits, [&](const std::vector<Context::Row>& batch) {
      base_context.decode(batch);
      other_context.decode(batch);
      std::vector<std::pair<const float*, const float*>> logits;
      for (const int row : outputs_of(batch)) logits.emplace_back(base_context.logits(row), other_context.logits(row));
      pool.for_each(std::ssize(logits), [&](std::int64_t i, const core::ThreadPool::Run&) {
        const auto& [p, q] = logits[static_cast<std::size_t>(i)];
        const core::RowSummary of_p = core::summarise(p, n_vocab), of_q = core::summarise(q, n_vocab);
        const std::size_t at = place + static_cast<std::size_t>(i);
        result.kl[at] = core::divergence(p, of_p, q, of_q, n_vocab);
        result.same_top[at] = of_p.top == of_q.top;
      });
      place += logits.size();
    });
    for (int used = 0; used < sequence; ++used) {
      base_context.remove_sequence(used);
      other_context.remove_sequence(used);
    }
    base_context.report(static_cast<double>(done) / static_cast<double>(total));
    other_context.report(static_cast<double>(done) / static_cast<double>(total));
  }
  return result;
}

}  // namespace rosi::engine
