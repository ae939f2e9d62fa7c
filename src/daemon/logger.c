/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/child.h>
#include <bulkhead/sys/privs.h>

#include "logger_private.h"
#include "meters.h"
#include "protect.h"

#define PROGRAM        "bulkhead-logger"
#define SECOND         1000000
#define HANG_USEC      (10 * SECOND) /* it says something each second */
#define OPEN_USEC      (600 * (int64_t)SECOND)
#define PAUSE_MIN_USEC 100000
#define PAUSE_MAX_USEC (10 * SECOND)
#define STEADY_USEC    (10 * SECOND) /* one that lived so long is started again at once */
#define TAP_USEC       1000          /* a container that soon ends must have been heard */
#define SITE_USEC      20000         /* changes come in bursts */
#define STOP_MS        3000
#define MESSAGES       16 /* at a time, before the others' turn */

int64_t logger_link_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static void arm(sd_event_source *timer, uint64_t usec)
{
	sd_event_source_set_time_relative(timer, usec);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void arm_unless_armed(sd_event_source *timer, uint64_t usec)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(timer, &enabled);
	if (enabled == SD_EVENT_OFF)
		arm(timer, usec);
}

/* --- the line ---------------------------------------------------------------------------------- */

static void say(const char *what)
{
	char line[BH_ERR_MAX + 64];

	snprintf(line, sizeof(line), "the logger %s", what);
	controller_log(line, NULL);
}

void logger_fail(struct logger_link *k, const char *why)
{
	if (!k->pid || k->given_up)
		return;
	k->given_up = true; /* said once, and told nothing more */
	say(why);
	kill(k->pid, SIGKILL); /* its end is seen, and what is to be done is done then */
}

int logger_send(struct logger_link *k, const void *m, size_t len, const int *fds, size_t n)
{
	int r = k->pid && !k->given_up ? channel_put(&k->line, m, len, fds, n) : -EPIPE;

	if (r < 0 && r != -EPIPE) /* if it has gone, that is seen otherwise */
		logger_fail(k, "does not read what it is told: it is ended");
	if (k->line_io)
		sd_event_source_set_io_events(k->line_io, EPOLLIN | (k->line.n ? EPOLLOUT : 0));
	return r;
}

bool logger_hear(struct logger_link *k)
{
	static char message[BH_LOGGER_MESSAGE] __attribute__((aligned(16)));
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds;

	for (int i = 0; i < MESSAGES; i++) {
		ssize_t n = channel_receive(k->line.fd, message, sizeof(message), fds, &n_fds);

		while (n >= 0 && n_fds) /* it has nothing to give */
			close(fds[--n_fds]);
		if (n == -EAGAIN)
			return true;
		k->silent = n <= 0 && n != -EMSGSIZE;
		if (k->silent)
			return false;
		k->heard = logger_link_clock();
		if (n > 0)
			logger_serve(k, message, (size_t)n);
	}
	return true;
}

