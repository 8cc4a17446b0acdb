#include "gguf/compare.h"

#include <algorithm>

#include "core/checksum.h"
#include "gguf/compare_file.h"
#include "gguf/model.h"

namespace rosi::gguf {
namespace {

class Comparer {
 public:
  Comparer(const Model* source, const Model& output, const core::Progress& progress)
      : source_(source), output_(output), record_(read_record(output)), progress_(progress, total_work()) {}

  Comparison run(const core::ThreadPool& threads) {
    const std::vector<Task> tasks = all_tasks();
    threads.for_each(std::ssize(tasks), [&](std::int64_t i, const core::ThreadPool::Run&) {
      try {
        tasks[static_cast<std::size_t>(i)]();
      } catch (...) {
        progress_.stop();
        throw;
      }
    });
    result_.checksum_ok = checksum_.finish() == record_.checksum && parts_ == record_.parts;
    result_.ok = result_.checksum_ok && result_.source_matches.value_or(true) &&
                 result_.unplanned_differences.empty() && std::ranges::all_of(result_.tensors, &TensorCheck::sha256_ok);
    return std::move(result_);
  }

 private:
  double total_work() const {
    double planned = 0;
    for (const TensorRecord& tensor : record_.tensors) {
      if (const Tensor* found = output_.find(tensor.name).tensor) planned += double(found->bytes.size());
    }
    const auto output = double(output_.bytes());
    return output + planned + (source_ == nullptr ? 0 : double(source_->bytes()) + output);
  }

  using Task = std::function<void()>;

  /// What can be done side by side, the longest first.
  std::vector<Task> all_tasks() {
    std::vector<Task> tasks;
    if (source_ != nullptr) {
      tasks.emplace_back([this] { result_.source_matches = source_->sha256(on_bytes_) == record_.source_sha256; });
      tasks.emplace_back([this] { compare_files(); });
    }
    parts_.resize(output_.parts().size() - 1);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      tasks.emplace_back([this, i] {
        const core::InputFile* const file = &output_.parts()[i + 1].input();
        parts_[i] = core::sha256(std::span(&file, 1), on_bytes_);
      });
    }
    result_.tensors.resize(record_.tensors.size());
    for (std::size_t i = 0; i < record_.tensors.size(); ++i) {
      tasks.emplace_back([this, i] { result_.tensors[i] = check_planned(record_.tensors[i]); });
    }
    for (std::int64_t i = 0; i < checksum_.n_tasks(); ++i) {
      tasks.emplace_back([this, i] { checksum_.run(i, on_bytes_); });
    }
    return tasks;
  }

  TensorCheck check_planned(const TensorRecord& record) {
    TensorCheck check;
    check.name = record.name;
    const Located found = output_.find(record.name);
    if (const Tensor* tensor = found.tensor) {
      const File& file = output_.parts()[found.part];
      const std::string digest = core::sha256(
          tensor->bytes.size(),
          [&](std::uint64_t offset, std::span<std::byte> target) {
            file.input().read(tensor->offset + offset, target);
          },
          on_bytes_);
      check.sha256_ok = digest == record.sha256 && (record.type == nullptr || record.type->id == tensor->type);
      const Located before = source_ == nullptr ? Located{} : source_->find(record.name);
      if (before.tensor != nullptr) {
        const bool same = before.tensor->type == tensor->type;
        FileComparer comparer(source_->parts()[before.part], file, progress_);
        check.changed_bytes = same ? comparer.count(range(*before.tensor), range(*tensor)).bytes : tensor->bytes.size();
      }
    }
    return check;
  }

  /// File by file: an output is split as its source is.
  void compare_files() {
    const std::span<const File> sources = source_->parts(), outputs = output_.parts();
    const std::size_t count = std::max(sources.size(), outputs.size());
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<Difference> found;
      if (i >= sources.size()) found = {{"file", 0, outputs[i].bytes().size()}};
      else if (i >= outputs.size()) found = {{"file", 0, sources[i].bytes().size()}};
      else {
        const std::uint64_t undo_bytes = i == 0 ? record_.undo_bytes : 0;
        found = FileComparer(sources[i], outputs[i], progress_).run(record_.tensors, undo_bytes);
      }
      for (Difference& difference : found) {
        if (count > 1) difference.part = i + 1;
        result_.unplanned_differences.push_back(std::move(difference));
      }
    }
  }

  const Model* const source_;  // null when there is none
  const Model& output_;
  const Record record_;
  core::SharedProgress progress_;
  const core::OnBytes on_bytes_ = [this](std::uint64_t n) { progress_.add(double(n)); };
  core::Checksum checksum_{
      output_.first().input().size(), record_.checksum_place, core::sha256_digits,
      [this](std::uint64_t offset, std::span<std::byte> target) { output_.first().input().read(offset, target); }};
  std::vector<std::string> parts_;  // SHA-256 of the files after the first
  Comparison result_;
};

}  // namespace

Comparison compare(const std::optional<std::filesystem::path>& source, const std::filesystem::path& output, int threads,
                   const core::Progress& progress) {
  const Model written = Model::open(output);
  const core::ThreadPool pool(threads);
  if (!source) return Comparer(nullptr, written, progress).run(pool);
  const Model original = Model::open(*source);
  return Comparer(&original, written, progress).run(pool);
}

}  // namespace rosi::gguf
