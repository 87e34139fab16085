#include "capi/litmus_program.hpp"

#include "capi/json_reader.hpp"
#include "litmus/functions.hpp"

namespace race {

namespace {

using nlohmann::json;
using namespace litmus;

constexpr std::size_t most_locations = 64;
constexpr std::uint64_t most_code = 10'000;

constexpr std::string_view models[] = {"armv8", "tso", "sc"};
constexpr std::string_view load_orders[] = {"plain", "acquire", "acquire-pc"};
constexpr std::string_view store_orders[] = {"plain", "release"};
constexpr std::string_view atomic_orders[] = {"plain", "acquire", "release", "acquire-release"};
constexpr Order orders_of_loads[] = {Order::plain, Order::acquire, Order::acquire_pc};
constexpr Order orders_of_stores[] = {Order::plain, Order::release};
constexpr Order orders_of_atomics[] = {Order::plain, Order::acquire, Order::release, Order::acquire_release};
constexpr std::string_view fences[] = {"sy", "ld", "st"};
constexpr Fence fence_of[] = {Fence::ish, Fence::ishld, Fence::ishst};

class Reader {
 public:
  Reader(const json& j, std::string path) : j_(j), path_(std::move(path)) {}

  unsigned reg(const char* key) const { return below(get<std::uint64_t>(j_, key, path_), 32, at(key)); }
  unsigned optional_reg(const char* key) const { return j_.contains(key) ? reg(key) : zero_register; }
  std::string word(const char* key) const { return get<std::string>(j_, key, path_); }
  bool flag(const char* key) const { return j_.contains(key) && get<bool>(j_, key, path_); }
  std::uint64_t number(const char* key) const {  // negative ones as two's complement
    const auto n = j_.find(key);
    if (n != j_.end() && n->is_number_integer() && !n->is_number_unsigned())
      return static_cast<std::uint64_t>(n->get<std::int64_t>());
    return get<std::uint64_t>(j_, key, path_);
  }
  bool has(const char* key) const { return j_.contains(key); }
  std::string at(const char* key) const { return path_ + '.' + key; }
  template <std::size_t N>
  std::size_t one_of(const char* key, const std::string_view (&names)[N]) const {
    return named(names, word(key), at(key));
  }
  weak::Function known(const char* key, weak::Function f) const {
    if (f == nullptr) bad(at(key), "unknown \"" + word(key) + '"');
    return f;
  }
  const std::string& path() const { return path_; }

