#include "core/file_io.h"
#include "core/file_io_internal.h"

#if !ROSI_POSIX_FILES

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <vector>

#if defined(_WIN32)
#include <process.h>
#else
#include <unistd.h>
#endif

namespace rosi::core {
namespace {

int last_error() { return errno != 0 ? errno : EIO; }

}  // namespace

long process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return ::getpid();
#endif
}

struct InputFile::State {
  std::filesystem::path path;
  std::uint64_t size = 0;
  std::filesystem::file_time_type modified;
  std::ifstream stream;
  std::mutex mutex;  // a stream has one position
  std::vector<std::byte> contents;
};

InputFile::InputFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
InputFile::InputFile(InputFile&&) noexcept = default;
InputFile& InputFile::operator=(InputFile&&) noexcept = default;
InputFile::~InputFile() = default;
const std::filesystem::path& InputFile::path() const noexcept { return state_->path; }
std::uint64_t InputFile::size() const noexcept { return state_->size; }

InputFile InputFile::open(const std::filesystem::path& path, ErrorCode not_regular) {
  require_no_zero_byte(path);
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) throw file_error("cannot open", path, ENOENT);
  if (error) throw file_error("cannot open", path, error.default_error_condition().value());
  if (status.type() != std::filesystem::file_type::regular) {
    throw Error(not_regular, to_utf8(path) + " is a folder, pipe or device, not a file", {{"path", to_utf8(path)}});
  }
  auto state = std::make_unique<State>();
  state->path = path;
  errno = 0;
  state->stream.open(path, std::ios::binary);
  if (!state->stream) throw file_error("cannot open", path, last_error());
  state->size = std::filesystem::file_size(path, error);
  if (!error) state->modified = std::filesystem::last_write_time(path, error);
  if (error) throw file_error("cannot read the size of", path, error.default_error_condition().value());
  return InputFile(std::move(state));
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> target) const {
  const std::lock_guard lock(state_->mutex);
  state_->stream.clear();
  state_->stream.seekg(static_cast<std::streamoff>(offset));
  state_->stream.read(reinterpret_cast<char*>(target.data()), static_cast<std::streamsize>(target.size()));
  if (!state_->stream) throw short_read_error(state_->path, offset, target.size());
}

std::span<const std::byte> InputFile::map() {
  if (state_->contents.empty() && state_->size > 0) {
    state_->contents.resize(static_cast<std::size_t>(state_->size));
    read(0, state_->contents);
  }
  return state_->contents;
}

void forget(std::span<const std::byte>) noexcept {}

void InputFile::require_unchanged() const {
  std::error_code error;
  if (std::filesystem::file_size(state_->path, error) != state_->size || error ||
      std::filesystem::last_write_time(state_->path, error) != state_->modified || error) {
    throw changed_error(state_->path);
  }
}

void remove_abandoned(const std::filesystem::path&) noexcept {}  // there is no lock to tell the dead by

struct OutputFile::State {
  std::filesystem::path path;
  std::filesystem::path partial;
  std::uint64_t bytes = 0;
  std::fstream stream;
  std::mutex mutex;
  bool created = false;
  bool published = false;
  bool replaced = false;  // another file, by being published

  ~State() {
    if (stream.is_open()) stream.close();
    std::error_code ignored;
    if (created && !published) std::filesystem::remove(partial, ignored);
  }
  Error failure(int error) const { return file_error("cannot write", path, error, error == ENOSPC ? bytes : 0); }
};

OutputFile::OutputFile(const std::filesystem::path& path, std::uint64_t bytes, const PartialNames& names)
    : state_(std::make_unique<State>()) {
  require_no_zero_byte(path);
  state_->path = path;
  state_->partial = partial_path_for(path, names);
  state_->bytes = bytes;
  errno = 0;
  // The random name stands in for an exclusive open, which streams have only from C++23 on.
  state_->stream.open(state_->partial, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
  if (!state_->stream) throw state_->failure(last_error());
  state_->created = true;
  std::error_code error;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (!error && space.available < bytes) throw state_->failure(ENOSPC);
}

OutputFile::~OutputFile() = default;
const std::filesystem::path& OutputFile::partial_path() const noexcept { return state_->partial; }

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> source) {
  const std::lock_guard lock(state_->mutex);
  errno = 0;
  state_->stream.seekp(static_cast<std::streamoff>(offset));
  state_->stream.write(reinterpret_cast<const char*>(source.data()), static_cast<std::streamsize>(source.size()));
  if (!state_->stream) throw state_->failure(last_error());
}

void OutputFile::copy(const InputFile& source, std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, 1u << 20)));
  while (bytes > 0) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size()));
    source.read(from, {buffer.data(), n});
    write(to, {buffer.data(), n});
    from += n;
    to += n;
    bytes -= n;
  }
}

void OutputFile::read(std::uint64_t offset, std::span<std::byte> target) const {
  const std::lock_guard lock(state_->mutex);
  state_->stream.flush();
  state_->stream.seekg(static_cast<std::streamoff>(offset));
  state_->stream.read(reinterpret_cast<char*>(target.data()), static_cast<std::streamsize>(target.size()));
  if (!state_->stream) throw short_read_error(state_->partial, offset, target.size());
}

void OutputFile::sync() {
  errno = 0;
  state_->stream.close();
  if (state_->stream.fail()) throw state_->failure(last_error());
}

void OutputFile::publish(bool overwrite) {
  if (state_->published) return;
  std::error_code error;
  const bool exists = std::filesystem::exists(state_->path, error);
  if (!overwrite && exists) throw exists_error(state_->path);
  std::filesystem::rename(state_->partial, state_->path, error);
  if (error) throw state_->failure(error.default_error_condition().value());
  state_->published = true;
  state_->replaced = exists;
}

bool OutputFile::withdraw() noexcept {
  if (!state_->published) return true;
  std::error_code error;
  if (!state_->replaced) std::filesystem::rename(state_->path, state_->partial, error);
  if (state_->replaced || error) return false;
  state_->published = false;
  return true;
}

}  // namespace rosi::core

#endif  // !ROSI_POSIX_FILES
