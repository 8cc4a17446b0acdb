// What ggml-cpu.h declares, for tools that were written for a backend that is linked: taken from the one that is loaded.
#include <ggml-backend.h>
#include <ggml-cpu.h>

namespace {

ggml_backend_dev_t processor() {
  ggml_backend_load_all();
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

}  // namespace

ggml_backend_t ggml_backend_cpu_init() { return ggml_backend_dev_init(processor(), nullptr); }

void ggml_backend_cpu_set_n_threads(ggml_backend_t backend, int n_threads) {
  const auto registry = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  const auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads"));
  set(backend, n_threads);
}
