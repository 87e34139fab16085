// The hardware machine as the engine races it. It differs from the one that tests use in three ways: memory comes from arenas, so
// that an instance is put back by copying it, and freed memory is filled, so that who still reads it is found out; and an
// unlock does not look whether the lock is held, because that look would be loads, and a branch, beside the ones under test.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "memory/hardware.hpp"

namespace race::hardware {

// One thread's part of an instance's memory: taken from front to back, never reused.
struct Arena {
  std::byte* next = nullptr;
  std::byte* end = nullptr;
};
inline thread_local Arena* arena = nullptr;

struct racing : machine {
  static constexpr bool checks_unlocks = false;
  static constexpr unsigned char freed = 0x6b;  // as the kernel's slab poison

#ifdef RACE_INJECT
  // Faults that tests inject, to see that the engine sees them.
  enum class Injected : unsigned char { none, publish_before_copy, segv, loop, exit };
  static inline Injected injected = Injected::none;
  static bool publishes_before_copy() { return injected == Injected::publish_before_copy; }
#endif

  // Null when the arena is used up.
  template <class S>
  static ptr<S> allocate(const char* name) {
    return allocate_array<S>(name, 1);
  }
  template <class S>
  static ptr<S> allocate_array(const char* /*name*/, std::uint64_t n) {
    const std::size_t bytes = n * sizeof(S);
    const std::size_t align = bytes >= 4096 ? 4096 : bytes >= 64 ? 64 : 16;  // pages as pages, the rest as a slab would
    std::size_t left = static_cast<std::size_t>(arena->end - arena->next);
    void* at = arena->next;
    if (std::align(align, bytes, at, left) == nullptr) return ptr<S>(nullptr);
    arena->next = static_cast<std::byte*>(at) + bytes;
    auto* first = static_cast<S*>(at);
    for (std::uint64_t i = 0; i < n; ++i) new (first + i) S();
    return ptr<S>(first);
  }
  template <class S>
  static void release(ptr<S> p) {
    std::memset(static_cast<void*>(p.raw()), freed, sizeof(S));
  }
  template <class S>
  static void release_array(ptr<S> /*p*/) {}
};

}  // namespace race::hardware
