/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "handle.h"

#define RETIRE_MAX   1000
#define UPDATE_USEC  (30 * 1000000LL)
#define DRAIN_ROUNDS 64
#define DUMP_TRIES   16
#define LAST_LOOKS   5

static const struct endpoint *endpoint_of(const struct watch *w)
{
	return &w->shared->site->endpoints->endpoints[w->endpoint];
}

void watch_notice(const struct watch_shared *shared, const struct endpoint *e, const char *what)
{
	char name[128], sentence[sizeof(name) + BH_ERR_MAX + 128];

	bh_escape_str(name, sizeof(name), e->name);
	snprintf(sentence, sizeof(sentence), "%s: %s", name, what);
	shared->cb->notice(sentence, shared->cb->arg);
}

/* The owner of the first service of this endpoint, when the policies are known. */
static const char *owner_of(const struct watch *w)
{
	const struct site *s = w->shared->site;

	if (!s->selection || s->selection->services_of[w->endpoint].n == 0)
		return NULL;
	return s->policies->services[s->selection->services_of[w->endpoint].i[0]].owner;
}

static int explain_and_emit(struct flow_record *rec, void *arg)
{
	struct watch *w = arg;
	const struct endpoint *e = endpoint_of(w);
	char scope[RECORD_STR];
	const struct flow_context ctx = {
		.endpoint = e,
		.ruleset = w->have.ruleset,
		.netns_name = e->netns,
		.host = w->shared->host,
		.owner = owner_of(w),
		.scope = site_scopes_of(w->shared->site, w->endpoint, scope, sizeof(scope)),
		.party_of = parties_find,
		.arg = w->shared->parties,
	};

	if (w->event && rec->verdict != RECORD_ALLOW) /* what was denied comes first */
		sender_fill(w->shared->processes, w->netns_fd, w->ino, w->event, rec);
	flow_explain_again(&w->shared->explained, rec, &ctx);
	return w->shared->cb->record(rec, w->shared->cb->arg);
}

/* --- the kernel's counts -------------------------------------------------------------------- */

static struct flow_count count_of(const struct nft_denied *d)
{
	return (struct flow_count) {
		.oif = d->oif,
		.source = d->source,
		.destination = d->destination,
		.proto = d->proto,
		.port = d->port,
		.packets = d->packets,
		.bytes = d->bytes,
		.expires_ms = d->expires_ms,
	};
}

static int on_denied(const struct nft_denied *d, void *arg)
{
	struct watch *w = arg;
	struct flow_count c = count_of(d);

	return flow_account_flow(w->account, &c);
}

/*
 * A dump that a change of the tables cut short is begun again. BEGIN: of a baseline or a
 * snapshot.
 */
static int feed_flows(struct watch *w, int64_t now,
		      void (*begin)(struct flow_account *a, int64_t now), struct bh_err *err)
{
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		begin(w->account, now);
		r = nft_denied_dump(&w->nl, on_denied, w, err);
	}
	return r;
}

/* The order of reading is what flow_account_end() asks for. */
static int feed_counts(struct watch *w, int64_t now, int dumps,
		       void (*begin)(struct flow_account *a, int64_t now), struct bh_err *err)
{
	struct nft_totals before, after;
	struct flow_totals t;
	int r = nft_denied_totals(&w->nl, &before, err);

	for (int i = 0; i < dumps && r >= 0; i++)
		r = feed_flows(w, now, begin, err);
	if (r >= 0)
		r = nft_denied_totals(&w->nl, &after, err);
	if (r < 0)
		return r;
	memcpy(t.denied, before.denied, sizeof(t.denied));
	memcpy(t.revoked, after.revoked, sizeof(t.revoked));
	memcpy(t.allowed, before.allowed, sizeof(t.allowed));
	t.raw = after.raw;
	return flow_account_end(w->account, &t);
}

static int on_retired(const struct nft_denied *d, void *arg)
{
	struct watch *w = arg;
	struct flow_count c = count_of(d);

	w->retired++;
	w->retired_error = flow_account_retired(w->account, &c, w->now);
	return w->retired_error;
}

/*
 * Our own change is no reason to read the table again. Any other number than the next one: somebody
 * else made a change as well, and the next reading of the log looks at it.
 */
