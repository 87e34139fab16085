#include "engine/graph_execution.hpp"

#include <algorithm>

namespace race {

GraphExecution::GraphExecution(const weak::Graph& graph, unsigned cpus, const Outcome& found)
    : programs(cpus), outcome(found) {
  const std::vector<std::uint32_t>& order = graph.order();
  const auto performed = [&](std::uint32_t n) {
    const weak::Graph::Access& a = graph.access(n);
    return a.performed && a.at < order.size() && order[a.at] == n;
  };
  std::vector<std::uint32_t> index{none};  // of each access of the graph
  for (unsigned cpu = 0; cpu < cpus; ++cpu) waits.push_back(graph.waiting(cpu).waits);
  for (unsigned cpu = 0; cpu < cpus; ++cpu)
    for (std::uint32_t k = 1; k <= graph.issued(cpu); ++k) {
      const std::uint32_t n = graph.find(weak::make_id(cpu, k));
      const weak::Graph::Access& from = graph.access(n);
      index.resize(std::max<std::size_t>(index.size(), n + 1), none);
      // What its CPU still waits for it has not done; the store of an atomic that found another value never was.
      // An access to freed memory fails where it is issued.
      if ((!performed(n) && (from.by_cpu || from.performed)) || from.dangling) continue;
      index[n] = static_cast<std::uint32_t>(accesses.size());
      Access& to = accesses.emplace_back();
      to.word = from.word;
      to.write = from.write;
      to.ghost = from.host;
      to.acquire = from.acquire;
      to.release = from.release;
      to.performed = performed(n);
      to.bit = from.at;
      programs[cpu].push_back(index[n]);
    }
  width = static_cast<std::uint32_t>((order.size() + 63) / 64);
  pasts.reserve(order.size() * width);
  for (const std::uint32_t n : order) {
    const weak::Graph::Access& from = graph.access(n);
    const std::uint64_t* bits = graph.sets().bits(from.past);
    pasts.insert(pasts.end(), bits, bits + width);
    if (index[n] == none) continue;
    Access& to = accesses[index[n]];
    to.base = from.base == 0 ? none : index[from.base];
    if (to.write) to.place = to.base == none ? 1 : accesses[to.base].place + 1;
  }
  for (std::uint32_t n = 1; n < index.size(); ++n)
    if (index[n] != none && graph.access(n).pair != 0) accesses[index[n]].pair = index[graph.access(n).pair];
  for (const weak::Graph::Free& f : graph.frees())
    if (f.write < index.size() && index[f.write] != none) frees.push_back({index[f.write], f.first, f.words});
}

void GraphExecution::leave_out_end_of(unsigned cpu) {
  std::vector<std::uint32_t>& mine = programs[cpu];
  const auto needed = [&](std::uint32_t n) {
    if (!accesses[n].performed) return false;
    for (unsigned other = 0; other < programs.size(); ++other)
      if (other != cpu && std::any_of(programs[other].begin(), programs[other].end(),
                                      [&](std::uint32_t m) { return accesses[m].performed && comes_before(n, m); }))
        return true;
    return false;
  };
  while (!mine.empty() && !needed(mine.back())) mine.pop_back();
}

}  // namespace race
