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
// while tracing, the load that it came from.
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
  constexpr value(value<U> v) : bits_(static_cast<T>(v.bits())), view_(v.view()), source_(v.source()) {}

  // Branching on a value is a control dependency.
  explicit operator bool() const { return known() != T{}; }
  T known() const {
    current->branch(view_);
    return bits_;
  }
  constexpr T bits() const { return bits_; }
  constexpr Time view() const { return view_; }
  constexpr std::uint32_t source() const { return source_; }

 private:
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

#define RACE_OPERATOR(op)                                                               \
  template <class A, class B>                                                           \
    requires detail::Operands<A, B>                                                     \
  constexpr auto operator op(A a, B b) {                                                \
    const auto x = detail::lift(a);                                                     \
    const auto y = detail::lift(b);                                                     \
    using R = decltype(x.bits() op y.bits());                                           \
    return value<R>(static_cast<R>(x.bits() op y.bits()), std::max(x.view(), y.view()), \
                    x.source() != 0 ? x.source() : y.source());                         \
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
  return {static_cast<T>(~v.bits()), v.view(), v.source()};
}
template <class T>
value<bool> operator!(value<T> v) {
  return {v.bits() == T{}, v.view(), v.source()};
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
  static Result decode(Machine::Loaded l) { return {static_cast<T>(l.value), l.view, l.source}; }
  static Machine::Loaded encode(Result v) { return {static_cast<std::uint64_t>(v.bits()), v.view(), v.source()}; }
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

  Result exchange(Result v, Order o) const {
    return rmw(o, [v](T) { return v.bits(); });
  }
  Result fetch_add(Result v, Order o) const {
    return rmw(o, [v](T old) { return static_cast<T>(old + v.bits()); });
  }
  Result fetch_sub(Result v, Order o) const {
    return rmw(o, [v](T old) { return static_cast<T>(old - v.bits()); });
  }
  Result fetch_or(Result v, Order o) const {
    return rmw(o, [v](T old) { return static_cast<T>(old | v.bits()); });
  }
  Result fetch_and(Result v, Order o) const {
    return rmw(o, [v](T old) { return static_cast<T>(old & v.bits()); });
  }
  Result compare_exchange(Result expected, Result desired, Order o) const {
    return Codec<T>::decode(current->rmw(address_, view_, o, [&](std::uint64_t old, std::uint64_t* next) {
      *next = Codec<T>::encode(desired).value;
      return old == Codec<T>::encode(expected).value;
    }));
  }
  template <class Predicate>
  Result await(Predicate holds, Order o) const {
    for (;;) {
      const Result v = load(o);
      if (holds(v)) return v;
      current->wait_for(address_);
    }
  }
  std::uint64_t address() const { return address_; }

 private:
  template <class F>
  Result rmw(Order o, F next) const {
    return Codec<T>::decode(current->rmw(address_, view_, o, [&](std::uint64_t old, std::uint64_t* to) {
      *to = static_cast<std::uint64_t>(next(static_cast<T>(old)));
      return true;
    }));
  }
  std::uint64_t address_;
  Time view_;
};

// A pointer to an S in shared memory, with the view of the loads that it came from.
template <class S>
class ptr {
 public:
  ptr() = default;
  ptr(std::nullptr_t) {}
  ptr(std::uint64_t address, Time view, std::uint32_t source) : address_(address), view_(view), source_(source) {}

  explicit operator bool() const {
    current->branch(view_);
    return address_ != 0;
  }
  friend value<bool> operator==(ptr a, ptr b) {
    return {a.address_ == b.address_, std::max(a.view_, b.view_), a.source_ != 0 ? a.source_ : b.source_};
  }
  friend value<bool> operator!=(ptr a, ptr b) { return !(a == b); }
  ptr operator+(value<std::uint64_t> n) const { return moved(n, n.bits() * size); }
  ptr operator-(value<std::uint64_t> n) const { return moved(n, -(n.bits() * size)); }
  friend value<std::uint64_t> operator-(ptr a, ptr b) {
    return {(a.address_ - b.address_) / size, std::max(a.view_, b.view_), a.source_ != 0 ? a.source_ : b.source_};
  }

  template <class F, class C>
  auto operator[](F C::* field) const {
    return reach<F>(address_ + offset(field));
  }
  auto operator[](value<std::uint64_t> i) const { return moved(i, i.bits() * size).template reach_self<S>(); }

  value<std::uint64_t> address() const { return {address_, view_, source_}; }
  static ptr from_address(value<std::uint64_t> a) { return {a.bits(), a.view(), a.source()}; }
  template <class F>
  static ptr container_of(ptr<F> member, F S::* field) {
    const value<std::uint64_t> a = member.address();
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
  template <class F>
  auto reach(std::uint64_t a) const {
    return Reach<F>::at(a, view_, source_);
  }
  template <class F>
  auto reach_self() const {
    return Reach<F>::at(address_, view_, source_);
  }
  template <class>
  friend class ptr;

  ptr moved(value<std::uint64_t> n, std::uint64_t bytes) const {
    return {address_ + bytes, std::max(view_, n.view()), source_ != 0 ? source_ : n.source()};
  }
  std::uint64_t address_ = 0;
  Time view_ = 0;
  std::uint32_t source_ = 0;
};

template <class S>
struct Codec<ptr<S>> {
  using Result = ptr<S>;
  static Result decode(Machine::Loaded l) { return {l.value, l.view, l.source}; }
  static Machine::Loaded encode(Result p) { return {p.bits(), p.view(), p.source()}; }
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
    return {static_cast<U>(v.bits()), v.view(), v.source()};
  }
  template <class U, Number T>
  static weak::value<U> cast(T v) {
    return static_cast<U>(v);
  }

  static void fence(Fence f) { current->fence(f); }
  static void isb() { current->isb(); }
  static void relax() { current->yield(); }
  static Strength strength(SiteId site) { return current->plan[site]; }
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
    current->release(p.bits());
  }
  template <class S>
  static void release_array(weak::ptr<S> p) {
    current->release(p.bits());
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
    current->poke(r.address(), Codec<T>::encode(v).value);
  }
  static void handover(unsigned from) { current->handover(from); }
  template <class T>
  static void set_live(weak::ptr<weak::shared<T>> words, std::uint64_t n, bool live) {
    current->set_live(words.bits(), static_cast<std::uint32_t>(n), live);
  }
  static bool judges(Oracle o) { return (current->judged >> static_cast<unsigned>(o) & 1) != 0; }
  [[noreturn]] static void fail(const Fault& f) { current->fail(f); }
};

}  // namespace race::weak
