// inspect: metadata and tensors of a GGUF file as a plain object.
#include <cmath>
#include <cstring>

#include "bindings/promise_worker.h"
#include "bindings/tensor_reads.h"
#include "core/file_io.h"
#include "gguf/model.h"
#include "kernels/rank_one.h"

namespace rosi::bindings {
namespace {

// Longer arrays are vocabularies and the like, 10^5 strings: what they are is told, not what they hold.
constexpr std::uint64_t longest_array = 32;
// V8 takes no string beyond half a gigabyte, and nothing that people read is longer than this.
constexpr std::size_t longest_text = std::size_t{16} << 20;

template <class T>
T read(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// Numbers a double can't hold exactly come as decimal digits.
template <class T>
Napi::Value whole_to_js(Napi::Env env, T value) {
  constexpr T largest = T{1} << 53;
  if (value <= largest && (std::is_unsigned_v<T> || value >= T{0} - largest))
    return Napi::Number::New(env, double(value));
  return Napi::String::New(env, std::to_string(value));
}

Napi::Value number_to_js(Napi::Env env, gguf::ValueType type, std::span<const std::byte> bytes) {
  using gguf::ValueType;
  switch (type) {
    case ValueType::uint8: return Napi::Number::New(env, read<std::uint8_t>(bytes));
    case ValueType::int8: return Napi::Number::New(env, read<std::int8_t>(bytes));
    case ValueType::uint16: return Napi::Number::New(env, read<std::uint16_t>(bytes));
    case ValueType::int16: return Napi::Number::New(env, read<std::int16_t>(bytes));
    case ValueType::uint32: return Napi::Number::New(env, read<std::uint32_t>(bytes));
    case ValueType::int32: return Napi::Number::New(env, read<std::int32_t>(bytes));
    case ValueType::float32: return Napi::Number::New(env, read<float>(bytes));
    case ValueType::float64: return Napi::Number::New(env, read<double>(bytes));
    case ValueType::uint64: return whole_to_js(env, read<std::uint64_t>(bytes));
    case ValueType::int64: return whole_to_js(env, read<std::int64_t>(bytes));
    case ValueType::boolean: return Napi::Boolean::New(env, read<std::uint8_t>(bytes) != 0);
    case ValueType::string:
    case ValueType::array: break;
  }
  return env.Null();
}

Napi::Value summary(Napi::Env env, gguf::ValueType type, std::uint64_t length) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("type", gguf::to_string(type));
  js.Set("length", double(length));
  return js;
}

Napi::Value text_to_js(Napi::Env env, std::span<const std::byte> text) {
  if (text.size() > longest_text) return summary(env, gguf::ValueType::string, text.size());
  return Napi::String::New(env, reinterpret_cast<const char*>(text.data()), text.size());
}

Napi::Value array_to_js(Napi::Env env, const gguf::Entry& entry) {
  if (entry.count > longest_array) return summary(env, entry.element_type, entry.count);
  Napi::Array js = Napi::Array::New(env, static_cast<std::size_t>(entry.count));
  std::span<const std::byte> rest = entry.value;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    std::size_t n = gguf::value_bytes(entry.element_type);
    if (entry.element_type == gguf::ValueType::string) {
      n = static_cast<std::size_t>(read<std::uint64_t>(rest));  // inside the file: File::open has walked along here
      rest = rest.subspan(sizeof(std::uint64_t));
      js[i] = text_to_js(env, rest.first(n));
    } else {
      js[i] = number_to_js(env, entry.element_type, rest);
    }
    rest = rest.subspan(n);
  }
  return js;
}

Napi::Value entry_to_js(Napi::Env env, const gguf::Entry& entry) {
  if (entry.type == gguf::ValueType::array) return array_to_js(env, entry);
  if (entry.type == gguf::ValueType::string) return text_to_js(env, entry.value);
  return number_to_js(env, entry.type, entry.value);
}

Napi::Object tensor_to_js(Napi::Env env, const gguf::Tensor& tensor) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("name", tensor.name);
  js.Set("type", gguf::find_type(tensor.type)->name);
  Napi::Array shape = Napi::Array::New(env, static_cast<std::size_t>(tensor.n_dims));
  for (std::uint32_t i = 0; i < shape.Length(); ++i) shape[i] = double(tensor.shape[i]);
  js.Set("shape", shape);
  js.Set("offset", double(tensor.offset));
  js.Set("bytes", double(tensor.bytes.size()));
  js.Set("canUpdate", kernels::supports_rank_one(tensor.type));
  return js;
}

Napi::Object part_to_js(Napi::Env env, const gguf::File& file) {
  Napi::Object js = Napi::Object::New(env);
  js.Set("path", core::to_utf8(file.input().path()));
  js.Set("fileBytes", double(file.bytes().size()));
  js.Set("infosOffset", double(file.tensor_infos().begin));
  js.Set("dataOffset", double(file.data_offset()));
  return js;
}

class InspectWorker final : public PromiseWorker {
 public:
  explicit InspectWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), info[1]), path_(core::from_utf8(info[0].As<Napi::String>())) {}

 private:
  void run() override { model_ = std::make_unique<gguf::Model>(gguf::Model::open(path_)); }

  Napi::Value result() override {
    const gguf::File& first = model_->first();
    Napi::Object js = Napi::Object::New(Env());
    js.Set("version", double(first.version()));
    js.Set("alignment", double(first.alignment()));
    js.Set("fileBytes", double(model_->bytes()));
    js.Set("infosOffset", double(first.tensor_infos().begin));
    js.Set("dataOffset", double(first.data_offset()));
    Napi::Object metadata = Napi::Object::New(Env());
    for (const gguf::Entry& entry : first.metadata()) {
      // Defined, not assigned: a file may name a key "__proto__".
      metadata.DefineProperty(Napi::PropertyDescriptor::Value(Napi::String::New(Env(), entry.key),
                                                              entry_to_js(Env(), entry), napi_default_jsproperty));
    }
    js.Set("metadata", metadata);
    const bool split = model_->parts().size() > 1;
    Napi::Array tensors = Napi::Array::New(Env()), parts = Napi::Array::New(Env());
    std::uint32_t n = 0, n_parts = 0;
    for (const gguf::File& file : model_->parts()) {
      for (const gguf::Tensor& tensor : file.tensors()) {
        Napi::Object item = tensor_to_js(Env(), tensor);
        if (split) item.Set("part", double(n_parts));
        tensors[n++] = item;
      }
      parts[n_parts++] = part_to_js(Env(), file);
    }
    js.Set("tensors", tensors);
    if (split) js.Set("parts", parts);
    model_.reset();  // the mappings end with the call, not with the garbage collector
    return js;
  }

  const std::filesystem::path path_;
  std::unique_ptr<gguf::Model> model_;
};

}  // namespace

/// inspect(path) → { done: Promise<Inspection>, cancel(): void }. Shapes as in the file: row length first.
void register_inspect(Napi::Env env, Napi::Object exports) {
  exports.Set("inspect", Napi::Function::New(env, start<InspectWorker>));
  exports.Set("meanRows", Napi::Function::New(env, mean_rows));
  exports.Set("rowMeans", Napi::Function::New(env, row_means));
  exports.Set("readVectors", Napi::Function::New(env, read_vectors));
}

}  // namespace rosi::bindings
