#include "update_checks.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "gguf/limits.h"
#include "gguf/record.h"
#include "gguf/types.h"
#include "kernels/promote.h"

namespace rosi {
namespace {

using core::Error;
using core::ErrorCode;

constexpr std::string_view own_keys[] = {gguf::source_key, gguf::tensors_key, gguf::parts_key, gguf::checksum_key};

std::string number(std::int64_t value) { return std::to_string(value); }

/// `what` is "left factor" and the like; `word` names it in the details.
void check_numbers(const std::vector<float>& numbers, const char* what, const char* word, std::int64_t expected,
                   const std::string& name) {
  if (static_cast<std::int64_t>(numbers.size()) != expected) {
    throw Error(
        ErrorCode::option_invalid,
        std::string("the ") + what + " of " + name + " has " + std::to_string(numbers.size()) +
            " numbers; this tensor needs " + number(expected),
        {{"tensor", name}, {"factor", word}, {"length", double(numbers.size())}, {"expected", double(expected)}});
  }
  const auto bad = std::ranges::find_if_not(numbers, [](float x) { return std::isfinite(x); });
  if (bad != numbers.end()) {
    throw Error(ErrorCode::option_invalid,
                std::string("the ") + what + " of " + name + " is not finite at " + number(bad - numbers.begin()),
                {{"tensor", name}, {"factor", word}, {"index", double(bad - numbers.begin())}});
  }
}

void check_shape(const gguf::Tensor& tensor, const TensorUpdate& update) {
  if (tensor.n_dims != 2 && tensor.n_dims != 3) {
    throw Error(
        ErrorCode::tensor_unsupported,
        update.name + " has " + number(tensor.n_dims) + " dimensions; only matrices and stacks of them can be edited",
        {{"tensor", update.name}, {"dimensions", double(tensor.n_dims)}});
  }
  if (update.n_experts != tensor.shape[2]) {
    throw Error(
        ErrorCode::option_invalid,
        update.name + " has " + number(tensor.shape[2]) + " experts; its update has " + number(update.n_experts),
        {{"tensor", update.name}, {"nExperts", double(update.n_experts)}, {"expected", double(tensor.shape[2])}});
  }
}

void check_inputs(const gguf::Tensor& tensor, const TensorUpdate& update) {
  if (!update.inputs) return;
  const std::vector<float>& squares = update.inputs->mean_squares;
  const double response = update.inputs->response_rms;
  const auto length = static_cast<std::int64_t>(squares.size());
  const bool shared = length == tensor.shape[0];  // by all experts
  check_numbers(squares, "inputs' mean squares", "meanSquares", shared ? length : tensor.shape[0] * tensor.shape[2],
                update.name);
  const auto negative = std::ranges::find_if(squares, [](float x) { return x < 0; });
  if (negative != squares.end()) {
    throw Error(ErrorCode::option_invalid,
                "the inputs' mean square of " + update.name + " is negative at " + number(negative - squares.begin()),
                {{"tensor", update.name}, {"index", double(negative - squares.begin())}});
  }
  if (!(response > 0) || !std::isfinite(response)) {
    throw Error(ErrorCode::option_invalid,
                "responseRms of " + update.name + " must be a positive number; got " + std::to_string(response),
                {{"tensor", update.name}, {"responseRms", response}});
  }
}

const gguf::TensorType& promotion_type(const TensorUpdate& update) {
  const gguf::TensorType* type = gguf::find_type(std::string_view(update.type));
  if (type != nullptr && kernels::is_promotion_target(type->id)) return *type;
  throw Error(ErrorCode::option_invalid,
              "the type of " + update.name + " must be Q8_0, F16, BF16 or F32; got " + update.type.substr(0, 100),
              {{"tensor", update.name}, {"type", update.type.substr(0, 100)}});
}

/// NVFP4 matrices may have a factor in a tensor of its own, which the promoted ones would not need in the same way.
void check_scale(const gguf::Model& source, const gguf::Tensor& tensor) {
  constexpr std::string_view suffix = "weight";
  if (std::string_view(gguf::find_type(tensor.type)->name) != "NVFP4" || !tensor.name.ends_with(suffix)) return;
  const std::string scale = tensor.name.substr(0, tensor.name.size() - suffix.size()) + "scale";
  if (source.find(scale).tensor == nullptr) return;
  throw Error(ErrorCode::tensor_unsupported,
              tensor.name + " can't be written in another type: it shares its values with " + scale,
              {{"tensor", tensor.name}, {"type", "NVFP4"}, {"scale", scale}});
}

/// How to read a tensor that is to be promoted.
Decode require_decoder(const gguf::Model& source, const gguf::Tensor& tensor, const gguf::TensorType& target) {
  if (tensor.shape[0] % target.block_weights != 0) {
    throw Error(ErrorCode::tensor_unsupported,
                "rows of " + tensor.name + " have " + number(tensor.shape[0]) + " weights; " + target.name +
                    " needs a multiple of " + std::to_string(target.block_weights) + ": choose F16, BF16 or F32",
                {{"tensor", tensor.name}, {"type", target.name}, {"rowWeights", double(tensor.shape[0])}});
  }
  check_scale(source, tensor);
  Decode decode = find_decoder(tensor.type);
  if (decode) return decode;
  const char* name = gguf::find_type(tensor.type)->name;
  throw Error(ErrorCode::tensor_unsupported,
              tensor.name + " has type " + name + ", which the engine can't turn into numbers",
              {{"tensor", tensor.name}, {"type", name}});
}

Job check_tensor(const gguf::Model& source, const TensorUpdate& update) {
  const auto [tensor, part] = source.find(update.name);
  if (tensor == nullptr) {
    const std::string path = core::to_utf8(source.path());
    throw Error(ErrorCode::option_invalid, path + " has no tensor named " + update.name,
                {{"tensor", update.name}, {"path", path}});
  }
  check_shape(*tensor, update);
  Job job{&update, tensor, part, tensor->type, {}};
  if (!update.type.empty()) job.type = promotion_type(update).id;
  if (job.type != tensor->type) {
    job.decode = require_decoder(source, *tensor, *gguf::find_type(job.type));
  } else if (!kernels::supports_rank_one(tensor->type)) {
    const char* type = gguf::find_type(tensor->type)->name;
    throw Error(ErrorCode::tensor_unsupported,
                update.name + " has type " + type + ", which can't be edited in place: plan it with another type",
                {{"tensor", update.name}, {"type", type}});
  }
  check_numbers(update.left, "left factor", "left", tensor->shape[1] * tensor->shape[2], update.name);
  check_numbers(update.right, "right factor", "right", tensor->shape[0] * tensor->shape[2], update.name);
  check_inputs(*tensor, update);
  if (!update.readout.empty()) check_numbers(update.readout, "readout", "readout", tensor->shape[1], update.name);
  return job;
}

}  // namespace

std::vector<Job> check_tensors(const gguf::Model& source, const std::vector<TensorUpdate>& updates) {
  std::vector<Job> jobs;
  std::set<std::string_view> names;
  for (const TensorUpdate& update : updates) {
    if (!names.insert(update.name).second) {
      throw Error(ErrorCode::option_invalid, update.name + " is planned twice", {{"tensor", update.name}});
    }
    jobs.push_back(check_tensor(source, update));
  }
  return jobs;
}

void check_metadata(const gguf::Strings& metadata) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    const bool reserved = std::ranges::find(own_keys, key) != std::end(own_keys);
    if (!gguf::is_own_key(key) || key.size() > gguf::limits::key_bytes || reserved || !keys.insert(key).second) {
      throw Error(ErrorCode::option_invalid,
                  "metadata key " + key.substr(0, 100) +
                      " can't be added: keys begin with \"rosi.\", are unique and not rosi.source.sha256, "
                      "rosi.tensors, rosi.parts or rosi.checksum",
                  {{"key", key.substr(0, 100)}});
    }
    if (value.size() > gguf::limits::string_bytes) {
      throw Error(ErrorCode::option_invalid, "the value of " + key + " is longer than a GGUF string can be",
                  {{"key", key}});
    }
  }
}

}  // namespace rosi