static void pass_own_commit(struct watch *w)
{
	uint32_t commit;

	if (w->retired && nft_commit_id(&w->nl, &commit, NULL) >= 0 && commit == w->commit + 1)
		w->commit = commit;
}

static void tell_cannot_retire(struct watch *w, int r, const struct bh_err *err)
{
	char what[BH_ERR_MAX + 128];

	if (w->cannot_retire)
		return;
	w->cannot_retire = true;
	snprintf(what, sizeof(what), "ended flows stay in the kernel until they expire there: %s",
		 err->msg[0] ? err->msg : strerror(-r));
	watch_notice(w->shared, endpoint_of(w), what);
}

/*
 * Close the counts of flows that are idle or that the kernel will forget soon. A kernel that refuses
 * does not end the following: it forgets them by itself, later.
 */
static int retire(struct watch *w, struct bh_err *err)
{
	bh_autofree struct flow_count *due = calloc(RETIRE_MAX, sizeof(*due));
	bh_autofree struct nft_denied *keys = calloc(RETIRE_MAX, sizeof(*keys));
	struct bh_err refused = BH_ERR_INIT;
	size_t n;
	int r;

	if (!due || !keys)
		return bh_err_oom(err);
	n = flow_account_candidates(w->account, due, RETIRE_MAX);
	for (size_t i = 0; i < n; i++)
		keys[i] = (struct nft_denied) {
			.direction = flow_direction(due[i].oif),
			.oif = due[i].oif,
			.source = due[i].source,
			.destination = due[i].destination,
			.proto = due[i].proto,
			.port = due[i].port,
		};
	if (n == 0)
		return 0;
	w->retired = 0;
	w->retired_error = 0;
	r = nft_denied_retire(&w->nl, keys, n, on_retired, w, &refused);
	pass_own_commit(w);
	if (r < 0 && w->retired_error == 0)
		tell_cannot_retire(w, r, &refused);
	return w->retired_error < 0 ? w->retired_error : 0;
}

/* --- one namespace -------------------------------------------------------------------------- */

static int baseline(struct watch *w, int64_t now, struct bh_err *err)
{
	const struct flow_account_options o = {
		.audit = w->have.ruleset->mode == MODE_AUDIT,
		.logged = w->have.ruleset->log_denied,
		.update_usec = UPDATE_USEC,
		.budget = &w->shared->budget,
		.emit = explain_and_emit,
		.arg = w,
	};
	int r = flow_account_new(&o, &w->account, err);

	if (r < 0)
		return r;
	return feed_counts(w, now, 2, flow_account_baseline, err);
}

