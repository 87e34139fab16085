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

  std::string size_class(std::int32_t slot) const;  // "class 168 (2720 bytes)"; empty if there is none
  std::string frame(std::uint32_t f) const;         // "frame 5 (page 1 of zspage 0)"

  struct Value {
    std::string text;  // the number: decimal for what is counted, else hex
    std::string kind;  // poison, payload, handle, link, sentinel, location, flags, address, other; empty: only a number
    std::string meaning;
  };
  // A fault's value, read as what it is. objects: how many the zspage has that it belongs to.
  Value value(ValueKind kind, std::uint64_t v, std::uint32_t objects) const;
  std::int32_t slot_of(std::uint64_t zspage) const;         // the zspage's size class; -1: this is no zspage
  std::uint32_t objects(std::uint64_t zspage) const;        // how many it has; 0: this is no zspage
  std::int32_t frame_of(std::uint64_t address) const;       // the frame that the word lies in; -1: none
  std::int32_t object_at(std::uint64_t address) const;      // the object whose first word it is; -1: none
  std::int32_t class_lock_of(std::uint64_t address) const;  // the size class whose lock the word is part of; -1: none

 private:
  Value freeobj(std::uint32_t v, std::uint32_t objects) const;
  Value object_word(std::uint64_t v, std::uint32_t objects) const;
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
