// The weak machine as the allocator sees it: the members that memory/hardware.hpp describes.
#pragma once

#include <concepts>
#include <type_traits>

#include "memory/weak/machine.hpp"

namespace race::weak {

// The machine that this thread's simulated CPUs belong to.
extern constinit thread_local Machine* current;

template <class T>
concept Number = std::is_integral_v<T> || std::is_enum_v<T>;

// A number with the time at which it can be known at the earliest (the view of the loads that it was computed from), and,
// while tracing, the load that it came from. Or a number that waits for a late load: then view is not_yet and source its node.
template <class T>
class value {
 public:
  value() = default;
  template <class U>
    requires(Number<U> && std::is_convertible_v<U, T>)
  constexpr value(U v) : bits_(static_cast<T>(v)) {}
  constexpr value(T v, Time view, std::uint32_t source) : bits_(v), view_(view), source_(source) {}
  template <class U>
    requires(!std::is_same_v<U, T> && std::is_convertible_v<U, T>)
  constexpr value(value<U> v) : bits_(static_cast<T>(v.bits())), view_(v.view()), source_(v.source()) {
    if (v.pending()) [[unlikely]]
      source_ =
          current
              ->combine([](std::uint64_t a,
                           std::uint64_t) { return static_cast<std::uint64_t>(static_cast<T>(static_cast<U>(a))); },
                        v.loaded(), {})
              .source;
  }

  // Branching on a value is a control dependency.
  explicit operator bool() const { return known() != T{}; }
  T known() const {
    if (view_ == 0) [[likely]]
      return bits_;
    const value v = resolved();
    current->branch(v.view_);
    return v.bits_;
  }
  value resolved() const { return view_ != not_yet ? *this : resolve_now(); }
  constexpr bool pending() const { return view_ == not_yet; }
  constexpr Loaded loaded() const { return {static_cast<std::uint64_t>(bits_), view_, source_}; }
  static constexpr value from(Loaded l) { return {static_cast<T>(l.value), l.view, l.source}; }
  constexpr T bits() const { return bits_; }
  constexpr Time view() const { return view_; }
  constexpr std::uint32_t source() const { return source_; }

 private:
  [[gnu::noinline, gnu::cold]] value resolve_now() const { return from(current->resolve(loaded())); }

  T bits_{};
  Time view_ = 0;
  std::uint32_t source_ = 0;
};

namespace detail {
template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<value<T>> {
  using type = T;
};
template <class T>
using plain = typename Plain<T>::type;
template <class T>
constexpr bool is_value = false;
template <class T>
constexpr bool is_value<value<T>> = true;
template <class T>
constexpr value<T> lift(T v) {
  return v;
}
template <class T>
constexpr value<T> lift(value<T> v) {
  return v;
}
template <class A, class B>
concept Operands = (is_value<A> && (is_value<B> || Number<B>)) || (Number<A> && is_value<B>);
}  // namespace detail

#define RACE_OPERATOR(op)                                                                                   \
  template <class A, class B>                                                                               \
    requires detail::Operands<A, B>                                                                         \
  constexpr auto operator op(A a, B b) {                                                                    \
    const auto x = detail::lift(a);                                                                         \
    const auto y = detail::lift(b);                                                                         \
    using R = decltype(x.bits() op y.bits());                                                               \
    const Time view = std::max(x.view(), y.view());                                                         \
    if (view == not_yet) [[unlikely]]                                                                       \
      return value<R>::from(current->combine(                                                               \
          [](std::uint64_t p, std::uint64_t q) {                                                            \
            return static_cast<std::uint64_t>(static_cast<R>(detail::plain<A>(p) op detail::plain<B>(q)));  \
          },                                                                                                \
          x.loaded(), y.loaded()));                                                                         \
    return value<R>(static_cast<R>(x.bits() op y.bits()), view, x.source() != 0 ? x.source() : y.source()); \
  }
RACE_OPERATOR(+)
RACE_OPERATOR(-)
RACE_OPERATOR(*)
RACE_OPERATOR(/)
RACE_OPERATOR(%)
RACE_OPERATOR(&)
RACE_OPERATOR(|)
RACE_OPERATOR(^)
RACE_OPERATOR(<<)
RACE_OPERATOR(>>)
RACE_OPERATOR(==)
RACE_OPERATOR(!=)
RACE_OPERATOR(<)
RACE_OPERATOR(<=)
RACE_OPERATOR(>)
RACE_OPERATOR(>=)
#undef RACE_OPERATOR

template <class T>
constexpr value<T> operator~(value<T> v) {
  return v ^ static_cast<T>(~T{});
}
template <class T>
constexpr value<bool> operator!(value<T> v) {
  return v == T{};
}

template <class S>
class ptr;

// One word of shared memory. It has no members of its own: only a ref reaches it.
template <class T>
struct shared {
  Word word;
};

// What a load gives: a value, or for a shared pointer a ptr.
template <class T>
struct Codec {
  static_assert(sizeof(T) <= 8);
  using Result = value<T>;
  static Result decode(Loaded l) { return Result::from(l); }
  static Loaded encode(Result v) { return v.loaded(); }
};

template <class T>
class ref {
 public:
  using Result = typename Codec<T>::Result;
  ref(std::uint64_t address, Time view) : address_(address), view_(view) {}

