// Which CPUs this process may use, and how near they are to each other (sysfs).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/random.hpp"

namespace race::hardware {

enum class Placement : std::uint8_t { any, near, far, count };
constexpr std::string_view placement_names[] = {"any", "same cluster", "across clusters"};

struct CpuPlace {
  unsigned cpu = 0;
  int core = 0;     // hardware threads of one core share it
  int cluster = 0;  // CPUs that share their last cache but one, or what the kernel calls a cluster
  int package = 0;
};

class Topology {
 public:
  // root: where sysfs is, and the CPUs that may be used (empty: those of this process). For tests.
  explicit Topology(const std::string& root = "/sys/devices/system/cpu", std::vector<unsigned> allowed = {});

  const std::vector<CpuPlace>& cpus() const { return cpus_; }
  int clusters() const;
  // Does this host have such a choice? `any` always.
  bool offers(Placement p) const;
  // A CPU for each thread: different ones while there are enough, drawn anew each time.
  std::vector<unsigned> assign(Placement p, unsigned threads, Rng& rng) const;

 private:
  std::vector<CpuPlace> cpus_;
};

}  // namespace race::hardware
