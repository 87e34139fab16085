#include "engine/rerun.hpp"

#include <utility>

namespace race {

using weak::Event;
using Kind = Event::Kind;

namespace {

// For as long as this lives, whatever is thrown.
template <class T>
class Set {
 public:
  Set(T& what, T value) : what_(what), old_(std::exchange(what, value)) {}
  ~Set() { what_ = old_; }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

 private:
  T& what_;
  T old_;
};

bool same(const Event& a, const Event& b) {
  return a.kind == b.kind && a.cpu == b.cpu && a.address == b.address && a.value == b.value && a.held == b.held &&
         a.stale == b.stale;
}

// The next event that is more than a barrier or the scheduler's.
std::uint32_t next_access(const weak::Trace& t, std::uint32_t n) {
  do ++n;
  while (n < t.events.size() && (t.events[n].kind == Kind::fence || t.events[n].kind == Kind::runs));
  return n;
}

std::string misfit_text(const Misfit& m) {
  std::string text = std::string(choice_names[static_cast<std::size_t>(m.deviation.kind)]) + " question " +
                     std::to_string(m.deviation.ordinal) + ": ";
  if (m.answers == 0) return text + "the execution ended at step " + std::to_string(m.step) + " without it";
  return text + "at step " + std::to_string(m.step) + " it has no answer " + std::to_string(m.deviation.answer);
}

}  // namespace

Cost cost_of(const weak::Trace& trace, unsigned cpus) {
  Cost c;
  std::array<std::uint32_t, weak::max_cpus> last{};  // access that each CPU issued
  std::vector<bool> open(trace.events.size());       // held stores and late accesses
  unsigned runs = weak::max_cpus;
  const auto overtaken = [&](std::uint32_t issue) { return last[trace.events[issue].cpu] > issue; };
  for (std::uint32_t n = 1; n < trace.events.size(); ++n) {
    const Event& e = trace.events[n];
    if (e.cpu >= cpus || e.kind == Kind::runs || e.kind == Kind::fault) continue;
    const bool performed = (e.kind == Kind::load && !e.forwarded) || e.kind == Kind::rmw || e.kind == Kind::commit;
    const bool later = performed && e.issue != 0;
    if (later) open[e.issue] = false;
    if (e.stale || (later && overtaken(e.issue))) ++c.reorderings;
    if (later) continue;
    if (std::exchange(runs, e.cpu) != e.cpu) ++c.switches;
    if (is_issue(e)) last[e.cpu] = n;
    open[n] = e.kind == Kind::late || ((e.kind == Kind::store || e.kind == Kind::rmw) && e.held);
  }
  for (std::uint32_t n = 1; n < trace.events.size(); ++n) c.reorderings += open[n] && overtaken(n) ? 1 : 0;
  if (c.switches != 0) --c.switches;  // the first to run
  return c;
}

template <class F>
void Rerun::traced(Ran& r, F run) {
  const Set<weak::Trace*> tracing(machine_.trace, &r.trace);
  r.outcome = run();
  r.deviations = machine_.chooser.deviations();
  r.cost = cost_of(r.trace, scenario_.cpus());
  r.cost.deviations = static_cast<std::uint32_t>(r.deviations.size());
}

Ran Rerun::exactly(const std::vector<Deviation>& deviations) {
  Ran r;
  ReplayStrategy strategy(deviations, &r.trace);
  traced(r, [&] { return engine_.run(strategy, strategy.begin()); });
  r.misfit = strategy.misfit();
  return r;
}

template <class D>
Ran Rerun::by_place(const D& deviations) {
  Ran r;
  PlacedStrategy strategy(machine_, r.trace);
  strategy.answer(deviations);
  traced(r, [&] { return engine_.run(strategy, strategy.begin()); });
  r.placed = strategy.used();
  return r;
}

Ran Rerun::located(const std::vector<Deviation>& deviations) { return by_place(deviations); }
Ran Rerun::placed(const std::vector<Placed>& placed) { return by_place(placed); }

bool Rerun::found(const Ran& r) const {
  return r.outcome.failed && (machine_.judged >> static_cast<unsigned>(r.outcome.fault.oracle) & 1) != 0;
}

Replayed replay(Rerun& rerun, const std::vector<Deviation>& deviations, const BarrierPlan* changed) {
  Replayed result;
  const auto finish = [&](const Ran& r) {
    result.cost = r.cost;
    if (!rerun.found(r)) return;
    result.finding = rerun.explain(r).record(r.outcome);
    result.finding->deviations = r.deviations;
  };
  Ran old = rerun.exactly(deviations);
  if (old.misfit) result.misfit = misfit_text(*old.misfit);
  if (changed == nullptr) {
    finish(old);
    return result;
  }

  old = rerun.located(deviations);
  const Explain::Focus focus = rerun.explain(old).focus(old.outcome);
  std::uint32_t n = 0, m = 0;
  {
    const Set<BarrierPlan> plan(rerun.machine().plan, *changed);
    const Ran now = rerun.placed(old.placed);
    finish(now);
    if (!result.finding) result.steps = rerun.explain(now).steps(focus, result.steps_left_out);
    do {
      n = next_access(old.trace, n);
      m = next_access(now.trace, m);
    } while (n < old.trace.events.size() && m < now.trace.events.size() &&
             same(old.trace.events[n], now.trace.events[m]));
    if (n == old.trace.events.size() && m == now.trace.events.size()) return result;
    result.diverged = Divergence{m, n, rerun.explain(now).text(m), ""};
  }
  old = rerun.located(deviations);  // once more: the words have their names at the end of its own execution
  result.diverged->before = rerun.explain(old).text(n);
  return result;
}

}  // namespace race
