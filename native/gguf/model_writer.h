// A copy of a model, split as it is, with some tensors and some `rosi.*` strings changed; those are in the first file.
#pragma once

#include <memory>
#include <vector>

#include "gguf/draft.h"
#include "gguf/model.h"
#include "gguf/writer.h"

namespace rosi::gguf {

/// One for each file of `source`, which must outlive them; `retyped` has a list for each.
std::vector<Layout> layouts_of(const Model& source, const std::vector<std::vector<Retyped>>& retyped);

/// Order: construct, then in any order and from any thread copy_unchanged() once, write_tensor() for each changed one
/// and set_text(); then write_other_parts(), write_first_part(), finish(). `source` and `layouts` must outlive it.
class ModelWriter {
 public:
  /// The files of `output` (split_name.h) have passed check_outputs().
  ModelWriter(const Model& source, const std::vector<Layout>& layouts, const Strings& added,
              const std::filesystem::path& output);

  std::uint64_t output_bytes() const noexcept;  // of all files
  /// What copy_unchanged() will copy, for progress. `changed`: a list for each file.
  std::uint64_t unchanged_bytes(const std::vector<std::vector<const Tensor*>>& changed) const;
  void copy_unchanged(const std::vector<std::vector<const Tensor*>>& changed, const core::OnBytes& on_bytes);
  void write_tensor(std::size_t part, const Tensor& tensor, std::span<const std::byte> bytes, std::uint64_t from = 0);
  /// Not thread-safe. `value` is as long as the one given to the constructor.
  void set_text(std::string_view key, std::string_view value);
  /// Completes all files but the first, and returns their SHA-256. `on_bytes` is called from several threads, as in the
  /// next one.
  std::vector<std::string> write_other_parts(const core::ThreadPool& threads, const core::OnBytes& on_bytes);
  /// Completes the first; returns its checksum, which it holds as `key` (Writer::checksum()).
  std::string write_first_part(std::string_view key, const core::ThreadPool& threads, const core::OnBytes& on_bytes);
  /// In place of the two above, for files without `rosi.*` strings: nothing is hashed.
  void write_headers();
  /// Waits until the disk has all, if asked to. Nothing may be called afterwards.
  Draft finish(Sync sync = Sync::to_disk);

 private:
  const Model& source_;
  const Paths outputs_;
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace rosi::gguf
