#include "engine/minimise.hpp"

#include <algorithm>

namespace race {

namespace {

constexpr std::size_t most_accounted = 256;  // deviations

bool reorders(Choice k) {
  return k == Choice::delay || k == Choice::stale || k == Choice::late || k == Choice::commit || k == Choice::flush;
}
bool switches(Choice k) { return k == Choice::schedule || k == Choice::preempt || k == Choice::preempt_sync; }
bool anything_else(Choice k) { return !reorders(k) && !switches(k) && k != Choice::client; }
bool client(Choice k) { return k == Choice::client; }

std::vector<Placed> without(const std::vector<Placed>& all, const std::vector<std::size_t>& members, std::size_t first,
                            std::size_t last) {
  std::vector<Placed> rest;
  rest.reserve(all.size());
  std::size_t m = first;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (m < last && members[m] == i)
      ++m;
    else
      rest.push_back(all[i]);
  return rest;
}

}  // namespace

Ran Minimiser::attempt(const std::vector<Placed>& candidate) {
  progress_.executions.store(++executions_, std::memory_order_relaxed);
  Ran r = rerun_.placed(candidate);
  accesses_ += rerun_.machine().accesses() + candidate.size();
  return r;
}

// The same check of the same oracle, in the same function, for the same kind of value.
bool Minimiser::same(const Ran& r) const {
  if (!rerun_.found(r) || r.outcome.fault.oracle != wanted_.oracle || r.outcome.fault.what != wanted_.message)
    return false;
  const FindingRecord f = rerun_.explain(r).facts(r.outcome);
  return f.value_kind == wanted_.value_kind && f.function == wanted_.function;
}

bool Minimiser::accept(const std::vector<Placed>& candidate) {
  Ran r = attempt(candidate);
  if (r.cost > best_.cost || (r.cost == best_.cost && r.placed.size() >= best_.placed.size()) || !same(r)) return false;
  best_ = {std::move(r.placed), std::move(r.deviations), r.cost};
  progress_.reorderings.store(best_.cost.reorderings, std::memory_order_relaxed);
  progress_.switches.store(best_.cost.switches, std::memory_order_relaxed);
  return true;
}

std::vector<std::size_t> Minimiser::members(Group group) const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < best_.placed.size(); ++i)
    if (group(best_.placed[i].kind)) all.push_back(i);
  return all;
}

// Ever smaller pieces of the group, down to single deviations. What is left after each success is read from the execution
// itself: with one deviation others go.
bool Minimiser::remove(Group group) {
  bool any = false;
  std::vector<std::size_t> all = members(group);
  for (std::size_t piece = all.size(); piece != 0; piece /= 2)
    for (std::size_t first = 0; first < all.size() && !is_over();) {
      const std::size_t last = std::min(first + piece, all.size());
      if (accept(without(best_.placed, all, first, last))) {
        any = true;
        all = members(group);
      } else {
        first = last;
      }
    }
  return any;
}

// One deviation replaced by a plainer one.
bool Minimiser::simplify() {
  bool any = false;
  for (std::size_t i = 0; i < best_.placed.size() && !is_over(); ++i) {
    const Placed p = best_.placed[i];
    const auto attempt_with = [&](auto change) {
      std::vector<Placed> candidate = best_.placed;
      change(candidate[i]);
      const bool better = accept(candidate);
      any = any || better;
      return better;
    };
    if (p.kind == Choice::stale)
      for (std::uint32_t k = 1; k < p.number && !is_over(); ++k)
        if (attempt_with([k](Placed& q) { q.number = k; })) break;
    if (switches(p.kind))
      for (unsigned cpu = 0; cpu < rerun_.scenario().cpus() && !is_over(); ++cpu)
        if (cpu != p.cpu && attempt_with([cpu](Placed& q) { q.cpu = cpu; })) break;
  }
  return any;
}

