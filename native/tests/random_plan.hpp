// Small random scenarios of every operation that an engine can explore.
#pragma once

#include "engine/random.hpp"
#include "tests/plans.hpp"

namespace race::test {

// Threads of at most `most` operations. Each has two slots of its own, one of them filled; the objects share zspages.
inline Plan random_plan(std::uint64_t seed, std::uint32_t threads, std::uint32_t most) {
  Rng rng(Rng::mix(seed));
  Plan p;
  p.page_size = 256;
  p.frames = 48;
  p.oracles = ~0u;
  p.slots = std::vector<std::string>(2 * threads + 2);
  const std::uint32_t sizes[] = {request_of(256, 2, 3), request_of(256, 1, 4), request_of(256, 1, 2)};
  const std::uint32_t size = sizes[rng.below(3)];
  // Holes between the objects that stay: somebody else's, which no thread frees.
  for (std::uint32_t slot = 0; slot < p.slots.size(); ++slot)
    if (slot % 2 == 0 || rng.below(2) == 0) p.setup.push_back(step(Op::allocate, slot, size));
  for (std::uint32_t slot = 0; slot < 2 * threads; slot += 2)
    if (rng.below(2) == 0) p.setup.push_back(step(Op::write, slot));
  for (std::uint32_t slot = 1; slot < p.slots.size(); slot += 2) p.setup.push_back(step(Op::free, slot));
  const Op ops[] = {Op::allocate, Op::allocate, Op::free,       Op::free,    Op::write,
                    Op::read,     Op::update,   Op::migrate,    Op::migrate, Op::isolate_putback,
                    Op::compact,  Op::reclaim,  Op::can_compact};
  for (std::uint32_t t = 0; t < threads; ++t) {
    ThreadProgram program{std::string(1, static_cast<char>('a' + t)), {}};
    for (std::uint32_t n = 1 + rng.below(most); n != 0; --n) {
      const Op op = ops[rng.below(std::size(ops))];
      const bool any = op == Op::migrate || op == Op::isolate_putback;  // of any zspage
      const std::uint32_t slot = any ? 2 * rng.below(threads) : 2 * t + (op == Op::allocate ? 1 : 0);
      program.steps.push_back(step(op, slot, size, rng.below(2)));
    }
    p.threads.push_back(program);
  }
  return p;
}

inline std::string describe(const Plan& p) {
  std::string s = "size " + std::to_string(p.setup.front().size) + "; setup";
  const auto add = [&s](const Step& one) {
    s += ' ' + std::string(op_names[static_cast<std::size_t>(one.op)]) + '(' + std::to_string(one.slot);
    if (one.op == Op::migrate || one.op == Op::isolate_putback) s += ", page " + std::to_string(one.page);
    s += ')';
  };
  for (const Step& one : p.setup) add(one);
  for (const ThreadProgram& t : p.threads) {
    s += "; " + t.name + ':';
    for (const Step& one : t.steps) add(one);
  }
  return s;
}

}  // namespace race::test
