// Names for what a finding shows: words of simulated memory, and the values that turn up where they should not.
#pragma once

#include <string>

#include "engine/scenario.hpp"

namespace race {

class Describe {
 public:
  Describe(const weak::Machine& machine, const Scenario& scenario) : machine_(machine), scenario_(scenario) {}

  // "freeobj of zspage 0", "frame 5 (page 1 of zspage 0) word 42, the link of object 2"
  std::string word(std::uint64_t address) const;
  std::string zspage(std::uint64_t address) const;  // "zspage 0"; empty if the address is 0

  struct Value {
    std::string kind;    // poison, payload, handle, link, sentinel, other
    std::string origin;  // in words
  };
  // What a 32-bit freeobj is, read as the bits that a link leaves in it.
  Value freeobj(std::uint32_t v, std::uint32_t objects) const;
  // Number of objects of the zspage at this address, 0 if it is none.
  std::uint32_t objects(std::uint64_t zspage) const;

 private:
  std::string frame(std::uint32_t f) const;
  struct FramePlace {
    std::uint64_t zspage = 0;
    std::uint32_t page = 0;
  };
  FramePlace place(std::uint32_t f) const;
  const weak::Machine& machine_;
  const Scenario& scenario_;
};

std::string hex(std::uint64_t v);

}  // namespace race
