// Loads the engine's compute backends once in a process.
#pragma once

#include <string>

namespace rosi::engine {

/// Loads the CPU variants that lie beside this library and picks the fastest this machine can run. Any number of
/// calls, from any thread. Throws Error{engine_failed} naming the folder when none could be loaded.
void load_backends();

/// Whether the engine multiplies matrices with this processor's AMX, for which it has products of some types alone.
/// Loads the backends.
bool has_amx();

/// What the engine last complained about on this process, for error messages; cleared by the call.
std::string take_engine_messages();

/// UTF-8 path of the library or program that `address` lies in; empty when there is none.
std::string library_of(const void* address);

}  // namespace rosi::engine
