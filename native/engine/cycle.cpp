#include "engine/cycle.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <queue>
#include <tuple>

#include "engine/describe.hpp"

namespace race {

namespace {

using weak::Event;
using Kind = Event::Kind;

constexpr std::uint32_t never = std::numeric_limits<std::uint32_t>::max();
constexpr unsigned most_tried = 400;  // loads through which a cycle is looked for

// An access as the axioms see it. Nodes are sorted by CPU, then by program order.
struct Node {
  std::uint32_t event = 0;
  std::uint32_t position = 0;   // in program order: where it was issued
  std::uint32_t written = 0;    // its place in the order of commits; never: not committed; 0: it is no write
  std::uint32_t performed = 0;  // the event at which a write was committed
  int reads = -1;               // the node that it reads from; -1: what the set-up left
  std::uint32_t after = 0;      // a read: what it reads was committed then
  SiteId site = no_site;
  unsigned cpu = 0;
  bool is_read = false;
};

// The access of a site that carries its order. A compare-and-swap that fails is not the one that took the lock.
bool carries(Primitive p, const Node& node, Kind kind) {
  switch (p) {
    case Primitive::spin_lock: return kind == Kind::load;
    case Primitive::spin_unlock:
    case Primitive::write_unlock: return kind == Kind::store;
    default: return kind == Kind::rmw && node.written != 0;
  }
}

enum class Edge : std::uint8_t { program_order, rf, co, fr };
constexpr std::array<const char*, 4> edge_names{"po", "rf", "co", "fr"};

class Graph {
 public:
  explicit Graph(const weak::Trace& trace, unsigned cpus) : trace_(trace) {
    collect(cpus);
    place_sites();
  }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Event& event(int n) const { return trace_.events[nodes_[static_cast<std::size_t>(n)].event]; }
  int node_of(std::uint32_t event) const {
    const auto n = by_event_.find(event);
    return n == by_event_.end() ? -1 : n->second;
  }

  struct Hop {
    int from, to;
    Edge edge;
  };
  // The cycle that leaves the read by fr, with as few communications as possible; empty: there is none.
  std::vector<Hop> cycle(int read) const;
  // External writes to the same word that come after what the node read or wrote.
  std::vector<int> later_writes(int n) const;

 private:
  void collect(unsigned cpus);
  void place_sites();
  const Node& at(int n) const { return nodes_[static_cast<std::size_t>(n)]; }
  int next(int n) const {  // in program order
    const auto m = static_cast<std::size_t>(n) + 1;
    return m < nodes_.size() && nodes_[m].cpu == at(n).cpu ? static_cast<int>(m) : -1;
  }

  bool is(int n, Side side) const { return at(n).site != no_site && info(sites()[at(n).site].primitive).side == side; }

