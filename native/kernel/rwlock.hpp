// The rwlock of arm64 (Linux 4.8): 0 is free, the top bit a writer, else the number of readers. Not fair.
#pragma once

#include "kernel/ordered.hpp"
#include "memory/finding.hpp"

namespace race::kernel {

template <class M>
struct rwlock {
  static constexpr std::uint32_t writer = 0x80000000;
  typename M::template shared<std::uint32_t> word;
};

template <class M>
void write_lock(typename M::template ptr<rwlock<M>> lock, SiteId site) {
  M::at(site);
  const Strength s = M::strength(site);
  const auto word = lock[&rwlock<M>::word];
  bool locked = false;
  if constexpr (requires { M::explored(); })
    if (M::explored()) {
      word.exchange_if(rwlock<M>::writer, lock_order(s), [](std::uint32_t v) { return v == 0; }, true);
      locked = true;
    }
  while (!locked && M::known(word.compare_exchange(0u, rwlock<M>::writer, lock_order(s))) != 0)
    word.await([](auto v) { return v == 0u; }, Order::plain);
  taken<M, std::uint32_t>(word);
  fence_after_lock<M>(s);
}

template <class M>
void write_unlock(typename M::template ptr<rwlock<M>> lock, SiteId site) {
  const auto word = lock[&rwlock<M>::word];
  if (looks_at_unlock<M, std::uint32_t>(word) && M::peek(word) != rwlock<M>::writer) {
    M::at(site);
    report<M>({.oracle = Oracle::unlock_of_unlocked,
               .what = "write_unlock of a rwlock that no writer holds",
               .where = M::address_of(word)});
  }
  unlock_store<M, std::uint32_t>(site, word, 0u);
}

template <class M>
void read_lock(typename M::template ptr<rwlock<M>> lock, SiteId site) {
  M::at(site);
  const Strength s = M::strength(site);
  const auto word = lock[&rwlock<M>::word];
  bool locked = false;
  if constexpr (requires { M::explored(); })
    if (M::explored()) {
      word.fetch_add_if(1u, lock_order(s), [](std::uint32_t v) { return v < rwlock<M>::writer; }, true);
      locked = true;
    }
  while (!locked) {
    const std::uint32_t readers = M::known(word.await([](auto v) { return v < rwlock<M>::writer; }, Order::plain));
    if (M::known(word.compare_exchange(readers, readers + 1, lock_order(s))) == readers) break;
  }
  taken<M, std::uint32_t>(word);
  fence_after_lock<M>(s);
}

template <class M>
void read_unlock(typename M::template ptr<rwlock<M>> lock, SiteId site) {
  const auto word = lock[&rwlock<M>::word];
  if (looks_at_unlock<M, std::uint32_t>(word)) {
    const std::uint32_t readers = M::peek(word);
    if (readers == 0 || readers >= rwlock<M>::writer) {
      M::at(site);
      report<M>({.oracle = Oracle::unlock_of_unlocked,
                 .what = "read_unlock of a rwlock that no reader holds",
                 .where = M::address_of(word)});
    }
  }
  unlock_atomic<M>(site, [word](Order o) { return word.fetch_sub(1u, o); });
}

}  // namespace race::kernel
