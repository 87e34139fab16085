#include "engine/hardware/campaign.hpp"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "engine/hardware/clock.hpp"

namespace race::hardware {

namespace {

#ifdef RACE_INJECT
// The faults of the process, in an execution far enough from the first that counts are there to be kept.
void inject(std::uint64_t execution) {
  if (execution % 30'000 != 29'000) return;
  const racing::function here("injected");
  static volatile std::uintptr_t nowhere = 0x10;
  if (racing::injected == racing::Injected::segv) *reinterpret_cast<volatile int*>(nowhere) = 0;
  if (racing::injected == racing::Injected::exit) _exit(3);
  if (racing::injected == racing::Injected::loop)
    for (;;) access::pause();
}
#endif

constexpr double round_seconds = 0.25;         // then other CPUs are drawn
constexpr std::size_t batch_bytes = 4u << 20;  // of a batch's instances, so that they stay in the caches

}  // namespace

// What the threads of a round share. A batch's draws are made by thread 0 before a barrier.
struct HardwareCampaign::Round {
  Round(unsigned threads, const OnFinding& handler)
      : barrier(threads), arrived(threads), finished(threads), on_finding(handler) {}
  SpinBarrier barrier;
  struct alignas(line) Count {
    std::uint32_t n = 0;
  };
  std::vector<Count> arrived, finished;  // by thread: instances of the batch that it has come to, or is done with
  std::array<std::uint32_t, 16> skew{};  // ticks at most, by thread
  std::array<unsigned, 16> warm{};       // what each thread loads before an instance
  unsigned restorer = 0;
  bool stop = false;
  Budget left;
  const std::atomic<bool>* cancelled = nullptr;
  double began = 0;
  std::uint64_t done = 0;
  std::array<std::uint64_t, 16> longest{};
  const OnFinding& on_finding;
  std::mutex lock;  // of the counts and findings, while instances are judged
};

HardwareCampaign::HardwareCampaign(const Plan& plan, const Topology& topology, const Tuning& tuning,
                                   std::uint64_t first)
    : plan_(plan), topology_(topology), tuning_(tuning), rng_(Rng::mix(plan.seed ^ Rng::mix(first + 1))), next_(first) {
  const auto programs = static_cast<unsigned>(plan.threads.size());
  own_worker_ = topology.cpus().size() > programs;
  threads_ = programs + (own_worker_ ? 1 : 0);
  watched_counts(&counts_);
  racing::plan = plan.barriers;
  racing::judged = plan.oracles;
  const std::size_t bytes = std::size_t{plan.page_size} * (plan.frames + 4) + 65536;
  const std::size_t n = std::clamp<std::size_t>(batch_bytes / bytes, 4, 64);
  for (std::size_t i = 0; i < n; ++i) instances_.push_back(std::make_unique<Instance>(plan));
}

void HardwareCampaign::run(Budget budget, const std::atomic<bool>& cancelled, const OnFinding& on_finding) {
  const double began = seconds_now();
  const double before = seconds_;
  const std::uint64_t executions = counts_.executions;
  double used = 0;
  do {
    Budget left{round_seconds, 0};
    if (budget.seconds > 0) left.seconds = std::min(round_seconds, budget.seconds - used);
    if (budget.iterations > 0) left.iterations = budget.iterations - (counts_.executions - executions);
    round(left, cancelled, on_finding);
    used = seconds_now() - began;
    seconds_ = before + used;
  } while (!cancelled && (budget.seconds <= 0 || used < budget.seconds) &&
           (budget.iterations == 0 || counts_.executions - executions < budget.iterations));
}

void HardwareCampaign::round(Budget left, const std::atomic<bool>& cancelled, const OnFinding& on_finding) {
  Round r(threads_, on_finding);
  r.left = left;
  r.cancelled = &cancelled;
  r.began = seconds_now();
  // Mostly where the calibration saw the most; what is best for a whole scenario may lie elsewhere.
  Placement where = tuning_.placement;
  if (rng_.below(3) == 0) where = Tuning::draw(rng_, topology_, 0).placement;
  pinned_ = run_pinned(topology_.assign(where, threads_, rng_), [&](unsigned me) { member(r, me); }) && pinned_;
}

void HardwareCampaign::member(Round& r, unsigned me) {
  const Watched watched(me);
  Rng rng(Rng::mix(plan_.seed + Rng::mix(next_ * 16 + me)));
  const auto n = static_cast<std::uint32_t>(instances_.size());
  for (;;) {
    if (me == 0) {
      r.restorer = rng.below(threads_);
      const auto longest = static_cast<std::uint32_t>(std::max<std::uint64_t>(longest_, 8));
      for (unsigned t = 0; t < threads_; ++t) {
        // One thread is late by anything up to the time that a program takes; or all start as one.
        r.skew[t] = std::array{0u, longest / 8, longest, longest + longest / 2}[rng.below(4)];
        r.warm[t] = rng.below(Instance::everything + 1);
      }
    }
    r.arrived[me].n = r.finished[me].n = 0;
    r.barrier.wait();
    for (std::uint32_t i = 0; i < n; ++i)
      if ((i + r.restorer) % threads_ == me) instances_[i]->restore();
    r.barrier.wait();
    for (std::uint32_t i = 0; i < n; ++i) race_one(r, me, i, rng);
    r.barrier.wait();
    for (std::uint32_t i = 0; i < n; ++i)
      if (i % threads_ == me) judge(r, i, rng);
    r.barrier.wait();
    if (me == 0) {
      counts_.executions += n;
      next_ += n;
      r.done += n;
      longest_ = *std::max_element(r.longest.begin(), r.longest.begin() + threads_);
      r.stop = r.cancelled->load(std::memory_order_relaxed) || seconds_now() - r.began >= r.left.seconds ||
               (r.left.iterations > 0 && r.done >= r.left.iterations);
    }
    r.barrier.wait();
    if (r.stop) return;
  }
}

void HardwareCampaign::race_one(Round& r, unsigned me, std::uint32_t i, Rng& rng) {
  Instance& instance = *instances_[i];
  instance.warm(r.warm[me]);
  const std::uint32_t late = r.skew[me] == 0 ? 0 : rng.below(r.skew[me] + 1);
  watched_execution(me, next_ + i);
  __atomic_store_n(&r.arrived[me].n, i + 1, __ATOMIC_RELEASE);
  const bool crowded = oversubscribed();
  for (unsigned t = 0; t < threads_; ++t)
    for (unsigned turn = 0; __atomic_load_n(&r.arrived[t].n, __ATOMIC_ACQUIRE) < i + 1; ++turn) {
      access::pause();
      if (crowded ? turn % 8 == 7 : turn % 1024 == 1023) sched_yield();
    }
  const std::uint64_t began = ticks();
  if (me == instance.worker()) {
    // Deferred frees, until every program has ended.
    const auto busy = [&] {
      for (unsigned t = 0; t < me; ++t)
        if (__atomic_load_n(&r.finished[t].n, __ATOMIC_RELAXED) < i + 1) return true;
      return false;
    };
    for (unsigned turn = 0; busy(); ++turn) {
      if (instance.work_pending()) instance.run_worker(rng);
      racing::wait_a_little(turn);
    }
    return;
  }
  while (ticks() - began < late) access::pause();
  const std::uint64_t started = ticks();
#ifdef RACE_INJECT
  inject(next_ + i);
#endif
  instance.run(me, rng);
  r.longest[me] = std::min<std::uint64_t>(ticks() - started, 8 * std::max<std::uint64_t>(r.longest[me], 1024));
  __atomic_store_n(&r.finished[me].n, i + 1, __ATOMIC_RELAXED);
}

void HardwareCampaign::judge(Round& r, std::uint32_t i, Rng& rng) {
  const std::optional<Found> found = instances_[i]->check(rng);
  if (!found) return;
  const std::lock_guard guard(r.lock);
  if (!plan_.enabled(found->fault.oracle)) {
    ++counts_.cut_short;
    return;
  }
  const auto o = static_cast<std::size_t>(found->fault.oracle);
  ++counts_.by_oracle[o];
  if (counts_.kept[o] >= plan_.max_findings) return;
  ++counts_.kept[o];
  r.on_finding(record(*instances_[i], *found, next_ + i));
}

const char* HardwareCampaign::thread_name(unsigned cpu) const {
  if (cpu < plan_.threads.size()) return plan_.threads[cpu].name.c_str();
  return cpu == plan_.threads.size() ? "worker" : "(the end)";
}

FindingRecord HardwareCampaign::record(const Instance& instance, const Found& found, std::uint64_t execution) const {
  FindingRecord f;
  f.execution = execution;
  f.oracle = found.fault.oracle;
  f.message = found.fault.what;
  f.thread = thread_name(found.cpu);
  f.function = found.function;
  if (found.site != no_site && found.cpu != instance.checker()) f.site = sites()[found.site].name;
  f.object = found.fault.object;
  f.value = instance.describe_value(found);
  f.value_kind = instance.value_kind(found);
  f.origin = instance.origin(found);
  if (found.fault.expected && found.fault.kind == ValueKind::number) f.expected = std::to_string(*found.fault.expected);
  if (found.fault.size_class >= 0) {
    const auto& c = instance.zs().geometry().at_slot(static_cast<std::uint32_t>(found.fault.size_class));
    f.size_class = "class " + std::to_string(c.index) + " (" + std::to_string(c.size) + " bytes)";
  }
  return f;
}

}  // namespace race::hardware