static int open_all(struct watch *w, int64_t now, bool *ret_ours, struct bh_err *err)
{
	const struct endpoint *e = endpoint_of(w);
	int r;

	*ret_ours = false;
	r = endpoint_netns_open(e, &w->netns_fd, &w->ino, err);
	if (r >= 0)
		r = nlsock_open(&w->nl, w->netns_fd, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = nft_commit_id(&w->nl, &w->commit, err);
	if (r >= 0)
		r = nft_readback(&w->nl, &w->have, err);
	if (r < 0 || !w->have.present)
		return r;
	*ret_ours = true;
	if (!w->have.ruleset)
		return bh_err_set(err, -EINVAL, "its table was altered beyond reading: %s",
				  w->have.drift);
	r = baseline(w, now, err);
	if (r >= 0) /* only now: what is counted before the log is open is the baseline's */
		r = flow_log_open(w->netns_fd, NFT_NFLOG_GROUP, &w->log, err);
	return r;
}

int watch_new(struct watch_shared *shared, size_t endpoint, int64_t now, struct watch **ret,
	      struct bh_err *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	bool ours;
	int r;

	*ret = NULL;
	if (!w)
		return bh_err_oom(err);
	w->shared = shared;
	w->endpoint = endpoint;
	w->netns_fd = -1;
	w->nl = (struct nlsock)NLSOCK_INIT;
	r = open_all(w, now, &ours, err);
	if (r < 0 || !ours) {
		watch_free(w);
		return r;
	}
	shared->parties->ruleset_of[endpoint] = w->have.ruleset;
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	parties_reset(w->shared->parties, w->endpoint);
	flow_log_close(w->log);
	flow_account_free(w->account);
	nft_state_done(&w->have);
	nlsock_done(&w->nl);
	if (w->netns_fd >= 0)
		close(w->netns_fd);
	free(w);
}

/* A newer ruleset may stand in the kernel: records must name the lines that denied them. */
static void refresh(struct watch *w)
{
	struct nft_state now = { 0 };

	if (nft_readback(&w->nl, &now, NULL) < 0 || !now.ruleset) {
		nft_state_done(&now);
		return;
	}
	w->shared->parties->ruleset_of[w->endpoint] = now.ruleset;
	nft_state_done(&w->have);
	w->have = now;
	flow_account_set_mode(w->account, now.ruleset->mode == MODE_AUDIT, now.ruleset->log_denied);
}

static int on_event(const struct flow_log_event *ev, void *arg)
{
	struct watch *w = arg;
	enum nft_log_kind kind;
	int r;

	static const enum flow_log_kind kinds[] = {
		[NFT_LOG_DENY] = FLOW_LOG_DENY,       [NFT_LOG_AUDIT] = FLOW_LOG_AUDIT,
		[NFT_LOG_REVOKED] = FLOW_LOG_REVOKED, [NFT_LOG_GUARD] = FLOW_LOG_GUARD,
		[NFT_LOG_RAW] = FLOW_LOG_RAW,         [NFT_LOG_RAW_AUDIT] = FLOW_LOG_RAW_AUDIT,
		[NFT_LOG_ALLOW] = FLOW_LOG_ALLOW,
	};

	if (!nft_prefix_parse(ev->prefix, &kind))
		return 0; /* logged by somebody else's rule to our group */
	w->event = ev;
	r = flow_account_event(w->account, kinds[kind], ev);
	w->event = NULL;
	return r;
}

int watch_read_log(struct watch *w, struct bh_err *err)
{
	uint32_t commit;

	flow_explained_forget(&w->shared->explained);
	if (nft_commit_id(&w->nl, &commit, NULL) >= 0 && commit != w->commit) {
		refresh(w);
		w->commit = commit;
	}
	return flow_log_read(w->log, on_event, w, err);
}

/* Everything that was logged before the counts are read must have been seen before them. */
static int drain(struct watch *w, struct bh_err *err)
{
	int r = 1;

	for (int i = 0; i < DRAIN_ROUNDS && r > 0; i++)
		r = watch_read_log(w, err);
	return r < 0 ? r : 0;
}

static int look(struct watch *w, int64_t now, struct bh_err *err)
{
	int r = drain(w, err);

	w->now = now;
	return r < 0 ? r : feed_counts(w, now, 1, flow_account_snapshot, err);
}

int watch_look(struct watch *w, int64_t now, struct bh_err *err)
{
	int r = look(w, now, err);

	return r < 0 ? r : retire(w, err);
}

int watch_finish(struct watch *w, int64_t now, struct bh_err *err)
{
	int r;

	flow_log_end(w->log);
	r = look(w, now, err);

	for (int i = 1; r >= 0 && i < LAST_LOOKS && (i < 2 || !flow_account_settled(w->account));
	     i++)
		r = look(w, now, err);
	return r < 0 ? r : flow_account_finish(w->account, now);
}

bool watch_is_gone(const struct watch *w)
{
	uint64_t ino = 0;
	int fd, r = netns_open(endpoint_of(w)->netns, &fd, &ino, NULL);

	if (r >= 0)
		close(fd);
	return r < 0 || ino != w->ino;
}

void watch_add_sums(const struct watch *w, struct follow_sums *sums)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		struct flow_allowed a;
		struct flow_sums f;

		flow_account_sums(w->account, (enum direction)d, &f);
		flow_account_allowed(w->account, (enum direction)d, &a);
		sums->allowed += a.allowed;
		sums->allowed_recorded += a.recorded;
		sums->allowed_not_recorded += a.not_recorded;
		sums->denied += f.denied;
		sums->recorded += f.recorded;
		sums->not_recorded += f.not_recorded;
	}
	sums->log_lost += flow_log_lost(w->log);
}
