// A litmus test as the weak machine runs it: AArch64 instructions, decoded, over a few shared locations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/reductions.hpp"
#include "memory/order.hpp"
#include "memory/weak/machine.hpp"

namespace race::litmus {

constexpr unsigned zero_register = 31;
constexpr unsigned flags_register = 32;  // NZCV, as bits 3 to 0
constexpr unsigned registers = 33;

enum class Op : std::uint8_t {
  alu,              // d = function(n, m or imm)
  branch,           // to target, if condition(flags or n) holds; the condition is a function too
  load,             // d = [n + m + imm]
  store,            // [n + m + imm] = s
  load_exclusive,   // LDXR
  store_exclusive,  // STXR: d = status
  atomic,           // d = old [n]; [n] = function(old, s)
  compare_swap,     // if [n] == s then [n] = m; s = old [n]
  fence,
  isb,
};

struct Instruction {
  Op op{};
  std::uint8_t d = zero_register, n = zero_register, m = zero_register, s = zero_register;
  std::uint64_t imm = 0;
  bool immediate = false;      // alu: imm in place of m
  bool always = false;         // branch
  std::uint32_t target = 0;    // branch
  weak::Function function{};   // alu, atomic: the result; branch: does it branch?; load, store: extends m
  weak::Function flags{};      // alu: NZCV, or null
  std::uint64_t mask = ~0ull;  // of the values: 32 or 64 bits
  Order order = Order::plain;
  Fence fence = Fence::ish;
};

struct Initial {
  std::uint64_t value = 0;
  bool is_location = false;  // the address of location `value`
};

struct Thread {
  std::vector<std::pair<unsigned, Initial>> registers;
  std::vector<Instruction> code;
};

struct Observed {
  bool is_location = false;
  unsigned thread = 0, index = 0;  // register or location
};

struct Program {
  weak::Model model = weak::Model::armv8;
  bool exhaustive = false;
  bool by_orders = false;  // exhaustive: by GraphSearch, if the program is one for it; else by the search over states
  Reductions reductions;   // by_orders
  std::uint64_t seed = 1;
  std::vector<Initial> locations;
  std::vector<Thread> threads;
  std::vector<Observed> observe;
};

}  // namespace race::litmus
