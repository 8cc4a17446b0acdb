#include "gguf/hyperparameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <unordered_set>

#include "gguf/limits.h"
#include "gguf/reader.h"

namespace rosi::gguf {
namespace {

using Numbers = std::vector<std::uint64_t>;

template <class T>
T read(std::span<const std::byte> bytes, std::size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

class Check {
 public:
  explicit Check(const File& file) : file_(file) {
    const Entry* architecture = file.find_entry("general.architecture");
    architecture_ = architecture == nullptr ? "" : std::string(architecture->text().value_or(""));
  }

  void sizes() const {
    in_range("context_length", 1, limits::context);
    in_range("embedding_length", 1, limits::embedding);
    in_range("block_count", 1, limits::blocks);
    in_range("nextn_predict_layers", 0, number("block_count").value_or(limits::blocks));
    for (const char* key : {"attention.key_length", "attention.value_length"}) in_range(key, 1, limits::embedding);
  }

  void heads() const {
    in_range("attention.head_count", 0, limits::embedding);
    in_range("attention.head_count_kv", 0, limits::embedding);
    const Numbers heads = numbers("attention.head_count"), shared = numbers("attention.head_count_kv");
    if (heads.empty()) return;
    for (std::size_t block = 0; block < std::max(heads.size(), shared.size()) && !shared.empty(); ++block) {
      const std::uint64_t n = heads[std::min(block, heads.size() - 1)], kv = shared[std::min(block, shared.size() - 1)];
      if (kv != 0 && n % kv != 0)  // 0: the block has no attention
        refuse("attention.head_count_kv", std::to_string(kv), "a divisor of the " + std::to_string(n) + " heads");
    }
    if (heads[0] != 0) {
      const std::uint64_t each =
          number("attention.key_length").value_or(number("embedding_length").value_or(0) / heads[0]);
      const std::uint64_t rotated = number("rope.dimension_count").value_or(each);
      rotation("rope.dimension_count", rotated, each);
      rotation("rope.dimension_count_swa", number("rope.dimension_count_swa").value_or(rotated),
               number("attention.key_length_swa").value_or(each));
    }
  }

  void rope() const {
    if (const Entry* scaling = find("rope.scaling.type"); scaling != nullptr && scaling->text()) {
      constexpr std::string_view known[] = {"none", "linear", "yarn", "longrope"};
      if (std::ranges::find(known, *scaling->text()) == std::end(known))
        refuse("rope.scaling.type", std::string(*scaling->text()), "none, linear, yarn or longrope");
    }
  }

  void experts() const {
    in_range("expert_count", 0, limits::experts);
    const std::uint64_t count = number("expert_count").value_or(0);
    if (count <= 1 && architecture_.starts_with("hunyuan")) return;  // the engine takes these for dense models
    in_range("expert_used_count", 0, count);
    const Numbers used = numbers("expert_used_count");
    if (count > 0 && std::ranges::all_of(used, [](std::uint64_t n) { return n == 0; }))
      refuse("expert_used_count", used.empty() ? "absent" : "0", "1 to " + std::to_string(count));
    in_range("expert_group_count", 0, count == 0 ? 0 : count - 1);
    const std::uint64_t groups = number("expert_group_count").value_or(0);
    if (groups <= 1) return;
    if (count % groups != 0)
      refuse("expert_group_count", std::to_string(groups), "a divisor of the " + std::to_string(count) + " experts");
    const std::uint64_t used_groups = number("expert_group_used_count").value_or(0);
    if (used_groups < 1 || used_groups >= groups)
      refuse("expert_group_used_count", std::to_string(used_groups), "1 to " + std::to_string(groups - 1));
  }

  void norms() const {
    for (const char* key :
         {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.group_norm_epsilon"}) {
      const Entry* entry = find(key);
      if (entry == nullptr || entry->type != ValueType::float32) continue;
      const auto epsilon = read<float>(entry->value);
      if (!(epsilon >= 0.0f && std::isfinite(epsilon))) refuse(key, std::to_string(epsilon), "a number of 0 or more");
    }
  }

  /// The engine reads tokens as C strings, and names empty ones itself.
  void tokens() const {
    constexpr const char* key = "tokenizer.ggml.tokens";
    const Entry* entry = file_.find_entry(key);
    if (entry == nullptr || entry->type != ValueType::array || entry->element_type != ValueType::string) return;
    std::unordered_set<std::string_view> seen;
    seen.reserve(static_cast<std::size_t>(std::min(entry->count, std::uint64_t{1} << 18)));  // a large vocabulary
    std::deque<std::string> named;
    std::span<const std::byte> rest = entry->value;
    for (std::uint64_t i = 0; i < entry->count; ++i) {
      const auto size = static_cast<std::size_t>(read<std::uint64_t>(rest));  // File::open has walked along here
      std::string_view text(reinterpret_cast<const char*>(rest.data()) + sizeof(std::uint64_t), size);
      rest = rest.subspan(sizeof(std::uint64_t) + size);
      text = text.substr(0, text.find('\0'));
      if (text.empty()) text = named.emplace_back("[EMPTY_" + std::to_string(i) + "]");
      if (!seen.insert(text).second) {
        throw invalid(file_.input().path(), "hyperparameter",
                      std::string(key) + " has \"" + printable(text) + "\" twice, the second time as token " +
                          std::to_string(i) + "; every token must be there once",
                      {{"key", key}, {"value", printable(text)}});
      }
    }
  }

 private:
  std::string full(const char* key) const { return architecture_ + "." + key; }
  const Entry* find(const char* key) const { return file_.find_entry(full(key)); }

  /// The values of a key that holds one for all blocks, or one for each.
  Numbers numbers(const char* key) const {
    const Entry* entry = find(key);
    if (entry == nullptr) return {};
    if (const auto one = entry->whole_number()) return {*one};
    Numbers values;
    if (entry->type != ValueType::array) return values;
    if (entry->element_type != ValueType::uint32 && entry->element_type != ValueType::int32) return values;
    for (std::uint64_t i = 0; i < entry->count; ++i)  // a negative number is what the engine makes of it: a huge one
      values.push_back(read<std::uint32_t>(entry->value, static_cast<std::size_t>(i)));
    return values;
  }

  std::optional<std::uint64_t> number(const char* key) const {
    const Entry* entry = find(key);
    return entry == nullptr ? std::nullopt : entry->whole_number();
  }

  void in_range(const char* key, std::uint64_t least, std::uint64_t most) const {
    for (const std::uint64_t value : numbers(key)) {
      if (value < least || value > most)
        refuse(key, std::to_string(value),
               std::to_string(least) + (least == most ? "" : " to " + std::to_string(most)));
    }
  }

  /// A head's numbers are rotated in pairs.
  void rotation(const char* key, std::uint64_t rotated, std::uint64_t each) const {
    if (rotated <= each && rotated % 2 == 0) return;
    refuse(key, (find(key) == nullptr ? "by default " : "") + std::to_string(rotated),
           "even and at most " + std::to_string(each));
  }

  [[noreturn]] void refuse(const char* key, const std::string& value, const std::string& allowed) const {
    throw invalid(file_.input().path(), "hyperparameter",
                  full(key) + " is " + printable(value) + "; it must be " + allowed +
                      ": the file is damaged or was converted wrongly",
                  {{"key", full(key)}, {"value", printable(value)}, {"allowed", allowed}});
  }

  const File& file_;
  std::string architecture_;
};

}  // namespace

void check_hyperparameters(const File& file) {
  const Check check(file);
  check.sizes();
  check.heads();
  check.rope();
  check.experts();
  check.norms();
  check.tokens();
}

}  // namespace rosi::gguf
