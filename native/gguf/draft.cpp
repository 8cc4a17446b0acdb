#include "gguf/draft.h"

namespace rosi::gguf {

void check_output(const std::filesystem::path& source, const std::filesystem::path& output, bool overwrite) {
  const std::string name = core::to_utf8(output);
  const auto refuse = [&](const std::string& why) {
    return core::Error(core::ErrorCode::option_invalid, "output " + name + " " + why,
                       {{"option", "output"}, {"path", name}});
  };
  if (!output.has_filename()) throw refuse("is not the name of a file");
  if (core::same_file(source, output)) throw refuse("is the source itself: choose another output");
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(output, ignored))) return;
  const std::filesystem::file_status status = std::filesystem::status(output, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw refuse("is a folder, pipe or device: choose another output");
  }
  if (!overwrite) {
    throw core::Error(core::ErrorCode::output_exists, name + " exists; choose another output, or ask to overwrite it",
                      {{"path", name}});
  }
}

void check_outputs(const Paths& sources, const Paths& outputs, bool overwrite) {
  for (const auto& output : outputs) {
    for (const auto& source : sources) check_output(source, output, overwrite);
  }
}

Draft::Draft(Paths sources, Paths outputs, std::vector<std::unique_ptr<core::OutputFile>> files)
    : sources_(std::move(sources)), outputs_(std::move(outputs)), files_(std::move(files)) {}

void Draft::publish(bool overwrite) {
  check_outputs(sources_, outputs_, overwrite);  // the folder may have changed in the meantime
  for (std::size_t i = files_.size(); i-- > 0;) {
    try {
      files_[i]->publish(overwrite);
    } catch (const core::Error& error) {
      take_back(error);
    }
  }
}

void Draft::take_back(core::Error error) {
  std::string replaced;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i]->withdraw()) continue;
    replaced += (replaced.empty() ? "" : ", ") + core::to_utf8(outputs_[i]);
  }
  if (replaced.empty()) throw error;
  std::vector<core::Detail> details = error.details();
  details.emplace_back("replaced", replaced);
  throw core::Error(
      error.code(),
      std::string(error.what()) + "; the parts of the output are of two runs now: new ones have replaced " + replaced,
      std::move(details));
}

}  // namespace rosi::gguf
