#include "engine/hardware/topology.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>

namespace race::hardware {

namespace {

// The number that a file begins with: of "0-3,8" it is 0, which names the set by its first CPU. -1: no such file.
int first_number(const std::string& file) {
  std::ifstream in(file);
  int n = -1;
  return in >> n ? n : -1;
}

// CPUs that share this cache, by the first of them; -1: unknown. level 0: the highest that is not shared by all.
int cluster_of(const std::string& folder, int all_cpus_first) {
  const int named = first_number(folder + "/topology/cluster_id");
  int best = -1, level = 0;
  for (int i = 0; i < 8; ++i) {
    const std::string cache = folder + "/cache/index" + std::to_string(i);
    const int l = first_number(cache + "/level");
    if (l < 0) break;
    if (l == 2) {
      best = first_number(cache + "/shared_cpu_list");
      level = l;
    }
  }
  if (named >= 0 && named < 65535) return named;
  return level == 2 ? best : all_cpus_first;
}

std::vector<unsigned> own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (unsigned c = 0; c < CPU_SETSIZE; ++c)
      if (CPU_ISSET(c, &set)) cpus.push_back(c);
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

}  // namespace

Topology::Topology(const std::string& root, std::vector<unsigned> allowed) {
  if (allowed.empty()) allowed = own_cpus();
  for (const unsigned c : allowed) {
    const std::string folder = root + "/cpu" + std::to_string(c);
    CpuPlace p;
    p.cpu = c;
    const int core = first_number(folder + "/topology/thread_siblings_list");
    p.core = core >= 0 ? core : static_cast<int>(c);
    p.package = std::max(0, first_number(folder + "/topology/physical_package_id"));
    p.cluster = cluster_of(folder, static_cast<int>(allowed.front()));
    cpus_.push_back(p);
  }
}

int Topology::clusters() const {
  std::set<std::pair<int, int>> seen;
  for (const CpuPlace& p : cpus_) seen.emplace(p.package, p.cluster);
  return static_cast<int>(seen.size());
}

bool Topology::offers(Placement p) const {
  const int n = clusters();
  if (p == Placement::near) return n > 1 && n < static_cast<int>(cpus_.size());
  return p == Placement::any || n > 1;
}

std::vector<unsigned> Topology::assign(Placement p, unsigned threads, Rng& rng) const {
  std::vector<CpuPlace> order = cpus_;
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[rng.below(static_cast<std::uint32_t>(i))]);
  const CpuPlace first = order.front();
  const auto same = [&](const CpuPlace& c) { return c.package == first.package && c.cluster == first.cluster; };
  // The first stays; behind it come those that the placement prefers.
  if (p == Placement::near) std::stable_partition(order.begin() + 1, order.end(), same);
  if (p == Placement::far)
    std::stable_partition(order.begin() + 1, order.end(), [&](const auto& c) { return !same(c); });
  std::vector<unsigned> cpus;
  for (unsigned t = 0; t < threads; ++t) cpus.push_back(order[t % order.size()].cpu);
  return cpus;
}

}  // namespace race::hardware
