// The question of 2017 with everything else taken away: one migrator copies a page word by word, m allocators follow the link.
//
// Page S holds W valid links, page D holds W words of poison; cur = S, freeobj = 0. The migrator takes the class lock and the
// zspage lock, copies S to D, sets cur = D and releases both. Each allocator takes the class lock, reads cur, freeobj and the
// link there, stores it as the new freeobj and releases. A link that is poison is the finding.
#pragma once

#include <cstdint>

#include "engine/weak_engine.hpp"
#include "memory/weak/types.hpp"

namespace race {

class SeedProgram final : public Workload {
 public:
  using M = weak::machine;
  using Word = M::shared<std::uint64_t>;
  using Page = M::ptr<Word>;
  struct Globals {
    Word class_lock, zspage_lock, freeobj;
    M::shared<Page> cur;
  };
  static constexpr std::uint64_t poison = 0xd00100005a5a5a5a;

  struct Options {
    std::uint32_t words = 8;
    unsigned allocators = 1;
    bool acquire = true, release = true;
    unsigned tries = 0;  // attempts at the class lock before an allocator gives up; 0: it spins
  };
  explicit SeedProgram(const Options& o) : o_(o) {}

  unsigned cpus() const override { return 1 + o_.allocators; }

  void set_up() override {
    g_ = M::allocate<Globals>("globals");
    s_ = M::allocate_array<Word>("page S", o_.words);
    d_ = M::allocate_array<Word>("page D", o_.words);
    for (std::uint32_t i = 0; i < o_.words; ++i) {
      s_[i].store((i + 1) % o_.words);
      d_[i].store(poison);
    }
    g_[&Globals::cur].store(s_);
  }

  void thread(unsigned cpu) override { cpu == 0 ? migrate() : allocate(); }

 private:
  Order lock_order() const { return o_.acquire ? Order::acquire : Order::plain; }
  Order unlock_order() const { return o_.release ? Order::release : Order::plain; }

  bool try_lock(M::ref<std::uint64_t> lock) const { return M::known(lock.compare_exchange(0, 1, lock_order())) == 0; }
  void lock(M::ref<std::uint64_t> l) const {
    if (M::explored())
      static_cast<void>(M::known(l.exchange_if(1, lock_order(), [](std::uint64_t v) { return v == 0; }, true)));
    else
      while (!try_lock(l)) l.await([](M::value<std::uint64_t> v) { return v == 0u; }, Order::plain);
  }
  void unlock(M::ref<std::uint64_t> l) const { l.store(0, unlock_order()); }

  void migrate() {
    lock(g_[&Globals::class_lock]);
    lock(g_[&Globals::zspage_lock]);
    for (std::uint32_t i = 0; i < o_.words; ++i) d_[i].store(s_[i].load());
    g_[&Globals::cur].store(d_);
    unlock(g_[&Globals::zspage_lock]);
    unlock(g_[&Globals::class_lock]);
  }

  void allocate() {
    const auto l = g_[&Globals::class_lock];
    if (o_.tries == 0) {
      lock(l);
    } else {
      unsigned tries = o_.tries;
      while (!try_lock(l))
        if (--tries == 0) return;
    }
    const Page cur = g_[&Globals::cur].load();
    const auto index = g_[&Globals::freeobj].load();
    const auto link = cur[index].load();
    if (M::known(link) == poison) M::fail({Oracle::garbage_freeobj, "the link is poison", 0, -1, poison, 0});
    g_[&Globals::freeobj].store(link);
    unlock(l);
  }

  Options o_;
  M::ptr<Globals> g_;
  Page s_, d_;
};

}  // namespace race
