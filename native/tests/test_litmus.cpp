// The interpreter and the exhaustive engine, on programs that need every kind of pending access. The many litmus tests with
// golden states are in tests/litmus/; these few also run under the sanitizers.
#include <doctest/doctest.h>

#include <set>

#include "capi/litmus_program.hpp"
#include "litmus/runner.hpp"

using namespace race;

TEST_SUITE_BEGIN("weak");

namespace {

using States = std::set<std::vector<std::uint64_t>>;

// Threads as lists of instructions; X20 and X21 hold the addresses of x and y, X1 is 1 and X2 is 2.
std::string program(const std::string& engine, const std::vector<std::string>& threads, const std::string& observe) {
  std::string text = R"({"model": "armv8", "engine": ")" + engine + R"(", "seed": 1, "locations": [
    {"name": "x", "value": 0, "bits": 64}, {"name": "y", "value": 0, "bits": 64}], "threads": [)";
  for (const std::string& code : threads)
    text += (&code == &threads.front() ? "" : ", ") +
            std::string(R"({"registers": {"1": 1, "2": 2, "20": {"location": 0}, "21": {"location": 1}}, "code": [)") +
            code + "]}";
  return text + R"(], "observe": [)" + observe + "]}";
}

States states(const litmus::Runner& r) {
  States all;
  for (const litmus::State& s : r.states()) all.insert(s.values);
  return all;
}

// What the exhaustive engine finds; the weak engine may find no more.
States finals(const std::vector<std::string>& threads, const std::string& observe) {
  litmus::Runner every(parse_litmus(program("exhaustive", threads, observe)));
  every.run(0, 1'000'000);
  REQUIRE(every.complete());
  litmus::Runner random(parse_litmus(program("weak", threads, observe)));
  random.run(0, 20'000);
  const States all = states(every);
  for (const auto& s : states(random)) CHECK(all.count(s) == 1);
  return all;
}

std::string reg(unsigned thread, unsigned r) {
  return R"({"thread": )" + std::to_string(thread) + R"(, "register": )" + std::to_string(r) + "}";
}
std::string load(unsigned d, unsigned n, const char* order = "plain", bool exclusive = false) {
  return R"({"op": "load", "d": )" + std::to_string(d) + R"(, "n": )" + std::to_string(n) + R"(, "order": ")" + order +
         R"(", "exclusive": )" + (exclusive ? "true" : "false") + "}";
}
std::string store(unsigned s, unsigned n, const char* order = "plain") {
  return R"({"op": "store", "s": )" + std::to_string(s) + R"(, "n": )" + std::to_string(n) + R"(, "order": ")" + order +
         "\"}";
}
std::string atomic(const char* f, unsigned s, unsigned d, unsigned n, const char* order = "plain") {
  return R"({"op": "rmw", "function": ")" + std::string(f) + R"(", "s": )" + std::to_string(s) + R"(, "d": )" +
         std::to_string(d) + R"(, "n": )" + std::to_string(n) + R"(, "order": ")" + order + "\"}";
}

}  // namespace

TEST_CASE("litmus: message passing, and its release and acquire") {
  const std::string seen = reg(1, 3) + ", " + reg(1, 4);
  const States plain = finals({store(1, 20) + ", " + store(1, 21), load(3, 21) + ", " + load(4, 20)}, seen);
  CHECK(plain == States{{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const States ordered =
      finals({store(1, 20) + ", " + store(1, 21, "release"), load(3, 21, "acquire") + ", " + load(4, 20)}, seen);
  CHECK(ordered == States{{0, 0}, {0, 1}, {1, 1}});
}

TEST_CASE("litmus: load buffering, with data that is not known when it is stored") {
  const std::string seen = reg(0, 3) + ", " + reg(1, 3);
  CHECK(finals({load(3, 20) + ", " + store(1, 21), load(3, 21) + ", " + store(1, 20)}, seen).count({1, 1}) == 1);
  CHECK(finals({load(3, 20) + ", " + store(3, 21), load(3, 21) + ", " + store(1, 20)}, seen).count({1, 1}) == 1);
  CHECK(finals({load(3, 20) + ", " + store(3, 21), load(3, 21) + ", " + store(3, 20)}, seen) == States{{0, 0}});
}

TEST_CASE("litmus: two increments are never lost, by atomics or by exclusive pairs that succeed") {
  const std::string x = R"({"location": 0})";
  const std::string add = atomic("add", 1, 3, 20);
  CHECK(finals({add + ", " + store(1, 21), add + ", " + load(4, 21)}, x) == States{{2}});
  const std::string pair = load(3, 20, "plain", true) +
                           R"(, {"op": "alu", "function": "add", "d": 4, "n": 3, "m": 1},)"
                           R"( {"op": "store-exclusive", "d": 5, "s": 4, "n": 20, "order": "plain"})";
  for (const auto& s : finals({pair, pair}, x + ", " + reg(0, 5) + ", " + reg(1, 5)))
    CHECK(s[0] == (s[1] == 0 ? 1u : 0u) + (s[2] == 0 ? 1u : 0u));
}

TEST_CASE("litmus: an atomic may be late and read what its own CPU has not stored yet") {
  const std::string other = load(3, 20) + R"(, {"op": "fence", "kind": "sy"}, )" + store(1, 21);
  const std::string two = atomic("swp", 2, 3, 21) + ", " + atomic("swp", 2, 4, 21) +
                          R"(, {"op": "cbnz", "n": 4, "target": 3}, )" + store(1, 20);
  CHECK(finals({other, two}, reg(0, 3) + ", " + reg(1, 3) + ", " + reg(1, 4)).count({1, 1, 2}) == 1);
  const std::string cas = store(2, 21) +
                          R"(, {"op": "cas", "s": 5, "t": 1, "n": 21, "order": "plain"},)"
                          R"( {"op": "cbnz", "n": 5, "target": 3}, )" +
                          store(1, 20);
  CHECK(finals({other, cas}, reg(0, 3) + ", " + reg(1, 5) + R"(, {"location": 1})").count({1, 2, 2}) == 1);
}

TEST_CASE("litmus: a loop of exclusives ends the search") {
  const std::string loop = load(3, 20, "acquire", true) +
                           R"(, {"op": "store-exclusive", "d": 4, "s": 1, "n": 20, "order": "release"},)"
                           R"( {"op": "cbnz", "n": 4, "w": true, "target": 0}, )" +
                           store(2, 21);
  CHECK(finals({loop, load(5, 21) + ", " + load(6, 20)}, reg(1, 5) + ", " + reg(1, 6)).count({2, 0}) == 1);
}

TEST_CASE("litmus: an address that is no location is an error of the test") {
  litmus::Runner r(parse_litmus(program("exhaustive", {load(3, 1)}, reg(0, 3))));
  CHECK_THROWS_WITH(r.run(0, 10), doctest::Contains("P0: "));
}

TEST_SUITE_END();
