// Shared by the implementations of file_io.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/file_io.h"

// POSIX calls where they exist; elsewhere, or to test the fallback, the C++ library alone.
#if !defined(ROSI_PORTABLE_FILES) && (defined(__unix__) || defined(__APPLE__))
#define ROSI_POSIX_FILES 1
#else
#define ROSI_POSIX_FILES 0
#endif

namespace rosi::core {

/// Stands in every temporary name.
inline constexpr std::string_view partial_mark = ".partial-";

/// `what` is the beginning of a sentence: "cannot write". `bytes`: the room the whole file needs, 0 when it doesn't
/// matter.
Error file_error(const std::string& what, const std::filesystem::path& path, int error, std::uint64_t bytes = 0);
Error short_read_error(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t bytes);
Error changed_error(const std::filesystem::path& path);
Error exists_error(const std::filesystem::path& path);
/// A path as JavaScript can hold and no system can: it would end at the zero byte and lead to another file.
void require_no_zero_byte(const std::filesystem::path& path);
long process_id();
std::filesystem::path partial_path_for(const std::filesystem::path& path, const PartialNames& names);
/// Whether `name`, without a folder, is one that partial_path_for() gives for an output of that name and ending.
bool is_partial_name(std::string_view name, std::string_view output, std::string_view ending);

}  // namespace rosi::core
