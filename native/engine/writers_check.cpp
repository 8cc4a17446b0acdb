#include "engine/writers_check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <unordered_set>

#include "engine/graph_nodes.h"
#include "engine/graph_observer.h"
#include "engine/push_prediction.h"
#include "engine/trial_context.h"

namespace rosi::engine {
namespace {

// Share of the change. Right predictions were off by 8e-5 at most on 254 models of random weights and 3 real ones
// (float32 rounds at 1e-7 of a stream 3 to 100 times as long as the change); the wrong ones by 9e-2.
constexpr double kTolerance = 1e-3;
// The push is this share of what is at the join: well above rounding, and no norm's denominator changes much.
constexpr double kPush = 0.3;
constexpr double kSmallestGain = 0.02;  // of the largest: beyond it left = s / gain would be that channel alone

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

std::vector<double> minus(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<double> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = static_cast<double>(a[i]) - static_cast<double>(b[i]);
  return difference;
}

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double distance(const std::vector<double>& a, const std::vector<double>& b, double scale = 1.0) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - scale * b[i]) * (a[i] - scale * b[i]);
  return std::sqrt(sum);
}

std::vector<float> random_unit(std::size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  const double length = norm(values);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) / length);
  return values;
}

/// Left factor for which the stream moves along s: s over the gains, those near zero kept from ruling it.
std::vector<float> through_gains(std::vector<float> s, const std::vector<std::vector<float>>& gains) {
  for (const std::vector<float>& gain : gains) {
    float largest = 0;
    for (const float value : gain) largest = std::max(largest, std::fabs(value));
    const float least = static_cast<float>(kSmallestGain) * largest;
    for (std::size_t i = 0; i < s.size(); ++i)
      s[i] /= std::fabs(gain[i]) < least ? std::copysign(least, gain[i]) : gain[i];
  }
  return s;
}

/// What is tried on one writer.
struct Trial {
  std::string name;
  std::vector<int> products;
  PushPath path;  // of its first use
  std::int64_t n_in, n_out, n_experts;
  RankOneFactors factors;
  std::optional<AdapterWay> adapter;
};

void multiply(std::vector<float>& values, float by) {
  for (float& value : values) value *= by;
}

class Check {
 public:
  Check(const std::shared_ptr<Session>& session, const Tokens& tokens, std::uint32_t seed)
      : session_(session),
        tokens_(tokens),
        random_(seed),
        context_(session->model(), session->threads(), GraphObserver::observe, &observer_) {}

