/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "denied.h"

/* Records of the history, one a line; signals between them. */

#define LOOK_MS      200
#define SIGNALS_NEXT 64 /* read at a time */

struct list {
	struct printer out;
	char day[BH_TIME_STR]; /* that was printed last */
	/* Signals wait until their time has come. */
	struct denied_store *store;
	const struct denied_ask *ask;
	bool with_signals, no_more_signals, reverse;
	struct flow_signal signals[SIGNALS_NEXT];
	size_t n_signals, at_signal;
	struct flows_cursor after;
	int64_t followed_since;
};

/* --- days ------------------------------------------------------------------------------------- */

/* A line of text has the time of the day alone. */
static void print_day(struct list *l, int64_t when)
{
	char day[BH_TIME_STR];

	if (l->out.format != OUTPUT_TEXT || l->out.silent)
		return;
	bh_format_time(day, when);
	day[10] = '\0';
	if (strcmp(day, l->day) == 0)
		return;
	strcpy(l->day, day);
	printf("-- %s\n", day);
}

static int print_record(struct list *l, const struct flow_record *rec)
{
	print_day(l, rec->first_seen);
	return printer_record(&l->out, rec);
}

static int print_signal(struct list *l, const struct flow_signal *s)
{
	print_day(l, s->when);
	return printer_signal(&l->out, s);
}

/* --- signals between records ------------------------------------------------------------------ */

static int keep_signal(const struct flow_signal *s, void *arg)
{
	struct list *l = arg;

	l->signals[l->n_signals++] = *s;
	return 0;
}

static int fetch_signals(struct list *l)
{
	struct flows_order order = { .reverse = l->reverse,
				     .limit = SIGNALS_NEXT,
				     .after = l->after };
	struct bh_err err = BH_ERR_INIT;
	bool more = false;
	int r;

	l->n_signals = l->at_signal = 0;
	r = flows_query_signals(l->store->reader, &l->ask->filter, &order, keep_signal, l,
				&l->after, &more, &err);
	l->no_more_signals = !more;
	if (r < 0)
		denied_failed(l->store, &err);
	return r;
}

/* The next one, without taking it; NULL behind the last. */
static int next_signal(struct list *l, const struct flow_signal **ret)
{
	int r = 0;

	if (l->at_signal == l->n_signals && !l->no_more_signals)
		r = fetch_signals(l);
	*ret = r >= 0 && l->at_signal < l->n_signals ? &l->signals[l->at_signal] : NULL;
	return r;
}

/* Those whose time is before WHEN, in the order of the list; all that are left with ALL. */
static int print_signals(struct list *l, int64_t when, bool all)
{
	const struct flow_signal *s;
	int r = 0;

	while (l->with_signals && (r = next_signal(l, &s)) >= 0 && s &&
	       (all || (l->reverse ? s->when > when : s->when < when))) {
		r = print_signal(l, s);
		if (r < 0)
			break;
		l->at_signal++;
	}
	return r;
}

/* --- a page ----------------------------------------------------------------------------------- */

static int on_record(const struct flow_record *rec, void *arg)
{
	struct list *l = arg;
	int r = print_signals(l, rec->first_seen, false);

	return r < 0 ? r : print_record(l, rec);
}

static int print_page(struct list *l)
{
	const struct denied_ask *a = l->ask;
	struct bh_err err = BH_ERR_INIT;
	struct flows_cursor end;
	bool more = false;
	int r = flows_query(l->store->reader, &a->filter, &a->order, on_record, l, &end, &more,
			    &err);

	if (r < 0 && err.msg[0])
		return denied_failed(l->store, &err);
	if (r >= 0 && !more)
		r = print_signals(l, 0, true);
	if (more)
		fprintf(stderr, "bulkhead: there are more: --page %" PRId64 ".%" PRId64 "\n",
			end.value, end.id);
	return r < 0 ? CLI_FAILED : CLI_YES;
}

static void list_begin(struct list *l, const struct cli_options *o, const struct denied_ask *a,
		       struct denied_store *s)
{
	memset(l, 0, sizeof(*l));
	l->ask = a;
	l->store = s;
	l->with_signals = o->signals;
	l->reverse = o->reverse;
	if (a->order.after.id) /* those of that very time were not on the page before */
		l->after = o->reverse
				   ? (struct flows_cursor) { a->order.after.value + 1, 1 }
				   : (struct flows_cursor) { a->order.after.value - 1, INT64_MAX };
}

int denied_list(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s)
{
	static struct list l;
	int code;

	list_begin(&l, o, a, s);
	code = printer_begin(&l.out, o); /* a file for packets is the caller's, not the logger's */
	if (code == CLI_YES)
		code = denied_open(o, s);
	if (code == CLI_YES)
		code = print_page(&l);
	return printer_end(&l.out, code);
}

/* --- following -------------------------------------------------------------------------------- */

static int on_new_record(const struct flow_record *rec, void *arg)
{
	return print_record(arg, rec);
}

static int on_new_signal(const struct flow_signal *s, void *arg)
{
	return print_signal(arg, s);
}

/*
 * What was damaged is set aside, and a new one begun: go on with that, from its beginning, for what the old
 * one did not take is in it already.
 */
static int open_again(struct list *l, struct bh_err *err)
{
	int r;

	flows_reader_close(l->store->reader);
	l->store->reader = NULL;
	r = flows_reader_open(l->store->dir, &l->store->reader, err);
	if (r >= 0)
		r = flows_follow_since(l->store->reader, l->followed_since, err);
	if (r >= 0)
		fprintf(stderr, "bulkhead: the history was begun anew\n");
	return r == -ENOENT || r == -EBUSY ? 0 : r;
}

static int look(struct list *l, struct bh_err *err)
{
	int r = 0;

	if (l->store->reader)
		r = flows_follow(l->store->reader, &l->ask->filter, on_new_record,
				 l->with_signals ? on_new_signal : NULL, l, err);
	if (!l->store->reader || r == -ESTALE)
		r = open_again(l, err);
	return r == -EBUSY ? 0 : r;
}

static int follow(struct list *l, int signals)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };
	struct bh_err err = BH_ERR_INIT;
	int r;

	fprintf(stderr, "bulkhead: following the history in %s; interrupt to end\n",
		l->store->path);
	do {
		r = look(l, &err);
	} while (r >= 0 && poll(&p, 1, LOOK_MS) == 0);
	if (r >= 0)
		return CLI_YES;
	return err.msg[0] ? denied_failed(l->store, &err) : CLI_FAILED;
}

int denied_follow(const struct cli_options *o, const struct denied_ask *a, struct denied_store *s)
{
	bh_autoclose int signals = -1;
	static struct list l;
	sigset_t end;
	int code;

	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	signals = signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return cli_fail(CLI_FAILED, "denied: %s", strerrordesc_np(errno));
	list_begin(&l, o, a, s);
	l.followed_since = (int64_t)time(NULL) * 1000000;
	code = printer_begin(&l.out, o);
	if (code == CLI_YES)
		code = denied_open(o, s);
	if (code == CLI_YES)
		code = follow(&l, signals);
	return printer_end(&l.out, code);
}
