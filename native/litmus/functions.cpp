#include "litmus/functions.hpp"

#include <algorithm>
#include <type_traits>

namespace race::litmus {

namespace {

using u64 = std::uint64_t;
using u32 = std::uint32_t;

template <class T>
using Signed = std::make_signed_t<T>;
template <class T>
constexpr unsigned width = sizeof(T) * 8;

struct Entry {
  std::string_view name;
  weak::Function on64, on32;
};

// An operation on T, as a function of 64-bit operands.
#define RACE_LITMUS(name, expression)                                                                        \
  Entry {                                                                                                    \
    name, [](u64 p, u64 q) -> u64 { return compute<u64>(p, q, [](auto a, auto b) { return expression; }); }, \
        [](u64 p, u64 q) -> u64 { return compute<u32>(p, q, [](auto a, auto b) { return expression; }); }    \
  }

template <class T, class F>
u64 compute(u64 p, u64 q, F f) {
  return static_cast<T>(f(static_cast<T>(p), static_cast<T>(q)));
}
template <class T>
Signed<T> s(T x) {
  return static_cast<Signed<T>>(x);
}

weak::Function find(const Entry* begin, const Entry* end, std::string_view name, bool w) {
  for (const Entry* e = begin; e != end; ++e)
    if (e->name == name) return w ? e->on32 : e->on64;
  return nullptr;
}

const Entry alu[] = {
    RACE_LITMUS("add", a + b),
    RACE_LITMUS("sub", a - b),
    RACE_LITMUS("and", a& b),
    RACE_LITMUS("orr", a | b),
    RACE_LITMUS("orn", a | ~b),
    RACE_LITMUS("eor", a ^ b),
    RACE_LITMUS("eon", a ^ ~b),
    RACE_LITMUS("bic", a & ~b),
    RACE_LITMUS("mul", a* b),
    RACE_LITMUS("lsl", a << (b % width<decltype(b)>)),
    RACE_LITMUS("lsr", a >> (b % width<decltype(b)>)),
    RACE_LITMUS("asr", s(a) >> (b % width<decltype(b)>)),
};

const Entry atomics[] = {
    RACE_LITMUS("add", a + b),
    RACE_LITMUS("clr", a & ~b),
    RACE_LITMUS("eor", a ^ b),
    RACE_LITMUS("set", a | b),
    RACE_LITMUS("smax", std::max(s(a), s(b))),
    RACE_LITMUS("smin", std::min(s(a), s(b))),
    RACE_LITMUS("umax", std::max(a, b)),
    RACE_LITMUS("umin", std::min(a, b)),
};
#undef RACE_LITMUS

constexpr u64 n_flag = 8, z_flag = 4, c_flag = 2, v_flag = 1;

template <class T>
u64 nz(T r) {
  return (s(r) < 0 ? n_flag : 0) | (r == 0 ? z_flag : 0);
}
template <class T>
u64 add_flags(u64 p, u64 q) {
  const T a = static_cast<T>(p), b = static_cast<T>(q), r = static_cast<T>(a + b);
  return nz(r) | (r < a ? c_flag : 0) | (s(static_cast<T>(~(a ^ b) & (a ^ r))) < 0 ? v_flag : 0);
}
template <class T>
u64 sub_flags(u64 p, u64 q) {
  const T a = static_cast<T>(p), b = static_cast<T>(q), r = static_cast<T>(a - b);
  return nz(r) | (a >= b ? c_flag : 0) | (s(static_cast<T>((a ^ b) & (a ^ r))) < 0 ? v_flag : 0);
}
template <class T>
u64 and_flags(u64 p, u64 q) {
  return nz(static_cast<T>(p & q));
}
template <class T>
u64 bic_flags(u64 p, u64 q) {
  return nz(static_cast<T>(p & ~q));
}

const Entry flags[] = {{"add", add_flags<u64>, add_flags<u32>},
                       {"sub", sub_flags<u64>, sub_flags<u32>},
                       {"and", and_flags<u64>, and_flags<u32>},
                       {"bic", bic_flags<u64>, bic_flags<u32>}};

bool n(u64 f) { return (f & n_flag) != 0; }
bool z(u64 f) { return (f & z_flag) != 0; }
bool c(u64 f) { return (f & c_flag) != 0; }
bool v(u64 f) { return (f & v_flag) != 0; }

#define RACE_CONDITION(name, expression)                                  \
  Entry {                                                                 \
    name, [](u64 f, u64) -> u64 { return (expression) ? 1 : 0; }, nullptr \
  }
const Entry conditions[] = {
    RACE_CONDITION("eq", z(f)),
    RACE_CONDITION("ne", !z(f)),
    RACE_CONDITION("hs", c(f)),
    RACE_CONDITION("lo", !c(f)),
    RACE_CONDITION("mi", n(f)),
    RACE_CONDITION("pl", !n(f)),
    RACE_CONDITION("vs", v(f)),
    RACE_CONDITION("vc", !v(f)),
    RACE_CONDITION("hi", c(f) && !z(f)),
    RACE_CONDITION("ls", !c(f) || z(f)),
    RACE_CONDITION("ge", n(f) == v(f)),
    RACE_CONDITION("lt", n(f) != v(f)),
    RACE_CONDITION("gt", !z(f) && n(f) == v(f)),
    RACE_CONDITION("le", z(f) || n(f) != v(f)),
};
#undef RACE_CONDITION

}  // namespace

weak::Function alu_function(std::string_view name, bool w) { return find(std::begin(alu), std::end(alu), name, w); }
weak::Function flags_function(std::string_view name, bool w) {
  return find(std::begin(flags), std::end(flags), name, w);
}
weak::Function atomic_function(std::string_view name, bool w) {
  return find(std::begin(atomics), std::end(atomics), name, w);
}
weak::Function condition_function(std::string_view name) {
  return find(std::begin(conditions), std::end(conditions), name, false);
}

weak::Function zero_function(bool w, bool when_zero) {
  if (w)
    return when_zero ? [](u64 a, u64) -> u64 { return static_cast<u32>(a) == 0; }
                     : [](u64 a, u64) -> u64 { return static_cast<u32>(a) != 0; };
  return when_zero ? [](u64 a, u64) -> u64 { return a == 0; } : [](u64 a, u64) -> u64 { return a != 0; };
}

weak::Function bit_function(bool when_zero) {
  return when_zero ? [](u64 a, u64 b) -> u64 { return (a >> (b & 63) & 1) == 0; }
                   : [](u64 a, u64 b) -> u64 { return a >> (b & 63) & 1; };
}

weak::Function extend_function(std::string_view name) {
  if (name == "none") return [](u64 a, u64 b) -> u64 { return a + b; };
  if (name == "uxtw") return [](u64 a, u64 b) -> u64 { return a + static_cast<u32>(b); };
  if (name == "sxtw")
    return [](u64 a, u64 b) -> u64 { return a + static_cast<u64>(static_cast<std::int64_t>(s(static_cast<u32>(b)))); };
  return nullptr;
}

}  // namespace race::litmus
