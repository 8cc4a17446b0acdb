#include "engine/placement.h"

#include <exception>
#include <set>

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

/// How often the server was lost or not found in this process, and why the last time.
std::pair<std::uint64_t, std::string> losses_of(const std::string& server) {
  const auto ask = rpc_function<std::uint64_t(const char*, const char**)>("rosi_rpc_losses");
  if (ask == nullptr) return {};
  const char* why = "";
  const std::uint64_t count = ask(server.c_str(), &why);
  return {count, why};
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
    const std::string why = losses_of(server).second;
    refuse(server, why.empty() ? error.what() : why);
  }
  if (backend == nullptr) refuse(server, "it has no device to compute on");
  for (std::size_t i = 0; i < ggml_backend_reg_dev_count(backend); ++i)
    devices.push_back(ggml_backend_reg_dev_get(backend, i));
}

bool is_gpu(ggml_backend_dev_t device) {
  const auto type = ggml_backend_dev_type(device);
  return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

std::string id_of(ggml_backend_dev_t device) {
  ggml_backend_dev_props props{};
  ggml_backend_dev_get_props(device, &props);
  return props.device_id == nullptr ? "" : props.device_id;
}

/// Each GPU once, though two backends may offer it.
void add_gpus(std::vector<ggml_backend_dev_t>& devices, const std::vector<std::string>& libraries) {
  std::string not_loaded;
  for (const std::string& library : libraries) {
    if (ggml_backend_load(library.c_str()) == nullptr)
      not_loaded += library + " could not be loaded " + take_engine_messages() + ": is the GPU's driver installed? ";
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (!is_gpu(device)) continue;
    if (const std::string id = id_of(device); !id.empty() && !seen.insert(id).second) continue;
    devices.push_back(device);
  }
  if (devices.empty()) {
    throw core::Error(core::ErrorCode::engine_failed,
                      not_loaded + "The engine finds no GPU here. See: rosi doctor --gpu; or leave gpuLayers out");
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

Servers::Servers(const Placement& placement) {
  if (placement.is_here()) return;
  for (const std::string& server : placement.servers) losses_.emplace_back(server, losses_of(server).first);
}

void Servers::check() const {
  for (const auto& [server, before] : losses_) {
    if (const auto [count, why] = losses_of(server); count != before) refuse(server, why);
  }
}

}  // namespace rosi::engine
