#include "update.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>

#include "core/budget.h"
#include "core/file_io.h"
#include "core/pages.h"
#include "core/sha256.h"
#include "core/shared_progress.h"
#include "core/thread_pool.h"
#include "gguf/layout.h"
#include "gguf/model.h"
#include "gguf/model_writer.h"
#include "gguf/record.h"
#include "gguf/split_name.h"
#include "kernels/experts.h"
#include "kernels/promote.h"
#include "update_checks.h"

namespace rosi {
namespace {

using core::Error;
using core::ErrorCode;

// Kernels take about as long for a byte as hashing takes for thirty: so that the progress moves evenly.
constexpr double kernel_weight = 30;

using Layouts = std::vector<gguf::Layout>;  // one a file

const gguf::Place& place(const Job& job, const Layouts& layouts) { return layouts[job.part].place(*job.tensor); }

std::vector<std::vector<gguf::Retyped>> retyped(const std::vector<Job>& jobs, std::size_t n_parts) {
  std::vector<std::vector<gguf::Retyped>> retyped(n_parts);
  for (const Job& job : jobs) {
    if (job.decode) retyped[job.part].push_back({job.tensor, job.type});
  }
  return retyped;
}

gguf::TensorRecord record(const Job& job, const std::string& digest) {
  return {job.update->name, digest, job.decode ? gguf::find_type(job.type) : nullptr};
}

/// The caller's strings and ours, whose values are as long as the ones that will take their place.
gguf::Strings with_placeholders(const gguf::Strings& metadata, const std::vector<Job>& jobs, std::size_t n_parts) {
  const std::string digest(core::sha256_digits, '0');
  std::vector<gguf::TensorRecord> tensors;
  for (const Job& job : jobs) tensors.push_back(record(job, digest));
  gguf::Strings strings = metadata;
  strings.emplace_back(gguf::source_key, digest);
  strings.emplace_back(gguf::tensors_key, gguf::write_tensor_records(tensors));
  if (n_parts > 1) strings.emplace_back(gguf::parts_key, gguf::write_part_records({n_parts - 1, digest}));
  strings.emplace_back(gguf::checksum_key, digest);
  return strings;
}

/// What all tensors in work may take together, so that threads cost no memory: beyond it they share a tensor.
constexpr std::uint64_t kInWork = std::uint64_t{48} << 20;

/// After each such share of a tensor's work the pages of its source that were read are let go; the next pass gets them
/// from the system's cache.
constexpr double kForgetEvery = 1.0 / 32;

/// A tensor in work. Its experts are tasks of their own: the first to begin makes the room, the last to end hashes the
/// whole and hands it on.
struct Work {
  std::mutex mutex;
  core::Pages target;
  std::vector<kernels::Realised> experts;
  std::atomic<std::int64_t> left;
};

/// What every kind of update shares: the tensors, computed on several threads.
class Tensors {
 public:
  Tensors(const UpdatePlan& plan, const std::vector<Job>& jobs, const Layouts& layouts, core::SharedProgress& progress)
      : accelerator_(plan.accelerator.get()),
        threads_(std::max(1, plan.threads)),
        // A GPU has memory of its own, and is kept busy by as many tensors as there are threads.
        budget_(accelerator_ != nullptr ? std::numeric_limits<std::uint64_t>::max() / 2 : kInWork),
        jobs_(jobs),
        layouts_(layouts),
        progress_(progress),
        results_(jobs.size()) {
    for (std::size_t index = 0; index < jobs.size(); ++index) {
      const std::int64_t n_experts = jobs[index].update->n_experts;
      auto work = std::make_unique<Work>();
      work->left = n_experts;
      works_.push_back(std::move(work));
      first_task_.push_back(n_tasks_);
      n_tasks_ += n_experts;
    }
  }

  /// Progress of one expert, in the units of hashed bytes.
  static double work_of(const Job& job, const Layouts& layouts) {
    const std::uint64_t bytes = std::max(job.tensor->bytes.size(), place(job, layouts).bytes);
    return kernel_weight * double(bytes) / double(job.update->n_experts);
  }

  std::int64_t n_tasks() const noexcept { return n_tasks_; }
  std::vector<TensorResult>& results() noexcept { return results_; }

