// A fibre: a stack that a simulated CPU runs on. Switching costs about 10 ns.
#pragma once

#include <cstddef>

namespace race {

class Fibre {
 public:
  Fibre();
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // The next resume() calls entry(argument) on the fresh stack; what was on it is forgotten, without unwinding.
  // entry must not return.
  void prepare(void (*entry)(void*), void* argument);
  void resume();   // runs the fibre until it calls suspend()
  void suspend();  // on the fibre: back to the caller of resume()

 private:
  char* memory_;
  std::size_t bytes_;
  void* fibre_ = nullptr;  // saved stack pointers
  void* caller_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  void* fibre_fake_ = nullptr;
  void* caller_fake_ = nullptr;
  const void* caller_stack_ = nullptr;
  std::size_t caller_bytes_ = 0;
#endif
  friend void race_fibre_main(Fibre*);
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace race
