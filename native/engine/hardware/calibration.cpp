#include "engine/hardware/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <numeric>

#include "engine/hardware/clock.hpp"
#include "engine/hardware/host.hpp"
#include "engine/hardware/team.hpp"

namespace race::hardware {

namespace {

using shapes::Word;

void flush_line(const Word* at) {
#if defined(__x86_64__)
  __builtin_ia32_clflush(at);
#elif defined(__aarch64__)
  asm volatile("dc civac, %0" ::"r"(at) : "memory");
#else
  (void)at;
#endif
}

// The words x and y of a batch's instances, each on lines of its own, and what the threads have to know of each other.
class Arena {
 public:
  Arena(const Tuning& t, Rng& rng) : tuning_(t), place_(t.batch), memory_(bytes()), saw_{} {
    std::iota(place_.begin(), place_.end(), 0u);
    if (t.shuffled)
      for (std::uint32_t i = t.batch; i > 1; --i) std::swap(place_[i - 1], place_[rng.below(i)]);
    for (auto& saw : saw_) saw.resize(t.batch);
  }
  Word* x(std::uint32_t i) { return word(place_[i]); }
  Word* y(std::uint32_t i) { return word(place_[i] + tuning_.batch); }
  std::uint8_t* saw(unsigned thread) { return saw_[thread].data(); }

  // Before a batch: the thread makes what it has to own, and later touches what it has to share.
  void own(unsigned thread) {
    for (std::uint32_t i = 0; i < tuning_.batch; ++i) {
      if ((tuning_.x == LineState::owned_by_second) == (thread == 1)) shapes::write(x(i), 0);
      if ((tuning_.y == LineState::owned_by_second) == (thread == 1)) shapes::write(y(i), 0);
    }
  }
  void touch(unsigned thread) {
    for (std::uint32_t i = 0; i < tuning_.batch; ++i) {
      if (thread == 1 && tuning_.x == LineState::shared) shapes::read(x(i));
      if (thread == 1 && tuning_.y == LineState::shared) shapes::read(y(i));
      if (thread == 0 && tuning_.x == LineState::flushed) flush_line(x(i));
      if (thread == 0 && tuning_.y == LineState::flushed) flush_line(y(i));
    }
  }