  /// One expert of one tensor; `write` gets the tensor's bytes when it was the last. Tasks that run at the same time
  /// belong to as many tensors at most, and no other tensor has memory.
  template <typename Write>
  void run(std::int64_t task, const core::ThreadPool::Run& run, const Write& write) {
    const auto after = std::ranges::upper_bound(first_task_, task);
    const auto index = static_cast<std::size_t>(after - first_task_.begin() - 1);
    const Job& job = jobs_[index];
    Work& work = *works_[index];
    const auto expert = static_cast<std::size_t>(task - first_task_[index]);
    {
      const std::lock_guard lock(work.mutex);
      if (work.target.bytes().empty()) {
        budget_.take(place(job, layouts_).bytes, run);
        work.target = core::Pages(place(job, layouts_).bytes);
        work.experts.resize(static_cast<std::size_t>(job.update->n_experts));
      }
    }
    work.experts[expert] = edit(job, expert, work.target.bytes(), run);
    if (work.left.fetch_sub(1) > 1) return;
    TensorResult& result = results_[index];
    result.name = job.update->name;
    result.type = job.type;
    result.realised = kernels::combine(work.experts);
    result.sha256 = core::sha256(work.target.bytes());
    write(job, std::span<const std::byte>(work.target.bytes()));
    core::forget(job.tensor->bytes);
    work.target = {};
    budget_.give_back(place(job, layouts_).bytes);
  }

 private:
  kernels::Realised edit(const Job& job, std::size_t expert, std::span<std::byte> whole,
                         const core::ThreadPool::Run& run) {
    const gguf::Tensor& tensor = *job.tensor;
    const TensorUpdate& update = *job.update;
    const std::int64_t n_in = tensor.shape[0], n_out = tensor.shape[1];
    const auto part = [&](auto all, std::size_t size) { return all.subspan(expert * size, size); };
    const auto n_experts = static_cast<std::size_t>(update.n_experts);
    const std::span<const std::byte> source = part(tensor.bytes, tensor.bytes.size() / n_experts);
    const double work = work_of(job, layouts_);
    double counted = 0, forgotten = 0;
    const auto on_progress = [&](double done) {
      if (done - forgotten >= kForgetEvery) {
        forgotten = done;
        core::forget(source);
      }
      const double more = std::max(0.0, done * work - counted);
      counted += more;
      return progress_.advance(more) && !run.failed();
    };
    const std::span<std::byte> target = part(whole, whole.size() / n_experts);
    kernels::RankOne rank_one{part(std::span(update.left), static_cast<std::size_t>(n_out)),
                              part(std::span(update.right), static_cast<std::size_t>(n_in)),
                              {},
                              update.readout};
    if (update.inputs) {
      const std::span<const float> squares(update.inputs->mean_squares);
      const bool shared = squares.size() == static_cast<std::size_t>(n_in);
      rank_one.inputs = {shared ? squares : part(squares, static_cast<std::size_t>(n_in)), update.inputs->response_rms};
    }
    const int threads = threads_for(job);
    const kernels::Realised realised =
        job.decode
            ? kernels::promote({source, source.size() / static_cast<std::size_t>(n_out), job.decode, tensor.type},
                               job.type, target, n_in, n_out, rank_one, threads, on_progress, accelerator_)
            : kernels::add_rank_one(job.type, source, target, n_in, n_out, rank_one, threads, on_progress,
                                    accelerator_);
    progress_.add(std::max(0.0, work - counted));
    return realised;
  }

  /// For each of the tensor's tasks: more than one where fewer tasks than threads fit the bound.
  int threads_for(const Job& job) const {
    if (accelerator_ != nullptr) return 1;
    const std::uint64_t beside = std::max<std::uint64_t>(1, kInWork / place(job, layouts_).bytes);
    const auto tasks = static_cast<std::uint64_t>(threads_) / static_cast<std::uint64_t>(job.update->n_experts) < beside
                           ? static_cast<std::uint64_t>(threads_)
                           : beside * static_cast<std::uint64_t>(job.update->n_experts);
    return static_cast<int>((static_cast<std::uint64_t>(threads_) + tasks - 1) / tasks);
  }

  const kernels::Accelerator* accelerator_;
  const int threads_;
  core::Budget budget_;
  const std::vector<Job>& jobs_;
  const Layouts& layouts_;
  core::SharedProgress& progress_;
  std::vector<std::int64_t> first_task_;  // of each tensor
  std::int64_t n_tasks_ = 0;
  std::vector<std::unique_ptr<Work>> works_;
  std::vector<TensorResult> results_;
};

double kernel_work(const std::vector<Job>& jobs, const Layouts& layouts) {
  double work = 0;
  for (const Job& job : jobs) work += Tensors::work_of(job, layouts) * double(job.update->n_experts);
  return work;
}

/// The state of one update_file() that writes. Everything the threads share is made before they start.
class Update {
 public:
  Update(const UpdatePlan& plan, const gguf::Model& source, const std::vector<Job>& jobs, const Layouts& layouts,
         const core::Progress& progress)
      : plan_(plan),
        source_(source),
        jobs_(jobs),
        writer_(source, layouts, with_placeholders(plan.metadata, jobs, layouts.size()), plan.output),
        changed_(changed(jobs, layouts.size())),
        progress_(progress, double(source.bytes()) + double(writer_.unchanged_bytes(changed_)) +
                                kernel_work(jobs, layouts) + double(writer_.output_bytes())),
        tensors_(plan, jobs, layouts, progress_) {}

