// What clients write into objects: a pattern that names slot, version and word. Like a page's poison it keeps bit 0 clear, so
// that it never looks like an allocated header, and it reads 0xESSSVWWW in the bits that freeobj keeps of a link.
#pragma once

#include <cstdint>

namespace race {

constexpr std::uint64_t payload(std::uint32_t slot, std::uint32_t version, std::uint32_t word) {
  return 0x5e00000000000000 |
         (std::uint64_t{0xe0000000u | (slot & 0xfff) << 16 | (version & 0xf) << 12 | (word & 0xfff)} << 1);
}

struct PayloadName {
  bool is_payload;
  std::uint32_t slot, version, word;
};

constexpr PayloadName read_payload(std::uint32_t freeobj) {
  return {freeobj >> 28 == 0xe, freeobj >> 16 & 0xfff, freeobj >> 12 & 0xf, freeobj & 0xfff};
}

}  // namespace race
