#include "update.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/sha256.h"
#include "core/shared_progress.h"
#include "core/thread_pool.h"
#include "gguf/file.h"
#include "gguf/limits.h"
#include "gguf/record.h"
#include "gguf/writer.h"

namespace rosi {
namespace {

using core::Error;
using core::ErrorCode;

// Kernels take about as long for a byte as hashing takes for thirty: so that the progress moves evenly.
constexpr double kernel_weight = 30;

void check_factor(const std::vector<float>& factor, const char* side, std::int64_t expected, const std::string& name) {
  if (static_cast<std::int64_t>(factor.size()) != expected) {
    throw Error(
        ErrorCode::option_invalid,
        std::string("the ") + side + " factor of " + name + " has " + std::to_string(factor.size()) +
            " numbers; this tensor needs " + std::to_string(expected),
        {{"tensor", name}, {"factor", side}, {"length", double(factor.size())}, {"expected", double(expected)}});
  }
  const auto bad = std::ranges::find_if_not(factor, [](float x) { return std::isfinite(x); });
  if (bad != factor.end()) {
    throw Error(
        ErrorCode::option_invalid,
        std::string("the ") + side + " factor of " + name + " is not finite at " + std::to_string(bad - factor.begin()),
        {{"tensor", name}, {"factor", side}, {"index", double(bad - factor.begin())}});
  }
}

const gguf::Tensor* check_tensor(const gguf::File& source, const TensorUpdate& update) {
  const gguf::Tensor* tensor = source.find(update.name);
  if (tensor == nullptr) {
    throw Error(ErrorCode::option_invalid, core::to_utf8(source.input().path()) + " has no tensor named " + update.name,
                {{"tensor", update.name}, {"path", core::to_utf8(source.input().path())}});
  }
  if (tensor->n_dims != 2) {
    throw Error(ErrorCode::tensor_unsupported,
                update.name + " has " + std::to_string(tensor->n_dims) + " dimensions; only matrices can be edited",
                {{"tensor", update.name}, {"dimensions", double(tensor->n_dims)}});
  }
  if (!kernels::supports_rank_one(tensor->type)) {
    const char* type = gguf::find_type(tensor->type)->name;
    throw Error(ErrorCode::tensor_unsupported, update.name + " has type " + type + ", which can't be edited in place",
                {{"tensor", update.name}, {"type", type}});
  }
  check_factor(update.left, "left", tensor->shape[1], update.name);
  check_factor(update.right, "right", tensor->shape[0], update.name);
  return tensor;
}

std::vector<const gguf::Tensor*> check_tensors(const gguf::File& source, const std::vector<TensorUpdate>& updates) {
  std::vector<const gguf::Tensor*> tensors;
  std::set<std::string_view> names;
  for (const TensorUpdate& update : updates) {
    if (!names.insert(update.name).second) {
      throw Error(ErrorCode::option_invalid, update.name + " is planned twice", {{"tensor", update.name}});
    }
    tensors.push_back(check_tensor(source, update));
  }
  return tensors;
}

void check_metadata(const gguf::Strings& metadata) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    const bool reserved = key == gguf::source_key || key == gguf::tensors_key || key == gguf::checksum_key;
    if (!gguf::is_own_key(key) || key.size() > gguf::limits::key_bytes || reserved || !keys.insert(key).second) {
      throw Error(ErrorCode::option_invalid,
                  "metadata key " + key.substr(0, 100) +
                      " can't be added: keys begin with \"rosi.\", are unique and not " +
                      std::string(gguf::source_key) + ", " + std::string(gguf::tensors_key) + " or " +
                      std::string(gguf::checksum_key),
                  {{"key", key.substr(0, 100)}});
    }
    if (value.size() > gguf::limits::string_bytes) {
      throw Error(ErrorCode::option_invalid, "the value of " + key + " is longer than a GGUF string can be",
                  {{"key", key}});
    }
  }
}

/// The caller's strings and ours, whose values are as long as the ones that will take their place.
gguf::Strings with_placeholders(const UpdatePlan& plan) {
  const std::string digest(core::sha256_digits, '0');
  std::vector<gguf::TensorRecord> tensors;
  for (const TensorUpdate& update : plan.tensors) tensors.push_back({update.name, digest});
  gguf::Strings strings = plan.metadata;
  strings.emplace_back(gguf::source_key, digest);
  strings.emplace_back(gguf::tensors_key, gguf::write_tensor_records(tensors));
  strings.emplace_back(gguf::checksum_key, digest);
  return strings;
}

