#include "core/file_io.h"
#include "core/file_io_internal.h"

#if ROSI_POSIX_FILES

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace rosi::core {
namespace {

timespec modification_time(const struct stat& status) {
#if defined(__APPLE__)
  return status.st_mtimespec;
#else
  return status.st_mtim;
#endif
}

bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

void read_all(int descriptor, const std::filesystem::path& path, std::uint64_t offset, std::span<std::byte> target) {
  while (!target.empty()) {
    const ssize_t n = ::pread(descriptor, target.data(), target.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw file_error("cannot read", path, errno);
    if (n == 0) throw short_read_error(path, offset, target.size());
    target = target.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// Removes those of a folder's files that `is_partial` names and whose owner has died: the system has taken their lock
/// away with it. Without a lock to be had (NFS may have none) a file is left alone.
template <class IsPartial>
void remove_dead(const std::filesystem::path& folder, const IsPartial& is_partial) noexcept {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!is_partial(entry->path().filename().string())) continue;
    const int descriptor = ::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    ::close(descriptor);
  }
}

}  // namespace

void remove_abandoned(const std::filesystem::path& folder) noexcept {
  remove_dead(folder, [](const std::string& name) { return name.find(partial_mark) != std::string::npos; });
}

long process_id() { return static_cast<long>(::getpid()); }

struct InputFile::State {
  std::filesystem::path path;
  int descriptor = -1;
  std::uint64_t size = 0;
  timespec modified = {};
  void* mapping = nullptr;

  ~State() {
    if (mapping != nullptr) ::munmap(mapping, static_cast<std::size_t>(size));
    if (descriptor >= 0) ::close(descriptor);
  }
};

InputFile::InputFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
InputFile::InputFile(InputFile&&) noexcept = default;
InputFile& InputFile::operator=(InputFile&&) noexcept = default;
InputFile::~InputFile() = default;
const std::filesystem::path& InputFile::path() const noexcept { return state_->path; }
std::uint64_t InputFile::size() const noexcept { return state_->size; }

InputFile InputFile::open(const std::filesystem::path& path, ErrorCode not_regular) {
  auto state = std::make_unique<State>();
  state->path = path;
  require_no_zero_byte(path);
  // Without O_NONBLOCK opening a pipe would wait for its writer.
  state->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (state->descriptor < 0) throw file_error("cannot open", path, errno);
  struct stat status = {};
  if (::fstat(state->descriptor, &status) != 0) throw file_error("cannot read the size of", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(
        not_regular,
        to_utf8(path) + " is " + (S_ISDIR(status.st_mode) ? "a folder" : "a pipe, socket or device") + ", not a file",
        {{"path", to_utf8(path)}});
  }
  state->size = static_cast<std::uint64_t>(status.st_size);
  state->modified = modification_time(status);
  return InputFile(std::move(state));
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> target) const {
  read_all(state_->descriptor, state_->path, offset, target);
}

std::span<const std::byte> InputFile::map() {
  if (state_->size == 0) return {};
  if (state_->size > SIZE_MAX) throw file_error("cannot map", state_->path, EFBIG);
  const auto size = static_cast<std::size_t>(state_->size);
  if (state_->mapping == nullptr) {
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, state_->descriptor, 0);
    if (mapping == MAP_FAILED) throw file_error("cannot map", state_->path, errno);
    state_->mapping = mapping;
  }
  return {static_cast<const std::byte*>(state_->mapping), size};
}

void forget(std::span<const std::byte> mapped) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped.data());
  // Whole pages alone: the others hold something else as well.
  const std::uintptr_t first = (begin + page - 1) / page * page, last = (begin + mapped.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

void InputFile::require_unchanged() const {
  struct stat status = {};
  if (::fstat(state_->descriptor, &status) != 0) throw file_error("cannot read the size of", state_->path, errno);
  const timespec modified = modification_time(status);
  if (static_cast<std::uint64_t>(status.st_size) != state_->size || modified.tv_sec != state_->modified.tv_sec ||
      modified.tv_nsec != state_->modified.tv_nsec) {
    throw changed_error(state_->path);
  }
}

struct OutputFile::State {
  std::filesystem::path path;
  std::filesystem::path partial;
  std::uint64_t bytes = 0;  // planned size, for messages
  int descriptor = -1;
  bool published = false;
  bool replaced = false;  // another file, by being published

  ~State() {
    if (descriptor >= 0 && !published) ::unlink(partial.c_str());
    if (descriptor >= 0) ::close(descriptor);
  }
  Error failure(int error) const { return file_error("cannot write", path, error, is_full(error) ? bytes : 0); }
  void rename_new() const;
};

OutputFile::OutputFile(const std::filesystem::path& path, std::uint64_t bytes, const PartialNames& names)
    : state_(std::make_unique<State>()) {
  state_->path = path;
  require_no_zero_byte(path);
  state_->bytes = bytes;
  remove_dead(folder_of(path), [&, output = path.filename().string()](const std::string& name) {
    return is_partial_name(name, output, names.ending);
  });
  while (state_->descriptor < 0) {
    state_->partial = partial_path_for(path, names);
    state_->descriptor = ::open(state_->partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (state_->descriptor < 0) throw state_->failure(errno);
    ::flock(state_->descriptor, LOCK_EX);
    struct stat status = {};
    if (::fstat(state_->descriptor, &status) == 0 && status.st_nlink > 0) break;
    ::close(state_->descriptor);  // between the two calls another process took it for abandoned
    state_->descriptor = -1;
  }
#if defined(__linux__)
  // Only a full disk counts: many file systems can't reserve, and writing tells soon enough.
  if (bytes > 0 && ::fallocate(state_->descriptor, 0, 0, static_cast<off_t>(bytes)) != 0 && is_full(errno)) {
    throw state_->failure(errno);
  }
#endif
}

OutputFile::~OutputFile() = default;
const std::filesystem::path& OutputFile::partial_path() const noexcept { return state_->partial; }

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> source) {
  while (!source.empty()) {
    const ssize_t n = ::pwrite(state_->descriptor, source.data(), source.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw state_->failure(errno);
    source = source.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void OutputFile::copy(const InputFile& source, std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
#if defined(__linux__)
  while (bytes > 0) {
    loff_t in = static_cast<loff_t>(from);
    loff_t out = static_cast<loff_t>(to);
    const ssize_t n = ::copy_file_range(source.state_->descriptor, &in, state_->descriptor, &out,
                                        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, 1u << 30)), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && is_full(errno)) throw state_->failure(errno);
    if (n <= 0) break;  // other file systems, old kernels: through memory, which also says what is wrong
    // Starts the disk early, so that the sync at the end, which can't be interrupted, is short.
    ::sync_file_range(state_->descriptor, static_cast<off_t>(to), n, SYNC_FILE_RANGE_WRITE);
    from += static_cast<std::uint64_t>(n);
    to += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::uint64_t>(n);
  }
#endif
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
  read_all(state_->descriptor, state_->partial, offset, target);
}

// Gives the file its name unless that name is taken, in one step where the system can.
void OutputFile::State::rename_new() const {
#if defined(__linux__) && defined(SYS_renameat2)
  if (::syscall(SYS_renameat2, AT_FDCWD, partial.c_str(), AT_FDCWD, path.c_str(), 1u /* RENAME_NOREPLACE */) == 0)
    return;
  if (errno == EEXIST) throw exists_error(path);
#elif defined(__APPLE__)
  if (::renamex_np(partial.c_str(), path.c_str(), RENAME_EXCL) == 0) return;
  if (errno == EEXIST) throw exists_error(path);
#endif
  if (::link(partial.c_str(), path.c_str()) == 0) {
    ::unlink(partial.c_str());
    return;
  }
  if (errno == EEXIST) throw exists_error(path);
  // A file system without hard links (FAT): a small gap between look and rename is all that is left.
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0) throw exists_error(path);
  if (::rename(partial.c_str(), path.c_str()) != 0) throw failure(errno);
}

void OutputFile::sync() {
  if (::fsync(state_->descriptor) != 0) throw state_->failure(errno);
}

void OutputFile::publish(bool overwrite) {
  if (state_->published) return;
  if (overwrite) {
    struct stat status = {};
    const bool exists = ::lstat(state_->path.c_str(), &status) == 0;
    if (::rename(state_->partial.c_str(), state_->path.c_str()) != 0) throw state_->failure(errno);
    state_->replaced = exists;
  } else {
    state_->rename_new();
  }
  state_->published = true;
  // Makes the name last through a power cut. The file is whole already, and some file systems can't sync a folder.
  const int descriptor = ::open(folder_of(state_->path).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

bool OutputFile::withdraw() noexcept {
  if (!state_->published) return true;
  struct stat own = {}, named = {};
  if (state_->replaced || ::fstat(state_->descriptor, &own) != 0 || ::lstat(state_->path.c_str(), &named) != 0 ||
      own.st_dev != named.st_dev || own.st_ino != named.st_ino ||
      ::rename(state_->path.c_str(), state_->partial.c_str()) != 0) {
    return false;
  }
  state_->published = false;
  return true;
}

}  // namespace rosi::core

#endif  // ROSI_POSIX_FILES
