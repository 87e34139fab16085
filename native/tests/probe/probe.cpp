// What the compiler makes of the hardware machine: each primitive of an ordering site at each strength, as a function by itself,
// and the allocator with every site at `none`, and toggled at run time. Tests read the disassembly.
#include "memory/hardware/racing.hpp"
#include "zsmalloc/zsmalloc.hpp"

namespace race::probe {

using hardware::racing;

// A machine on which the strength is no choice.
template <Strength S>
struct fixed : racing {
  static constexpr Strength strength(SiteId) { return S; }
};

template <class M>
using Word = typename M::template shared<std::uint64_t>;
template <class M>
auto ref_to(Word<M>* w) {
  return typename M::template ref<std::uint64_t>(w);
}

// A word of memory, as every field is one: what an access costs.
std::uint64_t load_word(Word<racing>* w) { return ref_to<racing>(w).load(); }
void store_word(Word<racing>* w, std::uint64_t v) { ref_to<racing>(w).store(v); }

#define RACE_PROBE(primitive, type, call)                                             \
  template <class M>                                                                  \
  [[gnu::noinline, gnu::flatten]] void primitive(typename M::template ptr<type> at) { \
    call;                                                                             \
  }
RACE_PROBE(spin_lock, kernel::spinlock<M>, kernel::spin_lock<M>(at, no_site))
RACE_PROBE(spin_unlock, kernel::spinlock<M>, kernel::spin_unlock<M>(at, no_site))
RACE_PROBE(read_lock, kernel::rwlock<M>, kernel::read_lock<M>(at, no_site))
RACE_PROBE(read_unlock, kernel::rwlock<M>, kernel::read_unlock<M>(at, no_site))
RACE_PROBE(write_lock, kernel::rwlock<M>, kernel::write_lock<M>(at, no_site))
RACE_PROBE(write_unlock, kernel::rwlock<M>, kernel::write_unlock<M>(at, no_site))
RACE_PROBE(page_lock, kernel::page<M>, kernel::trylock_page<M>(at, no_site))
RACE_PROBE(page_unlock, kernel::page<M>, kernel::unlock_page<M>(at, no_site))
RACE_PROBE(work_queue, kernel::work_struct<M>, kernel::schedule_work<M>(at, no_site))
RACE_PROBE(work_take, kernel::work_struct<M>, kernel::take_work<M>(at, no_site))
RACE_PROBE(bit_spin_lock, Word<M>, kernel::bit_spin_lock<M>(ref_to<M>(at.raw()), 1, no_site))
RACE_PROBE(bit_spin_unlock, Word<M>, kernel::bit_spin_unlock<M>(ref_to<M>(at.raw()), 1, no_site, ""))
RACE_PROBE(ref_get, Word<M>,
           kernel::lock_atomic<M>(no_site, [&](Order o) { return ref_to<M>(at.raw()).compare_exchange(1, 2, o); }))
RACE_PROBE(ref_put, Word<M>,
           kernel::unlock_atomic<M>(no_site, [&](Order o) { return ref_to<M>(at.raw()).fetch_sub(1, o); }))
RACE_PROBE(store_mb, Word<M>, (kernel::unlock_store<M, std::uint64_t>(no_site, ref_to<M>(at.raw()), 1u)))
RACE_PROBE(wait_event, kernel::page<M>, kernel::wait_event<M>(at[&kernel::page<M>::units], no_site, [&] {
             return at[&kernel::page<M>::flags].load() != 0;
           }))

template <class A>
A argument_of(void (*)(A));
#define RACE_AT(primitive, strength) \
  template void primitive<fixed<Strength::strength>>(decltype(argument_of(primitive<fixed<Strength::strength>>)));
#define RACE_LOCKS(primitive) \
  RACE_AT(primitive, none) RACE_AT(primitive, dmb_ishld) RACE_AT(primitive, acquire) RACE_AT(primitive, full)
#define RACE_UNLOCKS(primitive) \
  RACE_AT(primitive, none)      \
  RACE_AT(primitive, dmb_ishst) RACE_AT(primitive, release) RACE_AT(primitive, dmb_ish) RACE_AT(primitive, full)
RACE_LOCKS(spin_lock)
RACE_LOCKS(read_lock)
RACE_LOCKS(write_lock)
RACE_LOCKS(bit_spin_lock)
RACE_LOCKS(page_lock)
RACE_LOCKS(ref_get)
RACE_LOCKS(work_take)
RACE_LOCKS(wait_event)
RACE_UNLOCKS(spin_unlock)
RACE_UNLOCKS(read_unlock)
RACE_UNLOCKS(write_unlock)
RACE_UNLOCKS(bit_spin_unlock)
RACE_UNLOCKS(page_unlock)
RACE_UNLOCKS(ref_put)
RACE_UNLOCKS(work_queue)
RACE_UNLOCKS(store_mb)

}  // namespace race::probe

template class race::zsmalloc::Zsmalloc<race::probe::fixed<race::Strength::none>>;
template class race::zsmalloc::Zsmalloc<race::hardware::racing>;
