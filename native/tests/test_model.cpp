// Long random runs of one thread against a reference, on both machines.
#include <doctest/doctest.h>

#include <memory>

#include "engine/weak_engine.hpp"
#include "memory/weak/types.hpp"
#include "oracle/oracles.hpp"
#include "tests/hardware.hpp"
#include "tests/random_pool.hpp"

using namespace race;
using namespace race::test;

namespace {

// Request sizes for run k of a page size: a few neighbouring classes and one far away; their largest requests and odd
// ones.
std::vector<std::uint32_t> some_sizes(const zsmalloc::Geometry& g, std::uint32_t k) {
  const auto& classes = g.classes();
  const auto n = static_cast<std::uint32_t>(classes.size());
  std::vector<std::uint32_t> sizes;
  for (const std::uint32_t i : {3 * k, 3 * k + 1, 3 * k + 2, 7 * k + n / 2}) {
    const auto& c = classes[i % n];
    sizes.push_back(c.max_request);
    sizes.push_back(c.huge ? c.max_request - 3 : c.max_request - 5);
  }
  return sizes;
}

std::uint32_t runs_for(const zsmalloc::Geometry& g) { return (static_cast<std::uint32_t>(g.classes().size()) + 2) / 3; }

}  // namespace

TEST_CASE("model: random runs in every size class on the hardware machine") {
  const WithPlan with(BarrierPlan::arm64());
  RandomPoolReached reached;
  for (const std::uint32_t page_size : {256u, 512u, 1024u, 4096u}) {
    const zsmalloc::Geometry g(page_size);
    // Ample memory, then so little that it runs out.
    for (const std::uint32_t frames : {200u, 24u})
      for (std::uint32_t k = 0; k < runs_for(g); ++k) {
        CAPTURE(page_size);
        CAPTURE(frames);
        CAPTURE(k);
        HardwarePool pool(page_size, frames);
        RandomPool<H> random(pool.zs, {some_sizes(g, k), 120, 250}, 1000 * page_size + k);
        const Fault f = fault_of([&] {
          random.run(6000);
          random.finish();
        });
        reached.add(random.reached());
        if (f.oracle != Oracle::count) pool.destroyed = true;  // its locks may be held
        REQUIRE(std::string(f.what) == "");
        REQUIRE(random.problem() == "");
        CHECK(pool.destroy() == 0);
        CHECK(pool.pages.free_frames() == frames);
      }
  }
  // The runs came everywhere.
  CHECK(reached.allocated > 100'000);
  CHECK(reached.refused > 1000);
  CHECK(reached.accesses > 300'000);
  CHECK(reached.not_isolated > 1000);
  CHECK(reached.put_back > 1000);
  CHECK(reached.compacted > 1000);
  CHECK(reached.worker > 1000);
  for (const std::uint64_t n : reached.migrations) CHECK(n > 500);
}

namespace {

// One CPU, and every store that may be late is, at times: alone, a CPU never notices.
class OneCpu final : public Workload {
 public:
  using W = weak::machine;
  OneCpu(std::uint32_t page_size, std::uint32_t k, std::uint32_t operations)
      : page_size_(page_size), k_(k), operations_(operations) {}

  unsigned cpus() const override { return 1; }
  bool has_finish() const override { return true; }
  void set_up() override {
    pages_ = std::make_unique<kernel::PageAllocator<W>>(page_size_, 48);
    zs_ = std::make_unique<zsmalloc::Zsmalloc<W>>(*pages_, 2);
    oracles_ = std::make_unique<oracle::Oracles<W>>(*zs_);
    oracles_->save();
    pages_->save();
  }
  void begin(weak::Machine&) override {
    oracles_->restore();
    pages_->restore();
    random_.emplace(*zs_, RandomPoolOptions{some_sizes(zs_->geometry(), k_), 60, 200}, ++seed_);
  }
  void thread(unsigned) override {
    random_->run(operations_);
    random_->finish();
  }
  void finish() override { oracles_->check_quiescent(); }
  const std::string& problem() const { return random_->problem(); }

 private:
  std::uint32_t page_size_, k_, operations_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<kernel::PageAllocator<W>> pages_;
  std::unique_ptr<zsmalloc::Zsmalloc<W>> zs_;
  std::unique_ptr<oracle::Oracles<W>> oracles_;
  std::optional<RandomPool<W>> random_;
};

}  // namespace

TEST_SUITE("weak") {
  TEST_CASE("model: random runs on one CPU of the weak machine, whatever it delays") {
    for (const weak::Model model : {weak::Model::sc, weak::Model::tso, weak::Model::armv8})
      for (const bool barriers : {true, false})
        for (const std::uint32_t page_size : {256u, 512u, 1024u, 4096u})
          for (const std::uint32_t k : {0u, 2u, 5u, 9u}) {
            CAPTURE(int(model));
            CAPTURE(barriers);
            CAPTURE(page_size);
            CAPTURE(k);
            OneCpu program(page_size, k, page_size == 4096 ? 300 : 600);
            weak::Machine machine(model, 1u << 18);
            if (barriers) machine.plan = BarrierPlan::arm64();
            WeakEngine engine(machine, program);
            const Outcome prepared = engine.prepare(1);
            REQUIRE(std::string(prepared.failed ? prepared.fault.what : "") == "");
            REQUIRE(program.problem() == "");
            RandomStrategy strategy(1, engine.extent());
            for (std::uint64_t n = 0; n < 4; ++n) {
              const Outcome o = engine.run(strategy, strategy.begin(n));
              REQUIRE(std::string(o.failed ? o.fault.what : "") == "");
              REQUIRE(program.problem() == "");
            }
          }
  }
}
