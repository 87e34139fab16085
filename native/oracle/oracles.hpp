// The oracles that hang on the allocator: what is checked at each class unlock, at each allocation and free, and at the end.
// The machine and the primitives raise the rest by themselves: oops, deadlock, livelock, unlock-of-unlocked, stale-page.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "oracle/quiescence.hpp"

namespace race::oracle {

template <class M>
class Oracles final : public zsmalloc::Observer<M> {
 public:
  using Zs = zsmalloc::Zsmalloc<M>;
  using Zspage = typename Zs::Zspage;
  using Page = typename Zs::Page;
  using ZspageType = zsmalloc::zspage<M>;

  explicit Oracles(Zs& zs) : zs_(zs), quiescence_(zs) { zs.observer = this; }
  ~Oracles() override { zs_.observer = nullptr; }

  // garbage-freeobj, and a free list whose head does not fit inuse: for each zspage whose freeobj this CPU changed under the
  // lock that it is about to release.
  void class_unlock(std::uint32_t slot) override {
    Changed& mine = changed_[M::cpu()];
    const std::uint32_t objects = zs_.geometry().at_slot(slot).objects;
    for (std::uint32_t i = 0; i < mine.count; ++i) {
      const Zspage z = mine.zspage[i];
      host_step(z);
      if (i >= mine.count || M::known(mine.zspage[i] != z)) continue;  // freed meanwhile, where executions are explored
      const std::uint32_t freeobj = M::peek(z[&ZspageType::freeobj]);
      const bool end = zsmalloc::is_end_marker(freeobj);
      if (freeobj >= objects && !end)
        wrong(Oracle::garbage_freeobj, "freeobj is neither an object of the zspage nor an end marker", z, freeobj);
      const std::uint32_t inuse = M::peek(z[&ZspageType::inuse]);
      if (end && inuse < objects)
        wrong(Oracle::free_list, "the free list ends while the zspage has free objects", z, freeobj);
      if (!end && inuse >= objects) wrong(Oracle::free_list, "the free list goes on in a full zspage", z, freeobj);
    }
    mine.count = 0;
  }

  void freeobj_changed(Zspage z, std::uint32_t) override {
    Changed& mine = changed_[M::cpu()];
    for (std::uint32_t i = 0; i < mine.count; ++i)
      if (M::known(mine.zspage[i] == z)) return;
    if (mine.count < mine.zspage.size()) mine.zspage[mine.count++] = z;
  }

  void object_allocated(Zspage z, std::uint32_t, std::uint32_t object, std::uint64_t) override {
    host_step(z);
    std::uint64_t* bits = bits_of(z, object);
    if (bits == nullptr) return;  // no object of this zspage: garbage-freeobj saw it, or is switched off
    const std::uint64_t bit = std::uint64_t{1} << (object % 64);
    if ((*bits & bit) != 0)
      wrong(Oracle::double_allocation, "an object was allocated that is in use", z, object, object);
    *bits |= bit;
  }

  void object_freed(Zspage z, std::uint32_t, std::uint32_t object) override {
    host_step(z);
    std::uint64_t* bits = bits_of(z, object);
    const std::uint64_t bit = std::uint64_t{1} << (object % 64);
    if (bits == nullptr)
      return report<M>({.oracle = Oracle::free_list,
                        .what = "an object was freed that no zspage has",
                        .zspage = M::known(z.address()),
                        .value = object,
                        .kind = ValueKind::number});
    if ((*bits & bit) == 0)
      return report<M>({.oracle = Oracle::free_list,
                        .what = "an object was freed that is free already",
                        .zspage = M::known(z.address()),
                        .object = object});
    *bits &= ~bit;
  }

  void zspage_created(Zspage z, std::uint32_t slot) override {
    const std::uint32_t objects = zs_.geometry().at_slot(slot).objects;
    zspages_.push_back(M::known(z.address()));
    first_.push_back({static_cast<std::uint32_t>(bits_.size()), objects});
    bits_.resize(bits_.size() + (objects + 63) / 64);
  }
  void zspage_freed(Zspage z) override {
    host_step(z);
    const auto at = std::find(zspages_.begin(), zspages_.end(), M::known(z.address()));
    if (at == zspages_.end()) return;
    first_.erase(first_.begin() + (at - zspages_.begin()));  // its bits stay unused until the execution is over
    zspages_.erase(at);
    for (Changed& c : changed_) {
      auto* const last = c.zspage.begin() + c.count;
      c.count = static_cast<std::uint32_t>(
          std::remove_if(c.zspage.begin(), last, [&](Zspage x) { return M::known(x == z); }) - c.zspage.begin());
    }
  }