  Result load() const { return Codec<T>::decode(current->load<false>(address_, view_, Order::plain)); }
  void store(Result v) const { current->store<false>(address_, view_, Codec<T>::encode(v), Order::plain); }
  Result read_once() const { return load(); }
  void write_once(Result v) const { store(v); }
  Result load(Order o) const { return Codec<T>::decode(current->load<true>(address_, view_, o)); }
  void store(Result v, Order o) const { current->store<true>(address_, view_, Codec<T>::encode(v), o); }

  Result exchange(Result v, Order o) const { return atomic(nullptr, v, o); }
#define RACE_UPDATE(name, op)                                                                        \
  Result name(Result v, Order o) const {                                                             \
    return atomic(                                                                                   \
        [](std::uint64_t a, std::uint64_t b) {                                                       \
          return static_cast<std::uint64_t>(static_cast<T>(static_cast<T>(a) op static_cast<T>(b))); \
        },                                                                                           \
        v, o);                                                                                       \
  }
  RACE_UPDATE(fetch_add, +)
  RACE_UPDATE(fetch_sub, -)
  RACE_UPDATE(fetch_or, |)
  RACE_UPDATE(fetch_and, &)
#undef RACE_UPDATE
  Result compare_exchange(Result expected, Result desired, Order o) const {
    Machine::Atomic a{nullptr, Codec<T>::encode(desired)};
    a.compare = Codec<T>::encode(expected);
    a.compare_exchange = true;
    return Codec<T>::decode(current->atomic(address_, view_, o, a));
  }
  // While every execution is explored: an atomic that waits until accept(value) holds, or else does nothing and gives the value.
  template <class Accept>
  Result exchange_if(Result v, Order o, Accept accept, bool waits) const {
    return atomic_if(nullptr, v, o, accept, waits);
  }
#define RACE_UPDATE(name, op)                                                                        \
  template <class Accept>                                                                            \
  Result name(Result v, Order o, Accept accept, bool waits) const {                                  \
    return atomic_if(                                                                                \
        [](std::uint64_t a, std::uint64_t b) {                                                       \
          return static_cast<std::uint64_t>(static_cast<T>(static_cast<T>(a) op static_cast<T>(b))); \
        },                                                                                           \
        v, o, accept, waits);                                                                        \
  }
  RACE_UPDATE(fetch_add_if, +)
  RACE_UPDATE(fetch_or_if, |)
#undef RACE_UPDATE
  template <class Predicate>
  Result await(Predicate holds, Order o) const {
    if (current->graph() != nullptr) [[unlikely]]
      return await_explored(holds, o);
    for (;;) {
      const Result v = load(o);
      if (holds(v)) return v;
      current->wait_for(address_);
    }
  }
  std::uint64_t address() const { return address_; }

 private:
  template <class Predicate>
  [[gnu::noinline, gnu::cold]] Result await_explored(Predicate holds, Order o) const {
    const Result v = Codec<T>::decode(
        current->await(address_, view_, o, [&](std::uint64_t x) { return bool(holds(Codec<T>::decode({x, 0, 0}))); }));
    static_cast<void>(bool(holds(v)));  // the branch
    return v;
  }
  template <class Accept>
  Result atomic_if(Function next, Result v, Order o, Accept accept, bool waits) const {
    return Codec<T>::decode(current->atomic_if(
        address_, view_, o, {next, Codec<T>::encode(v)},
        [accept](std::uint64_t x) { return accept(static_cast<T>(x)); }, waits));
  }
  Result atomic(Function next, Result v, Order o) const {
    return Codec<T>::decode(current->atomic(address_, view_, o, {next, Codec<T>::encode(v)}));
  }
  std::uint64_t address_;
  Time view_;
};

// A pointer to an S in shared memory, with the view of the loads that it came from. It may wait for a late load while it is
// only copied; whoever uses it as an address, or compares it, has the load performed.
template <class S>
class ptr {
 public:
  ptr() = default;
  ptr(std::nullptr_t) {}
  ptr(std::uint64_t address, Time view, std::uint32_t source) : address_(address), view_(view), source_(source) {}

