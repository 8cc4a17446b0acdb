// What ggml-cpu.h declares, for tools that were written for a backend that is linked. The backend is taken from the ones
// that are loaded; numbers are read from float32 tensors, the only ones of which the tools ask for them.
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <cstddef>

namespace {

ggml_backend_dev_t processor() {
  ggml_backend_load_all();
  return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

float& number(const ggml_tensor* tensor, int i0, int i1, int i2, int i3) {
  GGML_ASSERT(tensor->type == GGML_TYPE_F32);
  const std::size_t offset = i0 * tensor->nb[0] + i1 * tensor->nb[1] + i2 * tensor->nb[2] + i3 * tensor->nb[3];
  return *reinterpret_cast<float*>(static_cast<char*>(tensor->data) + offset);
}

float& number(const ggml_tensor* tensor, int i) {
  int64_t at[4];
  ggml_unravel_index(tensor, i, &at[0], &at[1], &at[2], &at[3]);
  return number(tensor, static_cast<int>(at[0]), static_cast<int>(at[1]), static_cast<int>(at[2]), static_cast<int>(at[3]));
}

}  // namespace

ggml_backend_t ggml_backend_cpu_init() { return ggml_backend_dev_init(processor(), nullptr); }

bool ggml_backend_is_cpu(ggml_backend_t backend) {
  return backend != nullptr && ggml_backend_dev_type(ggml_backend_get_device(backend)) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

void ggml_backend_cpu_set_n_threads(ggml_backend_t backend, int n_threads) {
  const auto registry = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  const auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads"));
  set(backend, n_threads);
}

float ggml_get_f32_1d(const ggml_tensor* tensor, int i) { return number(tensor, i); }
void ggml_set_f32_1d(const ggml_tensor* tensor, int i, float value) { number(tensor, i) = value; }
float ggml_get_f32_nd(const ggml_tensor* tensor, int i0, int i1, int i2, int i3) {
  return number(tensor, i0, i1, i2, i3);
}
void ggml_set_f32_nd(const ggml_tensor* tensor, int i0, int i1, int i2, int i3, float value) {
  number(tensor, i0, i1, i2, i3) = value;
}
