#include "engine/backends.h"

#include <filesystem>
#include <mutex>
#include <string_view>

#include "core/error.h"
#include "core/file_io.h"
#include "engine/assertions.h"
#include "ggml-backend.h"
#include "llama.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace rosi::engine {
namespace {

std::mutex message_mutex;
std::string messages;
constexpr std::size_t kMaxMessages = 2000;  // bytes: enough for the cause, short enough for an error message

void keep_message(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR && level != GGML_LOG_LEVEL_CONT) return;
  const std::lock_guard lock(message_mutex);
  if (level == GGML_LOG_LEVEL_CONT && messages.empty()) return;
  if (messages.size() < kMaxMessages) messages += text;
}

std::filesystem::path path_of(const void* address) {
#if defined(_WIN32)
  HMODULE module = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                     static_cast<LPCWSTR>(address), &module);
  wchar_t path[32768];
  GetModuleFileNameW(module, path, 32768);
  return path;
#else
  Dl_info info{};
  return dladdr(address, &info) == 0 ? "" : info.dli_fname;
#endif
}

std::filesystem::path own_folder() { return path_of(reinterpret_cast<const void*>(&path_of)).parent_path(); }

}  // namespace

void load_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(keep_message, nullptr);
    watch_assertions();
    ggml_backend_load_all_from_path(own_folder().string().c_str());
    llama_backend_init();
  });
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
    throw core::Error(core::ErrorCode::engine_failed,
                      "no CPU backend of the engine could be loaded from " + own_folder().string() +
                          "; expected libggml-cpu-*.so there. Reinstall the package, or run: npm run build:addon");
  }
}

bool has_amx() {
  load_backends();
  ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  const auto list = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  if (list == nullptr) return false;
  for (ggml_backend_buffer_type_t* found = list(device); found != nullptr && *found != nullptr; ++found) {
    if (std::string_view(ggml_backend_buft_name(*found)) == "AMX") return true;
  }
  return false;
}

std::string take_engine_messages() {
  const std::lock_guard lock(message_mutex);
  std::string taken;
  taken.swap(messages);
  while (!taken.empty() && (taken.back() == '\n' || taken.back() == ' ')) taken.pop_back();
  return taken;
}

std::string library_of(const void* address) { return core::to_utf8(path_of(address)); }

}  // namespace rosi::engine
