// What a page frame holds before anything is written to it: a pattern that names frame and word, and that is no free link.
//
// zsmalloc keeps bits 1 to 32 of a link as freeobj: they read 0xDFFFWWWW, frame FFF, word WWWW. Bit 0 is clear (a free object).
#pragma once

#include <cstdint>

namespace race::kernel {

constexpr std::uint64_t poison_top = 0x5a00000000000000;

constexpr std::uint64_t poison(std::uint32_t frame, std::uint32_t word) {
  return poison_top | (std::uint64_t{0xd0000000u | (frame & 0xfff) << 16 | (word & 0xffff)} << 1);
}

struct PoisonName {
  bool is_poison;
  std::uint32_t frame, word;
};

// Reads the 32 bits that a link's poison leaves in freeobj.
constexpr PoisonName read_poison(std::uint32_t freeobj) {
  return {freeobj >> 28 == 0xd, freeobj >> 16 & 0xfff, freeobj & 0xffff};
}

}  // namespace race::kernel
