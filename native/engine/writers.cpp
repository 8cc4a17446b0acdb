#include "engine/writers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/assertions.h"
#include "engine/backends.h"
#include "engine/graph_nodes.h"
#include "engine/layers.h"
#include "engine/trial_context.h"

namespace rosi::engine {
namespace {

struct Effect {
  WriterClass writer_class = WriterClass::direct;
  std::string why;
  double factor = 1.0;
  std::vector<std::string> scalars, gains;
  std::string expert_scale;
};

/// Of two uses of one matrix.
void merge(Effect& effect, const Effect& other) {
  if (effect.writer_class == WriterClass::unsupported) return;
  const bool same_way = effect.writer_class == other.writer_class && effect.gains == other.gains &&
                        effect.expert_scale == other.expert_scale;
  if (same_way && (effect.factor == other.factor || effect.scalars == other.scalars)) return;
  if (same_way && !(effect.factor * other.factor < 0)) {  // NaN: not known, and the same sign in most files
    effect.writer_class = std::max(effect.writer_class, WriterClass::gate);
    effect.why = "the graph uses it more than once, with factors that differ; `factor` is the first";
    return;
  }
  effect.writer_class = WriterClass::unsupported;
  effect.why = !other.why.empty() ? other.why
               : same_way         ? "the graph uses it more than once, with factors of both signs"
                                  : "it reaches the stream in ways that differ";
}

std::string reason(const Step& step) {
  switch (step.kind) {
    case StepKind::other_norm: return step.what + " follows, which takes a mean away or works in groups";
    case StepKind::channel_gate: return "a gate for each channel follows, which turns every push";
    case StepKind::concat: return "its output is put beside something else";
    case StepKind::clamp: return "a clamp follows";
    case StepKind::part: return "only a part of its output goes on, or in another order (" + step.what + ")";
    case StepKind::transposed: return "the graph uses it transposed or in parts";
    case StepKind::product: return "its output is multiplied by another matrix's output";
    default: return step.what + " follows";
  }
}

Effect effect_of(const WriterUse& use) {
  Effect effect;
  const auto raise = [&](WriterClass to) { effect.writer_class = std::max(effect.writer_class, to); };
  const auto refuse = [&](const std::string& why) {
    raise(WriterClass::unsupported);
    if (effect.why.empty()) effect.why = why;
  };
  if (use.product->op == GGML_OP_MUL_MAT_ID) raise(WriterClass::expert);
  else if (use.weight->ne[2] != 1 || use.weight->ne[3] != 1) refuse("it has three dimensions but is no expert matrix");
  for (const Step& step : use.path) {
    switch (step.kind) {
      case StepKind::bias:
      case StepKind::expert_bias:
      case StepKind::slot: break;
      case StepKind::constant:
      case StepKind::scalar:
        if (step.kind == StepKind::scalar) effect.scalars.push_back(step.tensor);
        effect.factor *= step.value;
        raise(WriterClass::constant);
        break;
      case StepKind::channel:
        effect.gains.push_back(step.tensor);
        raise(WriterClass::constant);
        break;
      case StepKind::norm:
        if (effect.writer_class == WriterClass::post_norm) refuse("two norms follow");
        effect.factor = std::copysign(1.0, effect.factor);  // a norm takes every size away
        raise(WriterClass::post_norm);
        break;
      case StepKind::router_weight: raise(WriterClass::expert); break;
      case StepKind::expert_scale:
        effect.expert_scale = step.tensor;
        raise(WriterClass::expert);
        break;
      case StepKind::token_gate: raise(WriterClass::gate); break;
      case StepKind::hyper_connection: raise(WriterClass::hyper_connection); break;
      case StepKind::restart: raise(WriterClass::restart); break;
      default: refuse(reason(step));
    }
  }
  return effect;
}

/// What the branch computes between the stream and the writer's input.
std::set<ggml_op> operations_before(GraphWalk& walk, const ggml_tensor* input) {
  std::set<ggml_op> operations;
  std::unordered_set<const ggml_tensor*> seen;
  std::vector<const ggml_tensor*> open = {input};
  while (!open.empty()) {
    const ggml_tensor* node = open.back();
    open.pop_back();
    if (node == nullptr || walk.carries_stream(node) || !seen.insert(node).second) continue;
    operations.insert(node->op);
    // An expert product's third operand comes from the router, whose softmax is not attention's.
    const int n_operands = node->op == GGML_OP_MUL_MAT_ID ? 2 : GGML_MAX_SRC;
    for (int i = 0; i < n_operands; ++i) open.push_back(node->src[i]);
  }
  return operations;
}

bool mentions(const std::string& name, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// For people: nothing depends on it.
std::string kind_of(GraphWalk& walk, const WriterUse& use) {
  const std::string name = use.weight->name;
  if (use.product->op == GGML_OP_MUL_MAT_ID) return "expert down";
  if (mentions(name, {"shexp"})) return "shared-expert down";
  if (mentions(name, {"ffn", "channel_mix"})) return "FFN down";
  const std::set<ggml_op> operations = operations_before(walk, use.input);
  const auto any = [&](std::initializer_list<ggml_op> some) {
    return std::any_of(some.begin(), some.end(), [&](ggml_op operation) { return operations.contains(operation); });
  };
  if (any({GGML_OP_SSM_SCAN})) return "SSM output";
  if (any({GGML_OP_GATED_DELTA_NET, GGML_OP_GATED_LINEAR_ATTN, GGML_OP_RWKV_WKV6, GGML_OP_RWKV_WKV7,
           GGML_OP_SOLVE_TRI}))
    return "linear-attention output";
  if (any({GGML_OP_FLASH_ATTN_EXT, GGML_OP_SOFT_MAX}) || mentions(name, {"attn"})) return "attention output";
  if (any({GGML_OP_SSM_CONV})) return "short-convolution output";
  return "other";
}

std::string name_of(const ggml_tensor* node) { return node->name; }

std::optional<Writer> embedding_of(const GraphWalk& walk) {
  const ggml_tensor* table = walk.embedding();
  if (table == nullptr) return std::nullopt;
  Writer writer{};
  writer.name = table->name;
  writer.layer = -1;
  writer.kind = "token embeddings";
  writer.type = ggml_type_name(table->type);
  writer.n_in = table->ne[1];
  writer.n_out = table->ne[0];
  writer.n_experts = 1;
  writer.writer_class = WriterClass::embedding;
  writer.factor = 1.0;
  for (const ggml_tensor* node : walk.nodes()) {
    const bool product = node->op == GGML_OP_MUL_MAT && is_weight(node->src[0]);
    if (product && writer.name == source_of(node->src[0])->name) ++writer.uses;
  }
  if (writer.uses > 0) writer.why = "it is the output head, too";
  return writer;
}

std::vector<Writer> writers_of(GraphWalk& walk) {
  std::vector<Writer> writers;
  std::unordered_map<const ggml_tensor*, std::size_t> known;
  std::vector<Effect> effects;
  std::vector<std::map<const ggml_tensor*, std::set<const ggml_tensor*>>> joins;  // of each product
  std::vector<WriterUse> uses = walk.uses();
  std::stable_sort(uses.begin(), uses.end(), [&](const WriterUse& a, const WriterUse& b) {
    return std::pair(walk.index(a.join), walk.index(a.product)) < std::pair(walk.index(b.join), walk.index(b.product));
  });
  for (const WriterUse& use : uses) {
    const Effect effect = effect_of(use);
    const auto [found, is_new] = known.emplace(use.weight, writers.size());
    const std::size_t i = found->second;
    if (is_new) {
      Writer writer{};
      writer.name = use.weight->name;
      writer.layer = layer_of(writer.name);
      writer.kind = kind_of(walk, use);
      writer.type = ggml_type_name(use.weight->type);
      writer.n_in = use.weight->ne[0];
      writer.n_out = use.weight->ne[1];
      writer.n_experts = use.weight->ne[2];
      writer.path = use.path;
      for (Step& step : writer.path) step.node = nullptr;
      writer.input = name_of(use.input);
      writer.product = name_of(use.product);
      writer.top = name_of(use.top);
      writer.join = name_of(use.join);
      writers.push_back(std::move(writer));
      effects.push_back(effect);
      joins.emplace_back();
    } else {
      merge(effects[i], effect);
    }
    joins[i][use.product].insert(use.join);
  }
  for (std::size_t i = 0; i < writers.size(); ++i) {
    const bool several =
        std::any_of(joins[i].begin(), joins[i].end(), [](const auto& of) { return of.second.size() > 1; });
    writers[i].writer_class =
        std::max(effects[i].writer_class, several ? WriterClass::hyper_connection : WriterClass::direct);
    writers[i].why = effects[i].why;
    writers[i].factor = effects[i].factor;
    writers[i].gains = effects[i].gains;
    writers[i].expert_scale = effects[i].expert_scale;
    writers[i].uses = static_cast<int>(joins[i].size());
  }
  return writers;
}

/// Everything on a way that an adapter's left factor can't make up for.
std::vector<StepKind> fixed_steps(const std::vector<Step>& path) {
  std::vector<StepKind> kinds;
  for (const Step& step : path) {
    const bool other = step.kind == StepKind::bias || step.kind == StepKind::expert_bias ||
                       step.kind == StepKind::constant || step.kind == StepKind::scalar ||
                       step.kind == StepKind::expert_scale;
    if (!other) kinds.push_back(step.kind);
  }
  return kinds;
}

double product_of_constants(const std::vector<Step>& path) {
  double product = 1.0;
  for (const Step& step : path) product *= step.value;
  return product;
}

bool has_expert_scale(const std::vector<Step>& path) {
  return std::any_of(path.begin(), path.end(), [](const Step& step) { return step.kind == StepKind::expert_scale; });
}

bool is_lookup(const ggml_tensor* node, const ggml_tensor* table) {
  return node != nullptr && node->op == GGML_OP_GET_ROWS && source_of(node->src[0]) == table;
}

/// Builds the graph with an adapter of zeros and sees where its terms go.
void find_adapter_ways(TrialContext& context, const std::shared_ptr<Session>& session, WriterReport& report) {
  std::vector<RankOneFactors> zeros;
  for (const Writer& writer : report.writers) {
    // The engine ends the process when an adapter meets an NVFP4 matrix that has a scale tensor.
    if (writer.type == "nvfp4" || writer.writer_class == WriterClass::unsupported) continue;
    // For all experts one pair of factors: enough for a graph that never runs, where all would be a gigabyte.
    zeros.push_back({writer.name, std::vector<float>(static_cast<std::size_t>(writer.n_out)),
                     std::vector<float>(static_cast<std::size_t>(writer.n_in))});
  }
  // Of embeddings that are the head, too, the engine would end the process.
  const bool of_table = report.embedding && report.embedding->uses == 0;
  if (of_table) {
    const Writer& table = *report.embedding;
    zeros.push_back({table.name, std::vector<float>(static_cast<std::size_t>(table.n_in)),
                     std::vector<float>(static_cast<std::size_t>(table.n_out))});
  }
  if (zeros.empty()) return;
  const std::shared_ptr<Adapter> adapter = Adapter::load(session, zeros);
  context.use(adapter.get());
  const GraphWalk walk(context.graph_nodes());
  const auto first_of = [&](const std::vector<WriterUse>& uses, const std::string& weight) {
    const WriterUse* first = nullptr;
    for (const WriterUse& use : uses) {
      if (weight == use.weight->name && (first == nullptr || walk.index(use.join) < walk.index(first->join)))
        first = &use;
    }
    return first;
  };
  for (Writer& writer : report.writers) {
    const WriterUse* edit = first_of(walk.uses(), writer.name);
    const WriterUse* term = first_of(walk.adapter_uses(), writer.name + ".lora_b");
    const bool honoured = edit != nullptr && term != nullptr && fixed_steps(edit->path) == fixed_steps(term->path);
    if (!honoured) writer.adapter = AdapterWay{false, 0, false};
    else
      writer.adapter = AdapterWay{true, product_of_constants(edit->path) / product_of_constants(term->path),
                                  has_expert_scale(edit->path) && !has_expert_scale(term->path)};
  }
  if (report.embedding) {
    const WriterUse* term = of_table ? first_of(walk.adapter_uses(), report.embedding->name + ".lora_b") : nullptr;
    const bool honoured = term != nullptr && is_lookup(term->join->src[0], walk.embedding());
    report.embedding->adapter = AdapterWay{honoured, honoured ? 1 / product_of_constants(term->path) : 0, false};
  }
  context.use(nullptr);
}

/// Types as the file has them.
void name_types(const Session& session, WriterReport& report) {
  const auto name_type = [&](Writer& writer) {
    const auto found = session.tensors().find(writer.name);
    if (found != session.tensors().end()) writer.type = ggml_type_name(static_cast<ggml_type>(found->second.type));
  };
  for (Writer& writer : report.writers) name_type(writer);
  if (report.embedding) name_type(*report.embedding);
}

}  // namespace

WriterReport describe(GraphWalk& walk, const llama_model* model) {
  WriterReport report;
  char architecture[256] = "";
  llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  report.architecture = architecture;
  report.writers = writers_of(walk);
  report.embedding = embedding_of(walk);
  for (const UnknownWrite& write : walk.unknown())
    report.unknown.push_back({operation_of(write.node), write.node->name, write.why, layer_of_write(walk, write)});
  report.layers = describe_layers(walk, report, llama_model_n_layer(model));
  for (const Step& step : walk.stream_steps()) {
    report.stream_steps.push_back({step, name_of(step.node)});
    report.stream_steps.back().step.node = nullptr;
  }
  std::set<std::string> lookups;
  for (const Lookup& lookup : walk.lookups()) lookups.insert(lookup.tensor);
  report.lookups.assign(lookups.begin(), lookups.end());
  report.end = walk.end()->name;
  return report;
}

WriterReport find_writers(const std::shared_ptr<Session>& session, const core::Progress& progress) {
  const auto turn = session->take_turn(progress);
  TrialContext context(session->model());
  WriterReport report = [&] {
    GraphWalk walk(context.graph_nodes());
    return describe(walk, session->model());
  }();
  name_types(*session, report);
  find_adapter_ways(context, session, report);
  return report;
}

WriterReport find_writers_in_file(const std::string& path) {
  load_backends();
  take_engine_messages();
  llama_model_params params = llama_model_default_params();
  ggml_backend_dev_t none = nullptr;
  params.devices = &none;
  params.n_gpu_layers = 0;
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.no_alloc = true;
  struct FreeModel {
    void operator()(llama_model* model) const noexcept { llama_model_free(model); }
  };
  const std::unique_ptr<llama_model, FreeModel> model([&] {
    const ThrowingAssertions here;
    return llama_model_load_from_file(path.c_str(), params);
  }());
  if (!model) fail("the engine could not load " + path);
  TrialContext context(model.get());
  GraphWalk walk(context.graph_nodes());
  return describe(walk, model.get());
}

const char* to_string(WriterClass writer_class) {
  switch (writer_class) {
    case WriterClass::direct: return "direct";
    case WriterClass::constant: return "constant";
    case WriterClass::expert: return "expert";
    case WriterClass::gate: return "gate";
    case WriterClass::hyper_connection: return "hyper-connection";
    case WriterClass::restart: return "restart";
    case WriterClass::post_norm: return "post-norm";
    case WriterClass::embedding: return "embedding";
    case WriterClass::unsupported: return "unsupported";
  }
  return "unsupported";
}

const char* to_string(StepKind kind) {
  switch (kind) {
    case StepKind::bias: return "bias";
    case StepKind::expert_bias: return "expert bias";
    case StepKind::constant: return "constant";
    case StepKind::scalar: return "scalar";
    case StepKind::channel: return "channel";
    case StepKind::norm: return "norm";
    case StepKind::other_norm: return "other norm";
    case StepKind::slot: return "slot";
    case StepKind::router_weight: return "router weight";
    case StepKind::expert_scale: return "expert scale";
    case StepKind::token_gate: return "token gate";
    case StepKind::channel_gate: return "channel gate";
    case StepKind::hyper_connection: return "hyper-connection";
    case StepKind::restart: return "restart";
    case StepKind::concat: return "concat";
    case StepKind::clamp: return "clamp";
    case StepKind::part: return "part";
    case StepKind::transposed: return "transposed";
    case StepKind::product: return "product";
    case StepKind::other: return "other";
  }
  return "other";
}

}  // namespace rosi::engine
