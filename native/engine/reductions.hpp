// What the search over orders leaves out because it would lead to nothing new, with a switch for each, for tests: without one,
// the same final states and verdicts come out of more runs.
#pragma once

namespace race {

struct Reductions {
  bool sleep_sets = true;   // what was explored is not gone through again where it makes no difference when it happens
  bool source_sets = true;  // a branch is not begun if one that is explored leads to all that it leads to
  // Writes to different words have no order. Without this the two above have no meaning, and are off.
  bool writes_commute = true;
};

}  // namespace race
