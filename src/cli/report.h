/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>

#include <bulkhead/compile/flows.h>
#include <bulkhead/report/report.h>
#include <bulkhead/store/flows.h>
#include <bulkhead/store/runs.h>

#include "cli.h"

/* report: what is gathered, section by section (docs/report.md). What cannot be had says so in it. */

/* When a segmentation test ran, as its result or the trail has it: it hits every rule. */
#define REPORT_TESTS_MAX 64
struct report_test {
	struct flows_span span;
	unsigned port; /* the source port of its packets; raw ones have the next */
};

struct gathering {
	const struct cli_options *options;
	struct site *site; /* the policies */
	const struct scope *scope;
	int64_t now; /* microseconds since the epoch */
	unsigned days;
	struct report_test tests[REPORT_TESTS_MAX]; /* gather_tested(), gather_trail() find them */
	size_t n_tests;
	/* Those of the trail alone, whose packets are no attempt of anybody: no file that is given hides one. */
	struct flows_test trailed[REPORT_TESTS_MAX];
	size_t n_trailed;
	json_t *counted; /* "rules" of gather_denied(), without --rules: "state", "lines" */
	json_t *report;
};

/* Text of policies and files as JSON: tame. "" and NULL leave the key out. */
void gather_text(json_t *o, const char *key, const char *s);
json_int_t gather_number(const json_t *o, const char *key); /* 0: not there */
/* {"state": STATE, "why": WHY} */
json_t *gather_state(const char *state, const char *why);
/* Is WORD one of those that TEXT joins with ", "? */
bool gather_is_joined(const char *text, const char *word);

/* Is this service in the scope? */
bool gather_is_inside(const struct gathering *g, const struct service *s);

/* A segmentation test ran then: microseconds, both ends included. What cannot be one is passed over. */
void gather_test(struct gathering *g, int64_t since, int64_t until, unsigned port);

/* RFC 3339 with its fraction, in microseconds; -EINVAL. */
static inline int gather_time(const char *s, int64_t *ret)
{
	return run_time_parse(s, ret);
}

/* Each: CLI_YES, or an exit code after the reason was printed: out of memory, or a file that was named. */
int gather_policies(struct gathering *g, size_t warnings); /* "scope", "policies", "services" */
int gather_flows(struct gathering *g);                     /* "flows", "insecure", "map" */
int gather_enforced(struct gathering *g); /* "enforcement", "endpoints", "daemon" */
int gather_trail(struct gathering *g);    /* "trail", "generations" */
int gather_tested(struct gathering *g);   /* when the test of --probe ran */
int gather_denied(struct gathering *g);   /* "denied", and edges of "map" */
int gather_probe(struct gathering *g);    /* "probe" */
int gather_rules(struct gathering *g);    /* "rules" */
int gather_verified(struct gathering *g); /* "verify" */

/* Nodes and boxes of a graph as report_map_svg() takes them; edges, too. */
json_t *map_of_graph(const struct flow_graph *graph, const struct policy_set *policies,
		     const char *scope);
/*
 * Does what EDGE's source may send by RULE to OTHER, which is not managed, go out to the whole world? Together
 * with all other networks that it may send to on such a port, however they are cut up.
 */
bool flow_is_to_world(const struct policy_set *policies, const struct flow_graph *graph,
		      const struct flow_edge *edge, const struct flow_edge_rule *rule,
		      const struct flow_node *other);
/* What was denied, as edges of the map. */
void map_add_denied(json_t *map, const json_t *groups);

/* LEN bytes with an object a line, each tamed; TAKE says false of one that is none of its. */
bool report_lines(const char *text, size_t len, bool (*take)(const json_t *o, void *arg),
		  void *arg);
/*
 * The sums of another run say when and where it was: is that no evidence of how things stand here, now?
 * Then WHY says it.
 */
#define GATHER_STALE 256
bool gather_is_stale(const struct gathering *g, const json_t *sums, char why[GATHER_STALE]);

/* A whole regular file that was named by an option; CLI_YES, or CLI_USAGE after having said why. */
int report_file(const char *option, const char *path, char **ret, size_t *ret_len);

#endif