  UpdateResult run() {
    // Hash and copy are tasks like the tensors: beside them with several threads, before them with one.
    core::ThreadPool(plan_.threads)
        .for_each(tensors_.n_tasks() + 2, [this](std::int64_t task, const core::ThreadPool::Run& run) {
          if (task == 0) result_.source_sha256 = source_.sha256(counted(run));
          else if (task == 1) writer_.copy_unchanged(changed_, counted(run));
          else
            tensors_.run(task - 2, run,
                         [this](const Job& job, auto bytes) { writer_.write_tensor(job.part, *job.tensor, bytes); });
        });
    source_.require_unchanged();

    result_.tensors = std::move(tensors_.results());
    std::vector<gguf::TensorRecord> records;
    for (std::size_t i = 0; i < jobs_.size(); ++i) records.push_back(record(jobs_[i], result_.tensors[i].sha256));
    const core::OnBytes on_bytes = [this](std::uint64_t n) { progress_.add(double(n)); };
    writer_.set_text(gguf::source_key, result_.source_sha256);
    writer_.set_text(gguf::tensors_key, gguf::write_tensor_records(records));
    const core::ThreadPool threads(plan_.threads);
    const std::vector<std::string> parts = writer_.write_other_parts(threads, on_bytes);
    if (!parts.empty()) writer_.set_text(gguf::parts_key, gguf::write_part_records(parts));
    result_.checksum = writer_.write_first_part(gguf::checksum_key, threads, on_bytes);
    result_.source_bytes = source_.bytes();
    result_.output_bytes = writer_.output_bytes();
    gguf::Draft draft = writer_.finish();
    result_.output = draft.output();
    progress_.add(0);  // the last chance to stop
    if (plan_.draft) result_.draft = std::move(draft);
    else draft.publish(plan_.overwrite);
    return std::move(result_);
  }

 private:
  static std::vector<std::vector<const gguf::Tensor*>> changed(const std::vector<Job>& jobs, std::size_t n_parts) {
    std::vector<std::vector<const gguf::Tensor*>> tensors(n_parts);
    for (const Job& job : jobs) tensors[job.part].push_back(job.tensor);
    return tensors;
  }

  /// Counts bytes; stops this task when the caller wants to or another task has failed.
  core::OnBytes counted(const core::ThreadPool::Run& run) {
    return [this, &run](std::uint64_t n) {
      progress_.add(double(n));
      if (run.failed()) throw Error(ErrorCode::aborted, "another part failed");
    };
  }

  const UpdatePlan& plan_;
  const gguf::Model& source_;
  const std::vector<Job>& jobs_;
  gguf::ModelWriter writer_;
  const std::vector<std::vector<const gguf::Tensor*>> changed_;
  core::SharedProgress progress_;
  Tensors tensors_;
  UpdateResult result_;
};

UpdateResult try_update(const UpdatePlan& plan, const gguf::Model& source, const std::vector<Job>& jobs,
                        const Layouts& layouts, const core::Progress& progress) {
  core::SharedProgress shared(progress, kernel_work(jobs, layouts));
  Tensors tensors(plan, jobs, layouts, shared);
  core::ThreadPool(plan.threads).for_each(tensors.n_tasks(), [&](std::int64_t task, const core::ThreadPool::Run& run) {
    tensors.run(task, run, [](const auto&, auto&&) {});
  });
  source.require_unchanged();
  UpdateResult result;
  result.tensors = std::move(tensors.results());
  result.source_bytes = source.bytes();
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const gguf::Strings added = i == 0 ? with_placeholders(plan.metadata, jobs, layouts.size()) : gguf::Strings{};
    result.output_bytes += gguf::Header(source.parts()[i], added).data_offset() + layouts[i].bytes();
  }
  return result;
}

}  // namespace

UpdateResult update_file(const UpdatePlan& plan, const core::Progress& progress) {
  const gguf::Model source = gguf::Model::open(plan.source);
  if (!plan.trial) gguf::check_outputs(source.paths(), gguf::output_paths(plan.source, plan.output), plan.overwrite);
  check_metadata(plan.metadata);
  const std::vector<Job> jobs = check_tensors(source, plan.tensors);
  const auto promoted = retyped(jobs, source.parts().size());
  const Layouts layouts = gguf::layouts_of(source, promoted);
  if (plan.trial) return try_update(plan, source, jobs, layouts, progress);
  return Update(plan, source, jobs, layouts, progress).run();
}

}  // namespace rosi
