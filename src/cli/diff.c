/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/compile/flows.h>
#include <bulkhead/policy/policy.h>

#include "cli.h"

/* What is compared: two policy sets, and endpoints that may be given beside. */
struct two {
	const struct cli_options *o;
	struct host_config host;
	struct policy_set *sets[2];
	struct endpoint_set *endpoints; /* or NULL */
	struct selection *selections[2];
	struct policy_diff *diff;
	size_t moved; /* endpoints that are other services */
};

/* --- text ------------------------------------------------------------------------------------- */

static const char *tame(const char *s, struct bh_buf *b)
{
	bh_buf_reset(b);
	bh_tame(b, s, strlen(s));
	return bh_buf_str(b);
}

/* "a.yaml:3 to b.yaml:7"; nothing when neither end has a place. */
static void print_rule(const char *lead, const char *const places[2])
{
	const char *a = places[DIRECTION_EGRESS], *b = places[DIRECTION_INGRESS];

	if (a || b)
		printf("%s%s%s%s", lead, a ? a : b, a && b ? " to " : "", a && b ? b : "");
}

static void print_end(const char *lead, int64_t at)
{
	char text[BH_TIME_STR];

	printf("%s%s", lead, at ? bh_format_time(text, at * 1000000) : "never");
}

static void print_places(const struct flow_change *c)
{
	if (c->kind == FLOW_ENDS) {
		print_end("until ", c->ends_after);
		print_end(", before: ", c->ends_before);
		print_rule(" by ", c->after);
		return;
	}
	print_rule("by ", c->after);
	print_rule(c->after[0] || c->after[1] ? ", before " : "before by ", c->before);
	if (c->refused)
		printf(", %s%s",
		       c->kind == FLOW_OPENS || c->kind == FLOW_HALF_CLOSES ? "refused before by "
									    : "refused by ",
		       c->refused);
}

static bool is_half(const struct flow_change *c)
{
	return c->kind == FLOW_HALF_OPENS || c->kind == FLOW_HALF_CLOSES;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The same rule, of somebody else. */
static bool is_like(const struct flow_change *a, const struct flow_change *b)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (!same_text(a->before[d], b->before[d]) || !same_text(a->after[d], b->after[d]))
			return false;
	return a->kind == b->kind && strcmp(a->ports, b->ports) == 0;
}

/* LIKE: further ones that are not printed. */
static void print_flow(const struct flow_change *c, size_t like)
{
	static const char signs[] = {
		[FLOW_OPENS] = '+',      [FLOW_CLOSES] = '-',      [FLOW_ENDS] = '~',
		[FLOW_HALF_OPENS] = ' ', [FLOW_HALF_CLOSES] = ' ',
	};
	struct bh_buf a, b;

	bh_buf_init(&a, 1 << 24);
	bh_buf_init(&b, 1 << 24);
	printf("%c %s  %s -> %s  %s", signs[c->kind], flow_change_word(c->kind),
	       tame(c->source, &a), tame(c->destination, &b), c->ports);
	if (like)
		printf("  and %zu like it", like);
	putchar('\n');
	printf("      ");
	print_places(c);
	putchar('\n');
	bh_buf_done(&a);
	bh_buf_done(&b);
}

/* What passes is told one by one; of what one end alone allows, one line a rule is enough. */
static void print_flows(const struct flow_change *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t like = 0;
		bool told = false;

		for (size_t k = 0; is_half(&c[i]) && k < n && !told; k++) {
			told = k < i && is_like(&c[i], &c[k]);
			like += k > i && is_like(&c[i], &c[k]);
		}
		if (!told)
			print_flow(&c[i], like);
	}
}

static void print_loc(const char *lead, const struct src_loc *loc)
{
	char file[512];

	if (loc->file)
		printf("%s%s:%u", lead, bh_escape_str(file, sizeof(file), loc->file), loc->line);
}

static void print_named(const struct named_change *c)
{
	struct bh_buf b;

	bh_buf_init(&b, 1 << 24);
	printf("~ %s %s  %s\n      ", c->kind, c->name, tame(c->what, &b));
	print_loc("at ", &c->after);
	print_loc(c->after.file ? ", before " : "before at ", &c->before);
	putchar('\n');
	bh_buf_done(&b);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *places_json(const char *const places[2])
{
	return json_pack("{s:s*, s:s*}", "source", places[0], "destination", places[1]);
}

static json_t *time_json(int64_t at)
{
	char text[BH_TIME_STR];

	return at ? json_string(bh_format_time(text, at * 1000000)) : NULL;
}

static void flow_json(const struct flow_change *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s*, s:o*, s:o*}", "change",
			      flow_change_word(c->kind), "source", c->source, "destination",
			      c->destination, "ports", c->ports, "before", places_json(c->before),
			      "after", places_json(c->after), "refused", c->refused, "ends_before",
			      time_json(c->ends_before), "ends_after", time_json(c->ends_after));

	cli_print_object(o);
	json_decref(o);
}

static json_t *loc_json(const struct src_loc *loc)
{
	char file[512], text[540];

	if (!loc->file)
		return NULL;
	snprintf(text, sizeof(text), "%s:%u", bh_escape_str(file, sizeof(file), loc->file),
		 loc->line);
	return json_string(text);
}