static int on_line(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct logger_link *k = arg;

	if (revents & EPOLLOUT) {
		channel_flush(&k->line);
		sd_event_source_set_io_events(source, EPOLLIN | (k->line.n ? EPOLLOUT : 0));
	}
	if (!logger_hear(k)) /* its end will be seen */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* --- starting ---------------------------------------------------------------------------------- */

static void tell_outputs(struct logger_link *k)
{
	const struct host_config *host = &k->c->site.host;

	for (size_t i = 0; i < host->n_outputs; i++) {
		const struct host_output *o = &host->outputs[i];
		struct lg_output m = {
			.head.type = LG_OUTPUT,
			.kind = o->kind,
			.format = o->format,
			.what = o->what,
			.facility = o->facility,
			.rotate_megabytes = o->rotate_megabytes,
			.rotate_keep = o->rotate_keep,
		};

		snprintf(m.path, sizeof(m.path), "%s", o->path ? o->path : "");
		logger_send(k, &m, sizeof(m), NULL, 0);
	}
}

static void tell_settings(struct logger_link *k)
{
	const struct host_config *host = &k->c->site.host;
	const struct lg_head go = { .type = LG_GO };
	struct lg_hello hello = {
		.head.type = LG_HELLO,
		.build = LG_BUILD,
		.days = host->retention.denied_days,
		.megabytes = host->retention.denied_megabytes,
		.flows = host->limits.flows,
		.records_per_second = host->limits.records_per_second,
		.probes = logger_probes_now(k),
	};

	logger_send(k, &hello, sizeof(hello), &k->store_dir, 1);
	tell_outputs(k);
	logger_send(k, &go, sizeof(go), NULL, 0);
}

static void forget_process(struct logger_link *k)
{
	k->line_io = sd_event_source_disable_unref(k->line_io);
	k->end = sd_event_source_disable_unref(k->end);
	channel_done(&k->line);
	k->pid = 0;
	k->ready = k->given_up = k->silent = false;
	k->sync_void = k->sync_asked;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct logger_link *k = arg;
	bool steady = logger_link_clock() - k->started >= STEADY_USEC;
	char how[CHILD_END_STR], line[128];

	child_reap(k->pid, how);
	snprintf(line, sizeof(line), "has ended (%s); it is started again", how);
	say(line);
	forget_process(k);
	taps_logger_gone(k);
	logger_probes_logger_gone(k);
	k->state.restarts++;
	k->last = (struct lg_stats) { 0 };
	snprintf(k->why, sizeof(k->why), "it has ended (%s)", how);
	k->pause = steady ? PAUSE_MIN_USEC : 2 * k->pause;
	if (k->pause > PAUSE_MAX_USEC)
		k->pause = PAUSE_MAX_USEC;
	arm(k->timer, (uint64_t)k->pause);
	protect_settle(k->c->protect);
	return 0;
}

static int watch_process(struct logger_link *k, int pidfd)
{
	int r = sd_event_add_io(k->c->event, &k->end, pidfd, EPOLLIN, on_end, k);

	if (r >= 0)
		r = sd_event_source_set_io_fd_own(k->end, true);
	if (r < 0) {
		close(pidfd);
		return r;
	}
	r = sd_event_add_io(k->c->event, &k->line_io, k->line.fd, EPOLLIN, on_line, k);
	if (r >= 0) /* after all that keeps the kernel right */
		r = sd_event_source_set_priority(k->line_io, SD_EVENT_PRIORITY_IDLE);
	return r;
}

static int start(struct logger_link *k, struct bh_err *err)
{
	char uid[16], gid[16];
	char *argv[] = { (char *)PROGRAM, uid, gid, NULL };
	int fds[2], pidfd, r = channel_pair(fds, err);

	if (r < 0)
		return r;
	snprintf(uid, sizeof(uid), "%u", k->uid);
	snprintf(gid, sizeof(gid), "%u", k->gid);
	r = child_start(k->program, argv, fds[1], &k->pid, &pidfd, err);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		k->pid = 0;
		return r;
	}
	channel_init(&k->line, fds[0]);
	k->started = k->heard = logger_link_clock();
	r = watch_process(k, pidfd);
	if (r < 0) { /* no memory: it sees the line end */
		forget_process(k);
		return bh_err_errno(err, r, "event loop");
	}
	tell_settings(k);
	return 0;
}

static void start_or_wait(struct logger_link *k)
{
	struct bh_err err = BH_ERR_INIT;

	if (start(k, &err) >= 0)
		return;
	if (strcmp(k->why, err.msg) != 0)
		controller_log(err.msg, NULL);
	snprintf(k->why, sizeof(k->why), "%s", err.msg);
	k->pause = 2 * k->pause > PAUSE_MAX_USEC ? PAUSE_MAX_USEC : 2 * k->pause;
	arm(k->timer, (uint64_t)k->pause);
}

/* Once when it begins to matter, and once when it is over. */
static void note_deafness(struct logger_link *k)
{
	struct logger_state s;
	bool deaf = !k->ready || k->unheard, told = k->state.why[0];

	if (!deaf)
		k->deaf_since = 0;
	else if (!k->deaf_since)
		k->deaf_since = logger_link_clock();
	if (!deaf && told)
		controller_log("denied packets are recorded again", NULL);
	k->state.why[0] = '\0';
	if (deaf && logger_link_clock() - k->deaf_since >= LOGGER_GRACE_S * SECOND)
		snprintf(k->state.why, sizeof(k->state.why), "%s: %.400s",
			 k->ready ? "denied packets of some namespaces are not recorded"
				  : "the logger does not run",
			 k->ready ? k->deaf_why : k->why);
	if (k->state.why[0] && !told)
		controller_log(k->state.why, NULL);
	logger_note(k, false);
	logger_state(k, &s);
	meters_logger(k->c->meters, &s);
}

