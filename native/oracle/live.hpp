// The oracles of native threads. While they run, each keeps to itself what it did, and looks only at values that it has just
// loaded or stored: nothing here is shared, so nothing here orders anything. The rest is checked when all of them have ended.
#pragma once

#include <algorithm>
#include <vector>

#include "oracle/quiescence.hpp"

namespace race::oracle {

template <class M>
class LiveOracles final : public zsmalloc::Observer<M> {
 public:
  using Zs = zsmalloc::Zsmalloc<M>;
  using Zspage = typename Zs::Zspage;
  using ZspageType = zsmalloc::zspage<M>;

  LiveOracles(Zs& zs, unsigned cpus) : zs_(zs), quiescence_(zs), changes_(cpus) { zs.observer = this; }
  ~LiveOracles() override { zs_.observer = nullptr; }

  // This CPU has just stored freeobj: what it reads here is its own store.
  void freeobj_changed(Zspage z, std::uint32_t slot) override {
    const std::uint32_t freeobj = M::peek(z[&ZspageType::freeobj]);
    if (freeobj < zs_.geometry().at_slot(slot).objects || zsmalloc::is_end_marker(freeobj)) [[likely]]
      return;
    report<M>({.oracle = Oracle::garbage_freeobj,
               .what = "freeobj is neither an object of the zspage nor an end marker",
               .zspage = M::known(z.address()),
               .value = freeobj,
               .where = M::address_of(z[&ZspageType::freeobj]),
               .kind = ValueKind::freeobj,
               .size_class = static_cast<std::int32_t>(slot)});
  }
  void zspage_created(Zspage z, std::uint32_t) override { mine().created.push_back(M::known(z.address())); }
  void zspage_freed(Zspage z) override { mine().freed.push_back(M::known(z.address())); }

  // When no thread runs any more. client: whoever holds objects.
  template <class Client>
  void check_quiescent(const Client& client) {
    const Fault f = quiescence_.check(zspages());
    if (f.what != nullptr) M::fail(f);
    client.each_object([this](std::uint64_t handle) { check_owner(handle); });
  }

  void save() {
    saved_ = zspages();
    restore();
  }
  void restore() {
    for (Changes& c : changes_) {
      c.created.clear();
      c.freed.clear();
    }
  }

 private:
  struct alignas(128) Changes {  // by one CPU, since the set-up
    std::vector<std::uint64_t> created, freed;
  };
  Changes& mine() { return changes_[M::cpu()]; }

  std::vector<std::uint64_t> zspages() const {
    std::vector<std::uint64_t> all = saved_;
    for (const Changes& c : changes_) all.insert(all.end(), c.created.begin(), c.created.end());
    for (const Changes& c : changes_)
      for (const std::uint64_t z : c.freed)
        if (const auto at = std::find(all.begin(), all.end(), z); at != all.end()) all.erase(at);
    return all;
  }

  // The object that a handle leads to must carry the handle in its header; else somebody else was given it too.
  void check_owner(std::uint64_t handle) {
    const std::uint64_t obj = M::peek(Zs::handle_to_word(handle));
    const auto at = zs_.obj_to_location(obj);
    const auto z = Zspage::from_address(M::peek(at.page[&kernel::page<M>::private_data]));
    const std::uint32_t meta = M::peek(z[&ZspageType::meta]);
    const auto& c = zs_.geometry().at_slot(meta >> zsmalloc::Meta::class_shift & zsmalloc::Meta::class_mask);
    const std::uint32_t offset = (c.size * at.index) & (zs_.geometry().page_size() - 1);
    const auto word =
        c.huge ? at.page[&kernel::page<M>::freelist] : zs_.pages().page_address(at.page)[std::uint64_t{offset / 8}];
    if (M::peek(word) == (handle | zsmalloc::obj_allocated_tag)) return;
    report<M>({.oracle = Oracle::double_allocation,
               .what = "an object that is held carries another handle: it was allocated twice",
               .zspage = M::known(z.address()),
               .object = M::known(at.index),
               .value = M::peek(word),
               .where = M::address_of(word),
               .kind = ValueKind::object_word,
               .size_class = static_cast<std::int32_t>(c.index)});
  }

  Zs& zs_;
  Quiescence<M> quiescence_;
  std::vector<Changes> changes_;
  std::vector<std::uint64_t> saved_;
};

}  // namespace race::oracle
