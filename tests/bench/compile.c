/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What compiling costs, without a kernel: a site of many simulated endpoints, compiled in full and
 * after one change.  usage: compile ENDPOINTS SERVICES ROUNDS
 * Lines "WHAT MICROSECONDS CHANGED": of full, first (with a state to be kept), and of each kind of
 * change ROUNDS times; CHANGED is how many namespaces got another ruleset. Last, "memory KIB": the
 * most that was resident. Ends with 1 if a compile after changes is not what a full one gives.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "../unit/compile/population.h"
#include "measure.h"

struct site {
	struct pop pop;
	struct compile_state *state;
	struct endpoint_set *endpoints;
	struct ruleset_list *list;
};

static int fail(const char *what, const struct bh_err *err)
{
	fprintf(stderr, "compile: %s: %s\n", what, err->msg);
	return -1;
}

static int full(const struct compile_input *in, struct ruleset_list **ret, double *ret_us)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	double start = now_ns();
	int r;

	diag_list_init(&diags);
	r = compile_rulesets(in, false, ret, &diags, &err);
	*ret_us = (now_ns() - start) / 1e3;
	diag_list_done(&diags);
	return r < 0 ? fail("full", &err) : 0;
}

/* The list before is freed outside of the time taken, as the daemon does it after it has applied. */
static int step(struct site *s, const char *what)
{
	struct endpoint_set *e = pop_endpoints(&s->pop);
	struct compile_input in = pop_input(&s->pop, e);
	struct compile_changes changes;
	struct ruleset_list *list;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	double start;
	int r;

	diag_list_init(&diags);
	start = now_ns();
	r = compile_update(s->state, &in, &list, &changes, &diags, &err);
	if (r >= 0)
		printf("%s %.0f %zu\n", what, (now_ns() - start) / 1e3, changes.n);
	diag_list_done(&diags);
	if (r < 0) {
		endpoint_set_free(e);
		return fail(what, &err);
	}
	ruleset_list_free(s->list);
	endpoint_set_free(s->endpoints);
	s->list = list;
	s->endpoints = e;
	return 0;
}

/* One after the other, each at an endpoint of its own. */
static int round_of_changes(struct site *s, unsigned round)
{
	unsigned n = s->pop.shape.endpoints;
	struct pop_endpoint *e = &s->pop.e[(round * 7919u + 17) % n];
	int r;

	e->alive = false;
	r = step(s, "stop");
	e->alive = true;
	if (r >= 0)
		r = step(s, "start");
	e->addr[0] = n * 4 + 8 + round;
	if (r >= 0)
		r = step(s, "address");
	e->team = (e->team + 1) % s->pop.shape.teams;
	if (r >= 0)
		r = step(s, "label");
	e->version += 2;
	return r < 0 ? r : step(s, "nothing");
}

static int compare(const struct site *s)
{
	struct compile_input in = pop_input(&s->pop, s->endpoints);
	struct ruleset_list *want;
	char why[64] = "the number of rulesets differs";
	double us;
	bool same;

	if (full(&in, &want, &us) < 0)
		return -1;
	printf("full %.0f %zu\n", us, want->n);
	same = want->n == s->list->n;
	for (size_t i = 0; same && i < want->n; i++)
		same = ruleset_equal(want->items[i].ruleset, s->list->items[i].ruleset, why,
				     sizeof(why));
	ruleset_list_free(want);
	if (!same)
		fprintf(stderr, "compile: after changes: %s\n", why);
	return same ? 0 : -1;
}

static int run(struct site *s, unsigned rounds)
{
	struct rusage u;
	int r = step(s, "first");

	for (unsigned i = 0; r >= 0 && i < rounds; i++)
		r = round_of_changes(s, i);
	getrusage(RUSAGE_SELF, &u);
	printf("memory %ld\n", u.ru_maxrss);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = compare(s);
	return r;
}

int main(int argc, char **argv)
{
	struct pop_random random = { .state = 42 };
	struct pop_shape shape = { .teams = 100, .scopes = 4, .guardrails = 8 };
	struct site s = { .state = compile_state_new() };
	int r;

	if (argc != 4 || !s.state) {
		fputs("usage: compile ENDPOINTS SERVICES ROUNDS\n", stderr);
		return 2;
	}
	shape.endpoints = (unsigned)atoi(argv[1]);
	shape.services = (unsigned)atoi(argv[2]);
	shape.addresses = shape.endpoints * 5;
	pop_init(&s.pop, &shape, &random);
	r = run(&s, (unsigned)atoi(argv[3]));
	ruleset_list_free(s.list);
	endpoint_set_free(s.endpoints);
	compile_state_free(s.state);
	pop_done(&s.pop);
	return r < 0;
}