 private:
  struct Free {
    void operator()(char* p) const { ::operator delete(p, std::align_val_t{4096}); }
  };
  std::size_t bytes() const { return 2 * std::size_t{tuning_.batch} * tuning_.stride; }
  struct Memory {
    explicit Memory(std::size_t n) : start(static_cast<char*>(::operator new(n, std::align_val_t{4096}))) {
      std::fill_n(start.get(), n, 0);
    }
    std::unique_ptr<char, Free> start;
  };
  Word* word(std::uint32_t place) {
    return reinterpret_cast<Word*>(memory_.start.get() + std::size_t{place} * tuning_.stride);
  }
  const Tuning& tuning_;
  std::vector<std::uint32_t> place_;
  Memory memory_;
  std::array<std::vector<std::uint8_t>, 2> saw_;
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what different threads write is kept apart
struct alignas(line) Shared {
  explicit Shared(const Tuning& t, Rng& rng) : arena(t, rng), barrier(2) {}
  Arena arena;
  SpinBarrier barrier;
  alignas(line) std::uint64_t start = 0;  // tick of the first iteration; written before a barrier
  bool stop = false;
  std::array<std::uint64_t, 2> skew{};
  alignas(line) std::uint32_t flag[2][line / 4]{};  // how many iterations the thread has begun
  alignas(line) std::array<Measured, 2> counted;
  std::atomic<bool> stress{true};
  std::atomic<bool> late{false};  // this batch took so long that somebody else must be using a CPU
};

template <class Shape, Start how>
void iterate(Shared& s, const Tuning& t, unsigned me) {
  std::uint8_t* saw = s.arena.saw(me);
  const std::uint64_t period = std::max<std::uint64_t>(1, ticks_of_ns(t.period_ns));
  [[maybe_unused]] const std::uint64_t patience = ticks_of_ns(20e6);
  std::uint64_t due = s.start + s.skew[me];
  while (ticks() < due) access::pause();
  [[maybe_unused]] bool together = true;
  for (std::uint32_t i = 0; i < t.batch; ++i) {
    Word* x = s.arena.x(i);
    Word* y = s.arena.y(i);
    if constexpr (how == Start::counter) {
      while (ticks() < due) {
      }
      due += period;
    }
    if constexpr (how == Start::flags) {
      __atomic_store_n(&s.flag[me][0], i + 1, __ATOMIC_RELAXED);
      __atomic_thread_fence(__ATOMIC_SEQ_CST);  // tighter: the other sees it at once
      // Where a CPU is shared with others, each iteration may have to wait for the scheduler: no more of them in this batch.
      for (unsigned turn = 0; together && __atomic_load_n(&s.flag[1 - me][0], __ATOMIC_RELAXED) < i + 1; ++turn) {
        if (turn % 4096 != 4095) continue;
        if (ticks() - s.start > patience && ticks() > s.start) s.late = true;
        together = !s.late;
        sched_yield();
      }
    }
    saw[i] = static_cast<std::uint8_t>(me == 0 ? Shape::first(x, y) : Shape::second(x, y));
  }
}

template <class Shape>
void count(Shared& s, const Tuning& t, unsigned me) {
  const std::uint8_t *a = s.arena.saw(0), *b = s.arena.saw(1);
  Measured& m = s.counted[me];
  const std::uint32_t half = t.batch / 2;
  for (std::uint32_t i = me == 0 ? 0 : half; i < (me == 0 ? half : t.batch); ++i) {
    ++m.outcomes[a[i] * 16u + b[i]];
    Word x = 0, y = 0;
    if constexpr (Shape::final_state) x = *s.arena.x(i), y = *s.arena.y(i);
    m.weak += Shape::weak(a[i], b[i], x, y) ? 1 : 0;
    ++m.iterations;
  }
}

template <class Shape>
void member(Shared& s, const Tuning& t, unsigned me, const Budget& budget, Rng& rng) {
  const double began = seconds_now();
  for (;;) {
    s.arena.own(me);
    s.flag[me][0] = 0;
    s.barrier.wait();
    s.arena.touch(me);
    if (me == 0)
      for (auto& skew : s.skew)
        skew = t.skew_ns == 0 ? 0 : rng.below(static_cast<std::uint32_t>(ticks_of_ns(t.skew_ns)) + 1);
    s.barrier.wait();
    if (me == 0) s.start = ticks() + ticks_of_ns(400), s.late = false;
    s.barrier.wait();
    switch (t.start) {
      case Start::counter: iterate<Shape, Start::counter>(s, t, me); break;
      case Start::flags: iterate<Shape, Start::flags>(s, t, me); break;
      default: iterate<Shape, Start::free>(s, t, me); break;
    }
    s.barrier.wait();
    count<Shape>(s, t, me);
    if (me == 0) {
      const std::uint64_t done = 2 * s.counted[0].iterations;
      s.counted[0].late += s.late ? 1 : 0;
      s.counted[0].seconds = seconds_now() - began;
      s.stop = (budget.seconds > 0 && s.counted[0].seconds >= budget.seconds) ||
               (budget.iterations > 0 && done >= budget.iterations);
    }
    s.barrier.wait();
    if (s.stop) return;
  }
}

// Memory traffic that the racing threads have to get past.
void make_traffic(const std::atomic<bool>& on) {
  std::vector<std::uint64_t> memory(1u << 20);
  for (std::size_t i = 0; on.load(std::memory_order_relaxed); i = (i + 488) % memory.size())
    __atomic_store_n(&memory[i], i, __ATOMIC_RELAXED);
}

}  // namespace

void Measured::add(const Measured& other) {
  iterations += other.iterations;
  weak += other.weak;
  seconds += other.seconds;
  late += other.late;
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
}

Measured measure(std::size_t shape, const Tuning& tuning, const std::vector<unsigned>& cpus, Budget budget, Rng& rng) {
  const auto s = std::make_unique<Shared>(tuning, rng);
  std::atomic<unsigned> racing{2};
  run_pinned(cpus, [&](unsigned me) {
    if (me >= 2) return make_traffic(s->stress);
    shapes::with_shape(shape, [&](auto which) { member<decltype(which)>(*s, tuning, me, budget, rng); });
    if (--racing == 0) s->stress = false;
  });
  Measured m = s->counted[0];
  const double seconds = m.seconds;
  m.add(s->counted[1]);
  m.seconds = seconds;
  return m;
}

Calibration calibrate(const Topology& topology, Budget budget, std::uint64_t seed, const std::atomic<bool>& cancelled) {
  Calibration c;
  c.enough_cpus = topology.cpus().size() >= 2;
  Rng rng(Rng::mix(seed));
  const double began = seconds_now();
  const auto n = static_cast<std::uint32_t>(topology.cpus().size());
  const std::uint32_t spare = n > 2 ? n - 2 : 0;
  const auto run = [&](std::size_t shape, const Tuning& t, double seconds) {
    c.cpus = topology.assign(t.placement, 2 + t.stress, rng);
    return measure(shape, t, c.cpus, {seconds, budget.iterations}, rng);
  };

  // Half of the time: what shows store buffering best, and message passing (two stores, or two loads, in the other order: what the
  // scenarios need) where the architecture allows it? Random draws first, then changes of the best. The best few are measured
  // once more: that one was good for some milliseconds says little.
  constexpr std::size_t mp = 0, sb = 1;
  const bool mp_allowed = this_host().model != "tso" || shapes::all[mp].tso;
  const auto score_of = [&](const Tuning& t, double seconds) {
    double score = 0;
    for (const std::size_t shape : {mp, sb}) {
      if (shape == mp && !mp_allowed) continue;
      const Measured m = run(shape, t, mp_allowed ? seconds / 2 : seconds);
      c.others[shape].add(m);
      score += std::log10(1 + m.weak_per_second());
    }
    return score;
  };
  struct Trial {
    double score;
    Tuning tuning;
  };
  std::vector<Trial> trials;
  const auto best_first = [](const Trial& a, const Trial& b) { return a.score > b.score; };
  const double search = budget.seconds / 2, finals = 0.2 * search, trial = std::clamp(search / 200, 0.002, 0.02);
  const auto searched = [&] { return seconds_now() - began; };
  while (!cancelled && searched() < search - finals) {
    const bool improving = !trials.empty() && searched() > search / 2;
    const Tuning t = trials.empty() ? Tuning{} : Tuning::draw(rng, topology, spare, improving ? &c.tuning : nullptr);
    trials.push_back({score_of(t, trial), t});
    c.tuning = std::min_element(trials.begin(), trials.end(), best_first)->tuning;
  }
  c.trials = static_cast<std::uint32_t>(trials.size());
  const std::size_t few = std::min<std::size_t>(trials.size(), 8);
  std::partial_sort(trials.begin(), trials.begin() + static_cast<std::ptrdiff_t>(few), trials.end(), best_first);
  trials.resize(few);
  for (Trial& t : trials)
    if (!cancelled) t.score = score_of(t.tuning, finals / static_cast<double>(few));
  if (!trials.empty()) c.tuning = std::min_element(trials.begin(), trials.end(), best_first)->tuning;
  // Of a short budget nothing may be left, and 0 would be no limit.
  const double left = budget.seconds > 0 ? std::max(0.001, budget.seconds - (seconds_now() - began)) : 0;
  for (std::size_t shape = 0; shape < shapes::all.size() && !cancelled; ++shape) {
    // Mostly what was kept; for the other tests something else may be better.
    const double share = left / static_cast<double>(shapes::all.size());
    c.best[shape].add(run(shape, c.tuning, share * 0.7));
    for (int i = 0; i < 6; ++i) c.others[shape].add(run(shape, Tuning::draw(rng, topology, spare), share * 0.05));
  }
  c.seconds = seconds_now() - began;
  return c;
}

}  // namespace race::hardware
