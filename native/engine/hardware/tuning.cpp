#include "engine/hardware/tuning.hpp"

#include <algorithm>
#include <array>

namespace race::hardware {

Tuning Tuning::draw(Rng& rng, const Topology& topology, std::uint32_t spare, const Tuning* from) {
  Tuning t = from != nullptr ? *from : Tuning{};
  const auto anew = [&] { return from == nullptr || rng.below(4) == 0; };
  const auto one_of = [&](const auto& list) { return list[rng.below(static_cast<std::uint32_t>(std::size(list)))]; };
  if (anew()) {
    do t.placement = static_cast<Placement>(rng.below(static_cast<std::uint32_t>(Placement::count)));
    while (!topology.offers(t.placement));
  }
  if (anew()) t.start = static_cast<Start>(rng.below(static_cast<std::uint32_t>(Start::count)));
  if (anew()) t.period_ns = one_of(std::array{40u, 60u, 80u, 100u, 150u, 200u, 300u});
  if (anew()) t.skew_ns = one_of(std::array{0u, 0u, 10u, 30u, 100u});
  if (anew()) t.batch = one_of(std::array{64u, 256u, 1024u, 4096u});
  if (anew()) t.stride = one_of(std::array{64u, 128u, 256u});
  if (anew()) t.shuffled = rng.below(2) == 1;
  if (anew()) t.x = static_cast<LineState>(rng.below(static_cast<std::uint32_t>(LineState::count)));
  if (anew()) t.y = static_cast<LineState>(rng.below(static_cast<std::uint32_t>(LineState::count)));
  if (anew()) t.stress = rng.below(std::min(spare, 4u) + 1);
  return t;
}

std::string Tuning::text() const {
  constexpr std::array<const char*, 4> lines{"owned by the first thread", "owned by the second thread", "shared",
                                             "flushed"};
  std::string s = start == Start::counter ? "start every " + std::to_string(period_ns) + " ns by the counter"
                  : start == Start::flags ? "start by flags"
                                          : "start together once a batch";
  s += ", skew up to " + std::to_string(skew_ns) + " ns, batches of " + std::to_string(batch) + ", stride " +
       std::to_string(stride) + (shuffled ? ", shuffled" : "");
  s += std::string(", x ") + lines[static_cast<std::size_t>(x)] + ", y " + lines[static_cast<std::size_t>(y)];
  s += ", CPUs: " + std::string(placement_names[static_cast<std::size_t>(placement)]);
  if (stress != 0) s += ", stress threads: " + std::to_string(stress);
  return s;
}

}  // namespace race::hardware
