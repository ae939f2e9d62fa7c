/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/process.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "proc.h"
#include "socket_diag.h"

#define SECOND 1000000

/* How much was looked for within a second, of one namespace, and who was found there last. */
struct space {
	uint64_t netns;
	int64_t since; /* 0 = unused */
	unsigned n, work;
	uint32_t last_pid;
};

/* Bytes, compared as such: nothing between the fields. */
struct cache_key {
	uint64_t netns;
	struct bh_addr source, destination; /* destination, dport: of TCP */
	uint16_t sport, dport;
	uint8_t proto, zero;
};

struct cached {
	struct cache_key key;
	int64_t at;   /* 0 = unused */
	int64_t held; /* when its process was last seen to hold it */
	uint64_t socket;
	struct proc_place place;
	struct record_process process;
};

struct process_finder {
	int proc_fd;
	struct space spaces[BH_PROCESS_SPACES_MAX];
	size_t n_spaces;
	struct cached cache[BH_PROCESS_CACHE_MAX];
	int64_t since; /* of all: */
	unsigned n, work;
};

int process_finder_new(const char *proc, struct process_finder **ret, struct bh_err *err)
{
	const char *path = proc ? proc : "/proc";
	struct process_finder *f = calloc(1, sizeof(*f));

	if (!f)
		return bh_err_oom(err);
	f->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->proc_fd < 0) {
		free(f);
		return bh_err_errno(err, -errno, "%s", path);
	}
	*ret = f;
	return 0;
}

void process_finder_free(struct process_finder *f)
{
	if (!f)
		return;
	close(f->proc_fd);
	free(f);
}

/* --- how much is looked for ----------------------------------------------------------------- */

/* A namespace's own; a new one takes the place of that which asked the longest ago. */
static struct space *space_of(struct process_finder *f, uint64_t netns)
{
	struct space *old = f->spaces;

	for (size_t i = 0; i < f->n_spaces; i++) {
		if (f->spaces[i].netns == netns)
			return &f->spaces[i];
		if (f->spaces[i].since < old->since)
			old = &f->spaces[i];
	}
	if (f->n_spaces < BH_PROCESS_SPACES_MAX)
		old = &f->spaces[f->n_spaces++];
	*old = (struct space) { .netns = netns };
	return old;
}

static bool is_new_second(int64_t *since, int64_t now)
{
	if (*since && now >= *since && now - *since < SECOND)
		return false;
	*since = now;
	return true;
}

static bool may_look(struct process_finder *f, struct space *s, int64_t now)
{
	if (is_new_second(&f->since, now))
		f->n = f->work = 0;
	if (is_new_second(&s->since, now))
		s->n = s->work = 0;
	if (s->n >= BH_PROCESS_PER_S || s->work >= BH_PROCESS_EACH_WORK ||
	    f->n >= BH_PROCESS_TOTAL_PER_S || f->work >= BH_PROCESS_TOTAL_WORK)
		return false;
	s->n++;
	f->n++;
	return true;
}

/* --- what was found lately ------------------------------------------------------------------ */

static struct cache_key key_of(const struct process_question *q)
{
	struct cache_key k = {
		.netns = q->netns_ino, .source = q->source, .sport = q->sport, .proto = q->proto
	};

	_Static_assert(sizeof(k) == 48, "a key has no padding");
	if (q->proto == IPPROTO_TCP) {
		k.destination = q->destination;
		k.dport = q->dport;
	}
	return k;
}

static struct cached *slot_of(struct process_finder *f, const struct cache_key *k)
{
	const uint8_t *b = (const uint8_t *)k;
	uint32_t h = 2166136261u; /* FNV-1a: a clash costs a look, no more */

	for (size_t i = 0; i < sizeof(*k); i++)
		h = (h ^ b[i]) * 16777619u;
	return &f->cache[h % BH_PROCESS_CACHE_MAX];
}

/*
 * Who was found must still hold it: else its port may be another's by now. The packets of one reading
 * of the log come together, and are all older than this.
 */
static bool still_holds(const struct process_finder *f, struct cached *c, int64_t now)
{
	const struct proc_search s = { f->proc_fd, c->key.netns, c->socket, 0, 0 };

	if (now >= c->held && now - c->held < BH_PROCESS_HELD_US)
		return true;
	c->held = now;
	return proc_holds(&s, &c->place);
}

static bool is_fresh(const struct process_finder *f, struct cached *c, const struct cache_key *k,
		     int64_t now)
{
	if (!c->at || now < c->at || now - c->at >= BH_PROCESS_CACHE_MS * 1000 ||
	    memcmp(&c->key, k, sizeof(*k)) != 0)
		return false;
	return !c->process.pid || still_holds(f, c, now);
}

/* --- a look --------------------------------------------------------------------------------- */

/* By what failed; the last is for everything else. */
struct why {
	int r;
	const char *text;
};

static const struct why no_socket[] = {
	{ -ENOENT, "its socket is closed" },
	{ -ENOTUNIQ, "several sockets have its port" },
	{ -EOPNOTSUPP, "the kernel cannot be asked for sockets" },
	{ 0, "the kernel was asked in vain" },
};

static const struct why no_process[] = {
	{ -ENOENT, "no process of its namespace has its socket" },
	{ -E2BIG, "there are too many processes to look at" },
	{ -EMFILE, "there are too many descriptors to look at" },
	{ 0, "/proc cannot be read" },
};

static const char *why(const struct why *w, int r)
{
	while (w->r && w->r != r)
		w++;
	return w->text;
}

static void look(struct process_finder *f, struct space *space, const struct process_question *q,
		 struct cached *c)
{
	struct proc_search s = { .proc_fd = f->proc_fd, .netns = q->netns_ino };
	struct socket_found socket;
	int r = socket_find(q, &socket, NULL);

	c->process = (struct record_process) { 0 };
	if (r >= 0 && !socket.inode)
		r = -ENOENT;
	if (r < 0) {
		c->process.unknown = why(no_socket, r);
		return;
	}
	s.socket = c->socket = socket.inode;
	r = proc_find(&s, space->last_pid, &c->place, &c->process);
	space->work += s.pids + s.fds;
	f->work += s.pids + s.fds;
	if (r < 0)
		c->process.unknown = why(no_process, r);
	else
		space->last_pid = c->process.pid;
}

void process_of_socket(struct process_finder *f, const struct process_question *q, int64_t now,
		       struct record_process *ret)
{
	const struct cache_key k = key_of(q);
	struct cached *c = slot_of(f, &k);
	struct space *space;

	*ret = (struct record_process) { 0 };
	if (q->proto != IPPROTO_TCP && q->proto != IPPROTO_UDP) {
		ret->unknown = "only sockets of TCP and UDP are looked for";
		return;
	}
	if (!is_fresh(f, c, &k, now)) {
		space = space_of(f, q->netns_ino);
		if (!may_look(f, space, now)) {
			ret->unknown = "too many at once";
			return;
		}
		look(f, space, q, c);
		c->key = k;
		c->at = c->held = now;
	}
	*ret = c->process;
}
