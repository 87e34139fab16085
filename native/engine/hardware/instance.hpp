// A scenario on the hardware machine: one pool with its pages, and a program for each thread. Many of them make a batch.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/client.hpp"
#include "engine/hardware/team.hpp"
#include "engine/program.hpp"
#include "engine/random.hpp"
#include "memory/hardware/racing.hpp"
#include "oracle/live.hpp"

namespace race::hardware {

// Thrown by what finds a fault on a thread, and on the threads that wait for one that has stopped.
struct Stopped : std::exception {};

struct Found {
  Fault fault{};
  unsigned cpu = 0;  // the worker comes behind the threads, then the checks at the end
  const char* function = "";
  SiteId site = no_site;
  std::uint64_t tick = 0;
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what different threads write is kept apart
class Instance {
 public:
  using M = racing;
  using Zs = zsmalloc::Zsmalloc<M>;

  // Throws std::invalid_argument if the set-up finds something, std::bad_alloc if there is no memory for it.
  explicit Instance(const Plan& plan);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  static unsigned cpus(const Plan& plan) { return static_cast<unsigned>(plan.threads.size()) + 2; }
  unsigned worker() const { return static_cast<unsigned>(plan_.threads.size()); }
  unsigned checker() const { return worker() + 1; }

  void restore();  // to what the set-up left; the thread that does it has everything in its cache
  enum Warm : unsigned { next_pages = 1, used_pages = 2, locks = 4, everything = 7 };
  void warm(unsigned what) const;  // loads these lines into this CPU's cache

  void run(unsigned thread, Rng& rng);  // its program
  bool work_pending() const { return zs_->work_pending().read_once() != 0; }
  void run_worker(Rng& rng);             // the deferred frees that are pending
  std::optional<Found> check(Rng& rng);  // when no thread runs it
  std::string describe_value(const Found& f) const;
  std::string value_kind(const Found& f) const;
  std::string origin(const Found& f) const;

  const Zs& zs() const { return *zs_; }

 private:
  struct alignas(line) Member {  // one CPU's
    std::byte* begin = nullptr;
    Arena memory;
    Found found;
    bool stopped = false;
  };
  template <class F>
  void as(unsigned cpu, Rng& rng, F body);  // on this CPU, until it ends or is stopped
  static void failed(const Fault& f, const Context& c);
  static void waiting();
  std::byte* frame_bytes(std::uint32_t f) const;
  void put_back(std::byte* from, std::byte* to);
  std::string frame_name(std::uint32_t f) const;

  const Plan& plan_;
  std::unique_ptr<std::byte[]> memory_, saved_;
  std::byte* base_ = nullptr;
  std::byte* set_up_end_ = nullptr;
  std::size_t page_bytes_;
  std::unique_ptr<kernel::PageAllocator<M>> pages_;
  std::unique_ptr<Zs> zs_;
  std::unique_ptr<oracle::LiveOracles<M>> oracles_;
  std::unique_ptr<Client<M>> client_;
  std::vector<Member> members_;
  std::vector<std::uint32_t> used_frames_;  // at the end of the set-up
  std::size_t queue_head_ = 0;
  alignas(line) bool abandoned_ = false;  // a thread has stopped: who waits for it gives up
};

}  // namespace race::hardware
