#include "capi/exploration_json.hpp"

#include "capi/finding_json.hpp"
#include "capi/json_reader.hpp"

namespace race {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

// ---------------------------------------------------------------- trees, read

std::uint32_t number(const json& j, const std::string& path) {
  if (!j.is_number_unsigned()) bad(path, "is no number");
  return below(j.get<std::uint64_t>(), 1ull << 32, path);
}

template <class F>
auto each(const json& j, const std::string& path, F parse) {
  if (!j.is_array()) bad(path, "is no list");
  std::vector<decltype(parse(j, path))> all;
  for (const json& one : j) all.push_back(parse(one, path));
  return all;
}

Tree::Choice choice(const json& j, const std::string& path) {
  if (!j.is_array() || j.size() != 2) bad(path, "is no pair");
  return {number(j[0], path), number(j[1], path)};
}

Tree::Sequence sequence(const json& j, const std::string& path) { return each(j, path, choice); }

Tree::Node node(const json& j, const std::string& path) {
  Tree::Node n;
  n.chosen = choice(get<json>(j, "chosen", path), path + ".chosen");
  n.open = j.value("open", json(false)) == json(true);
  const json none = json::array();
  n.others = each(j.value("others", none), path + ".others", number);
  n.explored = each(j.value("explored", none), path + ".explored", number);
  n.to_begin = each(j.value("to_begin", none), path + ".to_begin", sequence);
  n.done = number(j.value("done", json(0u)), path + ".done");
  return n;
}

Tree tree(const json& j) {
  const std::string path = "$.tree";
  if (!j.is_object()) bad(path, "is no object");
  Tree t;
  t.root = get<std::uint64_t>(j, "root", path);
  t.path = each(get<json>(j, "path", path), path + ".path", node);
  t.begin_with = sequence(get<json>(j, "begin_with", path), path + ".begin_with");
  return t;
}

// ---------------------------------------------------------------- trees, written

ordered_json choice_json(const Tree::Choice& c) { return ordered_json::array({c.id, c.base}); }

ordered_json sequence_json(const Tree::Sequence& s) {
  ordered_json j = ordered_json::array();
  for (const Tree::Choice& c : s) j.push_back(choice_json(c));
  return j;
}

// What is empty is left out: a path has a node for each access, and most have nothing else.
ordered_json node_json(const Tree::Node& n) {
  ordered_json j{{"chosen", choice_json(n.chosen)}};
  if (n.open) j["open"] = true;
  if (!n.others.empty()) j["others"] = n.others;
  if (!n.explored.empty()) j["explored"] = n.explored;
  for (const Tree::Sequence& s : n.to_begin) j["to_begin"].push_back(sequence_json(s));
  if (n.done != 0) j["done"] = n.done;
  return j;
}

ordered_json tree_json(const Tree& t) {
  ordered_json path = ordered_json::array();
  for (const Tree::Node& n : t.path) path.push_back(node_json(n));
  return {{"root", t.root}, {"path", path}, {"begin_with", sequence_json(t.begin_with)}};
}

}  // namespace

Unit parse_unit(std::string_view text) {
  const json j = json::parse(text, nullptr, false);
  if (!j.is_object()) bad("$", "is not a JSON object");
  Unit u;
  if (const json t = get<json>(j, "tree", "$"); !t.is_null()) u.tree = tree(t);
  u.runs = get<std::uint64_t>(j, "runs", "$");
  if (u.runs == 0) bad("$.runs", "0 is out of range");
  u.all = get<bool>(j, "all", "$");
  u.split = get<bool>(j, "split", "$");
  if (j.contains("order") && !j["order"].is_null()) u.order = get<std::uint64_t>(j, "order", "$");
  return u;
}

ordered_json explored_json(const Explored& e, std::uint32_t max_traces) {
  ordered_json counts = ordered_json::object(), findings = ordered_json::array(), split = ordered_json::array(),
               shares = ordered_json::array(), above = ordered_json::array();
  for (std::size_t o = 0; o < oracles.size(); ++o)
    if (e.counts[o] != 0) counts[std::string(oracles[o].name)] = e.counts[o];
  std::array<std::uint32_t, oracles.size()> told{};
  for (const FindingRecord& f : e.findings)
    findings.push_back(finding_json(f, told[static_cast<std::size_t>(f.oracle)]++ < max_traces));
  for (const Tree::Part& p : e.parts) {
    split.push_back(tree_json(p.tree));
    shares.push_back(p.share);
  }
  for (const Tree::Above& a : e.above)
    above.push_back({{"depth", a.depth}, {"sequence", sequence_json(a.sequence)}, {"begins", a.begins}});
  return {{"executions", e.executions},
          {"redundant", e.redundant},
          {"cut", e.cut},
          {"accesses", e.accesses},
          {"counts", counts},
          {"findings", findings},
          {"tree", e.rest ? tree_json(*e.rest) : ordered_json()},
          {"split", split},
          {"above", above},
          {"left", e.left},
          {"rest_share", e.rest_share},
          {"split_shares", shares}};
}

}  // namespace race
