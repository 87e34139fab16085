#include "engine/crossings.hpp"

#include <algorithm>
#include <unordered_map>

namespace race {

using Kind = weak::Event::Kind;

// The accesses of each CPU in program order: a late one stands where it was issued.
void Crossings::read_accesses(const weak::Trace& trace) {
  const auto end = static_cast<std::uint32_t>(trace.events.size());
  for (Program& p : programs_) p.accesses.clear();
  place_.assign(end, 0);
  std::unordered_map<std::uint64_t, std::vector<weak::Time>> writes;  // of a word, in order
  std::vector<weak::Time> written(end);                               // by the event of the store
  for (weak::Time t = 1; t < trace.writer.size(); ++t) {
    if (trace.writer[t] == 0) continue;
    writes[trace.events[trace.writer[t]].address].push_back(t);
    written[trace.writer[t]] = t;
  }
  for (std::uint32_t n = 1; n < end; ++n) {
    const weak::Event& e = trace.events[n];
    if (e.kind != Kind::load && e.kind != Kind::late && e.kind != Kind::store && e.kind != Kind::rmw &&
        e.kind != Kind::commit)
      continue;
    if (e.cpu >= programs_.size()) programs_.resize(e.cpu + 1u);
    auto& all = programs_[e.cpu].accesses;
    // An atomic that reads a held store of its CPU shows as that load and itself.
    const weak::Event& before = trace.events[n - 1];
    const bool forwarded = e.kind == Kind::rmw && before.kind == Kind::load && before.forwarded &&
                           before.cpu == e.cpu && before.address == e.address;
    const bool late = (e.kind == Kind::load && !e.forwarded && e.issue != 0) || (e.kind == Kind::rmw && e.issue != 0);
    const bool again = e.kind == Kind::commit || late;
    if (!again && !forwarded) all.push_back({.at = n, .address = e.address});
    place_[n] = again ? place_[e.issue] : static_cast<std::uint32_t>(all.size() - 1);
    Access& a = all[place_[n]];
    if (e.kind == Kind::load || e.kind == Kind::rmw) {
      a.loads = true;
      a.first = n;
      a.read = e.forwarded || forwarded ? 0 : e.read;
    }
    if (e.stale) {
      const auto& times = writes[e.address];
      const auto next = std::upper_bound(times.begin(), times.end(), e.read);
      if (next != times.end()) a.overwritten = *next;
    }
    if (e.kind == Kind::store || e.kind == Kind::rmw) a.stores = true;
    if (e.kind == Kind::late || (a.stores && e.held && e.kind != Kind::commit)) {
      a.done = never;  // what comes later completes it
      continue;
    }
    a.done = n;
    if (!a.loads) a.first = n;
    if (a.stores) a.written = e.kind == Kind::commit ? e.time : written[n];
  }
  for (Program& p : programs_) {
    const std::size_t n = p.accesses.size();
    p.before.assign(n + 1, {});
    p.behind.assign(n + 1, {});
    for (std::size_t i = 0; i < n; ++i) {
      const Access& a = p.accesses[i];
      Before b = p.before[i];
      b.done = std::max(b.done, a.done);
      if (a.stores) b.stored = std::max(b.stored, a.done);
      b.time = std::max({b.time, a.read, a.written});
      b.read = std::max(b.read, a.read);
      p.before[i + 1] = b;
    }
    for (std::size_t i = n; i-- > 0;) {
      const Access& a = p.accesses[i];
      p.behind[i] = {std::min(p.behind[i + 1].first, a.first), std::min(p.behind[i + 1].overwritten, a.overwritten)};
    }
  }
}

bool Crossings::moved(const Program& p, const weak::Crossing& c) const {
  const auto& all = p.accesses;
  // The operation's own accesses: one, or all that a waiting lock makes to its words.
  const auto begin = static_cast<std::size_t>(
      std::lower_bound(all.begin(), all.end(), c.event, [](const Access& a, std::uint32_t at) { return a.at < at; }) -
      all.begin());
  if (begin == all.size()) return false;
  const Primitive primitive = sites()[c.site].primitive;
  const bool waits =
      primitive == Primitive::spin_lock || primitive == Primitive::read_lock || primitive == Primitive::write_lock;
  std::size_t end = begin + 1;
  while (waits && end < all.size() &&
         (all[end].address == all[begin].address || all[end].address == all[begin].address + 8))
    ++end;
  const Access& last = all[end - 1];

  const auto barrier = [&p](std::size_t at) {
    return (p.before[at].done > p.behind[at].first) || p.behind[at].overwritten <= p.before[at].time;
  };
  const auto acquired = [&](weak::Time time) {
    return p.behind[end].overwritten <= time || p.behind[end].first < last.first;
  };
  switch (base_[c.site]) {
    case Strength::none: return false;
    case Strength::release: return p.before[begin].done > all[begin].done;
    case Strength::dmb_ishst: return p.before[begin].stored > all[begin].done;
    case Strength::acquire: return acquired(last.read);
    case Strength::dmb_ishld: return acquired(std::max(p.before[begin].read, last.read));
    case Strength::dmb_ish: return barrier(begin);
    case Strength::full: return barrier(end) || p.before[begin].done > all[begin].done;
  }
  return false;
}

void Crossings::add(const weak::Trace& trace) {
  ++executions_;
  last_.resize(sites_.size());
  last_moved_.resize(sites_.size());
  read_accesses(trace);
  for (const weak::Crossing& c : trace.crossings) {
    SiteCrossings& site = sites_[c.site];
    ++site.times;
    if (last_[c.site] != executions_) {
      last_[c.site] = executions_;
      ++site.executions;
    }
    if (last_moved_[c.site] == executions_ || c.cpu >= programs_.size() || !moved(programs_[c.cpu], c)) continue;
    last_moved_[c.site] = executions_;
    ++site.tried;
  }
}

}  // namespace race
