/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "protect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/enforce/report.h>
#include <bulkhead/runtime/runtime.h>

#include "announced.h"
#include "hints.h"
#include "logger.h"
#include "reconcile.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* Between tries to tell the logger, while it reads what it was told before. */
#define LISTEN_USEC 1000

const struct ctl_arg protect_released_args[] = {
	{ "runtime", CTL_TYPE_STRING, true }, { "id", CTL_TYPE_STRING, true },
	{ "netns", CTL_TYPE_STRING, false },  { "netns_ino", CTL_TYPE_INTEGER, false },
	{ "pid", CTL_TYPE_INTEGER, false },   { 0 },
};

/* Who waits for an answer. */
struct waiter {
	struct protect *p;
	struct ctl_call *call;
	enum endpoint_runtime runtime;
	enum endpoint_obstacle obstacle; /* as its starter says */
	uint64_t netns_ino;
	uint64_t listings;     /* of the endpoints, when it began */
	uint64_t until;        /* monotonic, microseconds */
	uint64_t listen_until; /* the same: for the logger; 0: it was not waited for yet */
	uint64_t asked_logger; /* logger_listens() */
	const char *lacks;     /* what is waited for */
	struct waiter *next;
	char id[];
};

struct protect {
	struct controller *c;
	struct waiter *all;
	sd_event_source *timer;
};

static uint64_t now_usec(void)
{
	return (uint64_t)logger_link_clock();
}

/* --- the list --------------------------------------------------------------------------------- */

static void drop(struct waiter *w)
{
	struct waiter **at = &w->p->all;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	runtime_hurry(w->p->all != NULL);
	free(w);
}

static void end(struct waiter *w, enum ctl_exit exit, const char *sentence)
{
	struct ctl_call *call = w->call;

	drop(w);
	ctl_call_end(call, exit, sentence);
}

void protect_gone(struct ctl_call *call, void *arg)
{
	struct waiter *w = ctl_call_data(call);

	if (w)
		drop(w);
}

/* --- is it in force? -------------------------------------------------------------------------- */

/* An engine, or the inventory, may know its namespace by another id. */
static bool stands_for(const struct controller *c, enum endpoint_runtime runtime,
		       const struct endpoint *e)
{
	if (c->o->inventory)
		return true;
	return endpoint_is_announced(runtime) && endpoint_is_of_engine(e->runtime);
}

bool protect_find(const struct controller *c, enum endpoint_runtime runtime, const char *id,
		  uint64_t netns_ino, size_t *ret)
{
	const struct endpoint_set *all = c->site.endpoints;
	bool found = false;

	for (size_t i = 0; all && i < all->n; i++) {
		const struct endpoint *e = &all->endpoints[i];

		if (e->netns_ino != netns_ino || e->runtime == ENDPOINT_UNKNOWN)
			continue;
		if (e->runtime == runtime && strcmp(e->id, id) == 0) {
			*ret = i;
			return true;
		}
		if (stands_for(c, runtime, e)) {
			*ret = i;
			found = true;
		}
	}
	return found;
}

/* As it was found out since it was asked. */
static bool find_endpoint(const struct waiter *w, size_t *ret)
{
	const struct controller *c = w->p->c;

	return c->listings > w->listings && protect_find(c, w->runtime, w->id, w->netns_ino, ret);
}

/* The logger reads it, or it is down: then the kernel keeps what is logged for the next one. */
static bool is_listened_to(struct waiter *w, bool *ret_recorded)
{
	*ret_recorded = logger_listens(w->p->c->logger, w->netns_ino, &w->asked_logger);
	if (!w->listen_until)
		w->listen_until = now_usec() + BH_PROTECT_LISTEN_MS * 1000;
	return *ret_recorded || now_usec() >= w->listen_until;
}

struct verdict {
	const struct waiter *w;
	bool recorded;
	bool settled;
	enum ctl_exit exit;
	char why[BH_ERR_MAX];
	json_t *item;
};

/* Its engine may not know yet what its bundle says; raw sockets are held, or the state says so. */
static bool gets_round(enum endpoint_obstacle o)
{
	return o == ENDPOINT_NET_ADMIN || o == ENDPOINT_PRIVILEGED || o == ENDPOINT_OWN_STACK;
}

