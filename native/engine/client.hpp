// The allocator's user: carries out the steps of a scenario. Each slot holds one object and belongs to one thread.
#pragma once

#include <functional>
#include <vector>

#include "engine/payload.hpp"
#include "engine/program.hpp"
#include "zsmalloc/zsmalloc.hpp"

namespace race {

template <class M>
class Client {
 public:
  using Zsmalloc = zsmalloc::Zsmalloc<M>;
  using Page = typename Zsmalloc::Page;
  // chance(n): a number below n, for the scenario's random operations.
  Client(Zsmalloc& zs, const Plan& plan, std::function<std::uint32_t(std::uint32_t)> chance)
      : zs_(zs), plan_(plan), chance_(std::move(chance)), slots_(plan.slots.size()), zspages_(plan.slots.size()) {}

  void run(const std::vector<Step>& steps) {
    for (const Step& s : steps) run(s);
  }

  using Lock = typename M::template ptr<kernel::spinlock<M>>;
  static void lock(Lock l) { kernel::spin_lock<M>(l, RACE_SITE("client.lock", spin_lock, "what the client guards")); }
  static void unlock(Lock l) {
    kernel::spin_unlock<M>(l, RACE_SITE("client.unlock", spin_unlock, "what the client guards"));
  }

  // After the set-up: what the threads need besides.
  void prepare() {
    if (plan_.locks != 0) locks_ = M::template allocate_array<kernel::spinlock<M>>("client lock", plan_.locks);
    if (plan_.has(Op::destroy)) zs_.prepare_teardown();
    if (plan_.has(Op::reclaim)) zs_.prepare_reclaim();
    for (const ThreadProgram& t : plan_.threads)
      if (t.shares_cpu_with >= 0 && !ended_) ended_ = M::template allocate_array<Flag>("ended", plan_.threads.size());
    if (ended_)
      zs_.on_resched = [this] {
        const std::int32_t other = plan_.threads[M::cpu()].shares_cpu_with;
        if (other >= 0) ended_[static_cast<std::uint64_t>(other)].await([](auto v) { return v != 0u; }, Order::acquire);
      };
  }
  void run_thread(unsigned n) {
    run(plan_.threads[n].steps);
    if (ended_) ended_[std::uint64_t{n}].store(1u, Order::release);
  }

