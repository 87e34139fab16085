// Accesses of the hardware machine on AArch64, as instructions: the compiler's atomics would call functions (outline atomics), or
// be stronger than what was asked for. Read-modify-writes have two forms, as in Linux: LDXR and STXR, or one instruction of
// LSE where the CPU has them. Which one is chosen when the program starts; a build with RACE_LSE=0 or 1 has only one.
#pragma once

#include <sys/auxv.h>

#include <cstdint>
#include <type_traits>

#include "memory/order.hpp"

#define RACE_TSAN 0

namespace race::hardware::access {

#if defined(RACE_LSE)
constexpr bool lse = RACE_LSE;
#else
inline const bool lse = (getauxval(AT_HWCAP) & 1ul << 8) != 0;  // HWCAP_ATOMICS
#endif
// A `full` atomic of LSE orders by itself (LDADDAL); LDXR and STLXR want a dmb ish behind them, as in Linux 4.8.
inline bool full_atomic_needs_fence() { return !lse; }
inline const char* atomics_name() { return lse ? "LSE" : "LL/SC"; }

inline void compiler_barrier() { asm volatile("" ::: "memory"); }

// %w is the 32-bit name of a register, %x the 64-bit one.
#define RACE_BY_SIZE(T, emit)     \
  if constexpr (sizeof(T) == 8) { \
    emit("x")                     \
  } else {                        \
    emit("w")                     \
  }

template <class T>
T load_acquire(const T* at) {
  T v;
#define RACE_EMIT(r) asm volatile("ldar %" r "0, %1" : "=r"(v) : "Q"(*at) : "memory");
  RACE_BY_SIZE(T, RACE_EMIT)
#undef RACE_EMIT
  return v;
}
template <class T>
void store_release(T* at, T v) {
#define RACE_EMIT(r) asm volatile("stlr %" r "1, %0" : "=Q"(*at) : "r"(v) : "memory");
  RACE_BY_SIZE(T, RACE_EMIT)
#undef RACE_EMIT
}

// One read-modify-write in both forms and every order. llsc: the instruction that makes the new value of %[old] and %[v];
// one: the mnemonic of LSE, whose operand is `operand`.
#define RACE_RMW_FORM(r, llsc, one, a, l, operand)                                         \
  if (lse)                                                                                 \
    asm volatile(".arch_extension lse\n\t" one a l " %" r "[v], %" r "[old], %[m]"         \
                 : [old] "=&r"(old), [m] "+Q"(*at)                                         \
                 : [v] "r"(operand)                                                        \
                 : "memory");                                                              \
  else                                                                                     \
    asm volatile("1: ld" a "xr %" r "[old], %[m]\n\t" llsc                                 \
                 "\n\t"                                                                    \
                 "st" l "xr %w[fail], %" r "[next], %[m]\n\tcbnz %w[fail], 1b"             \
                 : [old] "=&r"(old), [next] "=&r"(next), [fail] "=&r"(fail), [m] "+Q"(*at) \
                 : [v] "r"(v)                                                              \
                 : "memory");
#define RACE_RMW_ORDERS(r, llsc, one, operand)                                         \
  switch (o) {                                                                         \
    case Order::plain: RACE_RMW_FORM(r, llsc, one, "", "", operand) break;             \
    case Order::acquire_pc:                                                            \
    case Order::acquire: RACE_RMW_FORM(r, llsc, one, "a", "", operand) break;          \
    case Order::release: RACE_RMW_FORM(r, llsc, one, "", "l", operand) break;          \
    case Order::acquire_release: RACE_RMW_FORM(r, llsc, one, "a", "l", operand) break; \
  }
#define RACE_RMW(name, instruction, one, operand)                                 \
  template <class T>                                                              \
  T name(T* at, T v, Order o) {                                                   \
    T old{}, next{};                                                              \
    std::uint32_t fail = 0;                                                       \
    if constexpr (sizeof(T) == 8) {                                               \
      RACE_RMW_ORDERS("x", instruction " %x[next], %x[old], %x[v]", one, operand) \
    } else {                                                                      \
      RACE_RMW_ORDERS("w", instruction " %w[next], %w[old], %w[v]", one, operand) \
    }                                                                             \
    return old;                                                                   \
  }
RACE_RMW(fetch_add, "add", "ldadd", v)
RACE_RMW(fetch_sub, "sub", "ldadd", static_cast<T>(-v))
RACE_RMW(fetch_or, "orr", "ldset", v)
RACE_RMW(fetch_and, "and", "ldclr", static_cast<T>(~v))
#undef RACE_RMW
#undef RACE_RMW_ORDERS
#undef RACE_RMW_FORM

#define RACE_SWAP_FORM(r, a, l)                                                   \
  if (lse)                                                                        \
    asm volatile(".arch_extension lse\n\tswp" a l " %" r "[v], %" r "[old], %[m]" \
                 : [old] "=&r"(old), [m] "+Q"(*at)                                \
                 : [v] "r"(v)                                                     \
                 : "memory");                                                     \
  else                                                                            \
    asm volatile("1: ld" a "xr %" r "[old], %[m]\n\tst" l "xr %w[fail], %" r      \
                 "[v], %[m]\n\t"                                                  \
                 "cbnz %w[fail], 1b"                                              \
                 : [old] "=&r"(old), [fail] "=&r"(fail), [m] "+Q"(*at)            \
                 : [v] "r"(v)                                                     \
                 : "memory");
#define RACE_CAS_FORM(r, a, l)                                                    \
  if (lse) {                                                                      \
    old = expected;                                                               \
    asm volatile(".arch_extension lse\n\tcas" a l " %" r "[old], %" r "[v], %[m]" \
                 : [old] "+&r"(old), [m] "+Q"(*at)                                \
                 : [v] "r"(v)                                                     \
                 : "memory");                                                     \
  } else {                                                                        \
    asm volatile("1: ld" a "xr %" r "[old], %[m]\n\tcmp %" r "[old], %" r         \
                 "[e]\n\tb.ne 2f\n\t"                                             \
                 "st" l "xr %w[fail], %" r "[v], %[m]\n\tcbnz %w[fail], 1b\n2:"   \
                 : [old] "=&r"(old), [fail] "=&r"(fail), [m] "+Q"(*at)            \
                 : [v] "r"(v), [e] "r"(expected)                                  \
                 : "memory", "cc");                                               \
  }
#define RACE_ORDERS(form, r)                              \
  switch (o) {                                            \
    case Order::plain: form(r, "", "") break;             \
    case Order::acquire_pc:                               \
    case Order::acquire: form(r, "a", "") break;          \
    case Order::release: form(r, "", "l") break;          \
    case Order::acquire_release: form(r, "a", "l") break; \
  }

template <class T>
T exchange(T* at, T v, Order o) {
  T old{};
  std::uint32_t fail = 0;
  if constexpr (sizeof(T) == 8) {
    RACE_ORDERS(RACE_SWAP_FORM, "x")
  } else {
    RACE_ORDERS(RACE_SWAP_FORM, "w")
  }
  return old;
}

template <class T>
T compare_exchange(T* at, T expected, T v, Order o) {
  T old{};
  std::uint32_t fail = 0;
  if constexpr (sizeof(T) == 8) {
    RACE_ORDERS(RACE_CAS_FORM, "x")
  } else {
    RACE_ORDERS(RACE_CAS_FORM, "w")
  }
  return old;
}
#undef RACE_ORDERS
#undef RACE_CAS_FORM
#undef RACE_SWAP_FORM
#undef RACE_BY_SIZE

inline void fence(Fence f) {
  switch (f) {
    case Fence::ish: asm volatile("dmb ish" ::: "memory"); break;
    case Fence::ishld: asm volatile("dmb ishld" ::: "memory"); break;
    case Fence::ishst: asm volatile("dmb ishst" ::: "memory"); break;
  }
}
inline void isb() { asm volatile("isb" ::: "memory"); }
inline void pause() { asm volatile("yield" ::: "memory"); }

}  // namespace race::hardware::access