/* What has to be mended first is waited for. */
static int on_status(const struct endpoint_status *st, void *arg)
{
	struct verdict *v = arg;
	const struct site *s = &v->w->p->c->site;

	if (st->state == STATE_DRIFT || st->state == STATE_MISSING ||
	    st->state == STATE_UNREACHABLE) {
		snprintf(v->why, sizeof(v->why), "%s", st->why);
		return 0;
	}
	v->settled = true;
	v->item = report_endpoint(s, st);
	if (!v->item)
		v->item = json_object();
	json_object_set_new(v->item, "netns_ino", json_integer((json_int_t)v->w->netns_ino));
	json_object_set_new(v->item, "recorded", json_boolean(v->recorded));
	if (s->host.strict && endpoint_state_is_finding(st->state)) {
		v->exit = CTL_EXIT_NO;
		snprintf(v->why, sizeof(v->why), "%s: %.480s", endpoint_state_name(st->state),
			 st->why);
	} else if (s->host.strict && site_item_of(s, st->endpoint) && gets_round(v->w->obstacle)) {
		v->exit = CTL_EXIT_NO;
		snprintf(v->why, sizeof(v->why), "%s: %s", endpoint_state_name(STATE_WEAK),
			 endpoint_obstacle_text(v->w->obstacle));
	}
	return 0;
}

/* Of an engine's, that tells the next daemon. */
static bool is_untold(const struct waiter *w, struct verdict *v)
{
	const char *why = announced_unwritten(w->p->c->announced);

	if (!why || !endpoint_is_announced(w->runtime))
		return false;
	snprintf(v->why, sizeof(v->why), "%s", why);
	return true;
}

static void judge(struct waiter *w, struct verdict *v)
{
	struct controller *c = w->p->c;
	size_t i;

	w->lacks = NULL;
	if (is_untold(w, v))
		w->lacks = "the next daemon would not know of it";
	else if (!find_endpoint(w, &i))
		w->lacks = endpoint_is_announced(w->runtime) ? "its namespace has no endpoint"
							     : "its engine does not say what it is";
	else if (!enforce_stands(&c->site, i))
		w->lacks = "its policy could not be written";
	else if (site_item_of(&c->site, i) && !is_listened_to(w, &v->recorded))
		w->lacks = "the logger does not take its log";
	else
		enforce_status_of(&c->site, i, on_status, v, NULL);
}

static void answer(struct waiter *w, struct verdict *v)
{
	ctl_call_item(w->call, v->item);
	end(w, v->exit, v->why[0] ? v->why : NULL);
}

static void give_up(struct waiter *w, const struct verdict *v)
{
	char sentence[BH_ERR_MAX];

	snprintf(sentence, sizeof(sentence), "%s in time%s%.400s; all is denied in its namespace",
		 w->lacks ? w->lacks : "what stands is not what is wanted", v->why[0] ? ": " : "",
		 v->why);
	end(w, CTL_EXIT_FAILED, sentence);
}

/* False: it waits on. */
static bool settle(struct waiter *w)
{
	struct verdict v = { .w = w };

	judge(w, &v);
	if (v.settled)
		answer(w, &v);
	else if (now_usec() >= w->until)
		give_up(w, &v);
	else
		return false;
	return true;
}

/* --- when ------------------------------------------------------------------------------------- */

static uint64_t due(const struct waiter *w)
{
	uint64_t now = now_usec();

	if (!w->listen_until || now >= w->listen_until)
		return w->until;
	return MIN(w->asked_logger ? w->listen_until : now + LISTEN_USEC, w->until);
}