static void named_json(const struct named_change *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o*, s:o*}", "change", "named", "kind",
			      c->kind, "name", c->name, "what", c->what, "before",
			      loc_json(&c->before), "after", loc_json(&c->after));

	cli_print_object(o);
	json_decref(o);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static void services_of(const struct two *t, unsigned side, size_t i, struct bh_buf *out)
{
	const struct selection_list *l = &t->selections[side]->services_of[i];

	bh_buf_reset(out);
	for (size_t k = 0; k < l->n; k++)
		bh_buf_addf(out, "%s%s", k ? ", " : "", t->sets[side]->services[l->i[k]].name);
	if (!l->n)
		bh_buf_addstr(out, "no service");
}

/* Names joined; their order in the files is of no account. */
static bool is_the_same(struct two *t, size_t i)
{
	const struct selection_list *a = &t->selections[0]->services_of[i];
	const struct selection_list *b = &t->selections[1]->services_of[i];

	for (size_t k = 0; k < a->n; k++) {
		bool found = false;

		for (size_t m = 0; m < b->n && !found; m++)
			found = strcmp(t->sets[0]->services[a->i[k]].name,
				       t->sets[1]->services[b->i[m]].name) == 0;
		if (!found)
			return false;
	}
	return a->n == b->n;
}

static void print_moved(const struct two *t, size_t i)
{
	struct bh_buf before, after;
	char id[512];

	bh_buf_init(&before, 1 << 20);
	bh_buf_init(&after, 1 << 20);
	services_of(t, 0, i, &before);
	services_of(t, 1, i, &after);
	endpoint_format(id, sizeof(id), &t->endpoints->endpoints[i]);
	if (t->o->json) {
		json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "change", "endpoint", "endpoint", id,
				      "before", bh_buf_str(&before), "after", bh_buf_str(&after));

		cli_print_object(o);
		json_decref(o);
	} else {
		printf("~ endpoint %s  is %s, before: %s\n", id, bh_buf_str(&after),
		       bh_buf_str(&before));
	}
	bh_buf_done(&before);
	bh_buf_done(&after);
}

static int select_endpoints(struct two *t, struct bh_err *err)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < 2; i++)
		r = selection_new(t->sets[i], t->endpoints, t->host.image_labels, &t->selections[i],
				  err);
	return r;
}

static void print_endpoints(struct two *t)
{
	for (size_t i = 0; t->endpoints && i < t->endpoints->n; i++)
		if (!is_the_same(t, i)) {
			print_moved(t, i);
			t->moved++;
		}
}

/* --- the verb --------------------------------------------------------------------------------- */

static void print_all(struct two *t)
{
	const struct policy_diff *d = t->diff;
	size_t n[FLOW_HALF_CLOSES + 1] = { 0 };

	for (size_t i = 0; i < d->n_named; i++)
		(t->o->json ? named_json : print_named)(&d->named[i]);
	print_endpoints(t);
	for (size_t i = 0; i < d->n_flows; i++) {
		if (t->o->json)
			flow_json(&d->flows[i]);
		n[d->flows[i].kind]++;
	}
	if (!t->o->json)
		print_flows(d->flows, d->n_flows);
	if (d->labels_left_out)
		cli_fail(0, "diff: %zu sets of labels that peers name were not looked at",
			 d->labels_left_out);
	if (!t->o->json)
		printf("%zu open, %zu close, %zu end otherwise; %zu of one end only; %zu changes "
		       "by name\n",
		       n[FLOW_OPENS], n[FLOW_CLOSES], n[FLOW_ENDS],
		       n[FLOW_HALF_OPENS] + n[FLOW_HALF_CLOSES], d->n_named + t->moved);
}

static int load(struct two *t, struct diag_list *diags, struct bh_err *err)
{
	const struct site_options so = { .inventory = t->o->inventory };
	int r = host_config_load(t->o->config, &t->host, diags, err);
	struct site s = { 0 };
	bool input;

	for (unsigned i = 0; i < 2; i++) {
		int q = policy_load(&t->o->files[i], 1, &t->sets[i], diags, err);

		r = q < 0 ? q : r;
	}
	if (r >= 0 && t->o->inventory) {
		r = site_load_endpoints(&s, &so, diags, &input, err);
		t->endpoints = s.endpoints;
	}
	return r;
}

static int compare(struct two *t, struct diag_list *diags, struct bh_err *err)
{
	int r = load(t, diags, err);

	if (r < 0)
		return r == -ENOMEM ? CLI_FAILED : CLI_USAGE;
	r = policy_diff(t->sets[0], t->sets[1], &t->host, time(NULL), &t->diff, err);
	if (r >= 0 && t->endpoints)
		r = select_endpoints(t, err);
	return r < 0 ? CLI_FAILED : CLI_YES;
}

static void done(struct two *t)
{
	policy_diff_free(t->diff);
	selection_free(t->selections[0]);
	selection_free(t->selections[1]);
	endpoint_set_free(t->endpoints);
	policy_set_free(t->sets[0]);
	policy_set_free(t->sets[1]);
	host_config_done(&t->host);
}

int cmd_diff(struct cli_options *o)
{
	struct two t = { .o = o };
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int code;

	if (o->n_files != 2)
		return cli_fail(CLI_USAGE, "diff: give two policy directories, or files");
	diag_list_init(&diags);
	code = compare(&t, &diags, &err);
	diag_list_sort(&diags);
	if (code != CLI_YES)
		diag_list_print(&diags, stderr, cli_colour(stderr));
	if (code == CLI_YES)
		print_all(&t);
	else if (!diags.errors || code == CLI_FAILED)
		cli_fail(code, "diff: %s", err.msg);
	if (code == CLI_YES && (t.diff->n_flows || t.diff->n_named || t.moved))
		code = CLI_NO;
	diag_list_done(&diags);
	done(&t);
	return code;
}
