// How one access, or one fence, is ordered. AArch64 terms; Arm ARM (DDI 0487) section B2.3.
#pragma once

#include <cstdint>

namespace race {

enum class Order : std::uint8_t {
  plain,            // LDR, STR, LDXR/STXR, LDADD
  acquire,          // LDAR, LDAXR, LDADDA
  acquire_pc,       // LDAPR: may be performed before an older STLR of its CPU
  release,          // STLR, STLXR, LDADDL
  acquire_release,  // LDADDAL, CASAL
};

enum class Fence : std::uint8_t {
  ish,    // DMB ISH: everything before it before everything after it
  ishld,  // DMB ISHLD: loads before it before everything after it
  ishst,  // DMB ISHST: stores before it before stores after it
};

constexpr bool acquires(Order o) {
  return o == Order::acquire || o == Order::acquire_pc || o == Order::acquire_release;
}
constexpr bool releases(Order o) { return o == Order::release || o == Order::acquire_release; }

}  // namespace race
