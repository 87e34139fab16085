// What this host is, as far as evidence about memory ordering depends on it.
#pragma once

#include <string>
#include <vector>

namespace race::hardware {

struct Host {
  std::string architecture;       // that this program was built for: "x86-64", "AArch64"
  std::string model;              // the memory model that it promises: "tso", "armv8"
  std::vector<std::string> cpus;  // each kind that is there: the model's name, or implementer, part and revision
  std::string kernel, compiler;
  std::string atomics;    // how read-modify-writes are built: "LSE", "LL/SC", ...
  bool emulated = false;  // another CPU carries out this program's instructions: no evidence about ordering
  std::string why;        // it is taken for emulated
};

// proc, sys: where these file systems are; for tests.
Host this_host(const std::string& proc = "/proc", const std::string& sys = "/sys");

}  // namespace race::hardware