static bool has_said_something(const struct logger_link *k)
{
	struct pollfd p = { .fd = k->line.fd, .events = POLLIN };

	/* what stands behind the end of a line is not read any more */
	return !k->silent && poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

/* Does it do what it is for? It has its time to open a history that is large, or is made smaller. */
void logger_judge(struct logger_link *k)
{
	int64_t now = logger_link_clock();

	if (!k->line.n)
		k->stuffed = 0;
	else if (!k->stuffed)
		k->stuffed = now;
	if (now - k->heard > (k->ready ? HANG_USEC : OPEN_USEC) && !has_said_something(k))
		logger_fail(k, "hangs: it is ended");
	else if (k->ready && k->stuffed && now - k->stuffed > HANG_USEC)
		logger_fail(k, "does not read what it is told: it is ended");
	else if (taps_are_stuck(k))
		logger_fail(k, "does not let go of a namespace: it is ended");
}

/* Start it, or see whether it still lives. */
static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger_link *k = arg;

	if (!k->pid) {
		start_or_wait(k);
		note_deafness(k);
		if (!k->pid)
			return 0;
	} else {
		logger_judge(k);
	}
	if (k->unheard || k->again)
		logger_sync_all(k); /* who has the log of a namespace may have let go of it */
	k->again = false;
	logger_probes_tick(k);
	note_deafness(k);
	arm(source, SECOND);
	return 0;
}

/* --- what it is to know ------------------------------------------------------------------------ */

static int on_sync(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger_link *k = arg;

	if (!k->c->loaded)
		return 0;
	if (k->tap && !taps_sync(k))
		arm(source, 1);
	else
		k->tap = false;
	arm_unless_armed(k->site_timer, SITE_USEC);
	return 0;
}

static int on_site(sd_event_source *source, uint64_t usec, void *arg)
{
	struct logger_link *k = arg;
	bool members;

	if (!k->ready || !k->c->loaded)
		return 0;
	if (k->line.n) { /* it has the last one to read, and is told of this when it has */
		arm(source, SECOND);
		return 0;
	}
	members = k->tell_members;
	k->tell_members = k->tell_rulesets = false;
	logger_tell_site(k, members);
	if (!taps_attach(k))
		arm(source, SITE_USEC);
	return 0;
}

static void note_changes(struct logger_link *k)
{
	const struct site *s = &k->c->site;
	uint64_t holds = holds_serial(k->c->holds);

	k->tap |= holds != k->holds || s->serial != k->site;
	k->tell_members |= s->serial != k->site;
	k->tell_rulesets |= k->tap;
	k->holds = holds;
	k->site = s->serial;
}

void logger_sync(struct logger_link *k)
{
	if (!k)
		return;
	note_changes(k);
	if (k->tap || k->tell_members || k->tell_rulesets)
		arm_unless_armed(k->sync_timer, TAP_USEC);
}

void logger_sync_all(struct logger_link *k)
{
	k->tap = k->tell_members = k->tell_rulesets = true;
	logger_sync(k);
}

static bool is_attached(struct logger_link *k, uint64_t ino)
{
	const struct tap *t = taps_find(k, ino);

	return t && t->attached && !t->detaching;
}

/* All that it does not know yet. Not at their turns, which are later: a container waits with its start. */
static bool tell_now(struct logger_link *k, uint64_t ino)
{
	bool members = k->tell_members;

	if (is_attached(k, ino) && !members && !k->tell_rulesets)
		return true;
	taps_sync(k);
	if (!k->ready || k->line.n)
		return false;
	k->tell_members = k->tell_rulesets = false;
	logger_tell_site(k, members);
	taps_attach(k);
	return is_attached(k, ino);
}

bool logger_listens(struct logger_link *k, uint64_t ino, uint64_t *number)
{
	struct lg_sync m = { .head.type = LG_SYNC };

	if (*number > k->sync_void && *number > k->sync_answered)
		return false;
	if (*number > k->sync_void && is_attached(k, ino) && !k->tell_members && !k->tell_rulesets)
		return true;
	*number = 0;
	note_changes(k);
	if (!tell_now(k, ino))
		return false;
	m.number = k->sync_asked + 1;
	if (logger_send(k, &m, sizeof(m), NULL, 0) >= 0)
		*number = ++k->sync_asked;
	return false;
}

void logger_reload(struct logger_link *k)
{
	const struct lg_head reopen = { .type = LG_REOPEN };

	if (k && k->ready)
		logger_send(k, &reopen, sizeof(reopen), NULL, 0);
}

