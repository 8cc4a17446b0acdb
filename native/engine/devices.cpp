#include "engine/devices.h"

#include <cstring>

#include "engine/backends.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace rosi::engine {
namespace {

const char* kind_of(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL: return "accel";
    case GGML_BACKEND_DEVICE_TYPE_META: return "meta";
  }
  return "unknown";
}

std::string text_of(const char* text) { return text == nullptr ? "" : text; }

std::vector<std::string> features_of(ggml_backend_reg_t backend) {
  std::vector<std::string> names;
  const auto list = reinterpret_cast<ggml_backend_get_features_t>(
      ggml_backend_reg_get_proc_address(backend, "ggml_backend_get_features"));
  if (list == nullptr) return names;
  for (const ggml_backend_feature* feature = list(backend); feature->name != nullptr; ++feature) {
    if (std::strcmp(feature->value, "0") == 0) continue;
    const bool plain = std::strcmp(feature->value, "1") == 0;
    names.push_back(plain ? feature->name : std::string(feature->name) + "=" + feature->value);
  }
  return names;
}

Device describe(ggml_backend_dev_t device) {
  ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(device);
  std::size_t free = 0, total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return {
      .name = text_of(ggml_backend_dev_name(device)),
      .description = text_of(ggml_backend_dev_description(device)),
      .kind = kind_of(device),
      .backend = text_of(ggml_backend_reg_name(backend)),
      .library = library_of(backend),  // it is a static object of the backend's
      .features = features_of(backend),
      .free_bytes = free,
      .total_bytes = total,
  };
}

}  // namespace

EngineReport engine_report(const std::vector<std::string>& libraries) {
  load_backends();
  EngineReport report{.version = ggml_version(), .commit = ggml_commit(), .devices = {}, .not_loaded = {}};
  for (const std::string& library : libraries) {
    if (ggml_backend_load(library.c_str()) == nullptr) report.not_loaded.push_back(library);
  }
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i)
    report.devices.push_back(describe(ggml_backend_dev_get(i)));
  return report;
}

}  // namespace rosi::engine
