// Proves by experiment what the walk said about a model's writers. For tests and for docs/architectures.md.
#pragma once

#include <memory>

#include "engine/writers.h"

namespace rosi::engine {

struct WriterCheck {
  std::string name;
  /// The product's output was changed while the model ran as W += left * rightᵀ would have changed it, with random
  /// factors. "exact": the stream moved at the join as predicted from the path, for every token and channel.
  /// "parallel": it moved along the predicted direction, by amounts that were not predicted. "wrong": neither. "still":
  /// not at all.
  std::string prediction;
  double error;   // |change - predicted| / |change|
  double change;  // |change| / |stream| at the join
  /// The same factors as a run-time adapter, its left factor as AdapterWay says. "equal": the same change. "scaled":
  /// `adapter_ratio` times the change. "ignored": the engine took the adapter and did nothing with it. "different".
  /// "refused": it was not taken, or not tried.
  std::string adapter;
  double adapter_error;  // |adapter's change - change| / |change|
  double adapter_ratio;
};

struct WritersCheck {
  std::vector<WriterCheck> writers;
  bool same_graph;       // the graph that ran has the writers of the graph that was only built
  bool repeatable;       // two runs gave the same bits, the second while nodes were read
  double remainder;      // how far the head's input moves when all other matrices change while every writer writes zero
  std::string moved_by;  // those of them that move it alone
};

/// Runs the tokens a few times for each writer. Throws Error{option_invalid} for too few or too many tokens.
WritersCheck check_writers(const std::shared_ptr<Session>& session, const Tokens& tokens, std::uint32_t seed,
                           const core::Progress& progress);

}  // namespace rosi::engine