  explicit operator bool() const {
    const ptr p = resolved();
    current->branch(p.view_);
    return p.address_ != 0;
  }
  ptr resolved() const { return view_ != not_yet ? *this : resolve_now(); }
  Loaded loaded() const { return {address_, view_, source_}; }
  static ptr from(Loaded l) { return {l.value, l.view, l.source}; }
  friend value<bool> operator==(ptr p, ptr q) {
    const ptr a = p.resolved(), b = q.resolved();
    if (current->graph() != nullptr) [[unlikely]]
      return value<bool>::from(of_both(a.address_ == b.address_ ? 1 : 0, a, b));
    return {a.address_ == b.address_, std::max(a.view_, b.view_), a.source_ != 0 ? a.source_ : b.source_};
  }
  friend value<bool> operator!=(ptr a, ptr b) { return !(a == b); }
  ptr operator+(value<std::uint64_t> n) const { return moved(n, size); }
  ptr operator-(value<std::uint64_t> n) const { return moved(n, -size); }
  friend value<std::uint64_t> operator-(ptr p, ptr q) {
    const ptr a = p.resolved(), b = q.resolved();
    if (current->graph() != nullptr) [[unlikely]]
      return value<std::uint64_t>::from(of_both((a.address_ - b.address_) / size, a, b));
    return {(a.address_ - b.address_) / size, std::max(a.view_, b.view_), a.source_ != 0 ? a.source_ : b.source_};
  }

  template <class F, class C>
  auto operator[](F C::* field) const {
    const ptr p = resolved();
    return Reach<F>::at(p.address_ + offset(field), p.view_, p.source_);
  }
  auto operator[](value<std::uint64_t> i) const {
    const ptr p = moved(i, size);
    return Reach<S>::at(p.address_, p.view_, p.source_);
  }

  value<std::uint64_t> address() const {
    if (current->graph() != nullptr) [[unlikely]]
      return value<std::uint64_t>::from(current->tracked(loaded()));
    return value<std::uint64_t>::from(loaded());
  }
  static ptr from_address(value<std::uint64_t> a) { return from(a.loaded()); }
  template <class F>
  static ptr container_of(ptr<F> member, F S::* field) {
    const value<std::uint64_t> a = member.address().resolved();
    return {a.bits() - offset(field), a.view(), a.source()};
  }
  std::uint64_t bits() const { return address_; }
  Time view() const { return view_; }
  std::uint32_t source() const { return source_; }

  // Bytes from the start of an S to its field.
  template <class F, class C>
  static std::uint64_t offset(F C::* field) {
    static_assert(std::is_base_of_v<C, S>);
    alignas(S) static char dummy[sizeof(S)];
    const auto* member = &(reinterpret_cast<S*>(dummy)->*field);
    const auto bytes = reinterpret_cast<std::uintptr_t>(member) - reinterpret_cast<std::uintptr_t>(dummy);
    return bytes / (sizeof(Word) / 8);
  }
  // Bytes of an S in simulated memory, where a word takes 8 and not sizeof(Word).
  static constexpr std::uint64_t size = sizeof(S) / (sizeof(Word) / 8);

 private:
  template <class U>
  struct Reach {
    static auto at(std::uint64_t a, Time v, std::uint32_t s) { return ptr<U>(a, v, s); }
  };
  template <class T>
  struct Reach<shared<T>> {
    static auto at(std::uint64_t a, Time v, std::uint32_t) { return ref<T>(a, v); }
  };
  template <class T, std::size_t N>
  struct Reach<T[N]> {
    static auto at(std::uint64_t a, Time v, std::uint32_t s) { return ptr<T>(a, v, s); }
  };
  template <class>
  friend class ptr;

  [[gnu::noinline, gnu::cold]] static Loaded of_both(std::uint64_t v, ptr a, ptr b) {
    return current->tracked({v, current->later(a.view_, b.view_), 0});
  }
  [[gnu::noinline, gnu::cold]] ptr resolve_now() const { return from(current->resolve(loaded())); }
  [[gnu::always_inline]] ptr moved(value<std::uint64_t> n, std::uint64_t bytes) const {
    const Time view = std::max(view_, n.view());
    if (view == not_yet) [[unlikely]]
      return moved_when_known(n, bytes);
    return {address_ + n.bits() * bytes, view, source_ != 0 ? source_ : n.source()};
  }
  [[gnu::noinline, gnu::cold]] ptr moved_when_known(value<std::uint64_t> n, std::uint64_t bytes) const {
    const ptr p = resolved();
    const value<std::uint64_t> by = n.resolved();
    return {p.address_ + by.bits() * bytes, current->later(p.view_, by.view()),
            p.source_ != 0 ? p.source_ : by.source()};
  }
  std::uint64_t address_ = 0;
  Time view_ = 0;
  std::uint32_t source_ = 0;
};

template <class S>
struct Codec<ptr<S>> {
  using Result = ptr<S>;
  static Result decode(Loaded l) { return Result::from(l); }
  static Loaded encode(Result p) { return p.loaded(); }
};

struct machine {
  template <class T>
  using value = weak::value<T>;
  template <class S>
  using ptr = weak::ptr<S>;
  template <class T>
  using shared = weak::shared<T>;
  template <class T>
  using ref = weak::ref<T>;

