#include "engine/hardware/watch.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>

namespace race::hardware {

namespace {

struct alignas(128) Seen {
  const Context* context = nullptr;  // null: the thread does not race
  std::uint64_t execution = 0;
  std::uint64_t begun = 0;  // executions
};
std::array<Seen, most_watched> seen;
thread_local unsigned own = most_watched;
int report_to = -1;
const Counts* counts = nullptr;

// Text put together without the heap, for signal handlers.
class Line {
 public:
  Line& operator<<(const char* s) {
    for (; *s != 0 && size_ + 1 < text_.size(); ++s) text_[size_++] = *s;
    return *this;
  }
  Line& operator<<(std::uint64_t n) { return number(n, 10); }
  Line& number(std::uint64_t n, unsigned base) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    do digits[--at] = "0123456789abcdef"[n % base];
    while ((n /= base) != 0);
    return *this << &digits[at];
  }
  // Where a thread is: "cpu": 0, "execution": 7, "function": "obj_malloc", "site": "zs_malloc.class.lock"
  Line& where(unsigned thread) {
    const Seen& s = seen[thread];
    *this << "\"cpu\": " << std::uint64_t{thread} << ", \"execution\": " << s.execution << ", \"function\": \""
          << (s.context != nullptr ? s.context->function : "") << "\", \"site\": \"";
    if (s.context != nullptr && s.context->site < sites().all().size()) {
      const std::string_view name = sites()[s.context->site].name;
      for (const char c : name)
        if (size_ + 1 < text_.size()) text_[size_++] = c;
    }
    return *this << "\"";
  }
  Line& status() {
    if (counts == nullptr) return *this;
    *this << ", \"status\": {\"executions\": " << counts->executions << ", \"cut_short\": " << counts->cut_short
          << ", \"counts\": {";
    bool first = true;
    for (std::size_t o = 0; o < oracles.size(); ++o) {
      if (counts->by_oracle[o] == 0) continue;
      *this << (first ? "\"" : ", \"") << oracles[o].name.data() << "\": " << counts->by_oracle[o];
      first = false;
    }
    return *this << "}}";
  }
  void write_to(int fd) {
    for (std::size_t done = 0; done < size_;) {
      const ssize_t n = ::write(fd, text_.data() + done, size_ - done);
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
  }

 private:
  std::array<char, 4096> text_{};
  std::size_t size_ = 0;
};

const char* signal_name(int number) {
  switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGABRT: return "SIGABRT";
    default: return "a signal";
  }
}

void died(int number, siginfo_t* info, void*) {
  // The first thread tells; another that comes here meanwhile waits for the end.
  static int once = 0;
  while (__atomic_exchange_n(&once, 1, __ATOMIC_RELAXED) != 0) pause();
  Line text;
  const bool racing = own < most_watched && seen[own].context != nullptr && seen[own].context->function[0] != 0;
  text << "{\"died\": \"" << signal_name(number) << "\", \"address\": \"0x";
  text.number(number == SIGABRT ? 0 : reinterpret_cast<std::uint64_t>(info->si_addr), 16)
      << "\", \"racing\": " << (racing ? "true" : "false");
  if (own < most_watched) (text << ", ").where(own);
  text.status() << "}\n";
  text.write_to(report_to);
  _exit(died_status);
}

}  // namespace

Watched::Watched(unsigned thread) : thread_(thread) {
  if (thread >= most_watched) return;
  own = thread;
  // A stack of its own for the handler: the thread's may be what went wrong.
  static std::array<std::array<char, 32768>, most_watched> stacks;
  stack_t stack{};
  stack.ss_sp = stacks[thread].data();
  stack.ss_size = stacks[thread].size();
  sigaltstack(&stack, nullptr);
  __atomic_store_n(&seen[thread].context, &context, __ATOMIC_RELEASE);
}

Watched::~Watched() {
  if (thread_ >= most_watched) return;
  __atomic_store_n(&seen[thread_].context, nullptr, __ATOMIC_RELEASE);
  own = most_watched;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
}

void watched_execution(unsigned thread, std::uint64_t execution) {
  if (thread >= most_watched) return;
  Seen& s = seen[thread];
  __atomic_store_n(&s.execution, execution, __ATOMIC_RELAXED);
  __atomic_store_n(&s.begun, s.begun + 1, __ATOMIC_RELAXED);
}

void watched_counts(const Counts* of) { counts = of; }

void report_signals(int fd) {
  report_to = fd;
  struct sigaction action{};
  action.sa_sigaction = died;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigaction(number, &action, nullptr);
}

struct Watchdog::State {
  int fd;
  double seconds;
  bool stop = false;
  std::mutex lock;
  std::condition_variable changed;
  std::thread thread;

  static std::uint64_t begun() {
    std::uint64_t sum = 0;
    for (const Seen& s : seen) sum += __atomic_load_n(&s.begun, __ATOMIC_RELAXED);
    return sum;
  }
  static bool racing() {
    for (const Seen& s : seen)
      if (__atomic_load_n(&s.context, __ATOMIC_ACQUIRE) != nullptr) return true;
    return false;
  }
  void watch() {
    using Clock = std::chrono::steady_clock;
    std::uint64_t before = begun();
    auto alive = Clock::now();
    std::unique_lock guard(lock);
    while (!changed.wait_for(guard, std::chrono::milliseconds(50), [&] { return stop; })) {
      const std::uint64_t now = begun();
      if (now != before || !racing()) {
        before = now;
        alive = Clock::now();
      } else if (std::chrono::duration<double>(Clock::now() - alive).count() > seconds) {
        Line text;
        text << "{\"hang\": " << static_cast<std::uint64_t>(seconds) << ", \"threads\": [";
        bool first = true;
        for (unsigned t = 0; t < most_watched; ++t) {
          if (seen[t].context == nullptr) continue;
          (text << (first ? "{" : ", {")).where(t) << "}";
          first = false;
        }
        text << "]";
        text.status() << "}\n";
        text.write_to(fd);
        _exit(hang_status);
      }
    }
  }
};

Watchdog::Watchdog(int fd, double seconds) : state_(new State{fd, seconds, false, {}, {}, {}}) {
  state_->thread = std::thread([this] { state_->watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard guard(state_->lock);
    state_->stop = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
  delete state_;
}

}  // namespace race::hardware
