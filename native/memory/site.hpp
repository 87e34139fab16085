// Ordering sites: the synchronisation operations of the allocator, each with a stable dotted name, the strength that
// Linux 4.8 on arm64 gives it, and the strength that the barrier plan of this run gives it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "memory/fixed_string.hpp"
#include "memory/guard.hpp"
#include "memory/order.hpp"

namespace race {

// What an ordering site guarantees. Not every strength is legal on every side: see legal().
enum class Strength : std::uint8_t { none, dmb_ishst, dmb_ishld, acquire, release, dmb_ish, full };

enum class Side : std::uint8_t { lock, unlock };

// The kernel primitive that a site uses. It decides the side, and what arm64 4.8 gives.
enum class Primitive : std::uint8_t {
  spin_lock,
  spin_unlock,
  read_lock,
  read_unlock,
  write_lock,
  write_unlock,
  bit_spin_lock,    // also bit_spin_trylock: test_and_set_bit
  bit_spin_unlock,  // clear_bit_unlock
  page_lock,        // trylock_page, lock_page: test_and_set_bit
  page_unlock,      // clear_bit_unlock, then smp_mb__after_atomic
  ref_get,          // get_page_unless_zero: atomic_add_unless
  ref_put,          // put_page: atomic_dec_and_test
  work_queue,       // schedule_work: test_and_set_bit on the pending bit
  store_mb,         // a store, then smp_mb
  wait_event,       // prepare_to_wait: the state, then smp_mb; then it sleeps
  work_take,        // the worker takes the item: clears the pending bit before it runs the function
  count
};

struct PrimitiveInfo {
  std::string_view name;
  Side side;
  Strength arm64;  // arch/arm64/include/asm/{spinlock,bitops,atomic*}.h as of Linux 4.8
};

constexpr std::array<PrimitiveInfo, static_cast<std::size_t>(Primitive::count)> primitives{{
    {"spin_lock", Side::lock, Strength::acquire},
    {"spin_unlock", Side::unlock, Strength::release},
    {"read_lock", Side::lock, Strength::acquire},
    {"read_unlock", Side::unlock, Strength::release},
    {"write_lock", Side::lock, Strength::acquire},
    {"write_unlock", Side::unlock, Strength::release},
    {"bit_spin_lock", Side::lock, Strength::full},
    {"bit_spin_unlock", Side::unlock, Strength::dmb_ish},
    {"page_lock", Side::lock, Strength::full},
    {"page_unlock", Side::unlock, Strength::full},
    {"ref_get", Side::lock, Strength::full},
    {"ref_put", Side::unlock, Strength::full},
    {"work_queue", Side::unlock, Strength::full},
    {"store_mb", Side::unlock, Strength::full},
    {"wait_event", Side::lock, Strength::full},
    {"work_take", Side::lock, Strength::full},
}};

constexpr const PrimitiveInfo& info(Primitive p) { return primitives[static_cast<std::size_t>(p)]; }

constexpr std::array<std::string_view, 7> strength_names{"none",    "dmb.ishst", "dmb.ishld", "acquire",
                                                         "release", "dmb.ish",   "full"};
constexpr std::string_view name(Strength s) { return strength_names[static_cast<std::size_t>(s)]; }

constexpr bool legal(Side side, Strength s) {
  if (side == Side::lock)
    return s == Strength::none || s == Strength::dmb_ishld || s == Strength::acquire || s == Strength::full;
  return s != Strength::dmb_ishld && s != Strength::acquire;
}

using SiteId = std::uint16_t;
constexpr SiteId no_site = 0;

struct Site {
  std::string_view name;  // "zs_malloc.class.lock"
  Primitive primitive;
  std::string_view protects;  // one line: what would be seen wrongly without it
  std::string_view file;      // below native/
  std::uint32_t line;
};

// All sites of the program. Filled during static initialisation by RACE_SITE; id 0 is no site.
class SiteRegistry {
 public:
  SiteId add(const Site& s) {
    sites_.push_back(s);
    return static_cast<SiteId>(sites_.size() - 1);
  }
  const std::vector<Site>& all() const { return sites_; }
  const Site& operator[](SiteId id) const { return sites_[id]; }

 private:
  std::vector<Site> sites_{Site{"", Primitive::count, "", "", 0}};
};

inline SiteRegistry& sites() {
  static SiteRegistry registry;
  return registry;
}

// A strength for every site, and which guards are not as Linux 4.8 has them. By itself every site is `none`, and no guard changed.
class BarrierPlan {
 public:
  // What Linux 4.8 has on arm64.
  static BarrierPlan arm64() {
    BarrierPlan plan;
    for (std::size_t i = 1; i < sites().all().size(); ++i)
      plan.strengths_.at(i) = info(sites().all()[i].primitive).arm64;
    return plan;
  }
  Strength operator[](SiteId id) const { return strengths_[id]; }
  void set(SiteId id, Strength s) { strengths_.at(id) = s; }
  bool changed(GuardId id) const { return changed_[id]; }
  void change(GuardId id, bool to_other) { changed_.at(id) = to_other; }

 private:
  std::array<Strength, 256> strengths_{};
  std::array<bool, guard_list.size()> changed_{};
};

template <FixedString Name, Primitive P, FixedString Protects, FixedString File, std::uint32_t Line>
struct SiteDefinition {
  static inline const SiteId id = sites().add({Name.view(), P, Protects.view(), below_native(File.view()), Line});
};

// Names the ordering site at this line: RACE_SITE("zs_malloc.class.lock", spin_lock, "free list, fullness lists").
// The same name must stand at one place only.
#define RACE_SITE(site_name, primitive, protects) \
  (::race::SiteDefinition<site_name, ::race::Primitive::primitive, protects, __FILE__, __LINE__>::id)

}  // namespace race
