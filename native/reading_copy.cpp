#include "reading_copy.h"

#include <algorithm>
#include <system_error>

#include "core/shared_progress.h"
#include "core/thread_pool.h"
#include "gguf/layout.h"
#include "gguf/model_writer.h"
#include "kernels/widen.h"

namespace rosi {
namespace {

constexpr std::int64_t kFewestRows = 32;  // the engine's fast products take whole tiles of rows
constexpr double kLeastShare = 0.25;      // of the bytes that are multiplied by: less gains little for a copy of all
constexpr std::uint64_t kSlice = std::uint64_t{4} << 20;  // bytes written at once

/// Whether the engine multiplies by it: not by what is looked up, such as token embeddings that are not the head, too.
bool is_multiplied(const gguf::Model& model, const gguf::Tensor& tensor) {
  if (tensor.n_dims < 2 || !tensor.name.ends_with(".weight")) return false;
  if (tensor.name == "token_embd.weight") return model.find("output.weight").tensor == nullptr;
  return tensor.name.starts_with("blk.") || tensor.name == "output.weight";
}

/// As one matrix: products that choose among experts have no fast form.
bool is_widened(const gguf::Tensor& tensor) {
  return kernels::wider_type(tensor.type) && tensor.n_dims == 2 && tensor.shape[1] % kFewestRows == 0;
}

struct Widening {
  std::size_t part;
  const gguf::Tensor* tensor;
};

std::vector<Widening> widenings_of(const gguf::Model& model) {
  std::vector<Widening> widenings;
  double all = 0, widened = 0;
  for (std::size_t part = 0; part < model.parts().size(); ++part) {
    for (const gguf::Tensor& tensor : model.parts()[part].tensors()) {
      if (!is_multiplied(model, tensor)) continue;
      all += double(tensor.bytes.size());
      if (!is_widened(tensor)) continue;
      widened += double(tensor.bytes.size());
      widenings.push_back({part, &tensor});
    }
  }
  if (widened < kLeastShare * all) widenings.clear();
  return widenings;
}

std::vector<gguf::Layout> layouts_of(const gguf::Model& model, const std::vector<Widening>& widenings) {
  std::vector<std::vector<gguf::Retyped>> retyped(model.parts().size());
  for (const auto& [part, tensor] : widenings) retyped[part].push_back({tensor, *kernels::wider_type(tensor->type)});
  return gguf::layouts_of(model, retyped);
}

bool has_room(const ReadingCopyLimits& limits, const gguf::Model& model, const std::vector<gguf::Layout>& layouts) {
  std::uint64_t bytes = 0;
  for (std::size_t part = 0; part < layouts.size(); ++part)
    bytes += model.parts()[part].data_offset() + layouts[part].bytes();
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(limits.folder, error);
  return !error && bytes <= limits.max_bytes && bytes <= space.available / 2;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::create_directories(folder, ignored))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
}

/// Re-encodes a tensor, some whole rows at a time.
template <class Count>
void widen_tensor(gguf::ModelWriter& writer, const Widening& widening, std::uint64_t bytes, const Count& count) {
  const auto& [part, tensor] = widening;
  const auto n_rows = static_cast<std::uint64_t>(tensor->shape[1]);
  const std::uint64_t from = tensor->bytes.size() / n_rows, to = bytes / n_rows;
  const std::uint64_t step = std::max<std::uint64_t>(1, kSlice / to);
  std::vector<std::byte> wide(static_cast<std::size_t>(std::min(step, n_rows) * to));
  for (std::uint64_t row = 0; row < n_rows; row += step) {
    const std::uint64_t rows = std::min(step, n_rows - row);
    const std::span<std::byte> target = std::span(wide).first(static_cast<std::size_t>(rows * to));
    kernels::widen(tensor->type,
                   tensor->bytes.subspan(static_cast<std::size_t>(row * from), static_cast<std::size_t>(rows * from)),
                   target);
    writer.write_tensor(part, *tensor, target, row * to);
    count(target.size());
  }
  core::forget(tensor->bytes);
}

gguf::Draft write_copy(const gguf::Model& model, const std::vector<Widening>& widenings,
                       const std::vector<gguf::Layout>& layouts, const std::filesystem::path& folder, int threads,
                       const core::Progress& progress) {
  gguf::ModelWriter writer(model, layouts, {}, folder / "reading.gguf");
  std::vector<std::vector<const gguf::Tensor*>> changed(layouts.size());
  for (const auto& [part, tensor] : widenings) changed[part].push_back(tensor);
  core::SharedProgress shared(progress, double(writer.output_bytes()));
  core::ThreadPool(threads).for_each(
      std::ssize(widenings) + 1, [&](std::int64_t task, const core::ThreadPool::Run& run) {
        const auto count = [&](std::uint64_t bytes) {
          shared.add(double(bytes));
          if (run.failed()) throw core::Error(core::ErrorCode::aborted, "another part failed");
        };
        if (task == 0) return writer.copy_unchanged(changed, count);
        const Widening& widening = widenings[static_cast<std::size_t>(task - 1)];
        widen_tensor(writer, widening, layouts[widening.part].place(*widening.tensor).bytes, count);
      });
  writer.write_headers();
  return writer.finish(gguf::Sync::none);
}

bool is_about_model(const core::Error& error, const gguf::Model& model) {
  for (const core::Detail& detail : error.details()) {
    if (detail.name != "path") continue;
    const auto* path = std::get_if<std::string>(&detail.value);
    for (const auto& own : model.paths()) {
      if (path != nullptr && *path == core::to_utf8(own)) return true;
    }
  }
  return false;
}

}  // namespace

std::optional<gguf::Draft> make_reading_copy(const gguf::Model& model, const ReadingCopyLimits& limits, int threads,
                                             const core::Progress& progress) {
  core::remove_abandoned(limits.folder);
  const std::vector<Widening> widenings = widenings_of(model);
  if (widenings.empty()) return std::nullopt;
  const std::vector<gguf::Layout> layouts = layouts_of(model, widenings);
  make_folder(limits.folder);
  if (!has_room(limits, model, layouts)) return std::nullopt;
  std::optional<gguf::Draft> copy;
  try {
    copy = write_copy(model, widenings, layouts, limits.folder, threads, progress);
  } catch (const core::Error& error) {
    // A disk that takes no copy is no reason to read nothing.
    if (error.code() != core::ErrorCode::file_failed || is_about_model(error, model)) throw;
  } catch (const std::bad_alloc&) {
    copy.reset();
  }
  model.require_unchanged();
  return copy;
}

}  // namespace rosi
