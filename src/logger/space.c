/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>

#include "hits.h"
#include "identity.h"
#include "inquiry.h"
#include "line.h"
#include "look.h"
#include "past.h"
#include "probing.h"
#include "writing.h"
#include "space_private.h"

struct space *space_find(const struct logger *l, uint64_t ino)
{
	struct space *s;

	HASH_FIND(hh, l->spaces, &ino, sizeof(ino), s);
	return s;
}

static void space_free(struct space *s)
{
	HASH_DEL(s->l->spaces, s);
	probing_leaves(s);
	sd_event_source_disable_unref(s->log_io);
	sd_event_source_disable_unref(s->counts_io);
	flow_log_close(s->log);
	if (s->counts_fd >= 0)
		close(s->counts_fd);
	nft_counts_free(s->counts);
	flow_account_free(s->account);
	flood_free(s->flood);
	free(s);
}

/* --- the log ----------------------------------------------------------------------------------- */

static int on_event(const struct flow_log_event *ev, void *arg)
{
	static const enum flow_log_kind kinds[] = {
		[NFT_LOG_DENY] = FLOW_LOG_DENY,       [NFT_LOG_AUDIT] = FLOW_LOG_AUDIT,
		[NFT_LOG_REVOKED] = FLOW_LOG_REVOKED, [NFT_LOG_GUARD] = FLOW_LOG_GUARD,
		[NFT_LOG_RAW] = FLOW_LOG_RAW,         [NFT_LOG_RAW_AUDIT] = FLOW_LOG_RAW_AUDIT,
		[NFT_LOG_ALLOW] = FLOW_LOG_ALLOW,
	};
	struct space *s = arg;
	enum nft_log_kind kind;

	if (!nft_prefix_parse(ev->prefix, &kind))
		return 0; /* logged by somebody else's rule to our group */
	s->active = true;
	return flow_account_event(s->account, kinds[kind], ev);
}

int space_read_log(struct space *s)
{
	struct bh_err err = BH_ERR_INIT;
	int r = flow_log_read(s->log, on_event, s, &err);

	if (r < 0 && !s->log_failed) {
		s->log_failed = true;
		space_notice(s, err.msg[0] ? err.msg : strerror(-r));
	}
	return r;
}

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct space *s = arg;

	if (space_read_log(s) < 0 && (revents & (EPOLLERR | EPOLLHUP)))
		s->log_io = sd_event_source_disable_unref(s->log_io);
	return 0;
}

void space_notice(const struct space *s, const char *what)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s: %s", s->who.name[0] ? s->who.name : s->who.id, what);
	logger_notice(line, s->l);
}

/* --- records ----------------------------------------------------------------------------------- */

/* The account has one: say who and why, and hand it on. */
static int on_record(struct flow_record *rec, void *arg)
{
	struct space *s = arg;

	identity_explain(s, rec);
	if (!flood_takes(s->flood, rec, logger_now()))
		return write_asking(s, rec);
	write_signals(s->l, rec);
	return 0;
}

/* An aggregated one of a flood. */
static int on_flood(struct flow_record *rec, void *arg)
{
	struct space *s = arg;

	identity_explain(s, rec);
	return write_record(s, rec);
}

void space_flush_flood(struct space *s, bool all)
{
	flood_tick(s->flood, logger_now(), all);
}

/* --- coming and going -------------------------------------------------------------------------- */

static int make_account(struct space *s, struct bh_err *err)
{
	const struct flow_account_options o = {
		.audit = s->audit,
		.logged = s->logged,
		.update_usec = SPACE_UPDATE_USEC,
		.budget = &s->l->budget,
		.emit = on_record,
		.arg = s,
	};
	const struct flood_options flood = {
		.per_second = s->l->hello.records_per_second,
		.emit = on_flood,
		.arg = s,
	};
	int e = flow_account_new(&o, &s->account, err);

	return e < 0 ? e : flood_new(&flood, &s->flood, err);
}

static int make_sources(struct space *s, struct bh_err *err)
{
	int r = sd_event_add_io(s->l->event, &s->log_io, flow_log_fd(s->log), EPOLLIN, on_log, s);

	if (r >= 0)
		r = sd_event_add_io(s->l->event, &s->counts_io, s->counts_fd, EPOLLIN,
				    look_on_answer, s);
	return r < 0 ? bh_err_errno(err, r, "event loop") : 0;
}

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

