// What a GGUF file may ask for at most. Each cap is far above every real model: past it a file is damaged or hostile.
#pragma once

#include <cstdint>

namespace rosi::gguf::limits {

// llama.cpp has room for 63 bytes and a zero (GGML_MAX_NAME) and refuses longer names.
inline constexpr std::uint64_t tensor_name_bytes = 63;
// The GGUF specification's own limit.
inline constexpr std::uint64_t key_bytes = 65535;
// llama.cpp's limit for one string (GGUF_MAX_STRING_LENGTH). Strings are referred to in place, never copied by length.
inline constexpr std::uint64_t string_bytes = std::uint64_t{1} << 30;
// llama.cpp's limit for one array (GGUF_MAX_ARRAY_ELEMENTS); real vocabularies have about 3 * 10^5 entries.
inline constexpr std::uint64_t array_elements = std::uint64_t{1} << 30;
// Real files have 20 to 100; every entry costs about 100 bytes of memory here and is looked up by name.
inline constexpr std::uint64_t metadata_entries = 65536;
// The largest unmerged mixture-of-experts models have about 5 * 10^4.
inline constexpr std::uint64_t tensors = std::uint64_t{1} << 20;
// Files of a split model. Each is open and mapped, the output's too; the largest real ones have about 100.
inline constexpr std::uint64_t parts = 1024;
// ggml's limit (GGML_MAX_DIMS).
inline constexpr std::uint32_t dimensions = 4;
// The specification wants a multiple of 8, and kernels read 8-byte values in place; 2^20 would already waste 1 MiB a
// tensor.
inline constexpr std::uint32_t min_alignment = 8;
inline constexpr std::uint32_t max_alignment = std::uint32_t{1} << 20;
inline constexpr std::uint32_t default_alignment = 32;

// llama.cpp's limits (LLAMA_MAX_LAYERS, LLAMA_MAX_EXPERTS); past them it ends the process.
inline constexpr std::uint64_t blocks = 512;
inline constexpr std::uint64_t experts = 1024;
// Positions are 32-bit numbers with a sign.
inline constexpr std::uint64_t context = (std::uint64_t{1} << 31) - 1;
// The widest real models have about 2 * 10^4; the engine multiplies several such numbers in 32 bits.
inline constexpr std::uint64_t embedding = std::uint64_t{1} << 20;

// The least a metadata entry and a tensor's description take in a file. Counts are checked against the bytes that
// are left before anything is reserved for them.
inline constexpr std::uint64_t least_entry_bytes = 8 + 1 + 4 + 1;
inline constexpr std::uint64_t least_tensor_bytes = 8 + 1 + 4 + 8 + 4 + 8;

}  // namespace rosi::gguf::limits
