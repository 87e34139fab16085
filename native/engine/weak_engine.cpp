#include "engine/weak_engine.hpp"

#include <bit>
#include <stdexcept>
#include <string>
#include <utility>

#include "memory/weak/types.hpp"

namespace race {

using weak::Leave;

WeakEngine::WeakEngine(weak::Machine& machine, Workload& workload, std::uint64_t step_limit)
    : machine_(machine),
      workload_(workload),
      cpus_(workload.cpus()),
      step_limit_(step_limit != 0 ? step_limit : 1ull << 32),
      automatic_limit_(step_limit == 0) {
  if (cpus_ >= weak::max_cpus) throw std::invalid_argument("a scenario has at most 15 threads");
  for (unsigned n = 0; n <= cpus_; ++n) slots_[n] = std::unique_ptr<Slot>(new Slot{this, n, true, {}});
  machine_.leave = &WeakEngine::leave;
  machine_.scheduler = this;
}

void WeakEngine::leave(weak::Machine&, void* self) { static_cast<WeakEngine*>(self)->running_->fibre.suspend(); }

void WeakEngine::entry(void* p) {
  auto* slot = static_cast<Slot*>(p);
  WeakEngine& e = *slot->engine;
  try {
    switch (e.phase_) {
      case Phase::set_up: e.workload_.set_up(); break;
      case Phase::threads: e.workload_.thread(slot->cpu); break;
      case Phase::finish: e.workload_.finish(); break;
    }
    e.machine_.finish_cpu();
  } catch (...) {
    // Nobody called this function, so nobody could catch it: whoever resumed the fibre gets it.
    e.thrown_ = std::current_exception();
  }
  slot->fibre.suspend();
}

bool WeakEngine::resume(unsigned cpu) {
  running_ = slots_[cpu].get();
  if (running_->fresh) {
    running_->fresh = false;
    running_->fibre.prepare(&WeakEngine::entry, running_);
  }
  machine_.enter(cpu);
  running_->fibre.resume();
  machine_.outside();
  if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
  return machine_.reason != Leave::failed && machine_.reason != Leave::abandoned;
}

bool WeakEngine::alone(Phase phase, unsigned cpu) {
  phase_ = phase;
  slots_[cpu]->fresh = true;
  if (!resume(cpu)) return false;
  if (machine_.reason == Leave::finished) return true;
  machine_.fault = {Oracle::deadlock, "waits for itself", 0, -1, 0, 0};
  machine_.reason = Leave::failed;
  return false;
}

Outcome WeakEngine::outcome() const {
  Outcome o;
  o.failed = machine_.reason == Leave::failed;
  o.abandoned = machine_.abandoned();
  if (!o.failed) return o;
  o.fault = machine_.fault;
  o.cpu = machine_.current();
  o.function = machine_.cpu(o.cpu).function;
  o.site = machine_.cpu(o.cpu).site;
  return o;
}

Outcome WeakEngine::set_up(std::uint64_t seed) {
  weak::current = &machine_;
  PlainStrategy plain(seed);
  machine_.search(false);
  machine_.begin(1, step_limit_);
  machine_.chooser.begin(&plain, PlainStrategy::begin());
  if (!alone(Phase::set_up, 0)) return outcome();
  machine_.checkpoint();
  set_up_ = true;
  return {};
}

Outcome WeakEngine::prepare(std::uint64_t seed) {
  if (const Outcome o = set_up(seed); o.failed) return o;
  PlainStrategy plain(seed);
  const Outcome o = run(plain, PlainStrategy::begin());
  for (std::size_t k = 0; k < choice_kinds; ++k) extent_[k] = machine_.chooser.asked(static_cast<Choice>(k));
  // Positions are drawn over the whole program, whichever CPU runs first.
  extent_[static_cast<std::size_t>(Choice::preempt_sync)] = machine_.sync_accesses();
  extent_[static_cast<std::size_t>(Choice::preempt)] =
      static_cast<std::uint32_t>(machine_.accesses()) - machine_.sync_accesses();
  if (automatic_limit_) step_limit_ = 100'000 + 64 * machine_.accesses();
  machine_.rewind();
  return o;
}

// Every CPU issues what it can; then one of the transitions of what is pending happens, and its CPU goes on.
Outcome WeakEngine::explore(SearchStrategy& search) {
  weak::current = &machine_;
  machine_.rewind();
  machine_.search(true);
  machine_.begin(cpus_, 1ull << 32);
  std::array<std::uint32_t, choice_kinds> skips{};
  for (const Choice k :
       {Choice::preempt, Choice::preempt_sync, Choice::delay, Choice::commit, Choice::stale, Choice::late})
    skips[static_cast<std::size_t>(k)] = Strategy::never;
  machine_.chooser.begin(&search, skips);
  workload_.begin(machine_);
  phase_ = Phase::threads;
  for (unsigned n = 0; n < cpus_; ++n) slots_[n]->fresh = true;
  for (;;) {
    do {
      while (machine_.runnable() != 0)
        if (!resume(static_cast<unsigned>(std::countr_zero(machine_.runnable())))) return outcome();
      search.settle();
    } while (machine_.runnable() != 0);
    machine_.transitions(transitions_);
    if (transitions_.empty()) break;
    const std::uint32_t k =
        machine_.chooser.choose(Choice::transition, static_cast<std::uint32_t>(transitions_.size()));
    if (!machine_.abandoned()) machine_.perform(transitions_[k]);
    if (machine_.abandoned()) return outcome();
  }
  Outcome o = outcome();
  o.abandoned = !machine_.complete();
  return o;
}

namespace {

// A graph leaves no question to a strategy; what the program itself draws cannot be explored.
class NoStrategy final : public Strategy {
  Answer decide(Choice kind, std::uint32_t) override {
    throw std::runtime_error("the exhaustive engine explores no random operations (" +
                             std::string(choice_names[static_cast<std::size_t>(kind)]) + " was drawn)");
  }
};

}  // namespace

Outcome WeakEngine::explore(weak::Graph& graph, weak::Guide& guide, GraphSchedule& schedule, std::uint32_t width) {
  weak::current = &machine_;
  machine_.use(nullptr);
  machine_.rewind();
  machine_.use(&graph);
  machine_.begin(cpus_, step_limit_);
  graph.begin(&guide, cpus_, width);
  NoStrategy no_strategy;
  std::array<std::uint32_t, choice_kinds> skips{};
  for (const Choice k : {Choice::preempt, Choice::preempt_sync, Choice::delay, Choice::commit})
    skips[static_cast<std::size_t>(k)] = Strategy::never;
  machine_.chooser.begin(&no_strategy, skips);
  workload_.begin(machine_);
  phase_ = Phase::threads;
  for (unsigned n = 0; n < cpus_; ++n) slots_[n]->fresh = true;
  unsigned cpu = 0;
  while (schedule.next(cpu)) {
    if (resume(cpu)) continue;
    const Outcome o = outcome();
    if (!o.failed) return o;
    // For the others that CPU is as one that is slow: they go on, so that what they do is explored too.
    schedule.failed(o);
    machine_.finish_cpu();
  }
  return outcome();
}

Outcome WeakEngine::finish() {
  if (!workload_.has_finish()) return {};
  machine_.begin_last_checks(cpus_);
  alone(Phase::finish, cpus_);
  return outcome();
}

Outcome WeakEngine::deadlock(unsigned cpu, std::uint32_t word) {
  machine_.enter(cpu);
  machine_.outside();
  const std::uint64_t where = weak::Machine::address_base + 8ull * word;
  machine_.fault = {Oracle::deadlock, "waits for a store that nobody will make", 0, -1, 0, where};
  if (sites()[machine_.cpu(cpu).site].primitive == Primitive::wait_event)
    machine_.fault = {Oracle::lost_wakeup, "sleeps, and nobody will wake it", 0, -1, 0, where};
  machine_.reason = Leave::failed;
  return outcome();
}

Outcome WeakEngine::run(Strategy& strategy, const std::array<std::uint32_t, choice_kinds>& skips) {
  weak::current = &machine_;
  machine_.rewind();
  machine_.begin(cpus_, step_limit_);
  auto wanted = skips;
  if (machine_.model() == weak::Model::sc)
    wanted[static_cast<std::size_t>(Choice::delay)] = Strategy::never;  // saves asking
  machine_.late_loads(machine_.model() == weak::Model::armv8 &&
                      skips[static_cast<std::size_t>(Choice::late)] != Strategy::never);
  machine_.chooser.begin(&strategy, wanted);
  workload_.begin(machine_);
  try {
    return execute();
  } catch (const weak::Abandoned&) {
    return outcome();
  }
}

Outcome WeakEngine::execute() {
  phase_ = Phase::threads;
  for (unsigned n = 0; n < cpus_; ++n) slots_[n]->fresh = true;
  const auto pick = [this] {  // the k-th CPU that can run
    std::uint32_t mask = machine_.runnable();
    if ((mask & (mask - 1)) != 0) {
      const auto n = static_cast<std::uint32_t>(std::popcount(mask));
      for (std::uint32_t k = machine_.chooser.choose(Choice::schedule, n); k != 0; --k) mask &= mask - 1;
    }
    return static_cast<unsigned>(std::countr_zero(mask));
  };
  for (unsigned next = pick();;) {
    if (!resume(next)) return outcome();
    if (machine_.reason == Leave::preempted) {
      next = machine_.wanted;
      continue;
    }
    while (machine_.runnable() == 0 && machine_.anything_pending()) machine_.flush();
    if (machine_.runnable() == 0) break;
    next = pick();
  }
  for (std::uint32_t m = machine_.waiting(); m != 0; m &= m - 1) {
    const auto n = static_cast<unsigned>(std::countr_zero(m));
    if (machine_.cpu(n).daemon) continue;
    return deadlock(n, machine_.cpu(n).waits_for);
  }
  if (workload_.has_finish()) {
    machine_.begin_last_checks(cpus_);
    alone(Phase::finish, cpus_);
  }
  return outcome();
}

}  // namespace race