static void arm(struct protect *p)
{
	uint64_t at = UINT64_MAX;

	for (const struct waiter *w = p->all; w; w = w->next)
		at = MIN(at, due(w));
	if (at == UINT64_MAX) {
		sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(p->timer, at);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

bool protect_waits(const struct protect *p)
{
	return p && p->all;
}

void protect_put_off(const struct protect *p, uint64_t until)
{
	for (const struct waiter *w = p->all; w; w = w->next)
		hints_wait(p->c->hints, w->runtime, w->id, until);
}

void protect_settle(struct protect *p)
{
	struct waiter *w, *next;

	if (!p)
		return;
	for (w = p->all; w; w = next) {
		next = w->next;
		settle(w);
	}
	arm(p);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	protect_settle(arg);
	return 0;
}

/* --- the verbs -------------------------------------------------------------------------------- */

/* The daemon gives up before its client does. */
static uint64_t wait_usec(const json_t *args)
{
	json_int_t ms = json_integer_value(json_object_get(args, "wait"));

	if (ms <= 0 || ms > BH_PROTECT_WAIT_MAX_MS)
		ms = BH_PROTECT_WAIT_MAX_MS;
	return (uint64_t)ms * 1000;
}

static struct waiter *add_waiter(struct protect *p, struct ctl_call *call, const json_t *args,
				 const struct announcement *a)
{
	size_t size = strlen(a->id) + 1;
	struct waiter *w = calloc(1, sizeof(*w) + size);

	if (!w)
		return NULL;
	w->p = p;
	w->call = call;
	w->runtime = a->runtime;
	w->obstacle = a->obstacle;
	w->netns_ino = a->netns_ino;
	w->listings = p->c->listings;
	w->until = now_usec() + wait_usec(args);
	memcpy(w->id, a->id, size);
	w->next = p->all;
	p->all = w;
	runtime_hurry(true);
	return w;
}

static const struct {
	int r;
	enum ctl_exit exit;
} endings[] = {
	{ -EINVAL, CTL_EXIT_USAGE },
	{ -ESTALE, CTL_EXIT_NO },
	{ -ESRCH, CTL_EXIT_NO },
};

static void refuse(struct ctl_call *call, int r, const struct bh_err *err)
{
	enum ctl_exit exit = CTL_EXIT_FAILED;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (endings[i].r == r)
			exit = endings[i].exit;
	ctl_call_end(call, exit, err->msg[0] ? err->msg : strerror(-r));
}

void protect_run(struct ctl_call *call, const json_t *args, void *arg)
{
	struct controller *c = arg;
	struct bh_err err = BH_ERR_INIT;
	struct announcement a;
	struct waiter *w = NULL;
	int r = announcement_parse((json_t *)args, &a, &err);

	if (r >= 0) {
		r = announced_take(c->announced, &a, &err);
		if (r < 0)
			announcement_done(&a);
	}
	if (r >= 0 && !(w = add_waiter(c->protect, call, args, &a)))
		r = bh_err_oom(&err);
	if (r < 0) {
		refuse(call, r, &err);
		return;
	}
	ctl_call_set_data(call, w);
	arm(c->protect);
}

void protect_run_released(struct ctl_call *call, const json_t *args, void *arg)
{
	struct controller *c = arg;
	const char *word = json_string_value(json_object_get(args, "runtime"));
	const char *id = json_string_value(json_object_get(args, "id"));

	const struct announced_life life = {
		.pid = (int)json_integer_value(json_object_get(args, "pid")),
		.netns = json_string_value(json_object_get(args, "netns")),
		.netns_ino = (uint64_t)json_integer_value(json_object_get(args, "netns_ino")),
	};

	announced_release(c->announced, announcement_runtime(word), id, &life);
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

/* --- life ------------------------------------------------------------------------------------- */

int protect_new(struct controller *c, struct protect **ret, struct bh_err *err)
{
	struct protect *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return bh_err_oom(err);
	p->c = c;
	r = sd_event_add_time(c->event, &p->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, p);
	if (r >= 0) /* after what is brought about */
		r = sd_event_source_set_priority(p->timer, SD_EVENT_PRIORITY_NORMAL + 20);
	if (r >= 0)
		r = sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
	if (r < 0) {
		protect_free(p);
		return bh_err_errno(err, r, "event loop");
	}
	*ret = p;
	return 0;
}

void protect_free(struct protect *p)
{
	if (!p)
		return;
	sd_event_source_disable_unref(p->timer);
	free(p);
}
