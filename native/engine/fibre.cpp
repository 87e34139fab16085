#include "engine/fibre.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the callee-saved registers on the stack, stores the stack pointer through `save`, and continues with `load`.
extern "C" void race_fibre_switch(void** save, void* load);
extern "C" void race_fibre_start();  // where a fresh stack begins: calls its first register with its second

#if defined(__x86_64__)
asm(R"(
.text
.globl race_fibre_switch
.hidden race_fibre_switch
.type race_fibre_switch, @function
race_fibre_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size race_fibre_switch, .-race_fibre_switch
.globl race_fibre_start
.hidden race_fibre_start
.type race_fibre_start, @function
race_fibre_start:
  movq %r12, %rdi
  call *%r13
  ud2
.size race_fibre_start, .-race_fibre_start
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl race_fibre_switch
.hidden race_fibre_switch
.type race_fibre_switch, %function
race_fibre_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size race_fibre_switch, .-race_fibre_switch
.globl race_fibre_start
.hidden race_fibre_start
.type race_fibre_start, %function
race_fibre_start:
  mov x0, x19
  blr x20
  brk #1
.size race_fibre_start, .-race_fibre_start
)");
#else
#error "fibres: add the context switch of this architecture"
#endif

namespace race {

void race_fibre_main(Fibre* f) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &f->caller_stack_, &f->caller_bytes_);
#endif
  f->entry_(f->argument_);
  std::abort();
}

Fibre::Fibre() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = std::size_t{256} * 1024;
  void* m = mmap(nullptr, bytes_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (m == MAP_FAILED) throw std::bad_alloc();
  mprotect(m, page, PROT_NONE);  // running over the end is a fault, not a corruption
  memory_ = static_cast<char*>(m) + page;
}

Fibre::~Fibre() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(memory_, bytes_);
#endif
  munmap(memory_ - page, bytes_ + page);
}

void Fibre::prepare(void (*entry)(void*), void* argument) {
#if defined(__SANITIZE_ADDRESS__)
  // Frames that an abandoned execution left are none any more.
  __asan_unpoison_memory_region(memory_, bytes_);
#endif
  entry_ = entry;
  argument_ = argument;
  auto* top = reinterpret_cast<std::uintptr_t*>(memory_ + bytes_);
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  const auto main = reinterpret_cast<std::uintptr_t>(&race_fibre_main);
  const auto start = reinterpret_cast<std::uintptr_t>(&race_fibre_start);
#if defined(__x86_64__)
  top -= 9;  // r15 r14 r13 r12 rbx rbp, the return address, and two words that keep the call in start aligned
  top[2] = main;
  top[3] = self;
  top[6] = start;
#else
  top -= 20;
  top[0] = self;
  top[1] = main;
  top[11] = start;
#endif
  fibre_ = top;
}

void Fibre::resume() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&caller_fake_, memory_, bytes_);
#endif
  race_fibre_switch(&caller_, fibre_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(caller_fake_, nullptr, nullptr);
#endif
}

void Fibre::suspend() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fibre_fake_, caller_stack_, caller_bytes_);
#endif
  race_fibre_switch(&fibre_, caller_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fibre_fake_, &caller_stack_, &caller_bytes_);
#endif
}

}  // namespace race
