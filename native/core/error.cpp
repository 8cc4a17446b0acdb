#include "core/error.h"

namespace rosi::core {

Detail::Detail(const char* name, double number) : name(name), value(number) {}
Detail::Detail(const char* name, std::string text) : name(name), value(std::move(text)) {}
Detail::Detail(const char* name, const char* text) : name(name), value(text) {}
Detail::Detail(const Detail&) = default;
Detail::Detail(Detail&&) noexcept = default;
Detail& Detail::operator=(Detail&&) noexcept = default;
Detail::~Detail() = default;

Error::Error(ErrorCode code, const std::string& message, std::vector<Detail> details)
    : std::runtime_error(message), code_(code), details_(std::move(details)) {}
Error::Error(const Error&) = default;
Error::~Error() = default;

}  // namespace rosi::core
