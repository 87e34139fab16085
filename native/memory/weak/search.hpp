// A 128-bit fingerprint of a state, for the search that visits each state once.
#pragma once

#include <cstdint>

namespace race::weak {

class Hash {
 public:
  void add(std::uint64_t x) {
    a_ = mix(a_ ^ x) + 0x9e3779b97f4a7c15;
    b_ = mix(b_ + x) ^ 0xc2b2ae3d27d4eb4f;
  }
  struct Value {
    std::uint64_t a, b;
    bool operator==(const Value&) const = default;
  };
  Value value() const { return {mix(a_), mix(b_ ^ a_)}; }

 private:
  static std::uint64_t mix(std::uint64_t x) {  // the finaliser of SplitMix64
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  std::uint64_t a_ = 0x243f6a8885a308d3, b_ = 0x13198a2e03707344;
};

}  // namespace race::weak