int space_attach(struct logger *l, uint64_t ino, int log_fd, int counts_fd, struct bh_err *err)
{
	struct space *s = space_find(l, ino);
	const struct ruleset *known;
	int r;

	if (s)
		space_free(s);
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(log_fd);
		close(counts_fd);
		return bh_err_oom(err);
	}
	*s = (struct space) { .ino = ino, .l = l, .counts_fd = counts_fd, .active = true };
	HASH_ADD(hh, l->spaces, ino, sizeof(s->ino), s);
	if (!s->hh.tbl) {
		close(log_fd);
		close(counts_fd);
		free(s);
		return bh_err_oom(err);
	}
	s->cookie = cookie_of(counts_fd);
	known = roster_ruleset(l->roster, ino);
	s->audit = known && known->mode == MODE_AUDIT;
	s->logged = !known || known->log_denied;
	s->counts = nft_counts_new();
	r = flow_log_adopt(log_fd, &s->log, err);
	if (r < 0)
		close(log_fd);
	if (r >= 0)
		r = s->counts ? make_account(s, err) : bh_err_oom(err);
	if (r >= 0)
		r = make_sources(s, err);
	if (r < 0) {
		space_free(s);
		return r;
	}
	identity_take(s);
	look_begin(s);
	return 0;
}

void space_record_all(struct space *s)
{
	(void)flow_account_finish(s->account, logger_now());
	space_flush_flood(s, true);
	inquiry_end(s);
}

/* The last is told, the sums are kept, and the namespace may go. */
void space_end(struct space *s)
{
	struct logger *l = s->l;
	uint64_t ino = s->ino;

	space_record_all(s);
	past_keep(s);
	hits_end(s);
	space_free(s);
	roster_forget(l->roster, ino); /* the next with that inode is told its own */
	line_send_head(l, LG_DETACHED, ino);
}

void space_detach(struct logger *l, uint64_t ino)
{
	struct space *s = space_find(l, ino);

	if (!s) {
		line_send_head(l, LG_DETACHED, ino);
		return;
	}
	s->ending = true;
	if (s->step == LOOK_NONE)
		look_begin(s);
}

void space_retired(struct logger *l, const struct lg_flows *m)
{
	struct space *s = space_find(l, m->head.netns);

	if (s)
		look_retired(s, m);
}

/* What denies a flow that is known may be another rule now. */
static void take_mode(struct space *s)
{
	const struct ruleset *r = roster_ruleset(s->l->roster, s->ino);

	if (!r || (s->audit == (r->mode == MODE_AUDIT) && s->logged == r->log_denied))
		return;
	s->audit = r->mode == MODE_AUDIT;
	s->logged = r->log_denied;
	flow_account_set_mode(s->account, s->audit, s->logged);
}

/* --- all of them ------------------------------------------------------------------------------- */

void spaces_identify(struct logger *l)
{
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next) {
		identity_take(each);
		take_mode(each);
	}
}

void spaces_look(struct logger *l)
{
	struct space *each, *next;

	l->turn++;
	HASH_ITER (hh, l->spaces, each, next) {
		space_flush_flood(each, false);
		if (each->left)
			identity_take(each);
		if (each->step != LOOK_NONE)
			look_check_time(each);
		else if (each->active || each->ending || probing_waits(each) ||
			 !flow_account_rests(each->account) ||
			 (each->ino + l->turn) % SPACE_TURNS == 0)
			look_begin(each);
	}
}

void spaces_finish(struct logger *l)
{
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next) {
		for (int i = 0; i < SPACE_DRAIN_ROUNDS && space_read_log(each) > 0; i++)
			;
		space_end(each);
	}
}

void spaces_add_stats(const struct logger *l, struct lg_stats *stats)
{
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next) {
		for (int d = 0; d < DIRECTIONS; d++) {
			struct flow_allowed a;

			flow_account_allowed(each->account, (enum direction)d, &a);
			stats->denied += each->sums[d].denied;
			stats->recorded += each->sums[d].recorded;
			stats->allowed += a.allowed;
			stats->allowed_recorded += each->sums[d].allowed_recorded;
		}
		stats->log_lost += flow_log_lost(each->log);
	}
}
