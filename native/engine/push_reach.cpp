#include "engine/push_reach.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/context.h"
#include "engine/graph_observer.h"
#include "engine/push_prediction.h"
#include "engine/trial_context.h"

namespace rosi::engine {
namespace {

// Of what the push is added to: no norm's denominator changes much, and the sums are float64.
constexpr double kSmallPush = 1e-4;

double length(const float* values, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return std::sqrt(sum);
}

class Reach {
 public:
  Reach(const std::shared_ptr<Session>& session, const ReachRequest& request)
      : session_(session),
        request_(request),
        context_(session->model(), request.threads, GraphObserver::observe, &observer_, longest(request.prompts)) {}

  std::vector<double> run(const core::Progress& progress) {
    std::vector<double> sums(request_.writers.size(), 0.0);
    for (std::size_t i = 0; i < request_.prompts.size(); ++i) {
      add(request_.prompts[i], sums);
      core::report(progress, static_cast<double>(i + 1) / static_cast<double>(request_.prompts.size()));
    }
    for (double& sum : sums) sum /= static_cast<double>(request_.prompts.size());
    return sums;
  }

 private:
  static int longest(const std::vector<Tokens>& prompts) {
    std::size_t most = 1;
    for (const Tokens& prompt : prompts) most = std::max(most, prompt.size());
    return static_cast<int>(most);
  }

  /// The graph of another number of tokens is another graph: each prompt's is walked anew.
  void add(const Tokens& tokens, std::vector<double>& sums) {
    const GraphWalk walk(observer_.record(context_, tokens));
    std::vector<PushPath> paths;
    std::vector<int> products, wanted;
    for (const RankOneFactors& writer : request_.writers) {
      std::vector<const WriterUse*> uses;
      for (const WriterUse& use : walk.uses()) {
        if (writer.name == use.weight->name) uses.push_back(&use);
      }
      if (uses.empty()) {
        throw core::Error(core::ErrorCode::option_invalid,
                          writer.name + " does not write to the residual stream of this model",
                          {{"tensor", writer.name}});
      }
      paths.emplace_back(walk, uses);
      paths.back().add_nodes(wanted);
      const auto first = std::min_element(uses.begin(), uses.end(), [&](const WriterUse* a, const WriterUse* b) {
        return std::pair(walk.index(a->join), walk.index(a->product)) <
               std::pair(walk.index(b->join), walk.index(b->product));
      });
      products.push_back(walk.index((*first)->product));
    }
    std::vector<std::vector<double>> sizes(products.size());
    std::vector<double> outputs(products.size());
    GraphObserver::Edits look;
    for (std::size_t i = 0; i < products.size(); ++i) {
      look[products[i]] = [&, i](ggml_tensor* product) {
        const std::vector<float> output = read_floats(product);
        const auto n = static_cast<std::size_t>(product->ne[0]), n_rows = output.size() / n;
        // Of the last token alone: its experts' rows come last.
        const std::size_t n_last = n_rows / tokens.size();
        sizes[i] = responses(request_.writers[i], product);
        std::fill(sizes[i].begin(), sizes[i].end() - static_cast<std::ptrdiff_t>(n_last), 0.0);
        outputs[i] = length(&output[(n_rows - n_last) * n], n_last * n);
      };
    }
    const GraphObserver::Values values = observer_.read(context_, tokens, wanted, look);
    for (std::size_t i = 0; i < paths.size(); ++i)
      sums[i] += along(request_.writers[i], paths[i], sizes[i], outputs[i], values, tokens.size());
  }

  double along(const RankOneFactors& writer, const PushPath& path, std::vector<double> sizes, double output,
               const GraphObserver::Values& values, std::size_t n_tokens) const {
    const std::size_t n = request_.direction.size();
    const std::vector<float> left(writer.left.begin(), writer.left.begin() + static_cast<std::ptrdiff_t>(n));
    double largest = 0;
    for (const double size : sizes) largest = std::max(largest, std::fabs(size));
    const double push = largest * length(left.data(), n);
    if (push == 0) return 0;
    const double small = output > 0 ? kSmallPush * output / push : 1.0;
    for (double& size : sizes) size *= small;
    const std::optional<std::vector<double>> change = path.predict(left, sizes, values);
    if (!change || change->size() % n != 0) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (std::size_t i = 0; i < change->size(); ++i)
      sum += (*change)[i] * static_cast<double>(request_.direction[i % n]);
    const auto n_streams = static_cast<double>(change->size() / n / n_tokens);
    return sum / (small * n_streams);
  }

  const std::shared_ptr<Session> session_;
  const ReachRequest& request_;
  GraphObserver observer_;
  TrialContext context_;
};

}  // namespace

std::vector<double> measure_reach(const std::shared_ptr<Session>& session, const ReachRequest& request,
                                  const core::Progress& progress) {
  check_prompts(request.prompts, session->info().n_vocab, session->info().n_context, 0);
  if (request.direction.size() != static_cast<std::size_t>(session->info().d_model))
    throw core::Error(core::ErrorCode::option_invalid, "the direction must have as many numbers as the stream");
  check_factors(*session, request.writers);
  if (request.prompts.empty() || request.writers.empty()) return std::vector<double>(request.writers.size(), 1.0);
  const auto turn = session->take_turn(progress);
  return Reach(session, request).run(progress);
}

}  // namespace rosi::engine
