// Where an output may be written, and an output that waits for its name.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/file_io.h"

namespace rosi::gguf {

using Paths = std::vector<std::filesystem::path>;

/// Throws core::Error{option_invalid} when `output` is the source itself, also by another name, or nothing that a file
/// can take the place of; {output_exists} when it exists and `overwrite` is false.
void check_output(const std::filesystem::path& source, const std::filesystem::path& output, bool overwrite);
/// The same of every output beside every source.
void check_outputs(const Paths& sources, const Paths& outputs, bool overwrite);

/// Complete files under temporary names, one or the parts of a split model; those that are not published leave with
/// this object.
class Draft {
 public:
  /// `files` are of `outputs`, in the same order.
  Draft(Paths sources, Paths outputs, std::vector<std::unique_ptr<core::OutputFile>> files);
  const std::filesystem::path& path() const noexcept { return files_.front()->partial_path(); }  // of the first
  const std::filesystem::path& output() const noexcept { return outputs_.front(); }              // its final name
  core::OutputFile& first() noexcept { return *files_.front(); }
  /// Gives each its name, in one step, the first part last: where it is, the others are. Throws what check_output()
  /// does, and {file_failed}. No name is left then but of files that have replaced older ones, which the error's detail
  /// `replaced` lists; after a failure it can be tried again.
  void publish(bool overwrite);

 private:
  void take_back(core::Error error);

  Paths sources_;
  Paths outputs_;
  std::vector<std::unique_ptr<core::OutputFile>> files_;
};

}  // namespace rosi::gguf
