#include "engine/score.h"

#include <algorithm>

#include "core/softmax.h"
#include "core/thread_pool.h"
#include "engine/batches.h"

namespace rosi::engine {
namespace {

// Fewer tokens than this are run again for each group: a decode of their own costs more.
constexpr int kWorthwhileTrunk = 32;

/// A token whose likelihood an output tells, and where it belongs in the result.
struct Target {
  llama_token token;
  std::size_t place;
};

/// A prefix with as many of its options as run at once.
struct Part {
  const ScoreGroup* group;
  std::vector<Target> first;  // first tokens of its options: the prefix's last row tells them
  struct Long {               // an option with rows of its own
    const Tokens* tokens;
    std::size_t place;  // of its first token
  };
  std::vector<Long> longs;
};

/// Parts in a row whose prefixes share their first `trunk` tokens.
struct Family {
  std::size_t begin, end;
  int trunk;
};

int rows_of(const Tokens& option) { return static_cast<int>(option.size()) - 1; }  // its last token is not run

int cells_of(const Part& part, int trunk) {
  int cells = static_cast<int>(part.group->prefix.size()) - trunk;
  for (const Part::Long& option : part.longs) cells += rows_of(*option.tokens);
  return cells;
}

/// One long option goes on in its prefix's sequence; several have one each.
int sequences_of(const Part& part) { return part.longs.size() > 1 ? 1 + static_cast<int>(part.longs.size()) : 1; }

void check(const std::vector<ScoreGroup>& groups, const ModelInfo& info) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto refuse = [&](const std::string& why) {
      throw core::Error(core::ErrorCode::option_invalid, "group " + std::to_string(i) + " " + why,
                        {{"group", static_cast<double>(i)}});
    };
    const auto check_tokens = [&](const Tokens& tokens, const char* what) {
      if (tokens.empty()) refuse(std::string("has ") + what + " without tokens");
      for (const llama_token token : tokens) {
        if (token < 0 || token >= info.n_vocab)
          refuse("holds token " + std::to_string(token) + ", which the vocabulary does not have");
      }
    };
    check_tokens(groups[i].prefix, "a prefix");
    for (const Tokens& option : groups[i].options) {
      check_tokens(option, "an option");
      const std::size_t rows = groups[i].prefix.size() + option.size() - 1;
      if (rows > static_cast<std::size_t>(info.n_context)) {
        refuse("runs " + std::to_string(rows) + " tokens; this model's context is " + std::to_string(info.n_context));
      }
    }
  }
}

std::vector<Part> split(const std::vector<ScoreGroup>& groups, const BatchLimits& limits) {
  const std::size_t most_long = static_cast<std::size_t>(std::max(1, limits.sequences / 2 - 1));
  std::vector<Part> parts;
  std::size_t place = 0;
  for (const ScoreGroup& group : groups) {
    if (group.options.empty()) continue;
    parts.push_back({&group, {}, {}});
    for (const Tokens& option : group.options) {
      const bool is_long = rows_of(option) > 0;
      if (is_long && parts.back().longs.size() == most_long) parts.push_back({&group, {}, {}});
      parts.back().first.push_back({option[0], place});
      if (is_long) parts.back().longs.push_back({&option, place});
      place += option.size();
    }
  }
  return parts;
}

