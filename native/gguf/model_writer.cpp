#include "gguf/model_writer.h"

#include "gguf/split_name.h"

namespace rosi::gguf {

std::vector<Layout> layouts_of(const Model& source, const std::vector<std::vector<Retyped>>& retyped) {
  std::vector<Layout> layouts;
  for (std::size_t i = 0; i < retyped.size(); ++i) layouts.emplace_back(source.parts()[i], retyped[i]);
  return layouts;
}

ModelWriter::ModelWriter(const Model& source, const std::vector<Layout>& layouts, const Strings& added,
                         const std::filesystem::path& output)
    : source_(source), outputs_(output_paths(source.path(), output)) {
  const std::size_t count = outputs_.size();
  core::PartialNames names;
  if (count > 1) names.mark = core::PartialNames::make_mark();
  for (std::size_t i = 0; i < count; ++i) {
    if (count > 1) names.ending = split_ending(i + 1, count);
    writers_.push_back(
        std::make_unique<Writer>(source.parts()[i], layouts[i], i == 0 ? added : Strings{}, outputs_[i], names));
  }
}

std::uint64_t ModelWriter::output_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& writer : writers_) bytes += writer->output_bytes();
  return bytes;
}

std::uint64_t ModelWriter::unchanged_bytes(const std::vector<std::vector<const Tensor*>>& changed) const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < writers_.size(); ++i) bytes += writers_[i]->unchanged_bytes(changed[i]);
  return bytes;
}

void ModelWriter::copy_unchanged(const std::vector<std::vector<const Tensor*>>& changed,
                                 const core::OnBytes& on_bytes) {
  for (std::size_t i = 0; i < writers_.size(); ++i) writers_[i]->copy_unchanged(changed[i], on_bytes);
}

void ModelWriter::write_tensor(std::size_t part, const Tensor& tensor, std::span<const std::byte> bytes,
                               std::uint64_t from) {
  writers_[part]->write_tensor(tensor, bytes, from);
}

void ModelWriter::set_text(std::string_view key, std::string_view value) { writers_.front()->set_text(key, value); }

std::vector<std::string> ModelWriter::write_other_parts(const core::ThreadPool& threads,
                                                        const core::OnBytes& on_bytes) {
  std::vector<std::string> digests(writers_.size() - 1);
  threads.for_each(std::ssize(digests), [&](std::int64_t i, const core::ThreadPool::Run& run) {
    const auto part = static_cast<std::size_t>(i);
    writers_[part + 1]->write_header();
    digests[part] = writers_[part + 1]->sha256([&](std::uint64_t bytes) {
      if (on_bytes) on_bytes(bytes);
      if (run.failed()) throw core::Error(core::ErrorCode::aborted, "another part failed");
    });
  });
  return digests;
}

std::string ModelWriter::write_first_part(std::string_view key, const core::ThreadPool& threads,
                                          const core::OnBytes& on_bytes) {
  writers_.front()->write_header();
  return writers_.front()->checksum(key, threads, on_bytes);
}

void ModelWriter::write_headers() {
  for (const auto& writer : writers_) writer->write_header();
}

Draft ModelWriter::finish(Sync sync) {
  std::vector<std::unique_ptr<core::OutputFile>> files;
  for (const auto& writer : writers_) files.push_back(writer->finish(sync));
  return {source_.paths(), outputs_, std::move(files)};
}

}  // namespace rosi::gguf
