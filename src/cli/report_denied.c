/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>
#include <bulkhead/sys/workers.h>

#include "denied.h"
#include "report.h"
#include "rules.h"

/*
 * The history of denied flows: what the scope denied, and what others denied of what was to go there. It
 * is read in a process of its own, which gives root up for it (denied_open_quietly()).
 */

#define PARTS      60
#define USEC       INT64_C(1000000)
#define DAY        86400
#define LATE       (5 * USEC) /* a record may be newer than this run by so much */
#define ANSWER_MAX (32u << 20)

struct asking {
	const struct gathering *g;
	const char **inside, **outside; /* names of services */
	struct flows_peer *peers;       /* those inside, as peers */
	size_t n_inside, n_outside;
	json_t *answer, *groups, *unclear; /* of others; of the time of tests, by nobody known */
	json_t *list;                      /* the one of both that is filled */
	json_t *newest;                    /* of one question, behind those with the most packets */
	size_t n;                          /* groups of that question */
	uint64_t more, more_unclear;       /* that are not listed */
	uint64_t packets[PARTS], parts[PARTS], records, sum;
	int64_t from, last, begun;
	bool adds_up;
	struct flows_totals left_out; /* what tests sent */
};

/* --- in the other process --------------------------------------------------------------------- */

static const enum flows_field by[] = { FLOWS_SERVICE, FLOWS_PEER, FLOWS_PORT, FLOWS_DIRECTION };

/* O, taken over, among those that were seen last, the newest first. */
static void keep_newest(struct asking *a, json_t *o)
{
	json_int_t last = gather_number(o, "last_usec");
	size_t i = json_array_size(a->newest);

	while (i && gather_number(json_array_get(a->newest, i - 1), "last_usec") < last)
		i--;
	json_array_insert_new(a->newest, i, o);
	if (json_array_size(a->newest) > BH_REPORT_NEWEST_MAX)
		json_array_remove(a->newest, BH_REPORT_NEWEST_MAX);
}

/* They come by packets: whoever sends many hides nobody who came later. */
static int on_group(const struct flows_group *g, void *arg)
{
	struct asking *a = arg;
	json_t *o = json_object();

	for (size_t i = 0; i < BH_ARRAY_SIZE(by); i++)
		gather_text(o, flows_field_name(by[i]), g->values[i]);
	json_object_set_new(o, "packets", json_integer((json_int_t)g->packets));
	json_object_set_new(o, "records", json_integer((json_int_t)g->records));
	json_object_set_new(o, "first_usec", json_integer(g->first));
	json_object_set_new(o, "last_usec", json_integer(g->last));
	if (a->n++ < BH_REPORT_GROUPS_MAX)
		json_array_append_new(a->list, o);
	else
		keep_newest(a, o);
	return 0;
}

static int on_account(const struct flows_account *account, void *arg)
{
	struct asking *a = arg;

	a->adds_up = a->adds_up && account->denied == account->recorded + account->not_recorded;
	return 0;
}

/* Groups of those that are WHOSE go to LIST. */
static int ask_groups(struct asking *a, struct flows_reader *r, struct flows_filter *f,
		      enum flows_whose whose, json_t *list, struct flows_timeline *line,
		      struct flows_totals *ret, struct bh_err *err)
{
	const struct flows_order order = { .sort = FLOWS_BY_PACKETS };
	size_t before = json_array_size(list);
	int q;

	f->whose = whose;
	a->list = list;
	a->n = 0;
	a->newest = json_array();
	q = flows_group(r, f, by, list ? BH_ARRAY_SIZE(by) : 0, &order, list ? on_group : NULL, a,
			line, ret, err);
	json_array_extend(list, a->newest);
	json_decref(a->newest);
	*(whose == FLOWS_UNCLEAR ? &a->more_unclear : &a->more) +=
		a->n - (json_array_size(list) - before);
	return q;
}

/* What a test made is counted and left out; what nobody knows of is listed, on its own. */
static int ask_tests(struct asking *a, struct flows_reader *r, struct flows_filter *f,
		     struct bh_err *err)
{
	struct flows_totals own = { 0 }, unclear = { 0 };
	int q = 0;

	if (a->g->n_trailed)
		q = ask_groups(a, r, f, FLOWS_A_TESTS, NULL, NULL, &own, err);
	if (q >= 0 && a->g->n_trailed)
		q = ask_groups(a, r, f, FLOWS_UNCLEAR, a->unclear, NULL, &unclear, err);
	a->left_out.records += own.records;
	a->left_out.packets += own.packets;
	return q;
}

