// The allocator and its client's locks, each entry as one function, with a mark among its instructions where an ordering site's
// operation begins, and every strength fixed: tests read from the disassembly what stands at each site, and that nothing else
// orders. Never linked.
#include "memory/site.hpp"

namespace race::probe {

// A site's number: FNV-1a of its name, in 15 bits, and which side it is of.
consteval SiteId mark_of(std::string_view name, Primitive p) {
  std::uint32_t h = 0x811c9dc5;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x01000193;
  return static_cast<SiteId>((h ^ h >> 16) << 1 | (info(p).side == Side::lock ? 0 : 1));
}

}  // namespace race::probe

// The numbers of the program are known only when it runs.
#undef RACE_SITE
#define RACE_SITE(site_name, primitive, protects) (::race::probe::mark_of(site_name, ::race::Primitive::primitive))

#include "engine/client.hpp"
#include "memory/hardware/racing.hpp"
#include "zsmalloc/zsmalloc.hpp"

namespace race::probe {

void site_is_not_constant();

// Every site at this strength, where its side can have it; the others at none.
template <Strength S>
struct marked : hardware::racing {
  [[gnu::always_inline]] static Strength strength(SiteId site) {
    return legal((site & 1) != 0 ? Side::unlock : Side::lock, S) ? S : Strength::none;
  }
  [[gnu::always_inline]] static void at(SiteId site) {
    if (__builtin_constant_p(site))
      asm volatile("movz xzr, %0" ::"i"(int{site}) : "memory");
    else
      site_is_not_constant();  // a test looks that nobody calls it
  }
};

template <class M>
struct Entries {
  using Z = zsmalloc::Zsmalloc<M>;
  using Page = typename Z::Page;
  [[gnu::flatten]] static std::uint64_t zs_malloc(Z& z, std::uint32_t size) { return z.zs_malloc(size); }
  [[gnu::flatten]] static void zs_free(Z& z, std::uint64_t handle) { z.zs_free(handle); }
  [[gnu::flatten]] static void zs_map_object(Z& z, std::uint64_t handle, zsmalloc::MapMode mode) {
    z.zs_map_object(handle, mode);
  }
  [[gnu::flatten]] static void zs_unmap_object(Z& z, std::uint64_t handle) { z.zs_unmap_object(handle); }
  [[gnu::flatten]] static bool isolate_movable_page(Z& z, Page p) {
    return kernel::isolate_movable_page(z.pages(), z, p);
  }
  [[gnu::flatten]] static void putback_movable_page(Z& z, Page p) { kernel::putback_movable_page(z.pages(), z, p); }
  [[gnu::flatten]] static void unmap_and_move(Z& z, Page p) { kernel::unmap_and_move(z.pages(), z, p); }
  [[gnu::flatten]] static std::uint64_t zs_compact(Z& z) { return z.zs_compact(); }
  [[gnu::flatten]] static void async_free_zspage(Z& z) { z.async_free_zspage(); }
  [[gnu::flatten]] static void zs_reclaim_page(Z& z, std::uint32_t size) {
    z.zs_reclaim_page(size, [](std::uint64_t) {});
  }
  [[gnu::flatten]] static void client_lock(typename Client<M>::Lock l) { Client<M>::lock(l); }
  [[gnu::flatten]] static void client_unlock(typename Client<M>::Lock l) { Client<M>::unlock(l); }
  [[gnu::flatten]] static std::uint32_t zs_destroy_pool(Z& z) { return z.zs_destroy_pool(); }
};

}  // namespace race::probe

template struct race::probe::Entries<race::probe::marked<race::Strength::none>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::dmb_ishst>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::dmb_ishld>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::acquire>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::release>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::dmb_ish>>;
template struct race::probe::Entries<race::probe::marked<race::Strength::full>>;
