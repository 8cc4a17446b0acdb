// inspect: metadata and tensors of a GGUF file as a plain object.
#include <cstring>

#include "bindings/promise_worker.h"
#include "core/file_io.h"
#include "gguf/file.h"

namespace rosi::bindings {
namespace {

template <class T>
T read(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

double number(gguf::ValueType type, std::span<const std::byte> bytes) {
  using gguf::ValueType;
  switch (type) {
    case ValueType::uint8: return read<std::uint8_t>(bytes);
    case ValueType::int8: return read<std::int8_t>(bytes);
    case ValueType::uint16: return read<std::uint16_t>(bytes);
    case ValueType::int16: return read<std::int16_t>(bytes);
    case ValueType::uint32: return read<std::uint32_t>(bytes);
    case ValueType::int32: return read<std::int32_t>(bytes);
    case ValueType::float32: return read<float>(bytes);
    case ValueType::uint64: return double(read<std::uint64_t>(bytes));
    case ValueType::int64: return double(read<std::int64_t>(bytes));
    case ValueType::float64: return read<double>(bytes);
    default: return 0;
  }
}

class InspectWorker final : public PromiseWorker {
 public:
  explicit InspectWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env(), std::make_shared<std::atomic<bool>>(false), info[1]), path_(core::from_utf8(info[0].As<Napi::String>())) {}

 private:
  void run() override { file_ = std::make_unique<gguf::File>(gguf::File::open(path_)); }

  Napi::Value value_of(const gguf::Entry& entry) {
    if (entry.type == gguf::ValueType::array) {  // vocabularies and the like: what they are, not what they hold
      Napi::Object summary = Napi::Object::New(Env());
      summary.Set("type", std::string(gguf::to_string(entry.element_type)));
      summary.Set("length", double(entry.count));
      return summary;
    }
    if (const auto text = entry.text()) return Napi::String::New(Env(), text->data(), text->size());
    if (entry.type == gguf::ValueType::boolean) return Napi::Boolean::New(Env(), read<std::uint8_t>(entry.value) != 0);
    return Napi::Number::New(Env(), number(entry.type, entry.value));
  }

  Napi::Value result() override {
    Napi::Object js = Napi::Object::New(Env());
    js.Set("version", double(file_->version()));
    js.Set("alignment", double(file_->alignment()));
    js.Set("fileBytes", double(file_->bytes().size()));
    js.Set("dataOffset", double(file_->data_offset()));
    Napi::Object metadata = Napi::Object::New(Env());
    for (const gguf::Entry& entry : file_->metadata()) metadata.Set(entry.key, value_of(entry));
    js.Set("metadata", metadata);
    Napi::Array tensors = Napi::Array::New(Env(), file_->tensors().size());
    std::uint32_t i = 0;
    for (const gguf::Tensor& tensor : file_->tensors()) {
      Napi::Object item = Napi::Object::New(Env());
      item.Set("name", tensor.name);
      item.Set("type", gguf::find_type(tensor.type)->name);
      Napi::Array shape = Napi::Array::New(Env(), static_cast<std::size_t>(tensor.n_dims));
      for (int d = 0; d < tensor.n_dims; ++d) shape[static_cast<std::uint32_t>(d)] = Napi::Number::New(Env(), double(tensor.shape[static_cast<std::size_t>(d)]));
      item.Set("shape", shape);
      item.Set("offset", double(tensor.offset));
      item.Set("bytes", double(tensor.bytes.size()));
      tensors[i++] = item;
    }
    js.Set("tensors", tensors);
    file_.reset();  // the mapping ends with the call, not with the garbage collector
    return js;
  }
  std::filesystem::path path_;
  std::unique_ptr<gguf::File> file_;
};

Napi::Value inspect(const Napi::CallbackInfo& info) { return PromiseWorker::start(std::make_unique<InspectWorker>(info)); }

}  // namespace

void register_inspect(Napi::Env env, Napi::Object exports) { exports.Set("inspect", Napi::Function::New(env, inspect)); }

}  // namespace rosi::bindings
