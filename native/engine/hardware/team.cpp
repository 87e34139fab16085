#include "engine/hardware/team.hpp"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace race::hardware {

bool run_pinned(const std::vector<unsigned>& cpus, const std::function<void(unsigned)>& body) {
  std::atomic<bool> pinned{true};
  std::mutex lock;
  std::exception_ptr thrown;
  std::vector<std::thread> threads;
  threads.reserve(cpus.size());
  for (unsigned t = 0; t < cpus.size(); ++t)
    threads.emplace_back([&, t] {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(cpus[t], &set);
      if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) pinned = false;
      try {
        body(t);
      } catch (...) {
        const std::lock_guard guard(lock);
        if (thrown == nullptr) thrown = std::current_exception();
      }
    });
  for (std::thread& t : threads) t.join();
  if (thrown != nullptr) std::rethrow_exception(thrown);
  return pinned;
}

}  // namespace race::hardware