  const weak::Trace& trace_;
  std::vector<Node> nodes_;
  std::map<std::uint32_t, int> by_event_;
  std::map<std::uint64_t, std::vector<int>> writes_, reads_;  // of an address
};

void Graph::collect(unsigned cpus) {
  std::vector<std::uint32_t> committed(trace_.events.size()), commit_event(trace_.events.size());
  for (std::uint32_t time = 1; time < trace_.writer.size(); ++time) committed[trace_.writer[time]] = time;
  for (std::uint32_t n = 1; n < trace_.events.size(); ++n)
    if (trace_.events[n].kind == Kind::commit) commit_event[trace_.events[n].issue] = n;

  for (std::uint32_t n = 1; n < trace_.events.size(); ++n) {
    const Event& e = trace_.events[n];
    if (e.cpu >= cpus || (e.kind != Kind::load && e.kind != Kind::store && e.kind != Kind::rmw)) continue;
    Node node;
    node.event = n;
    node.cpu = e.cpu;
    node.is_read = e.kind != Kind::store;
    node.position = e.kind != Kind::store && e.issue != 0 && !e.forwarded ? e.issue : n;
    if (e.kind != Kind::load) node.written = committed[n] != 0 ? committed[n] : e.held ? never : 0;
    node.performed = !e.held ? n : commit_event[n];
    node.after = e.read;
    nodes_.push_back(node);
  }
  std::sort(nodes_.begin(), nodes_.end(),
            [](const Node& a, const Node& b) { return std::tie(a.cpu, a.position) < std::tie(b.cpu, b.position); });
  for (int n = 0; n < static_cast<int>(nodes_.size()); ++n) {
    by_event_[at(n).event] = n;
    if (at(n).written != 0) writes_[event(n).address].push_back(n);
    if (at(n).is_read) reads_[event(n).address].push_back(n);
  }
  for (Node& node : nodes_) {
    if (!node.is_read) continue;
    const Event& e = trace_.events[node.event];
    if (e.forwarded) {  // from a store that may not be visible yet
      node.reads = node_of(e.issue);
      if (node.reads >= 0) node.after = at(node.reads).written;
    } else if (e.read < trace_.writer.size() && trace_.writer[e.read] != 0) {
      node.reads = node_of(trace_.writer[e.read]);
    }
  }
}

void Graph::place_sites() {
  for (const weak::Crossing& c : trace_.crossings) {
    const Primitive p = sites()[c.site].primitive;
    const auto from = std::lower_bound(nodes_.begin(), nodes_.end(), c, [](const Node& n, const weak::Crossing& x) {
      return std::tuple(n.cpu, n.position) < std::tuple(static_cast<unsigned>(x.cpu), x.event);
    });
    const auto of_site = [&](const Node& n) { return n.cpu == c.cpu && trace_.events[n.event].site == c.site; };
    auto carrier = std::find_if(
        from, nodes_.end(), [&](const Node& n) { return !of_site(n) || carries(p, n, trace_.events[n.event].kind); });
    if (carrier == nodes_.end() || !of_site(*carrier)) continue;
    // Of the loads of a lock that had to wait, the last one took it.
    const auto again = [&](const Node& n) {
      return of_site(n) && trace_.events[n.event].kind == Kind::load &&
             trace_.events[n.event].address == trace_.events[carrier->event].address;
    };
    while (p == Primitive::spin_lock && carrier + 1 != nodes_.end() && again(*(carrier + 1))) ++carrier;
    carrier->site = c.site;
  }
}

std::vector<int> Graph::later_writes(int n) const {
  std::vector<int> later;
  const auto here = writes_.find(event(n).address);
  if (here == writes_.end()) return later;
  const std::uint32_t since = at(n).written != 0 ? at(n).written : at(n).after;
  for (const int w : here->second)
    if (at(w).cpu != at(n).cpu && at(w).written > since) later.push_back(w);
  return later;
}

std::vector<Graph::Hop> Graph::cycle(int read) const {
  // What is paid for a communication. A few from an unlock to a lock are better than one that no site takes part in: the
  // first can be forbidden by ordering the sites.
  constexpr unsigned unlock_to_lock = 10, reads_from = 41, otherwise = 42;
  std::vector<unsigned> cost(nodes_.size(), never);
  std::vector<Hop> came(nodes_.size(), Hop{-1, -1, Edge::program_order});
  using Entry = std::pair<unsigned, int>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const auto reach = [&](int from, int to, Edge edge, unsigned price) {
    if (price >= cost[static_cast<std::size_t>(to)]) return;
    cost[static_cast<std::size_t>(to)] = price;
    came[static_cast<std::size_t>(to)] = {from, to, edge};
    open.push({price, to});
  };
  for (const int w : later_writes(read)) reach(read, w, Edge::fr, 0);
  while (!open.empty()) {
    const auto [price, n] = open.top();
    open.pop();
    if (price != cost[static_cast<std::size_t>(n)]) continue;
    if (n == read) break;
    if (const int m = next(n); m >= 0) reach(n, m, Edge::program_order, price);
    if (at(n).written != 0) {
      if (const auto readers = reads_.find(event(n).address); readers != reads_.end())
        for (const int r : readers->second)
          if (at(r).reads == n && at(r).cpu != at(n).cpu)
            reach(n, r, Edge::rf, price + (is(n, Side::unlock) && is(r, Side::lock) ? unlock_to_lock : reads_from));
    }
    for (const int w : later_writes(n)) reach(n, w, at(n).written != 0 ? Edge::co : Edge::fr, price + otherwise);
  }
  std::vector<Hop> hops;
  if (cost[static_cast<std::size_t>(read)] == never) return hops;
  int n = read;
  do {
    hops.push_back(came[static_cast<std::size_t>(n)]);
    n = hops.back().from;
  } while (n != read);
  std::reverse(hops.begin(), hops.end());
  return hops;
}

// From the way around to the accesses that a test of it needs.
class Builder {
 public:
  Builder(const Graph& graph, const weak::Machine& machine, const Scenario& scenario)
      : graph_(graph), machine_(machine), scenario_(scenario), describe_(machine, scenario) {}