  // After the set-up: from here `migrate` finds the zspage of a slot even when its object has gone.
  void save() {
    saved_ = slots_;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].handle != 0) zspages_[i] = place(slots_[i].handle).zspage;
  }
  void restore() { slots_ = saved_; }
  // Every object that its slot holds now.
  template <class F>
  void each_object(F visit) const {
    for (const Slot& s : slots_)
      if (s.handle != 0) visit(s.handle);
  }
  // Every slot's object, 0 if it is empty, and the version of its payload.
  template <class F>
  void each_slot(F visit) const {
    for (const Slot& s : slots_) visit(s.handle, s.version);
  }

 private:
  using ZspageType = zsmalloc::zspage<M>;
  using PageType = kernel::page<M>;
  struct Slot {
    std::uint64_t handle = 0;   // 0: empty
    std::uint32_t version = 0;  // of the payload; 0: nothing written yet
  };
  struct Place {
    std::uint64_t zspage;
    std::int64_t object;
  };

  void run(const Step& s) {
    switch (s.op) {
      case Op::allocate: return allocate(s.slot, s.size);
      case Op::free: return free(s.slot);
      case Op::write: return access(s.slot, zsmalloc::MapMode::write_only);
      case Op::read: return access(s.slot, zsmalloc::MapMode::read_only);
      case Op::update: return access(s.slot, zsmalloc::MapMode::read_write);
      case Op::migrate: return migrate(page_of(s.slot, s.page));
      case Op::isolate_putback: return isolate_and_put_back(page_of(s.slot, s.page));
      case Op::migrate_any: return migrate(any_movable_page());
      case Op::compact: zs_.zs_compact(); return;
      case Op::can_compact: return can_compact();
      case Op::total_pages: zs_.zs_get_total_pages(); return;
      case Op::lock: return lock(locks_ + std::uint64_t{s.lock});
      case Op::unlock: return unlock(locks_ + std::uint64_t{s.lock});
      case Op::reclaim:
        return zs_.zs_reclaim_page(s.size, [&](std::uint64_t handle) {
          zs_.zs_map_object(handle, zsmalloc::MapMode::read_only);
          zs_.zs_unmap_object(handle);
        });
      case Op::destroy: zs_.zs_destroy_pool(); return;
      case Op::random:
        for (std::uint32_t i = 0; i < s.count; ++i) run_one_of(s);
        return;
      case Op::count: return;
    }
  }

  void run_one_of(const Step& s) {
    const Op op = s.mix[chance_(static_cast<std::uint32_t>(s.mix.size()))];
    Step one;
    one.op = op;
    if (op == Op::allocate || op == Op::free || op == Op::write || op == Op::read || op == Op::update) {
      // The first slot from a random one on that the operation can use.
      const auto n = static_cast<std::uint32_t>(s.slots.size());
      const std::uint32_t start = chance_(n);
      std::uint32_t k = 0;
      while (k < n && (slots_[s.slots[(start + k) % n]].handle == 0) != (op == Op::allocate)) ++k;
      if (k == n) return;
      one.slot = s.slots[(start + k) % n];
      if (op == Op::allocate) one.size = s.sizes[chance_(static_cast<std::uint32_t>(s.sizes.size()))];
    }
    run(one);
  }

  // The shrinker takes what it is told.
  void can_compact() {
    const std::uint64_t pages = zs_.zs_can_compact();
    if (pages > zs_.pages().most_in_use())
      report<M>({.oracle = Oracle::counter,
                 .what = "zs_can_compact counts more pages than there are",
                 .value = pages,
                 .kind = ValueKind::number});
  }

  void allocate(std::uint32_t slot, std::uint32_t size) {
    if (slots_[slot].handle == 0) slots_[slot] = {M::known(zs_.zs_malloc(size)), 0};
  }

  void free(std::uint32_t slot) {
    const std::uint64_t handle = slots_[slot].handle;
    slots_[slot] = {};
    if (handle != 0) zs_.zs_free(handle);
  }

  void access(std::uint32_t slot, zsmalloc::MapMode mode) {
    Slot& s = slots_[slot];
    if (s.handle == 0) return;
    const auto mapping = zs_.zs_map_object(s.handle, mode);
    const auto each_word = [&](auto visit) {  // all words of a small object, a few of a large one
      if (mapping.count <= 16) {
        for (std::uint32_t w = 0; w < mapping.count; ++w) visit(w);
      } else {
        const std::uint32_t n = mapping.count;
        for (const std::uint32_t w : {0u, 1u, n / 4, n / 2, n / 4 * 3, n - 2, n - 1}) visit(w);
      }
    };
    if (mode != zsmalloc::MapMode::write_only && s.version != 0)
      each_word([&](std::uint32_t w) {
        const auto word = mapping.words[std::uint64_t{w}];
        const std::uint64_t seen = M::known(word.load());
        if (seen == payload(slot, s.version, w)) return;
        const Place at = place(s.handle);
        report<M>({.oracle = Oracle::stale_object,
                   .what = "an object's payload is not what its owner wrote last",
                   .zspage = at.zspage,
                   .object = at.object,
                   .value = seen,
                   .where = M::address_of(word),
                   .kind = ValueKind::content,
                   .expected = payload(slot, s.version, w)});
      });
    if (mode != zsmalloc::MapMode::read_only) {
      ++s.version;
      each_word([&](std::uint32_t w) { mapping.words[std::uint64_t{w}].store(payload(slot, s.version, w)); });
    }
    zs_.zs_unmap_object(s.handle);
  }

  void migrate(Page p) {
    if (p && kernel::isolate_movable_page(zs_.pages(), zs_, p)) kernel::unmap_and_move(zs_.pages(), zs_, p);
  }
  void isolate_and_put_back(Page p) {
    if (p && kernel::isolate_movable_page(zs_.pages(), zs_, p)) kernel::putback_movable_page(zs_.pages(), zs_, p);
  }

  // The scanner of memory compaction comes upon a page without looking at zsmalloc: nothing here is an access.
  Place place(std::uint64_t handle) const {
    const auto at = zs_.obj_to_location(M::peek(Zsmalloc::handle_to_word(handle)));
    return {M::peek(at.page[&PageType::private_data]), M::known(at.index)};
  }
  Page page_of(std::uint32_t slot, std::uint32_t number) const {
    if (zspages_[slot] == 0) return nullptr;
    Page p = M::peek(Zsmalloc::Zspage::from_address(zspages_[slot])[&ZspageType::first_page]);
    for (; p && number != 0; --number) p = Page::from_address(M::peek(p[&PageType::freelist]));
    return p;
  }
  Page any_movable_page() const {
    const auto movable = [&](std::uint32_t f) {
      const Page p = zs_.pages().frame(f);
      return M::peek(p[&PageType::mapping]) > kernel::page_mapping_movable &&
             (M::peek(p[&PageType::flags]) & kernel::pg_isolated) == 0;
    };
    std::uint32_t n = 0;
    for (std::uint32_t f = 0; f < zs_.pages().frames(); ++f) n += movable(f) ? 1 : 0;
    if (n == 0) return nullptr;
    std::uint32_t k = chance_(n);
    for (std::uint32_t f = 0;; ++f)
      if (movable(f) && k-- == 0) return zs_.pages().frame(f);
  }

  using Flag = typename M::template shared<std::uint32_t>;
  Zsmalloc& zs_;
  const Plan& plan_;
  Lock locks_ = nullptr;
  typename M::template ptr<Flag> ended_ = nullptr;  // by thread; where one has its CPU when another has ended
  std::function<std::uint32_t(std::uint32_t)> chance_;
  std::vector<Slot> slots_, saved_;
  std::vector<std::uint64_t> zspages_;
};

}  // namespace race