void logger_state(const struct logger_link *k, struct logger_state *ret)
{
	*ret = k->state;
	ret->runs = k->pid && k->ready;
	ret->unheard = k->unheard;
	ret->listening = 0;
	for (const struct tap *t = k->taps; t; t = t->hh.next)
		ret->listening += t->attached && !t->detaching;
}

/* --- life -------------------------------------------------------------------------------------- */

/* Below the store, whose own directory the logger may not even enter: it gets it opened. */
static int open_store(struct logger_link *k, struct bh_err *err)
{
	const char *store = k->c->o->store ? k->c->o->store : BH_STORE_DIR;
	bh_autoclose int parent = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bh_autoclose int fd = -1;
	struct stat st;

	if (parent < 0)
		return bh_err_errno(err, -errno, "%s", store);
	if (mkdirat(parent, FLOWS_DIR, 0750) < 0 && errno != EEXIST)
		return bh_err_errno(err, -errno, "%s/%s", store, FLOWS_DIR);
	fd = openat(parent, FLOWS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "%s/%s", store, FLOWS_DIR);
	if (st.st_uid != k->uid && st.st_uid != 0)
		return bh_err_set(err, -EPERM,
				  "%s/%s belongs to user %u, and not to the logger's, which is %u",
				  store, FLOWS_DIR, st.st_uid, k->uid);
	if (st.st_uid != k->uid && fchown(fd, k->uid, k->gid) < 0)
		return bh_err_errno(err, -errno, "giving %s/%s to the logger", store, FLOWS_DIR);
	k->store_dir = BH_STEAL_FD(fd);
	return 0;
}

static int add_timers(struct logger_link *k)
{
	sd_event *e = k->c->event;
	int r = sd_event_add_time_relative(e, &k->timer, CLOCK_MONOTONIC, 0, 0, on_timer, k);

	if (r >= 0)
		r = sd_event_add_time_relative(e, &k->sync_timer, CLOCK_MONOTONIC, TAP_USEC, 100,
					       on_sync, k);
	if (r >= 0)
		r = sd_event_add_time_relative(e, &k->site_timer, CLOCK_MONOTONIC, SITE_USEC, 1000,
					       on_site, k);
	if (r >= 0) /* after all that keeps the kernel right */
		r = sd_event_source_set_priority(k->sync_timer, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_priority(k->site_timer, SD_EVENT_PRIORITY_IDLE);
	return r;
}

int logger_new(struct controller *c, struct logger_link **ret, struct bh_err *err)
{
	struct logger_link *k = calloc(1, sizeof(*k));
	const struct host_config *host = &c->site.host;
	int r;

	if (!k)
		return bh_err_oom(err);
	*k = (struct logger_link) { .c = c, .store_dir = -1, .pause = PAUSE_MIN_USEC };
	k->tap = k->tell_members = k->tell_rulesets = true;
	k->line.fd = -1;
	privs_account(PROGRAM, BH_LOGGER_UID, &k->uid, &k->gid);
	r = child_beside(PROGRAM, k->program, sizeof(k->program));
	if (r < 0)
		bh_err_errno(err, r, "finding %s", PROGRAM);
	if (r >= 0)
		r = open_store(k, err);
	if (r >= 0)
		r = outputs_prepare(host->outputs, host->n_outputs, k->uid, k->gid, err);
	if (r >= 0)
		r = process_finder_new(NULL, &k->finder, err);
	if (r >= 0 && (r = add_timers(k)) < 0)
		bh_err_errno(err, r, "event loop");
	if (r < 0) {
		logger_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

/* What it asks meanwhile is not answered: it writes what it knows. */
static void stop(struct logger_link *k)
{
	const struct lg_head m = { .type = LG_STOP };
	struct pollfd p = { .fd = sd_event_source_get_io_fd(k->end), .events = POLLIN };
	char how[CHILD_END_STR];

	if (k->line.n) /* it would read that last: the line's end says the same */
		channel_done(&k->line);
	else
		logger_send(k, &m, sizeof(m), NULL, 0);
	if (poll(&p, 1, STOP_MS) <= 0)
		kill(k->pid, SIGKILL);
	child_reap(k->pid, how);
	forget_process(k);
}

void logger_free(struct logger_link *k)
{
	if (!k)
		return;
	if (k->pid)
		stop(k);
	taps_free(k);
	sd_event_source_disable_unref(k->timer);
	sd_event_source_disable_unref(k->sync_timer);
	sd_event_source_disable_unref(k->site_timer);
	process_finder_free(k->finder);
	if (k->store_dir >= 0)
		close(k->store_dir);
	free(k);
}
