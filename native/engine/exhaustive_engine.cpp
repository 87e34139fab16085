#include "engine/exhaustive_engine.hpp"

#include <stdexcept>

namespace race {

ExhaustiveEngine::ExhaustiveEngine(weak::Machine& machine, SearchedWorkload& workload)
    : machine_(machine), workload_(workload), engine_(machine, workload) {
  search_.engine = this;
}

Outcome ExhaustiveEngine::run() {
  if (!set_up_) {
    if (const Outcome o = engine_.set_up(0); o.failed) return o;
    set_up_ = true;
  }
  search_.depth = 0;
  const Outcome o = engine_.explore(search_);
  complete_ = !search_.next();
  return o;
}

weak::Hash::Value ExhaustiveEngine::fingerprint(Choice kind) {
  weak::Hash h;
  h.add(static_cast<std::uint64_t>(kind) << 32 | machine_.current());
  for (unsigned n = 0; n < workload_.cpus(); ++n) {
    const CpuState s = workload_.state(n);
    h.add(s.at);
    for (const weak::Loaded& v : s.live) machine_.hash_value(v, h);
    machine_.hash(n, s.relevant, h);
  }
  machine_.hash_memory(h);
  return h.value();
}

// Also while a path is repeated: it must meet the same choices again.
void ExhaustiveEngine::Search::settle() {
  for (unsigned n = 0; n < engine->workload_.cpus(); ++n)
    if (!engine->machine_.cpu(n).loads.empty()) engine->machine_.forget_dead_loads(n, engine->workload_.state(n).live);
}

Strategy::Answer ExhaustiveEngine::Search::decide(Choice kind, std::uint32_t n) {
  if (kind != Choice::transition) settle();
  if (depth < path.size()) return {path[depth++].answer, 0};
  if (!seen.insert(engine->fingerprint(kind)).second) {
    engine->machine_.give_up();
    return {0, 0};
  }
  path.push_back({0, n});
  ++depth;
  return {0, 0};
}

bool ExhaustiveEngine::Search::next() {
  while (!path.empty() && ++path.back().answer == path.back().n) path.pop_back();
  return !path.empty();
}

}  // namespace race