  WritersCheck run(const WriterReport& built, const core::Progress& progress) {
    GraphWalk walk(observer_.record(context_, tokens_));
    WritersCheck result{};
    result.same_graph = same(built, describe(walk, session_->model()));
    plan(walk, built);
    end_ = walk.index(walk.end());
    plan_remainder(walk);
    std::vector<int> wanted = {end_};
    for (const Trial& trial : trials_) trial.path.add_nodes(wanted);
    const GraphObserver::Values quiet = observer_.read(context_, tokens_, {end_});
    base_ = observer_.read(context_, tokens_, wanted);
    result.repeatable = quiet.at(end_) == base_.at(end_);
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      result.writers.push_back(check(trials_[i]));
      core::report(progress, static_cast<double>(i + 1) / static_cast<double>(trials_.size() + 1));
    }
    check_remainder(result);
    return result;
  }

 private:
  static bool same(const WriterReport& a, const WriterReport& b) {
    return std::equal(a.writers.begin(), a.writers.end(), b.writers.begin(), b.writers.end(),
                      [](const Writer& x, const Writer& y) {
                        return x.name == y.name && x.writer_class == y.writer_class && x.factor == y.factor &&
                               x.gains == y.gains && x.uses == y.uses;
                      });
  }

  void plan(GraphWalk& walk, const WriterReport& built) {
    std::map<std::string, std::vector<const WriterUse*>> by_name;
    for (const WriterUse& use : walk.uses()) by_name[use.weight->name].push_back(&use);
    for (const Writer& writer : built.writers) {
      const auto& uses = by_name[writer.name];
      if (uses.empty()) continue;  // the graphs differ: `same_graph` says so
      Trial trial{writer.name,      {}, PushPath(walk, uses), writer.n_in, writer.n_out,
                  writer.n_experts, {}, writer.adapter};
      for (const WriterUse* use : uses) trial.products.push_back(walk.index(use->product));
      std::sort(trial.products.begin(), trial.products.end());
      trial.products.erase(std::unique(trial.products.begin(), trial.products.end()), trial.products.end());
      const auto n = static_cast<std::size_t>(writer.n_experts);
      const std::vector<float> left =
          through_gains(random_unit(static_cast<std::size_t>(writer.n_out), random_), trial.path.gains());
      trial.factors.name = writer.name;
      trial.factors.n_experts = writer.n_experts;
      for (std::size_t expert = 0; expert < n;
           ++expert) {  // one left for all, so that the stream moves along one direction
        const std::vector<float> right = random_unit(static_cast<std::size_t>(writer.n_in), random_);
        trial.factors.left.insert(trial.factors.left.end(), left.begin(), left.end());
        trial.factors.right.insert(trial.factors.right.end(), right.begin(), right.end());
      }
      trials_.push_back(std::move(trial));
    }
  }

  static double root_mean_square(const std::vector<double>& values) {
    return values.empty() ? 0.0 : norm(values) / std::sqrt(static_cast<double>(values.size()));
  }

  /// Scales the left factor such that the push is a fair share of what it is added to.
  void size(Trial& trial, const std::vector<double>& detected, const std::vector<float>& output) const {
    const auto n_out = static_cast<std::size_t>(trial.n_out);
    const std::vector<float>& at_join = trial.path.has_norm() ? output : base_.at(trial.path.join());
    const double rows = static_cast<double>(at_join.size()) / static_cast<double>(n_out);
    const double length = norm(at_join) / std::sqrt(rows);
    const std::vector<float> left(trial.factors.left.begin(), trial.factors.left.begin() + trial.n_out);
    const double unit =
        root_mean_square(detected) * norm(left) * (trial.path.has_norm() ? 1.0 : std::fabs(trial.path.factor()));
    if (unit > 0 && length > 0) multiply(trial.factors.left, static_cast<float>(kPush * length / unit));
  }

  WriterCheck check(Trial& trial) {
    WriterCheck result{trial.name, "still", 0, 0, "refused", 0, 0};
    std::vector<double> first;
    const auto push = [&](ggml_tensor* product) {
      const std::vector<double> detected = responses(trial.factors, product);
      std::vector<float> output = read_floats(product);
      if (first.empty()) {
        size(trial, detected, output);
        first = detected;
      }
      const auto n_out = static_cast<std::size_t>(trial.n_out);
      for (std::size_t row = 0; row < detected.size(); ++row) {
        for (std::size_t i = 0; i < n_out; ++i)
          output[row * n_out + i] += static_cast<float>(detected[row] * static_cast<double>(trial.factors.left[i]));
      }
      ggml_backend_tensor_set(product, output.data(), 0, output.size() * sizeof(float));
    };
    GraphObserver::Edits edits;
    for (const int product : trial.products) edits[product] = push;
    const int join = trial.path.join();
    const std::vector<float> after = observer_.read(context_, tokens_, {join}, edits).at(join);
    const std::vector<double> change = minus(after, base_.at(join));
    result.change = norm(change) / norm(base_.at(join));
    if (norm(change) > 0) {
      const std::vector<float> left(trial.factors.left.begin(), trial.factors.left.begin() + trial.n_out);
      const auto predicted = trial.path.predict(left, first, base_);
      if (predicted && predicted->size() == change.size()) result.error = distance(change, *predicted) / norm(change);
      const bool exact = predicted && predicted->size() == change.size() && result.error < kTolerance;
      result.prediction = exact ? "exact" : "wrong";
      if (!exact) {
        const double beside = trial.path.share_beside(left, change, base_);
        if (beside < kTolerance) {
          result.prediction = "parallel";
          result.error = beside;
        } else if (!predicted) {
          result.error = beside;
        }
      }
    }
    check_adapter(trial, change, result);
    return result;
  }

  /// The edit's factors as an adapter that does the same, where there is one.
  static RankOneFactors adapter_factors(const Trial& trial) {
    RankOneFactors factors = trial.factors;
    if (!trial.adapter->honoured) return factors;
    multiply(factors.left, static_cast<float>(trial.adapter->ratio));
    if (!trial.adapter->expert_scale) return factors;
    for (std::size_t i = 0; i < factors.left.size(); ++i)
      factors.left[i] *= trial.path.expert_scale()[i / static_cast<std::size_t>(trial.n_out)];
    return factors;
  }

  void check_adapter(const Trial& trial, const std::vector<double>& change, WriterCheck& result) {
    if (!trial.adapter) return;
    std::shared_ptr<Adapter> adapter;
    try {
      adapter = Adapter::load(session_, {adapter_factors(trial)});
    } catch (const core::Error&) {
      return;
    }
    context_.use(adapter.get());
    int join = -1;
    {
      GraphWalk walk(observer_.record(context_, tokens_));  // the adapter adds nodes, so every place is another
      for (const WriterUse& use : walk.uses()) {
        const int at = walk.index(use.join);
        if (trial.name == use.weight->name && (join < 0 || at < join)) join = at;
      }
    }
    result.adapter = "different";
    if (join >= 0) {
      const std::vector<float> after = observer_.read(context_, tokens_, {join}).at(join);
      if (after.size() == change.size()) compare(minus(after, base_.at(trial.path.join())), change, result);
    }
    context_.use(nullptr);
  }

  static void compare(const std::vector<double>& by_adapter, const std::vector<double>& change, WriterCheck& result) {
    double product = 0;
    for (std::size_t i = 0; i < change.size(); ++i) product += by_adapter[i] * change[i];
    const double length = norm(change);
    if (length > 0) {
      result.adapter_ratio = product / (length * length);
      result.adapter_error = distance(by_adapter, change) / length;
    }
    if (norm(by_adapter) == 0) result.adapter = "ignored";
    else if (length > 0 && result.adapter_error < kTolerance) result.adapter = "equal";
    else if (length > 0 && distance(by_adapter, change, result.adapter_ratio) / length <
                               kTolerance * std::max(1.0, std::fabs(result.adapter_ratio)))
      result.adapter = "scaled";
  }

  void plan_remainder(const GraphWalk& walk) {
    std::unordered_set<std::string> writers;
    for (const Trial& trial : trials_) writers.insert(trial.name);
    for (std::size_t i = 0; i < walk.nodes().size(); ++i) {
      const ggml_tensor* node = walk.nodes()[i];
      if ((node->op != GGML_OP_MUL_MAT && node->op != GGML_OP_MUL_MAT_ID) || !is_weight(node->src[0])) continue;
      const std::string name = source_of(node->src[0])->name;
      if (layer_of(name) >= 0 && !writers.contains(name)) others_.push_back({static_cast<int>(i), name});
    }
  }

  /// Nothing may reach the head but through the writers: with all of them at zero, other matrices have no say.
  void check_remainder(WritersCheck& result) {
    GraphObserver::Edits zeros;
    const auto clear = [](ggml_tensor* product) {
      const std::vector<float> zero(static_cast<std::size_t>(ggml_nelements(product)), 0.0f);
      ggml_backend_tensor_set(product, zero.data(), 0, zero.size() * sizeof(float));
    };
    for (const Trial& trial : trials_) {
      for (const int product : trial.products) zeros[product] = clear;
    }
    const auto change = [this](ggml_tensor* product) {  // as if rows of the matrix had changed their sign and size
      std::vector<float> values = read_floats(product);
      const auto width = static_cast<std::size_t>(product->ne[0]);
      std::vector<float> by(width);
      for (float& value : by) value = random_() % 2 == 0 ? 1.5f : -1.5f;
      for (std::size_t i = 0; i < values.size(); ++i) values[i] *= by[i % width];
      ggml_backend_tensor_set(product, values.data(), 0, values.size() * sizeof(float));
    };
    const std::vector<float> base = observer_.read(context_, tokens_, {end_}, zeros).at(end_);
    const auto moved = [&](const GraphObserver::Edits& edits) {
      const double distance = norm(minus(observer_.read(context_, tokens_, {end_}, edits).at(end_), base)) / norm(base);
      return std::isfinite(distance) ? distance : std::numeric_limits<double>::infinity();
    };
    GraphObserver::Edits all = zeros;
    for (const auto& [at, name] : others_) all[at] = change;
    result.remainder = moved(all);
    if (result.remainder < 1e-6) return;
    for (const auto& [at, name] : others_) {
      GraphObserver::Edits one = zeros;
      one[at] = change;
      if (moved(one) >= 1e-6) result.moved_by += (result.moved_by.empty() ? "" : ", ") + name;
    }
  }

  struct Other {
    int product;
    std::string name;
  };
  const std::shared_ptr<Session> session_;
  const Tokens tokens_;
  std::mt19937 random_;
  GraphObserver observer_;
  TrialContext context_;
  std::vector<Trial> trials_;
  std::vector<Other> others_;  // products with matrices of the blocks that are no writers
  int end_ = -1;
  GraphObserver::Values base_;
};

}  // namespace

WritersCheck check_writers(const std::shared_ptr<Session>& session, const Tokens& tokens, std::uint32_t seed,
                           const core::Progress& progress) {
  if (tokens.size() < 2 || tokens.size() > TrialContext::most_tokens) {
    throw core::Error(core::ErrorCode::option_invalid, "the check of the writers takes 2 to " +
                                                           std::to_string(TrialContext::most_tokens) + " tokens; got " +
                                                           std::to_string(tokens.size()));
  }
  const WriterReport built = find_writers(session, progress);
  const auto turn = session->take_turn(progress);
  return Check(session, tokens, seed).run(built, progress);
}

}  // namespace rosi::engine
