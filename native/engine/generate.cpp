#include "engine/generate.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>

#include "core/softmax.h"
#include "engine/backends.h"

namespace rosi::engine {
namespace {

struct Slot {
  int prompt = -1;       // -1: free
  int position = 0;      // of the next token
  llama_token next = 0;  // to be run in the next step
};

/// Cells for as many of the longest prompts as run at once, within `most` where one alone does not need more.
std::size_t cells_for(std::vector<std::size_t> needs, int parallel, int most) {
  const auto at_once = needs.begin() + std::min<std::ptrdiff_t>(parallel, std::ssize(needs));
  std::partial_sort(needs.begin(), at_once, needs.end(), std::greater<>());
  const std::size_t together = std::accumulate(needs.begin(), at_once, std::size_t{0});
  return std::max(needs.front(), std::min(together, static_cast<std::size_t>(std::max(most, 0))));
}

}  // namespace

int answers_at_once() { return has_amx() ? 48 : 24; }

std::vector<float> next_token_logits(Session& session, const std::vector<Tokens>& prompts, const RunOptions& options,
                                     const core::Progress& progress) {
  const auto n_vocab = static_cast<std::size_t>(session.info().n_vocab);
  std::vector<float> logits(prompts.size() * n_vocab);
  run_packed(
      session, prompts, options, progress,
      [&](int prompt, int position) {
        return is_last(prompts, {prompt, position});
      },
      [](Context&, const std::vector<PackedRow>&, const std::vector<int>&) {},
      [&](Context& context, const std::vector<PackedRow>& rows, const std::vector<int>& outputs) {
        read_logits(context, prompts, rows, outputs, logits);
      });
  return logits;
}

GenerateResult generate(Session& session, const GenerateRequest& request, const core::Progress& progress) {
  const auto& prompts = request.prompts;
  const int n_vocab = session.info().n_vocab;
  GenerateResult result;
  auto& answers = result.answers;
  answers.resize(prompts.size());
  if (request.first_logits) result.first_logits.resize(prompts.size() * static_cast<std::size_t>(n_vocab));
  if (request.log_likelihoods) result.log_likelihoods.resize(prompts.size());
  if (prompts.empty() || request.max_tokens < 1) return result;
  check_prompts(prompts, n_vocab, session.info().n_context, request.max_tokens);
  const auto turn = session.take_turn(progress);
  const int prefix = shared_prefix(prompts, session.info().recurrent);
  std::size_t longest = 0;
  std::vector<std::size_t> needs;  // cells of each prompt and its answer, beyond the prefix
  for (const Tokens& prompt : prompts) {
    longest = std::max(longest, prompt.size());
    needs.push_back(prompt.size() - static_cast<std::size_t>(prefix) + static_cast<std::size_t>(request.max_tokens));
  }
  const int parallel =
      std::clamp<int>(request.parallel, 1, static_cast<int>(std::min<std::size_t>(prompts.size(), 64)));
  std::size_t free_cells = cells_for(needs, parallel, request.cells);
  const int budget = std::max<int>(512, static_cast<int>(longest)) + parallel;
  Context context(session,
                  {.n_context = prefix + static_cast<int>(free_cells),
                   .n_batch = budget,
                   .n_sequences = parallel + 1,
                   .n_outputs = parallel},
                  request.run, progress);
  if (prefix > 0) {
    std::vector<Context::Row> rows;
    for (int position = 0; position < prefix; ++position)
      rows.push_back({prompts[0][static_cast<std::size_t>(position)], position, 0, false});
    context.decode(rows);
  }

  std::vector<Slot> slots(static_cast<std::size_t>(parallel));
  std::size_t next_prompt = 0, finished = 0;
  while (finished < prompts.size()) {
    std::vector<Context::Row> rows;
    std::vector<std::pair<int, std::size_t>> outputs;  // row of the batch, slot
    for (std::size_t s = 0; s < slots.size(); ++s) {   // running answers first: one token each
      if (slots[s].prompt < 0) continue;
      outputs.emplace_back(static_cast<int>(rows.size()), s);
      rows.push_back({slots[s].next, slots[s].position++, static_cast<int>(s) + 1, true});
    }
    for (std::size_t s = 0; s < slots.size() && next_prompt < prompts.size(); ++s) {
      if (slots[s].prompt >= 0) continue;
      const Tokens& prompt = prompts[next_prompt];
      if (needs[next_prompt] > free_cells) break;  // not the next that fits: the long ones would come last, one by one
      if (!rows.empty() && rows.size() + prompt.size() > static_cast<std::size_t>(budget)) break;
      if (session.info().recurrent && !rows.empty()) break;  // the engine would split a mixed batch in another order
      if (prefix > 0) context.copy_sequence(0, static_cast<int>(s) + 1);
      for (int position = prefix; position < static_cast<int>(prompt.size()); ++position) {
        rows.push_back({prompt[static_cast<std::size_t>(position)], position, static_cast<int>(s) + 1,
                        position + 1 == static_cast<int>(prompt.size())});
      }
      outputs.emplace_back(static_cast<int>(rows.size()) - 1, s);
      free_cells -= needs[next_prompt];
      slots[s] = {static_cast<int>(next_prompt++), static_cast<int>(prompt.size()), 0};
    }
    context.decode(rows);
    for (const auto& [row, s] : outputs) {
      Slot& slot = slots[s];
      Tokens& answer = answers[static_cast<std::size_t>(slot.prompt)];
      const float* logits = context.logits(row);
      if (request.first_logits && answer.empty()) {
        std::copy_n(logits, n_vocab,
                    &result.first_logits[static_cast<std::size_t>(slot.prompt) * static_cast<std::size_t>(n_vocab)]);
      }
      const core::RowSummary said = request.log_likelihoods ? core::summarise(logits, n_vocab)
                                                            : core::RowSummary{0, core::most_likely(logits, n_vocab)};
      slot.next = said.top;
      const bool ended = llama_vocab_is_eog(session.vocab(), slot.next);
      if (!ended) {
        answer.push_back(slot.next);
        if (request.log_likelihoods) {
          result.log_likelihoods[static_cast<std::size_t>(slot.prompt)] += logits[slot.next] - said.log_norm;
        }
      }
      if (ended || static_cast<int>(answer.size()) >= request.max_tokens) {
        context.remove_sequence(static_cast<int>(s) + 1);
        free_cells += needs[static_cast<std::size_t>(slot.prompt)];
        slot.prompt = -1;
        ++finished;
      }
    }
    std::size_t running = 0;  // tokens of unfinished answers count as their share, so that progress is smooth
    for (const Slot& slot : slots)
      running += slot.prompt >= 0 ? answers[static_cast<std::size_t>(slot.prompt)].size() : 0;
    context.report((static_cast<double>(finished) + static_cast<double>(running) / request.max_tokens) /
                   static_cast<double>(prompts.size()));
  }
  return result;
}

}  // namespace rosi::engine