 private:
  const json& j_;
  std::string path_;
};

Initial parse_initial(const json& j, std::size_t locations, const std::string& path) {
  if (!j.is_object()) {
    if (!j.is_number_unsigned()) bad(path, "is neither an unsigned number nor a location");
    return {j.get<std::uint64_t>(), false};
  }
  return {below(get<std::uint64_t>(j, "location", path), locations, path + ".location"), true};
}

void parse_address(const Reader& r, Instruction& in) {
  in.n = static_cast<std::uint8_t>(r.reg("n"));
  in.m = static_cast<std::uint8_t>(r.optional_reg("m"));
  if (r.has("imm")) in.imm = r.number("imm");
  in.function = extend_function("none");
  if (r.has("extend")) in.function = r.known("extend", extend_function(r.word("extend")));
}

Instruction parse_instruction(const json& j, std::uint64_t length, const std::string& path) {
  const Reader r(j, path);
  const std::string op = r.word("op");
  const bool w = r.flag("w");
  const auto reg = [&r](const char* key) { return static_cast<std::uint8_t>(r.reg(key)); };
  const auto target = [&] { return below(r.number("target"), length + 1, r.at("target")); };
  Instruction in;
  if (w) in.mask = 0xffffffff;
  if (op == "alu") {
    in.op = Op::alu;
    in.d = reg("d");
    in.n = reg("n");
    in.immediate = r.has("imm");
    if (in.immediate)
      in.imm = r.number("imm");
    else
      in.m = reg("m");
    const std::string name = r.word("function");
    in.function = r.known("function", alu_function(name, w));
    if (r.flag("flags")) in.flags = r.known("function", flags_function(name, w));
  } else if (op == "b") {
    in.op = Op::branch;
    in.always = true;
    in.target = target();
  } else if (op == "b.cond") {
    in.op = Op::branch;
    in.n = flags_register;
    in.function = r.known("cond", condition_function(r.word("cond")));
    in.target = target();
  } else if (op == "cbz" || op == "cbnz") {
    in.op = Op::branch;
    in.n = reg("n");
    in.function = zero_function(w, op == "cbz");
    in.target = target();
  } else if (op == "tbz" || op == "tbnz") {
    in.op = Op::branch;
    in.n = reg("n");
    in.imm = below(r.number("bit"), 64, r.at("bit"));
    in.function = bit_function(op == "tbz");
    in.target = target();
  } else if (op == "load") {
    in.op = r.flag("exclusive") ? Op::load_exclusive : Op::load;
    in.d = reg("d");
    in.order = orders_of_loads[r.one_of("order", load_orders)];
    parse_address(r, in);
  } else if (op == "store") {
    in.op = Op::store;
    in.s = reg("s");
    in.order = orders_of_stores[r.one_of("order", store_orders)];
    parse_address(r, in);
  } else if (op == "store-exclusive") {
    in.op = Op::store_exclusive;
    in.d = reg("d");
    in.s = reg("s");
    in.order = orders_of_stores[r.one_of("order", store_orders)];
    parse_address(r, in);
  } else if (op == "rmw") {
    in.op = Op::atomic;
    in.d = reg("d");
    in.s = reg("s");
    in.order = orders_of_atomics[r.one_of("order", atomic_orders)];
    parse_address(r, in);
    in.function = nullptr;
    if (r.word("function") != "swp") in.function = r.known("function", atomic_function(r.word("function"), w));
  } else if (op == "cas") {
    in.op = Op::compare_swap;
    in.s = reg("s");
    parse_address(r, in);
    in.m = reg("t");
    in.order = orders_of_atomics[r.one_of("order", atomic_orders)];
  } else if (op == "fence") {
    in.op = Op::fence;
    in.fence = fence_of[r.one_of("kind", fences)];
  } else if (op == "isb") {
    in.op = Op::isb;
  } else if (op == "nop") {
    in.op = Op::branch;  // to the next: found by its caller
    in.always = true;
  } else {
    bad(r.at("op"), "unknown \"" + op + '"');
  }
  return in;
}

Thread parse_thread(const json& j, std::size_t locations, const std::string& path) {
  Thread t;
  const json registers = get<json>(j, "registers", path);
  if (!registers.is_object()) bad(path + ".registers", "is no object");
  for (const auto& [name, v] : registers.items()) {
    const std::string where = path + ".registers." + name;
    if (name.empty() || name.size() > 2 || name.find_first_not_of("0123456789") != std::string::npos)
      bad(where, "is no register");
    t.registers.emplace_back(below(std::stoul(name), zero_register, where), parse_initial(v, locations, where));
  }
  const json code = get<json>(j, "code", path);
  if (!code.is_array() || code.size() > most_code) bad(path + ".code", "is no list, or too long");
  for (std::size_t i = 0; i < code.size(); ++i) {
    t.code.push_back(parse_instruction(code[i], code.size(), path + ".code[" + std::to_string(i) + ']'));
    if (code[i]["op"] == "nop") t.code.back().target = static_cast<std::uint32_t>(i + 1);
  }
  return t;
}

}  // namespace

litmus::Program parse_litmus(const std::string& text) {
  json j;
  try {
    j = json::parse(text);
  } catch (const json::exception& e) {
    throw std::invalid_argument(std::string("litmus program: ") + e.what());
  }
  const Reader r(j, "program");
  Program p;
  p.model = static_cast<weak::Model>(r.one_of("model", models));
  constexpr std::string_view engines[] = {"weak", "exhaustive", "exhaustive-orders"};
  const std::size_t engine = r.one_of("engine", engines);
  p.exhaustive = engine != 0;
  p.by_orders = engine == 2;
  p.seed = r.number("seed");
  if (j.contains("order")) p.order = r.number("order");
  const json locations = get<json>(j, "locations", "program");
  if (!locations.is_array() || locations.size() > most_locations) bad("program.locations", "is no list, or too long");
  for (std::size_t i = 0; i < locations.size(); ++i)
    p.locations.push_back(parse_initial(get<json>(locations[i], "value", "program.locations"), locations.size(),
                                        "program.locations[" + std::to_string(i) + ']'));
  const json threads = get<json>(j, "threads", "program");
  if (!threads.is_array() || threads.empty() || threads.size() >= weak::max_cpus)
    bad("program.threads", "must be 1 to " + std::to_string(weak::max_cpus - 1));
  for (std::size_t t = 0; t < threads.size(); ++t)
    p.threads.push_back(parse_thread(threads[t], locations.size(), "program.threads[" + std::to_string(t) + ']'));
  const json observe = get<json>(j, "observe", "program");
  for (const json& o : observe) {
    Observed seen;
    seen.is_location = o.contains("location");
    if (seen.is_location) {
      seen.index = below(get<std::uint64_t>(o, "location", "program.observe"), p.locations.size(), "program.observe");
    } else {
      seen.thread = below(get<std::uint64_t>(o, "thread", "program.observe"), p.threads.size(), "program.observe");
      seen.index = below(get<std::uint64_t>(o, "register", "program.observe"), zero_register, "program.observe");
    }
    p.observe.push_back(seen);
  }
  return p;
}

}  // namespace race