int common(const Tokens& a, int length, const Tokens& b) {
  const auto end = a.begin() + std::min<std::ptrdiff_t>(length, std::ssize(b) - 1);
  return static_cast<int>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

Family family_from(const std::vector<Part>& parts, std::size_t begin, bool shares) {
  if (!shares) return {begin, parts.size(), 0};
  const auto prefix = [&](std::size_t i) -> const Tokens& { return parts[i].group->prefix; };
  const auto shared_with_next = [&](std::size_t i) {
    return i + 1 == parts.size() ? 0 : common(prefix(i), rows_of(prefix(i)), prefix(i + 1));
  };
  std::size_t end = begin + 1;
  int trunk = shared_with_next(begin);
  if (trunk < kWorthwhileTrunk) {
    while (end < parts.size() && shared_with_next(end) < kWorthwhileTrunk) ++end;
    return {begin, end, 0};
  }
  for (; end < parts.size(); ++end) {
    const int kept = common(prefix(begin), trunk, prefix(end));
    if (kept < kWorthwhileTrunk || kept < trunk / 2) break;  // the next family begins with more
    trunk = kept;
  }
  return {begin, end, trunk};
}

std::vector<Family> families_of(const std::vector<Part>& parts, bool shares) {
  std::vector<Family> families;
  for (std::size_t begin = 0; begin < parts.size(); begin = families.back().end)
    families.push_back(family_from(parts, begin, shares));
  return families;
}

class Scorer {
 public:
  Scorer(Context& context, const BatchLimits& limits, int n_vocab, int threads, Scores& scores)
      : context_(context), limits_(limits), n_vocab_(n_vocab), pool_(threads), scores_(scores) {}

  void run(std::span<const Part> parts, int trunk, int cells, double share) {
    const double begun = done_;
    if (trunk > 0) {
      add(parts[0].group->prefix, 0, trunk, kTrunk);
      run_rows();
    }
    for (std::size_t next = 0; next < parts.size();) {
      const std::size_t begin = next;
      int room = cells, sequences = limits_.sequences;
      for (; next < parts.size(); ++next) {
        room -= cells_of(parts[next], trunk);
        sequences -= sequences_of(parts[next]);
        if (next > begin && (room < 0 || sequences < 0)) break;
      }
      run_wave(parts.subspan(begin, next - begin), trunk);
      done_ = begun + share * static_cast<double>(next) / static_cast<double>(parts.size());
      context_.report(done_);
    }
    if (trunk > 0) context_.remove_sequence(kTrunk);
  }

 private:
  static constexpr int kTrunk = 0;  // its sequence; the others' are counted from 1

  /// Prefixes first, then the options on copies of them.
  void run_wave(std::span<const Part> parts, int trunk) {
    int used = kTrunk;
    for (const Part& part : parts) {
      const Tokens& prefix = part.group->prefix;
      if (trunk > 0) context_.copy_sequence(kTrunk, used + 1);
      add(prefix, trunk, rows_of(prefix), used + 1);
      add_output(prefix.back(), rows_of(prefix), used + 1, part.first);
      if (part.longs.size() == 1) add_option(part, part.longs[0], used + 1);
      used += sequences_of(part);
    }
    run_rows();
    int sequence = kTrunk + 1;
    for (const Part& part : parts) {
      const int prefix = sequence++;
      if (part.longs.size() < 2) continue;
      for (const Part::Long& option : part.longs) {
        context_.copy_sequence(prefix, sequence);
        add_option(part, option, sequence++);
      }
    }
    run_rows();
    for (; used > kTrunk; --used) context_.remove_sequence(used);
  }

  void add(const Tokens& tokens, int from, int to, int sequence) {
    for (int position = from; position < to; ++position)
      rows_.push_back({tokens[static_cast<std::size_t>(position)], position, sequence, false});
  }

  void add_output(llama_token token, int position, int sequence, std::vector<Target> targets) {
    rows_.push_back({token, position, sequence, true});
    targets_.push_back(std::move(targets));
  }

  void add_option(const Part& part, const Part::Long& option, int sequence) {
    const auto length = part.group->prefix.size();
    for (std::size_t i = 0; i + 1 < option.tokens->size(); ++i) {
      add_output((*option.tokens)[i], static_cast<int>(length + i), sequence,
                 {{(*option.tokens)[i + 1], option.place + i + 1}});
    }
  }

  void run_rows() {
    auto targets = targets_.cbegin();
    for_each_batch(rows_, limits_, [&](const std::vector<Context::Row>& batch) {
      context_.decode(batch);
      std::vector<const float*> logits;
      for (const int row : outputs_of(batch)) logits.push_back(context_.logits(row));
      pool_.for_each(std::ssize(logits), [&](std::int64_t i, const core::ThreadPool::Run&) {
        read(logits[static_cast<std::size_t>(i)], *(targets + i));
      });
      targets += std::ssize(logits);
    });
    rows_.clear();
    targets_.clear();
  }

  void read(const float* logits, const std::vector<Target>& targets) {
    const core::RowSummary row = core::summarise(logits, n_vocab_);
    for (const auto& [token, place] : targets) {
      scores_.log_likelihoods[place] = logits[token] - row.log_norm;
      scores_.greedy[place] = token == row.top;
    }
  }

  Context& context_;
  const BatchLimits limits_;
  const int n_vocab_;
  const core::ThreadPool pool_;
  Scores& scores_;
  double done_ = 0;
  std::vector<Context::Row> rows_;            // to be run
  std::vector<std::vector<Target>> targets_;  // of the outputs among them
};

}  // namespace

Scores score(Session& session, const std::vector<ScoreGroup>& groups, const RunOptions& options,
             const core::Progress& progress) {
  check(groups, session.info());
  const BatchLimits limits = batch_limits(session.info());
  std::size_t n_tokens = 0;
  for (const ScoreGroup& group : groups) {
    for (const Tokens& option : group.options) n_tokens += option.size();
  }
  Scores scores{std::vector<double>(n_tokens), std::vector<std::uint8_t>(n_tokens)};
  const std::vector<Part> parts = split(groups, limits);
  if (parts.empty()) return scores;
  const std::vector<Family> families = families_of(parts, !session.info().recurrent);
  int trunk = 0, cells = limits.cells, sequences = limits.sequences;
  for (const Family& family : families) {
    trunk = std::max(trunk, family.trunk);
    for (std::size_t i = family.begin; i < family.end; ++i) {
      cells = std::max(cells, cells_of(parts[i], family.trunk));
      sequences = std::max(sequences, sequences_of(parts[i]));
    }
  }
  const auto turn = session.take_turn(progress);
  Context context(
      session,
      {.n_context = trunk + cells, .n_batch = limits.rows, .n_sequences = sequences + 1, .n_outputs = limits.outputs},
      options, progress);
  const int threads = options.threads > 0 ? options.threads : session.threads();
  Scorer scorer(context, limits, session.info().n_vocab, threads, scores);
  for (const Family& family : families) {
    const std::size_t size = family.end - family.begin;
    scorer.run(std::span(parts).subspan(family.begin, size), family.trunk, cells,
               static_cast<double>(size) / static_cast<double>(parts.size()));
  }
  return scores;
}

}  // namespace rosi::engine