  void page_isolated(Page p) override {
    const std::uint64_t address = M::known(p.address());
    M::host_step(address);
    if (std::find(isolated_.begin(), isolated_.end(), address) != isolated_.end())
      report<M>({.oracle = Oracle::isolated_twice,
                 .what = "a page is isolated that is isolated already",
                 .where = M::address_of(p[&kernel::page<M>::private_data])});
    isolated_.push_back(address);
  }
  void page_isolation_over(Page p) override {
    const std::uint64_t address = M::known(p.address());
    M::host_step(address);
    std::erase(isolated_, address);
  }
  void pool_destroyed() override {
    if (may_be_destroyed) M::host_step(M::known(zs_.pool().address()));
    destroyed_ = true;
  }
  void pool_used(const char* what) override {
    if (may_be_destroyed) M::host_step(M::known(zs_.pool().address()));
    if (destroyed_) report<M>({.oracle = Oracle::use_after_destroy, .what = what});
  }
  void pages_compacted(std::uint64_t n) override { compacted_ += n; }

  // When nothing runs any more and every store has committed. What could not be checked for a fault that nobody looks for is
  // such a fault: the execution was not judged.
  void check_quiescent() {
    if (destroyed_) {
      if (!zspages_.empty())
        report<M>({.oracle = Oracle::use_after_destroy,
                   .what = "a zspage was left when the pool was destroyed: its pages are lost",
                   .zspage = zspages_.front()});
      return;
    }
    const Fault f = quiescence_.check(zspages_);
    if (f.what != nullptr) M::fail(f);
    const auto counter = zs_.pool()[&zsmalloc::zs_pool<M>::pages_compacted];
    if (const std::uint64_t counted = M::peek(counter); counted != compacted_)
      report<M>({.oracle = Oracle::counter,
                 .what = "pages_compacted differs from the pages that compaction has freed",
                 .value = counted,
                 .where = M::address_of(counter),
                 .kind = ValueKind::number,
                 .expected = compacted_});
  }

  // What set-up left, and back to it for each execution.
  void save() {
    saved_zspages_ = zspages_;
    saved_first_ = first_;
    saved_bits_ = bits_;
    saved_compacted_ = compacted_;
  }
  void restore() {
    zspages_ = saved_zspages_;
    first_ = saved_first_;
    bits_ = saved_bits_;
    compacted_ = saved_compacted_;
    isolated_.clear();
    destroyed_ = false;
    for (Changed& c : changed_) c.count = 0;
  }

  bool may_be_destroyed = false;  // by a thread

 private:
  static void host_step(Zspage z) { M::host_step(M::known(z.address())); }

  // Of the zspage's freeobj, or of an object that it led to.
  void wrong(Oracle o, const char* what, Zspage z, std::uint32_t freeobj, std::int64_t object = -1) {
    report<M>({.oracle = o,
               .what = what,
               .zspage = M::known(z.address()),
               .object = object,
               .value = freeobj,
               .where = M::address_of(z[&ZspageType::freeobj]),
               .kind = ValueKind::freeobj});
  }
  std::uint64_t* bits_of(Zspage z, std::uint32_t object) {
    const std::uint64_t address = M::known(z.address());
    for (std::size_t i = 0; i < zspages_.size(); ++i)
      if (zspages_[i] == address) return object < first_[i].objects ? &bits_[first_[i].word + object / 64] : nullptr;
    return nullptr;
  }

  struct Changed {                  // zspages, in the critical section that a CPU is in
    std::array<Zspage, 64> zspage;  // compaction changes the most; more are not checked
    std::uint32_t count = 0;
  };
  struct Bits {
    std::uint32_t word, objects;
  };
  Zs& zs_;
  Quiescence<M> quiescence_;
  std::array<Changed, 17> changed_;
  std::vector<std::uint64_t> zspages_, saved_zspages_;
  std::vector<Bits> first_, saved_first_;  // by zspage: where its allocated bits begin
  std::vector<std::uint64_t> bits_, saved_bits_;
  std::vector<std::uint64_t> isolated_;  // pages
  bool destroyed_ = false;
  std::uint64_t compacted_ = 0, saved_compacted_ = 0;  // pages
};

}  // namespace race::oracle