/// The state of one update_file(). Everything the threads share is made before they start.
class Update {
 public:
  Update(const UpdatePlan& plan, const gguf::File& source, std::vector<const gguf::Tensor*> tensors,
         const core::Progress& progress)
      : plan_(plan),
        source_(source),
        tensors_(std::move(tensors)),
        writer_(source, plan.output, plan.overwrite, with_placeholders(plan)),
        progress_(progress, total_work()) {
    result_.tensors.resize(tensors_.size());
  }

  UpdateResult run() {
    // Hash and copy are tasks like the tensors: beside them with several threads, before them with one.
    const auto n_tasks = static_cast<std::int64_t>(tensors_.size() + 2);
    core::ThreadPool(plan_.threads).for_each(n_tasks, [this](std::int64_t index, const core::ThreadPool::Run& run) {
      if (index == 0) hash_source(run);
      else if (index == 1) writer_.copy_unchanged(tensors_, counted(run));
      else edit_tensor(static_cast<std::size_t>(index - 2), run);
    });
    source_.input().require_unchanged();

    std::vector<gguf::TensorRecord> records;
    for (const TensorResult& tensor : result_.tensors) records.push_back({tensor.name, tensor.sha256});
    writer_.set_text(gguf::source_key, result_.source_sha256);
    writer_.set_text(gguf::tensors_key, gguf::write_tensor_records(records));
    writer_.write_header();
    result_.checksum = writer_.checksum(gguf::checksum_key, [this](std::uint64_t n) { progress_.add(double(n)); });
    result_.source_bytes = source_.bytes().size();
    result_.output_bytes = writer_.output_bytes();
    gguf::Draft draft = writer_.finish();
    progress_.add(0);  // the last chance to stop
    if (plan_.draft) result_.draft = std::move(draft);
    else draft.publish(plan_.overwrite);
    return std::move(result_);
  }

 private:
  double total_work() const {
    double changed = 0;
    for (const gguf::Tensor* tensor : tensors_) changed += double(tensor->bytes.size());
    return double(source_.bytes().size()) + double(writer_.unchanged_bytes(tensors_)) + kernel_weight * changed +
           double(writer_.output_bytes());
  }

  /// Counts bytes; stops this task when the caller wants to or another task has failed.
  core::OnBytes counted(const core::ThreadPool::Run& run) {
    return [this, &run](std::uint64_t n) {
      progress_.add(double(n));
      if (run.failed()) throw Error(ErrorCode::aborted, "another part failed");
    };
  }

  void hash_source(const core::ThreadPool::Run& run) {
    result_.source_sha256 = core::sha256(source_.input(), counted(run));
  }

  void edit_tensor(std::size_t index, const core::ThreadPool::Run& run) {
    const gguf::Tensor& tensor = *tensors_[index];
    const TensorUpdate& update = plan_.tensors[index];
    const double work = kernel_weight * double(tensor.bytes.size());
    double counted = 0;
    const auto on_progress = [&](double done) {
      const double more = std::max(0.0, done * work - counted);
      counted += more;
      return progress_.advance(more) && !run.failed();
    };
    std::vector<std::byte> target(tensor.bytes.size());
    TensorResult& result = result_.tensors[index];
    result.name = update.name;
    result.type = tensor.type;
    result.realised = kernels::add_rank_one(tensor.type, tensor.bytes, target, tensor.shape[0], tensor.shape[1],
                                            {update.left, update.right}, 1, on_progress);
    result.sha256 = core::sha256(target);
    writer_.write_tensor(tensor, target);
    progress_.add(std::max(0.0, work - counted));
  }

  const UpdatePlan& plan_;
  const gguf::File& source_;
  const std::vector<const gguf::Tensor*> tensors_;
  gguf::Writer writer_;
  core::SharedProgress progress_;
  UpdateResult result_;
};

}  // namespace

UpdateResult update_file(const UpdatePlan& plan, const core::Progress& progress) {
  const gguf::File source = gguf::File::open(plan.source);
  gguf::check_output(plan.source, plan.output, plan.overwrite);
  check_metadata(plan.metadata);
  return Update(plan, source, check_tensors(source, plan.tensors), progress).run();
}

}  // namespace rosi
