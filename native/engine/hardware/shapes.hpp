// The classic two-thread litmus tests as code for this CPU. Each thread makes two accesses to the words x and y, and returns what
// it read: the first value in bits 0 and 1, the second in bits 2 and 3. `weak` is the outcome that only reordering explains.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "memory/hardware.hpp"

namespace race::hardware::shapes {

using Word = std::uint32_t;

// The compiler barrier on both sides keeps the accesses in program order; the CPU is told nothing.
inline void write(Word* at, Word v) {
  access::compiler_barrier();
  __atomic_store_n(at, v, __ATOMIC_RELAXED);
  access::compiler_barrier();
}
inline Word read(const Word* at) {
  access::compiler_barrier();
  const Word v = __atomic_load_n(at, __ATOMIC_RELAXED);
  access::compiler_barrier();
  return v;
}
inline unsigned pair(Word first, Word second) { return first | second << 2; }

struct Info {
  std::string_view name;
  std::string_view text;  // what a weak outcome shows
  bool tso, armv8;        // which architectures allow it
};

struct MP {
  static constexpr Info info{"MP", "two stores, or two loads, in the other order", false, true};
  static constexpr bool final_state = false;
  static unsigned first(Word* x, Word* y) { return write(x, 1), write(y, 1), 0; }
  static unsigned second(Word* x, Word* y) {
    const Word flag = read(y);
    return pair(flag, read(x));
  }
  static bool weak(unsigned, unsigned b, Word, Word) { return b == pair(1, 0); }
};
struct SB {
  static constexpr Info info{"SB", "a store after a later load", true, true};
  static constexpr bool final_state = false;
  static unsigned first(Word* x, Word* y) { return write(x, 1), read(y); }
  static unsigned second(Word* x, Word* y) { return write(y, 1), read(x); }
  static bool weak(unsigned a, unsigned b, Word, Word) { return a == 0 && b == 0; }
};
struct LB {
  static constexpr Info info{"LB", "a load after a later store", false, true};
  static constexpr bool final_state = false;
  static unsigned first(Word* x, Word* y) {
    const Word v = read(x);
    return write(y, 1), v;
  }
  static unsigned second(Word* x, Word* y) {
    const Word v = read(y);
    return write(x, 1), v;
  }
  static bool weak(unsigned a, unsigned b, Word, Word) { return a == 1 && b == 1; }
};
struct S {
  static constexpr Info info{"S", "two stores, or a load and a later store, in the other order", false, true};
  static constexpr bool final_state = true;
  static unsigned first(Word* x, Word* y) { return write(x, 2), write(y, 1), 0; }
  static unsigned second(Word* x, Word* y) {
    const Word v = read(y);
    return write(x, 1), v;
  }
  static bool weak(unsigned, unsigned b, Word x, Word) { return b == 1 && x == 2; }
};
struct R {
  static constexpr Info info{"R", "two stores in the other order, or a store after a later load", true, true};
  static constexpr bool final_state = true;
  static unsigned first(Word* x, Word* y) { return write(x, 1), write(y, 1), 0; }
  static unsigned second(Word* x, Word* y) { return write(y, 2), read(x); }
  static bool weak(unsigned, unsigned b, Word, Word y) { return b == 0 && y == 2; }
};
struct TwoPlusTwoW {
  static constexpr Info info{"2+2W", "two stores in the other order, on both sides", false, true};
  static constexpr bool final_state = true;
  static unsigned first(Word* x, Word* y) { return write(x, 1), write(y, 2), 0; }
  static unsigned second(Word* x, Word* y) { return write(y, 1), write(x, 2), 0; }
  static bool weak(unsigned, unsigned, Word x, Word y) { return x == 1 && y == 1; }
};
struct CoRR {
  static constexpr Info info{"CoRR", "two loads of one word in the other order: no CPU may", false, false};
  static constexpr bool final_state = false;
  static unsigned first(Word* x, Word*) { return write(x, 1), 0; }
  static unsigned second(Word* x, Word*) {
    const Word v = read(x);
    return pair(v, read(x));
  }
  static bool weak(unsigned, unsigned b, Word, Word) { return b == pair(1, 0); }
};

constexpr std::array<Info, 7> all{MP::info, SB::info, LB::info, S::info, R::info, TwoPlusTwoW::info, CoRR::info};

// operation<Shape>() of the shape with this index.
template <class F>
auto with_shape(std::size_t index, F operation) {
  switch (index) {
    case 0: return operation(MP{});
    case 1: return operation(SB{});
    case 2: return operation(LB{});
    case 3: return operation(S{});
    case 4: return operation(R{});
    case 5: return operation(TwoPlusTwoW{});
    default: return operation(CoRR{});
  }
}

}  // namespace race::hardware::shapes
