// The C interface of the engine: a plan goes in as JSON, results come out as JSON. build_cffi.py makes race._native from it.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct race_campaign race_campaign;

const char* race_version(void);

// JSON list of {"name", "primitive", "side", "default", "protects", "file", "line"}, sorted by name.
char* race_sites(void);

// JSON list of {"name", "normal", "other", "protects", "history", "places": ["FILE:LINE"]}, sorted by name.
char* race_guards(void);

// JSON list of {"name", "meaning"}.
char* race_oracles(void);

// JSON list of size classes {"index", "size", "pages", "objects", "huge", "max_request"}; max_request is the largest size
// that zs_malloc serves from the class. NULL, and a message in *error, if the page size is impossible.
char* race_geometry(unsigned page_size, char** error);

// NULL, and a message in *error, if it cannot be opened. *wrong_plan is 1 if that is the plan's fault, else 0.
race_campaign* race_campaign_open(const char* plan_json, char** error, int* wrong_plan);

// Runs executions first to first + count - 1. Returns how many were done: fewer after a cancel. If one cannot be run, 0 and a
// message in *error, else NULL there; those before it are in the result.
uint64_t race_campaign_run(race_campaign* campaign, uint64_t first, uint64_t count, char** error);

// May be called from another thread or a signal handler.
void race_campaign_cancel(race_campaign* campaign);

// JSON: {"executions", "accesses", "cut_short", "counts", "findings", "first"} of everything that the campaign has run.
// cut_short: executions that ended early with a fault that the plan does not look for, or whose stores could not be put in
// order (docs/memory-model.md, the weak engine); they are not judged. NULL, and a message
// in *error, if there is no result.
char* race_campaign_result(race_campaign* campaign, char** error);

// Runs executions first to first + count - 1 with a trace each. JSON: {"executions", "sites": {name: {"crossed", "times",
// "tried"}}}: in how many of them the site's operation ran, how often, and in how many an access moved across it that the
// strength which the plan base_json gives the site forbids (native/engine/crossings.hpp). Sites that none came to are left
// out. NULL, and a message in *error, if they cannot be run.
char* race_campaign_crossings(race_campaign* campaign, const char* base_json, uint64_t first, uint64_t count,
                              char** error);

// The execution that has these deviations, {"KIND": [ordinal, answer, ...]} as each finding carries them. barriers_json: NULL, or
// {"SITE": "STRENGTH"} of every site: the execution under other barriers. JSON: {"finding" or null, "reorderings", "switches",
// "deviations", "misfit": what the execution had no place for, "diverged": {"step", "now", "step_before", "before"}, "steps"}.
// NULL, and a message in *error, if there is no result; *wrong_input is 1 if that is the caller's fault, else 0.
char* race_campaign_replay(race_campaign* campaign, const char* deviations_json, const char* barriers_json,
                           char** error, int* wrong_input);

// Why the execution with these deviations is not sequentially consistent up to its finding: a critical cycle, and the ordering
// sites between its accesses (native/engine/cycle.hpp). JSON: {"accesses": [{"step", "performed", "cpu", "kind", "thread",
// "function", "place", "value", "site", "primitive", "strength", "location", "order", "reads", "in_cycle"}], "communications":
// [{"from", "to", "kind"}]}; both empty if an interleaving explains it. Errors as above.
char* race_campaign_cycle(race_campaign* campaign, const char* deviations_json, char** error, int* wrong_input);

// The smallest execution with the same finding that at most `limit` tries come to. JSON: {"finding" or null if there was none,
// "reorderings", "switches", "deviations", "before": the same three, "needed": [{"kind", "step", "text", "without",
// "necessary"}], "executions", "complete"}. race_campaign_cancel ends it early. Errors as above.
char* race_campaign_minimise(race_campaign* campaign, const char* deviations_json, uint64_t limit, char** error,
                             int* wrong_input);

// One unit of the exhaustive engine (docs/exploration-in-units.md has both documents). The answer depends on the request alone,
// whatever was explored before. race_campaign_cancel ends it after a run, with what is left in "tree". Errors as above.
char* race_campaign_explore(race_campaign* campaign, const char* request_json, char** error, int* wrong_input);

// How far race_campaign_minimise is; from another thread.
void race_campaign_progress(race_campaign* campaign, uint64_t* executions, unsigned* reorderings, unsigned* switches);

void race_campaign_close(race_campaign* campaign);

// ---- whole runs

// Carries out what `race plan` writes (native/capi/request.hpp): with engine "hardware" in processes of its own, so the caller must
// have no other thread. Lines of JSON go to fd meanwhile; the result document is returned. SIGTERM ends it soon, with what
// there is. NULL, and a message in *error, if it cannot be run; *wrong_input is 1 if that is the request's fault, else 0.
char* race_run_request(const char* request_json, int fd, char** error, int* wrong_input);

// ---- litmus tests

typedef struct race_litmus race_litmus;

// NULL, and a message in *error, if the program is wrong.
race_litmus* race_litmus_open(const char* program_json, char** error);

// Weak engine: runs executions first to first + count - 1. Exhaustive: at most count further executions of the search; first
// is ignored. Returns how many were done: fewer after a cancel, and when the search is complete. On an error of the test
// itself (an address that is no location) a message is in *error.
uint64_t race_litmus_run(race_litmus* litmus, uint64_t first, uint64_t count, char** error);

// May be called from another thread or a signal handler.
void race_litmus_cancel(race_litmus* litmus);

// JSON: {"executions", "complete", "states": [{"values": [number, or {"location": index}], "count"}]}.
char* race_litmus_result(race_litmus* litmus);

void race_litmus_close(race_litmus* litmus);

// For every char * above but race_version's, and for *error.
void race_free(char* text);

#ifdef __cplusplus
}
#endif
