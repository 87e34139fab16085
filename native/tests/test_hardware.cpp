// The hardware engine: what it knows of the host, that its counts add up, and that an instance comes back to its set-up. What the
// CPU reorders is nothing that a test can ask for.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/hardware/calibration.hpp"
#include "engine/hardware/campaign.hpp"
#include "engine/hardware/host.hpp"
#include "tests/plans.hpp"

using namespace race;
using namespace race::hardware;

namespace {

// A folder of small files, in the place of sysfs or procfs.
class Files {
 public:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "race-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Files() { std::filesystem::remove_all(root_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::string path() const { return root_.string(); }

 private:
  std::filesystem::path root_;
};

// Two clusters of two CPUs, as a phone has them.
void write_clusters(const Files& f) {
  for (int c = 0; c < 4; ++c) {
    const std::string cpu = "cpu" + std::to_string(c);
    f.write(cpu + "/topology/thread_siblings_list", std::to_string(c));
    f.write(cpu + "/topology/physical_package_id", "0");
    f.write(cpu + "/cache/index0/level", "1");
    f.write(cpu + "/cache/index0/shared_cpu_list", std::to_string(c));
    f.write(cpu + "/cache/index1/level", "2");
    f.write(cpu + "/cache/index1/shared_cpu_list", c < 2 ? "0-1" : "2-3");
  }
}

}  // namespace

TEST_CASE("hardware: topology") {
  const Files f;
  write_clusters(f);
  const Topology t(f.path(), {0, 1, 2, 3});
  CHECK(t.clusters() == 2);
  CHECK(t.offers(Placement::near));
  CHECK(t.offers(Placement::far));
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    const auto near = t.assign(Placement::near, 2, rng), far = t.assign(Placement::far, 2, rng);
    CHECK(near[0] / 2 == near[1] / 2);
    CHECK(near[0] != near[1]);
    CHECK(far[0] / 2 != far[1] / 2);
  }
  CHECK(t.assign(Placement::any, 6, rng).size() == 6);
  const Topology one(f.path(), {2});
  CHECK_FALSE(one.offers(Placement::far));
  CHECK(one.assign(Placement::any, 2, rng) == std::vector<unsigned>{2, 2});
}

TEST_CASE("hardware: emulation shows in what the kernel says of itself") {
#if defined(__aarch64__)
  const std::string own = "aarch64", other = "x86_64", other_cpuinfo = "vendor_id\t: X\n\n";
#else
  const std::string own = "x86_64", other = "aarch64", other_cpuinfo = "CPU implementer\t: 0x41\nCPU part\t: 0xd49\n\n";
#endif
  const Files same, kernel, cpuinfo;
  same.write("sys/kernel/arch", own + "\n");
  kernel.write("sys/kernel/arch", other + "\n");
  cpuinfo.write("cpuinfo", other_cpuinfo);
  const bool really = this_host().emulated;  // these tests run under an emulator too
  // Under an emulator the CPU's own identification still tells.
  if (!really) CHECK_FALSE(this_host(same.path(), same.path()).emulated);
  CHECK(this_host(kernel.path(), kernel.path()).why == "the kernel runs on " + other);
  CHECK(this_host(cpuinfo.path(), cpuinfo.path()).why == "the host's /proc/cpuinfo is of another architecture");
}

TEST_CASE("hardware: calibration counts every iteration") {
  const Topology topology;
  Rng rng(7);
  for (std::size_t shape = 0; shape < shapes::all.size(); ++shape)
    for (const Start start : {Start::counter, Start::flags, Start::free}) {
      CAPTURE(shapes::all[shape].name);
      Tuning t = Tuning::draw(rng, topology, 1);
      t.start = start;
      t.batch = 64;
      const Measured m = measure(shape, t, topology.assign(t.placement, 2 + t.stress, rng), {0, 1000}, rng);
      CHECK(m.iterations >= 1000);
      CHECK(m.iterations < 1000 + 128);
      std::uint64_t sum = 0;
      for (const std::uint64_t n : m.outcomes) sum += n;
      CHECK(sum == m.iterations);
      if (shapes::all[shape].name == "CoRR") CHECK(m.weak == 0);
    }
}

TEST_CASE("hardware: threads that have one CPU between them do not wait for each other in every iteration") {
  const Topology topology;
  Rng rng(5);
  Tuning t;
  t.start = Start::flags;
  t.batch = 1u << 16;
  const unsigned cpu = topology.cpus().front().cpu;
  const Measured m = measure(1, t, {cpu, cpu}, {0, 1}, rng);
  CHECK(m.iterations == t.batch);
  CHECK(m.late == 1);  // with a wait in each of so many it would take half a second, and minutes beside other programs
}

TEST_CASE("hardware: an instance comes back to its set-up") {
  const Plan plan = test::freeobj_corruption(4096);
  racing::judged = ~0u;
  Instance instance(plan);
  Rng rng(3);
  for (int i = 0; i < 3; ++i) {
    instance.restore();
    racing::plan = BarrierPlan::arm64();
    instance.run(0, rng);
    instance.run(1, rng);
    CHECK_FALSE(instance.check(rng).has_value());
    CHECK(instance.zs().pages().queue_head() == 3);  // the set-up's two pages, and the one that was migrated to
  }
}

TEST_CASE("hardware: a campaign ends with its budget, and finds nothing with every barrier") {
  Plan plan = test::freeobj_corruption(256);
  plan.barriers = BarrierPlan::arm64();
  const Topology topology;
  HardwareCampaign campaign(plan, topology, Tuning{}, 100);
  const std::atomic<bool> cancelled{false};
  campaign.run({0, 500}, cancelled, [](const FindingRecord& f) { FAIL_CHECK(f.message); });
  const std::uint64_t done = campaign.counts().executions;
  CHECK(done >= 500);
  CHECK(done < 500 + 64);
  campaign.run({0.01, 0}, cancelled, [](const FindingRecord& f) { FAIL_CHECK(f.message); });
  CHECK(campaign.counts().executions > done);
  CHECK(campaign.counts().cut_short == 0);
  racing::plan = {};
}
