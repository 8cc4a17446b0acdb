#include "core/pages.h"

#include <cstdlib>
#include <new>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

namespace rosi::core {
namespace {

#if defined(__unix__) || defined(__APPLE__)
void* take(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}
void give_back(std::span<std::byte> bytes) { ::munmap(bytes.data(), bytes.size()); }
#else
void* take(std::size_t bytes) { return std::calloc(bytes, 1); }
void give_back(std::span<std::byte> bytes) { std::free(bytes.data()); }
#endif

}  // namespace

Pages::Pages(std::size_t bytes) {
  if (bytes == 0) return;
  void* memory = take(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  bytes_ = {static_cast<std::byte*>(memory), bytes};
}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

Pages::~Pages() {
  if (!bytes_.empty()) give_back(bytes_);
}

}  // namespace rosi::core