static int ask_part(struct asking *a, struct flows_reader *r, struct flows_filter *f,
		    struct bh_err *err)
{
	struct flows_timeline line = { a->from, a->g->now, PARTS, a->parts };
	struct flows_totals totals = { 0 };
	int q;

	f->since = a->from;
	f->tests = a->g->trailed;
	f->n_tests = a->g->n_trailed;
	f->verdicts = 1u << RECORD_DENY | 1u << RECORD_AUDIT;
	memset(a->parts, 0, sizeof(a->parts));
	q = ask_groups(a, r, f, FLOWS_OTHERS, a->groups, &line, &totals, err);
	if (q < 0)
		return q;
	for (size_t i = 0; i < PARTS; i++)
		a->packets[i] += a->parts[i];
	a->records += totals.records;
	a->sum += totals.packets;
	a->last = totals.last > a->last ? totals.last : a->last;
	return ask_tests(a, r, f, err);
}

static void put_kept(json_t *o, const struct flows_state *k)
{
	char begun[BH_TIME_STR];

	json_object_set_new(o, "kept",
			    json_pack("{s:s, s:I, s:I, s:I}", "begun",
				      bh_format_time(begun, k->begun), "records",
				      (json_int_t)k->records, "aged_records",
				      (json_int_t)k->aged_records, "lost_records",
				      (json_int_t)k->lost_records));
}

static int ask_all(struct asking *a, struct flows_reader *r, struct bh_err *err)
{
	struct flows_filter inside = { .services = a->inside, .n_services = a->n_inside };
	struct flows_filter towards = { .services = a->outside,
					.n_services = a->n_outside,
					.peers = a->peers,
					.n_peers = a->n_inside };
	struct flows_state kept;
	int q = flows_summary(r, &kept, err);

	if (q < 0)
		return q;
	put_kept(a->answer, &kept);
	a->begun = kept.begun;
	/* what was before the history began is not known */
	a->from = kept.begun > a->from && kept.begun < a->g->now ? kept.begun : a->from;
	q = flows_sums(r, on_account, a, err);
	if (q >= 0 && a->n_inside)
		q = ask_part(a, r, &inside, err);
	if (q >= 0 && a->n_inside && a->n_outside)
		q = ask_part(a, r, &towards, err);
	return q;
}

static void put_answer(struct asking *a)
{
	json_t *line = json_array();
	char text[BH_TIME_STR];

	for (size_t i = 0; i < PARTS; i++)
		json_array_append_new(line, json_integer((json_int_t)a->packets[i]));
	json_object_set_new(a->answer, "timeline", line);
	if (a->begun) /* else of no time is anything known */
		json_object_set_new(a->answer, "from", json_string(bh_format_time(text, a->from)));
	json_object_set_new(a->answer, "to", json_string(bh_format_time(text, a->g->now)));
	json_object_set_new(a->answer, "packets", json_integer((json_int_t)a->sum));
	json_object_set_new(a->answer, "records", json_integer((json_int_t)a->records));
	json_object_set_new(a->answer, "left_out", json_integer((json_int_t)a->left_out.records));
	json_object_set_new(a->answer, "more", json_integer((json_int_t)a->more));
	json_object_set_new(a->answer, "more_unclear", json_integer((json_int_t)a->more_unclear));
	json_object_set_new(a->answer, "left_out_packets",
			    json_integer((json_int_t)a->left_out.packets));
	json_object_set_new(a->answer, "adds_up", json_boolean(a->adds_up));
	json_object_set_new(
		a->answer, "from_the_future",
		json_boolean(a->last > a->g->now + LATE || a->begun > a->g->now + LATE));
}

/* --- rules, which are counted in the same history ----------------------------------------------- */

struct counted {
	const struct asking *a;
	const struct rule_hits *hits;
	json_t *lines;
};

static int on_rule(const struct compile_rule *r, void *arg)
{
	const struct counted *c = arg;
	struct rule_judgement j;

	if (!r->service || !gather_is_inside(c->a->g, r->service))
		return 0;
	rule_judge(c->hits, r, c->a->g->now / USEC, (int64_t)c->a->g->days * DAY, &j);
	json_array_append_new(c->lines, rule_json(r, &j));
	return 0;
}

