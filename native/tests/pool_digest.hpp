// What an execution of a scenario has left, in words that do not depend on where anything lies: addresses, frames and handles
// differ from engine to engine. Two executions with one digest have the same objects in the same places of the same zspages.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "engine/payload.hpp"
#include "engine/scenario.hpp"
#include "tests/pool_view.hpp"

namespace race::test {

class PoolDigest {
 public:
  using M = Scenario::M;
  using View = PoolView<M>;
  using Zspage = View::Zspage;

  // Of a pool that nobody uses and that passed its checks.
  static std::string of(const Scenario& scenario) { return PoolDigest(scenario).run(); }

 private:
  explicit PoolDigest(const Scenario& scenario) : scenario_(scenario), view_(scenario.zs()) {}

  std::string run() {
    for (View::Class c : scenario_.zs().geometry().classes()) add_class(c);
    std::uint32_t slot = 0;
    scenario_.client().each_slot(
        [&](std::uint64_t handle, std::uint32_t version) { add_slot(slot++, handle, version); });
    const auto pool = scenario_.zs().pool();
    text_ << "pages " << view_.pages_allocated() << " compacted "
          << M::peek(pool[&zsmalloc::zs_pool<M>::pages_compacted]) << " free frames "
          << scenario_.pages().free_frames();
    if (view_.work_pending()) text_ << " work";
    return text_.str();
  }

  void add_class(View::Class c) {
    bool any = false;
    for (std::uint32_t s = 0; s < zsmalloc::class_stats; ++s) any = any || view_.stat(c, s) != 0;
    if (!any) return;
    text_ << "class " << c.size << ':';
    for (std::uint32_t s = 0; s < zsmalloc::class_stats; ++s) text_ << ' ' << view_.stat(c, s);
    for (std::uint32_t f = 0; f < zsmalloc::fullness_groups; ++f)
      for (const Zspage z : view_.list(c, f, 64)) add_zspage(c, z, f);
    text_ << "; ";
  }

  // Zspages are numbered as they stand in their lists.
  void add_zspage(View::Class c, Zspage z, std::uint32_t group) {
    text_ << " z" << zspages_.size() << " in " << group << " inuse " << View::inuse(z) << " meta " << View::meta(z)
          << " lock " << M::peek(z[&View::ZspageType::lock][&kernel::rwlock<M>::word]) << " free";
    zspages_.push_back(M::known(z.address()));
    std::uint64_t next = View::freeobj(z);
    for (std::uint32_t n = 0; n <= c.objects && next < c.objects; ++n) {
      text_ << ' ' << next;
      next = c.huge ? ~std::uint64_t{0} : view_.link(z, static_cast<std::uint32_t>(next)) >> zsmalloc::obj_tag_bits;
    }
  }

  void add_slot(std::uint32_t slot, std::uint64_t handle, std::uint32_t version) {
    if (handle == 0) return;
    const Zspage z = view_.zspage_of(handle);
    const auto at = std::find(zspages_.begin(), zspages_.end(), M::known(z.address()));
    const std::uint32_t object = view_.index_of(handle);
    const auto& c = view_.class_of(z);
    text_ << "slot " << slot << ": object " << object << " of z" << at - zspages_.begin() << " v" << version;
    if (View::pinned(handle)) text_ << " pinned";
    const std::uint32_t first = object * c.size + (c.huge ? 0 : 8);
    std::uint32_t wrong = 0;
    for (const std::uint32_t w : {0u, 1u})
      if (version != 0 && (w + 1) * 8 + (c.huge ? 0 : 8) <= c.size &&
          word(z, first + w * 8) != payload(slot, version, w))
        ++wrong;
    if (wrong != 0) text_ << " payload differs";
    text_ << "; ";
  }

  std::uint64_t word(Zspage z, std::uint32_t byte) const {
    return view_.content(view_.page(z, byte / view_.page_size()), byte % view_.page_size() / 8);
  }

  const Scenario& scenario_;
  View view_;
  std::vector<std::uint64_t> zspages_;
  std::ostringstream text_;
};

}  // namespace race::test
