#include "engine/placed_strategy.hpp"

#include <algorithm>

namespace race {

namespace {

constexpr std::uint32_t nobody =
    15;  // the CPU of what is asked before any has run: machines have at most 15 and the end

bool names_cpu(Choice k) { return k == Choice::schedule || k == Choice::preempt || k == Choice::preempt_sync; }
bool names_access(Choice k) { return k == Choice::commit || k == Choice::flush; }

}  // namespace

void PlacedStrategy::answer(const std::vector<Deviation>& deviations) {
  by_ordinal_ = true;
  for (const Deviation& d : deviations) {
    ordinals_[static_cast<std::size_t>(d.kind)][d.ordinal] = d.answer;
    late_ = late_ || d.kind == Choice::late;
  }
}

void PlacedStrategy::answer(const std::vector<Placed>& placed) {
  placed_.reserve(placed.size());
  for (const Placed& p : placed) {
    if (p.kind == Choice::flush) {
      flushes_[key(p.kind, p.at, 0)].push_back(p.access);
      continue;
    }
    placed_.emplace(key(p.kind, p.at, p.repeat), p);
    late_ = late_ || p.kind == Choice::late;
  }
}

std::array<std::uint32_t, choice_kinds> PlacedStrategy::begin() const {
  std::array<std::uint32_t, choice_kinds> skips{};
  if (!late_) skips[static_cast<std::size_t>(Choice::late)] = never;
  return skips;
}

// Waiting loops load the same word again, and how often differs; an atomic that reads its CPU's own held store shows as a load
// and an atomic.
bool PlacedStrategy::again(const weak::Event& e) const {
  using Kind = weak::Event::Kind;
  const weak::Event& before = newest_[e.cpu];
  if (before.address != e.address) return false;
  if (e.kind == Kind::load) return before.kind == Kind::load || before.kind == Kind::waits;
  return e.kind == Kind::rmw && before.kind == Kind::load && before.forwarded;
}

// The events since the last question.
void PlacedStrategy::catch_up() {
  for (; seen_ < trace_.events.size(); ++seen_) {
    const weak::Event& e = trace_.events[seen_];
    if (is_issue(e) && again(e) && counts_[e.cpu] != 0) {
      accesses_.push_back({e.cpu, counts_[e.cpu] - 1, ++turns_[e.cpu]});
    } else {
      accesses_.push_back({e.cpu, counts_[e.cpu], 0});
      if (is_issue(e)) {
        ++counts_[e.cpu];
        turns_[e.cpu] = 0;
      }
    }
    if (is_issue(e) || e.kind == weak::Event::Kind::waits) newest_[e.cpu] = e;
  }
}

Placed PlacedStrategy::place(Choice kind) {
  constexpr std::uint32_t waiting = 1u << 20;
  Placed p;
  p.kind = kind;
  p.step = static_cast<std::uint32_t>(trace_.events.size());
  const std::uint32_t cpu = p.step == 1 && !machine_.inside() ? nobody : machine_.current();
  Last& last = last_[static_cast<std::size_t>(kind)][cpu];
  // The n-th random operation stays the n-th, whatever those before it have become.
  if (kind == Choice::client) {
    p.at = {cpu, last.number++, 0};
    return p;
  }
  p.at = {cpu, counts_[cpu], 0};
  if (kind == Choice::flush) return p;  // where nobody can run, what is pending goes one after the other
  if (last.number != p.at.number) last = {p.at.number, 0, 0};
  // A turn of a waiting loop is no other place for what comes behind the loop.
  const bool waits = machine_.cpu(cpu).want_newest || newest_[cpu].kind == weak::Event::Kind::waits;
  p.repeat = waits ? waiting + last.asked_waiting++ : last.asked++;
  return p;
}

// A running CPU chooses among the others, and may have a last answer that it goes on itself; else it is whoever can run.
std::vector<unsigned> PlacedStrategy::candidates() const {
  std::vector<unsigned> all;
  const unsigned me = machine_.current();
  for (unsigned n = 0; n < weak::max_cpus; ++n)
    if ((machine_.runnable() >> n & 1) != 0 && !(machine_.inside() && n == me)) all.push_back(n);
  if (machine_.inside()) all.push_back(me);
  return all;
}

bool PlacedStrategy::name(Placed& p, std::uint32_t k) const {
  if (names_cpu(p.kind)) {
    const std::vector<unsigned> all = candidates();
    const std::uint32_t i = p.kind == Choice::schedule ? k : k - 1;
    if (i >= all.size()) return false;
    p.cpu = all[i];
  } else if (names_access(p.kind)) {
    std::uint32_t i = p.kind == Choice::flush ? k : k - 1;
    for (unsigned c = 0; c < weak::max_cpus; ++c) {
      const auto& pending = machine_.cpu(c).pending;
      if (i < pending.size()) {
        p.access = accesses_[machine_.pending(pending[i]).issue];
        return true;
      }
      i -= static_cast<std::uint32_t>(pending.size());
    }
    return false;
  } else {
    p.number = k;
  }
  return true;
}

bool PlacedStrategy::is_pending(Access a) const {
  for (unsigned c = 0; c < weak::max_cpus; ++c)
    for (const std::uint32_t n : machine_.cpu(c).pending)
      if (accesses_[machine_.pending(n).issue] == a) return true;
  return false;
}

std::uint32_t PlacedStrategy::number_of(const Placed& p, std::uint32_t n) const {
  std::uint32_t k = 0;
  if (names_cpu(p.kind)) {
    const std::vector<unsigned> all = candidates();
    const auto at = std::find(all.begin(), all.end(), p.cpu);
    if (at == all.end()) return 0;
    k = static_cast<std::uint32_t>(at - all.begin());
    if (p.kind != Choice::schedule) k = p.cpu == machine_.current() ? 0 : k + 1;
  } else if (names_access(p.kind)) {
    bool found = false;
    for (unsigned c = 0; c < weak::max_cpus && !found; ++c)
      for (const std::uint32_t pending : machine_.cpu(c).pending) {
        found = accesses_[machine_.pending(pending).issue] == p.access;
        if (found) break;
        ++k;
      }
    if (!found) return 0;
    if (p.kind == Choice::commit) ++k;
  } else {
    k = p.number;
  }
  return k < n ? k : 0;
}

Strategy::Answer PlacedStrategy::decide(Choice kind, std::uint32_t n) {
  catch_up();
  Placed p = place(kind);
  p.n = n;
  std::uint32_t answer = 0;
  const std::uint32_t ordinal = asked_[static_cast<std::size_t>(kind)]++;
  if (by_ordinal_) {
    const auto& of_kind = ordinals_[static_cast<std::size_t>(kind)];
    const auto at = of_kind.find(ordinal);
    if (at != of_kind.end() && at->second < n) answer = at->second;
    if (answer != 0 || kind == Choice::flush) name(p, answer);
  } else if (kind == Choice::flush) {
    std::deque<Access>& order = flushes_[key(kind, p.at, 0)];
    bool found = false;
    while (!found && !order.empty()) {
      p.access = order.front();
      order.pop_front();
      found = is_pending(p.access);
    }
    if (!found) return {0, 0};
    answer = number_of(p, n);
  } else if (const auto at = placed_.find(key(kind, p.at, p.repeat)); at != placed_.end()) {
    answer = number_of(at->second, n);
    p.number = at->second.number;
    p.cpu = at->second.cpu;
    p.access = at->second.access;
  }
  p.plain = answer == 0;
  if (!p.plain || kind == Choice::flush) used_.push_back(p);
  return {answer, 0};
}

std::vector<Placed> PlacedStrategy::used() const {
  std::vector<Placed> all;
  for (auto p = used_.rbegin(); p != used_.rend(); ++p)
    if (!p->plain || (!all.empty() && all.back().kind == Choice::flush && all.back().at == p->at)) all.push_back(*p);
  std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace race