static json_t *count_rules(const struct asking *a, struct flows_reader *r)
{
	struct rule_hits hits;
	struct counted c = { .a = a, .hits = &hits, .lines = json_array() };
	json_t *o;
	int q = rule_hits_read(r, &hits);

	if (q >= 0 && hits.kept)
		q = compile_each_rule(a->g->site->policies, on_rule, &c, NULL);
	o = q < 0 ? gather_state("unreadable", "out of memory")
		  : gather_state(hits.kept ? "read" : "unreadable", hits.why);
	json_object_set_new(o, "lines", c.lines);
	rule_hits_done(&hits);
	return o;
}

static void set_state(json_t *o, const char *state, const char *why)
{
	json_t *s = gather_state(state, why);

	json_object_update(o, s);
	json_decref(s);
}

static int read_history(int fd, void *arg)
{
	struct asking *a = arg;
	struct bh_err err = BH_ERR_INIT;
	struct denied_store s;
	int r = denied_open_quietly(a->g->options, &s, &err);
	bh_autofree char *text = NULL;

	a->answer = json_object();
	a->groups = json_array();
	json_object_set_new(a->answer, "groups", a->groups);
	a->unclear = json_array();
	json_object_set_new(a->answer, "unclear", a->unclear);
	if (r >= 0)
		r = ask_all(a, s.reader, &err);
	if (r >= 0)
		put_answer(a);
	if (s.reader && !a->g->options->counted)
		json_object_set_new(a->answer, "rules", count_rules(a, s.reader));
	set_state(a->answer,
		  r >= 0         ? "read"
		  : r == -ENOENT ? "absent"
				 : "unreadable",
		  r >= 0         ? NULL
		  : r == -ENOENT ? "there is no history; bulkheadd keeps one"
				 : err.msg);
	denied_close(&s);
	text = json_dumps(a->answer, JSON_COMPACT);
	return text ? files_append(fd, text, strlen(text)) : -ENOMEM;
}

/* --- here ------------------------------------------------------------------------------------- */

static bool split_services(struct asking *a)
{
	const struct policy_set *p = a->g->site->policies;

	a->inside = calloc(p->n_services + 1, sizeof(*a->inside));
	a->outside = calloc(p->n_services + 1, sizeof(*a->outside));
	a->peers = calloc(p->n_services + 1, sizeof(*a->peers));
	if (!a->inside || !a->outside || !a->peers)
		return false;
	for (size_t i = 0; i < p->n_services; i++) {
		if (!gather_is_inside(a->g, &p->services[i])) {
			a->outside[a->n_outside++] = p->services[i].name;
			continue;
		}
		a->peers[a->n_inside].word = p->services[i].name;
		a->inside[a->n_inside++] = p->services[i].name;
	}
	return true;
}

static void put_times(json_t *groups)
{
	json_t *g;
	size_t i;

	json_array_foreach (groups, i, g) {
		static const char *const keys[][2] = { { "first_usec", "first" },
						       { "last_usec", "last" } };

		for (size_t k = 0; k < 2; k++) {
			char text[BH_TIME_STR];
			json_int_t t = json_integer_value(json_object_get(g, keys[k][0]));

			json_object_set_new(g, keys[k][1], json_string(bh_format_time(text, t)));
			json_object_del(g, keys[k][0]);
		}
	}
}

/* What that process said is no better than what it read. */
static json_t *take_answer(const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(o)) {
		json_decref(o);
		return gather_state("unreadable",
				    "the process that read the history gave no answer");
	}
	report_tame(o);
	put_times(json_object_get(o, "groups"));
	put_times(json_object_get(o, "unclear"));
	return o;
}

static json_t *ask_apart(struct asking *a)
{
	struct bh_err err = BH_ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	json_t *o;

	if (workers_apart(read_history, a, ANSWER_MAX, &text, &len, &err) < 0)
		return gather_state("unreadable", err.msg);
	o = take_answer(text, len);
	free(text);
	return o;
}

int gather_denied(struct gathering *g)
{
	struct asking a = { .g = g, .adds_up = true };
	json_t *o;

	a.from = g->now - (int64_t)g->days * DAY * USEC;
	o = split_services(&a) ? ask_apart(&a) : gather_state("unreadable", "out of memory");
	g->counted = json_object_get(o, "rules")
			     ? json_deep_copy(json_object_get(o, "rules"))
			     : gather_state(cli_text(o, "state"), cli_text(o, "why"));
	json_object_del(o, "rules");
	json_object_set_new(g->report, "denied", o);
	map_add_denied(json_object_get(g->report, "map"), json_object_get(o, "groups"));
	free(a.inside);
	free(a.outside);
	free(a.peers);
	return CLI_YES;
}
