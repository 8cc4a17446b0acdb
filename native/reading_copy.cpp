#include "reading_copy.h"

#include <system_error>

#include "core/pages.h"
#include "core/shared_progress.h"
#include "core/thread_pool.h"
#include "gguf/layout.h"
#include "gguf/model_writer.h"
#include "kernels/widen.h"

namespace rosi {
namespace {

constexpr std::int64_t kFewestRows = 32;  // the engine's fast products take whole tiles of rows

/// Whether the engine multiplies by it as one matrix. The token embeddings are looked up, unless they are the head,
/// too.
bool is_multiplied(const gguf::Model& model, const gguf::Tensor& tensor) {
  if (tensor.n_dims != 2 || tensor.shape[1] % kFewestRows != 0 || !tensor.name.ends_with(".weight")) return false;
  return tensor.name != "token_embd.weight" || model.find("output.weight").tensor == nullptr;
}

struct Widening {
  std::size_t part;
  const gguf::Tensor* tensor;
};

std::vector<Widening> widenings_of(const gguf::Model& model) {
  std::vector<Widening> widenings;
  for (std::size_t part = 0; part < model.parts().size(); ++part) {
    for (const gguf::Tensor& tensor : model.parts()[part].tensors()) {
      if (kernels::wider_type(tensor.type) && is_multiplied(model, tensor)) widenings.push_back({part, &tensor});
    }
  }
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

}  // namespace

std::optional<gguf::Draft> make_reading_copy(const gguf::Model& model, const ReadingCopyLimits& limits, int threads,
                                             const core::Progress& progress) {
  const std::vector<Widening> widenings = widenings_of(model);
  if (widenings.empty()) return std::nullopt;
  const std::vector<gguf::Layout> layouts = layouts_of(model, widenings);
  std::error_code error;
  std::filesystem::create_directories(limits.folder, error);
  if (!has_room(limits, model, layouts)) return std::nullopt;

  // Always the same name: what a killed process has left goes with the next copy.
  gguf::ModelWriter writer(model, layouts, {}, limits.folder / "reading.gguf");
  std::vector<std::vector<const gguf::Tensor*>> changed(layouts.size());
  for (const auto& [part, tensor] : widenings) changed[part].push_back(tensor);
  core::SharedProgress shared(progress, double(writer.output_bytes()));
  core::ThreadPool(threads).for_each(std::ssize(widenings) + 1,
                                     [&](std::int64_t task, const core::ThreadPool::Run& run) {
                                       const auto count = [&](std::uint64_t bytes) {
                                         shared.add(double(bytes));
                                         if (run.failed())
                                           throw core::Error(core::ErrorCode::aborted, "another part failed");
                                       };
                                       if (task == 0) return writer.copy_unchanged(changed, count);
                                       const auto& [part, tensor] = widenings[static_cast<std::size_t>(task - 1)];
                                       const core::Pages wide(layouts[part].place(*tensor).bytes);
                                       kernels::widen(tensor->type, tensor->bytes, wide.bytes());
                                       core::forget(tensor->bytes);
                                       writer.write_tensor(part, *tensor, wide.bytes());
                                       count(wide.bytes().size());
                                     });
  model.require_unchanged();
  writer.write_headers();
  return writer.finish(gguf::Sync::none);
}

}  // namespace rosi
