#include "engine/placement.h"

#include <exception>

#include "core/error.h"
#include "engine/assertions.h"
#include "engine/backends.h"
#include "ggml-rpc.h"

namespace rosi::engine {
namespace {

template <class Function>
Function* rpc_function(const char* name) {
  ggml_backend_reg_t backend = ggml_backend_reg_by_name("RPC");
  return backend == nullptr ? nullptr : reinterpret_cast<Function*>(ggml_backend_reg_get_proc_address(backend, name));
}

/// Null: nothing is known against it.
const char* why_lost(const std::string& server) {
  const auto ask = rpc_function<const char*(const char*)>("rosi_rpc_lost");
  return ask == nullptr ? nullptr : ask(server.c_str());
}

[[noreturn]] void refuse(const std::string& server, const std::string& why) {
  throw core::Error(core::ErrorCode::server_failed,
                    "the RPC server " + server + " failed: " + why + ". Expected llama.cpp's rpc-server (ggml " +
                        ggml_version() + ") there; start it, and run again: what is in the cache is not computed again",
                    {{"server", server}, {"reason", why}});
}

void add_server(std::vector<ggml_backend_dev_t>& devices, const std::string& server) {
  const auto add = rpc_function<decltype(ggml_backend_rpc_add_server)>("ggml_backend_rpc_add_server");
  if (add == nullptr) {
    throw core::Error(
        core::ErrorCode::engine_failed,
        "the engine's RPC backend could not be loaded; expected libggml-rpc beside the addon. Reinstall the "
        "package, or run: npm run build:addon");
  }
  ggml_backend_reg_t backend = nullptr;
  try {
    const ThrowingAssertions here;
    backend = add(server.c_str());
  } catch (const std::exception& error) {
    const char* why = why_lost(server);
    refuse(server, why == nullptr ? error.what() : why);
  }
  if (backend == nullptr) refuse(server, "it has no device to compute on");
  for (std::size_t i = 0; i < ggml_backend_reg_dev_count(backend); ++i)
    devices.push_back(ggml_backend_reg_dev_get(backend, i));
}

bool is_gpu(ggml_backend_dev_t device) {
  const auto type = ggml_backend_dev_type(device);
  return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

void add_gpus(std::vector<ggml_backend_dev_t>& devices, const std::vector<std::string>& libraries) {
  for (const std::string& library : libraries) {
    if (ggml_backend_load(library.c_str()) != nullptr) continue;
    throw core::Error(core::ErrorCode::engine_failed,
                      library + " could not be loaded " + take_engine_messages() +
                          ". Is the GPU's driver installed? See: rosi doctor --gpu",
                      {{"library", library}});
  }
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    if (is_gpu(ggml_backend_dev_get(i))) devices.push_back(ggml_backend_dev_get(i));
  }
  if (devices.empty()) {
    throw core::Error(core::ErrorCode::engine_failed,
                      "the engine finds no GPU here. See: rosi doctor --gpu; or leave gpuLayers out");
  }
}

}  // namespace

std::vector<ggml_backend_dev_t> devices_of(const Placement& placement) {
  std::vector<ggml_backend_dev_t> devices;
  if (!placement.is_here()) {
    for (const std::string& server : placement.servers) add_server(devices, server);
    if (placement.servers.empty()) add_gpus(devices, placement.gpu_libraries);
  }
  devices.push_back(nullptr);
  return devices;
}

void check_servers(const std::vector<std::string>& servers) {
  for (const std::string& server : servers) {
    if (const char* why = why_lost(server); why != nullptr) refuse(server, why);
  }
}

}  // namespace rosi::engine
