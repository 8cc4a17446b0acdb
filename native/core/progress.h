// How long work reports and is stopped.
#pragma once

#include <functional>

#include "core/error.h"

namespace rosi::core {

/// Called often with the share done, 0 to 1. Returns false when the caller wants to stop. May be empty.
using Progress = std::function<bool(double done)>;

/// Reports, and throws Error{aborted} when the caller wants to stop.
inline void report(const Progress& progress, double done) {
  if (progress && !progress(done)) throw Error(ErrorCode::aborted, "stopped by the caller");
}

/// The part [from, to] of a longer progress.
inline Progress slice(const Progress& progress, double from, double to) {
  if (!progress) return {};
  return [&progress, from, to](double done) { return progress(from + (to - from) * done); };
}

}  // namespace rosi::core