  Cycle build(const std::vector<Graph::Hop>& hops) {
    std::map<int, bool> kept;  // node -> is it in the cycle
    int arrived = -1;          // where the segment of program order began
    for (const Graph::Hop& h : hops) {
      if (h.edge == Edge::program_order) continue;
      if (arrived >= 0) segment(arrived, h.from, kept);
      kept[h.from] = kept[h.to] = true;
      arrived = h.to;
    }
    segment(arrived, hops.front().from, kept);

    Cycle c;
    for (const auto& [n, in_cycle] : kept) add(c, n, in_cycle);
    order_writes(c);
    for (const Graph::Hop& h : hops)
      if (h.edge != Edge::program_order)
        c.communications.push_back({index_[h.from], index_[h.to], edge_names[static_cast<std::size_t>(h.edge)]});
    return c;
  }

 private:
  // Of each site between the two only the last access is kept: they would order the same.
  void segment(int first, int last, std::map<int, bool>& kept) const {
    std::map<SiteId, int> of;
    for (int n = first + 1; n < last; ++n)
      if (const SiteId s = graph_.nodes()[static_cast<std::size_t>(n)].site; s != no_site) of[s] = n;
    for (const auto& [site, n] : of) kept.emplace(n, false);
  }

  void add(Cycle& c, int n, bool in_cycle) {
    constexpr std::array<const char*, 5> kinds{"load", "", "store", "", "atomic"};
    const Node& node = graph_.nodes()[static_cast<std::size_t>(n)];
    const Event& e = graph_.event(n);
    CycleAccess a;
    a.step = node.position;
    a.performed = node.is_read && node.written == 0 ? node.event : node.performed;
    a.cpu = node.cpu;
    a.kind = kinds[static_cast<std::size_t>(e.kind)];
    a.thread = scenario_.thread_name(node.cpu);
    a.function = e.function;
    a.place = describe_.word(e.address);
    a.value = hex(e.value);
    a.location = locations_.emplace(e.address, static_cast<unsigned>(locations_.size())).first->second;
    a.in_cycle = in_cycle;
    if (node.site != no_site) {
      const Site& s = sites()[node.site];
      a.site = s.name;
      a.primitive = info(s.primitive).name;
      a.strength = name(machine_.plan[node.site]);
    }
    if (const auto from = index_.find(node.reads); node.reads >= 0 && from != index_.end())
      a.reads = static_cast<int>(from->second);
    index_[n] = static_cast<unsigned>(c.accesses.size());
    nodes_.push_back(n);
    c.accesses.push_back(std::move(a));
  }

  void order_writes(Cycle& c) {
    std::map<unsigned, std::vector<unsigned>> writes;
    for (unsigned i = 0; i < c.accesses.size(); ++i) {
      const Node& node = graph_.nodes()[static_cast<std::size_t>(nodes_[i])];
      if (node.written != 0) writes[c.accesses[i].location].push_back(i);
      if (const auto from = index_.find(node.reads); node.reads >= 0 && from != index_.end())
        c.accesses[i].reads = static_cast<int>(from->second);  // also of a CPU that comes later in the list
    }
    for (auto& [location, all] : writes) {
      const auto written = [&](unsigned i) {
        const Node& node = graph_.nodes()[static_cast<std::size_t>(nodes_[i])];
        return std::tuple(node.written, node.position);
      };
      std::sort(all.begin(), all.end(), [&](unsigned a, unsigned b) { return written(a) < written(b); });
      for (unsigned k = 0; k < all.size(); ++k) c.accesses[all[k]].order = k + 1;
    }
  }

  const Graph& graph_;
  const weak::Machine& machine_;
  const Scenario& scenario_;
  const Describe describe_;
  std::map<int, unsigned> index_;
  std::vector<int> nodes_;
  std::map<std::uint64_t, unsigned> locations_;
};

}  // namespace

Cycle cycle_of(const weak::Machine& machine, const Scenario& scenario, const weak::Trace& trace,
               std::uint32_t culprit) {
  const Graph graph(trace, scenario.cpus());
  std::vector<int> candidates;
  for (int n = 0; n < static_cast<int>(graph.nodes().size()); ++n)
    if (graph.nodes()[static_cast<std::size_t>(n)].is_read && !graph.later_writes(n).empty()) candidates.push_back(n);
  const int first = graph.node_of(culprit);
  std::sort(candidates.begin(), candidates.end(), [&](int a, int b) {
    const auto key = [&](int n) { return std::tuple(n == first, graph.nodes()[static_cast<std::size_t>(n)].event); };
    return key(a) > key(b);
  });
  if (candidates.size() > most_tried) candidates.resize(most_tried);
  for (const int read : candidates)
    if (const std::vector<Graph::Hop> hops = graph.cycle(read); !hops.empty())
      return Builder(graph, machine, scenario).build(hops);
  return {};
}

}  // namespace race