std::string Minimiser::describe(const Explain& explain, const weak::Trace& trace, const Placed& p) const {
  const Scenario& s = rerun_.scenario();
  const auto at = [&](std::uint32_t step) { return " (step " + std::to_string(step) + ')'; };
  // The access that was asked about comes next, but perhaps behind others that it had to wait for.
  const auto next_of = [&](auto wanted) {
    std::uint32_t n = p.step;
    while (n < trace.events.size() && !wanted(trace.events[n])) ++n;
    return n;
  };
  const auto mine = [&](const weak::Event& e) { return e.cpu == p.at.cpu && is_issue(e); };
  using Kind = weak::Event::Kind;
  switch (p.kind) {
    case Choice::delay: {
      const std::uint32_t n = next_of([&](const weak::Event& e) { return mine(e) && e.kind != Kind::load; });
      return "held back: " + explain.text(n) + at(n);
    }
    case Choice::late: return "late: " + explain.text(next_of(mine)) + at(next_of(mine));
    case Choice::stale: {
      const std::uint32_t n = next_of([](const weak::Event& e) { return e.kind == Kind::load || e.kind == Kind::rmw; });
      return "early: " + explain.text(n) + at(n);
    }
    case Choice::commit:
    case Choice::flush: return "performed: " + explain.text(p.step) + at(p.step);
    case Choice::preempt:
    case Choice::preempt_sync: {
      std::uint32_t n = p.step;
      while (n < trace.events.size() && !(trace.events[n].cpu == p.at.cpu && is_issue(trace.events[n]))) ++n;
      const std::string before = n < trace.events.size() ? "before " + explain.text(n) : "for good";
      return std::string(s.thread_name(p.at.cpu)) + " is preempted" + at(p.step) + ' ' + before + "; " +
             s.thread_name(p.cpu) + " runs";
    }
    case Choice::schedule: return std::string(s.thread_name(p.cpu)) + " runs next" + at(p.step);
    case Choice::client:
      return std::string(s.thread_name(p.at.cpu)) + " draws " + std::to_string(p.number) + " of " +
             std::to_string(p.n) + " for its random operations" + at(p.step);
    case Choice::fail: return "fails for no reason: the store of an exclusive pair" + at(p.step);
    default: return "";
  }
}

// What is left, and what becomes of the execution without each.
std::vector<Needed> Minimiser::account() {
  std::vector<Needed> list;
  std::vector<std::size_t> members;
  const Ran whole = rerun_.placed(best_.placed);
  {
    const Explain explain = rerun_.explain(whole);
    for (std::size_t i = 0; i < whole.placed.size(); ++i) {
      if (whole.placed[i].plain) continue;
      list.push_back(
          {whole.placed[i].kind, whole.placed[i].step, describe(explain, whole.trace, whole.placed[i]), "", false});
      members.push_back(i);
    }
  }
  const std::uint64_t accesses = std::max(accesses_, limit_ * accesses_each) + most_accounted * accesses_each;
  const auto may = [&](std::size_t i) {
    return i < most_accounted && accesses_ < accesses && !cancelled_.load(std::memory_order_relaxed);
  };
  for (std::size_t i = 0; i < list.size() && may(i); ++i) {
    const Ran r = attempt(without(whole.placed, members, i, i + 1));
    list[i].necessary = !same(r);
    if (!list[i].necessary)
      list[i].without = "the same finding, with " + std::to_string(r.cost.reorderings) + " reorderings and " +
                        std::to_string(r.cost.switches) + " context switches";
    else if (rerun_.found(r))
      list[i].without = "another finding: " + std::string(info(r.outcome.fault.oracle).name) + ": " +
                        r.outcome.fault.what + " (in " + rerun_.explain(r).facts(r.outcome).function + ')';
    else
      list[i].without = "nothing is found";
  }
  return list;
}

Minimised Minimiser::run(const std::vector<Deviation>& deviations) {
  Minimised m;
  Ran first = rerun_.located(deviations);
  ++executions_;
  if (!rerun_.found(first)) return m;
  m.reproduced = true;
  m.before = first.cost;
  wanted_ = rerun_.explain(first).facts(first.outcome);
  best_ = {std::move(first.placed), std::move(first.deviations), first.cost};

  bool any = true;
  while (any && !is_over()) {
    any = false;
    for (const Group group : {Group{reorders}, Group{switches}, Group{anything_else}, Group{client}})
      any = remove(group) || any;
    if (!any) any = simplify();
  }
  m.complete = !any && !is_over();
  m.after = best_.cost;
  m.needed = account();
  const Ran last = rerun_.exactly(best_.deviations);
  m.finding = rerun_.explain(last).record(last.outcome);
  m.finding.deviations = best_.deviations;
  m.executions = executions_;
  return m;
}

}  // namespace race