  template <class T>
  static T known(weak::value<T> v) {
    return v.known();
  }
  template <Number T>
  static T known(T v) {
    return v;
  }
  template <class U, class T>
  static weak::value<U> cast(weak::value<T> v) {
    if (v.pending()) [[unlikely]]
      return weak::value<U>::from(current->combine(
          [](std::uint64_t a, std::uint64_t) { return static_cast<std::uint64_t>(static_cast<U>(static_cast<T>(a))); },
          v.loaded(), {}));
    return {static_cast<U>(v.bits()), v.view(), v.source()};
  }
  template <class U, Number T>
  static weak::value<U> cast(T v) {
    return static_cast<U>(v);
  }

  // Is every execution explored? Then loops that wait are one access each.
  static bool explored() { return current->graph() != nullptr; }
  static unsigned cpus() { return current->cpus(); }  // that an execution has
  // The host looks at, or changes, state of its own that belongs to this address: where executions are explored, the order of
  // such steps is one of the things to explore.
  static void host_step(std::uint64_t address) { current->host_step(address); }
  // While executions are explored: this CPU has taken a lock, or gives it back. Did it hold it?
  static void took(std::uint64_t lock) { current->took(lock); }
  static bool gives_back(std::uint64_t lock) { return current->gives_back(lock); }
  static void fence(Fence f) { current->fence(f); }
  static void isb() { current->isb(); }
  static void relax() { current->relax(); }
  static Strength strength(SiteId site) {  // asked once by each operation of a site, as it begins
    if (current->trace != nullptr) [[unlikely]]
      current->trace->crossed(current->current(), site);
    return current->plan[site];
  }
  static bool changed(GuardId guard) { return current->plan.changed(guard); }
  static void at(SiteId site) { current->cpu(current->current()).site = site; }
  static unsigned cpu() { return current->current(); }

  class function {
   public:
    explicit function(const char* name) : cpu_(current->cpu(current->current())), outer_(cpu_.function) {
      cpu_.function = name;
    }
    ~function() { cpu_.function = outer_; }
    function(const function&) = delete;
    function& operator=(const function&) = delete;

   private:
    Cpu& cpu_;
    const char* outer_;
  };

  template <class S>
  static weak::ptr<S> allocate(const char* name) {
    return allocate_array<S>(name, 1);
  }
  template <class S>
  static weak::ptr<S> allocate_array(const char* name, std::uint64_t n) {
    return {
        current->allocate(name, static_cast<std::uint32_t>(n * weak::ptr<S>::size / 8), static_cast<std::uint32_t>(n)),
        0, 0};
  }
  template <class S>
  static void release(weak::ptr<S> p) {
    current->release(p.resolved().bits());
  }
  template <class S>
  static void release_array(weak::ptr<S> p) {
    current->release(p.resolved().bits());
  }

  template <class T>
  static std::uint64_t address_of(weak::ref<T> r) {
    return r.address();
  }
  template <class T>
  static auto peek(weak::ref<T> r) {
    if constexpr (std::is_same_v<typename weak::ref<T>::Result, weak::value<T>>)
      return static_cast<T>(current->peek(r.address()));
    else
      return T(current->peek(r.address()), 0, 0);
  }
  template <class T>
  static void poke(weak::ref<T> r, typename weak::ref<T>::Result v) {
    current->poke(r.address(), current->resolve(Codec<T>::encode(v)).value);
  }
  template <class T>
  static void copy(weak::ptr<weak::shared<T>> to, weak::ptr<weak::shared<T>> from, std::uint64_t n) {
    for (std::uint64_t w = 0; w < n; ++w) to[w].store(from[w].load());
  }
  static bool full_atomic_needs_fence() { return true; }
  static constexpr bool checks_unlocks = true;
  static void handover(unsigned from) { current->handover(from); }
  template <class T>
  static void set_live(weak::ptr<weak::shared<T>> words, std::uint64_t n, bool live) {
    current->set_live(words.bits(), static_cast<std::uint32_t>(n), live);
  }
  static bool judges(Oracle o) { return (current->judged >> static_cast<unsigned>(o) & 1) != 0; }
  [[noreturn]] static void fail(const Fault& f) { current->fail(f); }
};

}  // namespace race::weak
