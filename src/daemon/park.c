/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "park.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "controller.h"

#define NAME_MAX_BYTES 64

struct parked {
	char name[NAME_MAX_BYTES];
	enum held_kind kind;
	UT_hash_handle hh;
};

struct park {
	struct parked *all;
	size_t cap, bytes;
	size_t refused;
	bool freed;  /* since those were refused */
	bool told;   /* that there is no room */
	bool broken; /* told that nobody listens */
};

/* --- names ----------------------------------------------------------------------------------- */

static void name_of(const struct held *what, char out[NAME_MAX_BYTES])
{
	if (what->kind == HELD_OWNER)
		snprintf(out, NAME_MAX_BYTES, "nl-%" PRIx64, what->netns_ino);
	else
		snprintf(out, NAME_MAX_BYTES, "xsk-%" PRIx64 "-%" PRIu32 "-%" PRIu32,
			 what->netns_ino, what->ifindex, what->queue);
}

/* A name of ours is what name_of() makes of what is read from it, to the byte. */
static bool parse_name(const char *name, struct held *ret)
{
	struct held what = { .kind = HELD_OWNER };
	char again[NAME_MAX_BYTES];

	if (sscanf(name, "nl-%" SCNx64, &what.netns_ino) != 1) {
		what.kind = HELD_QUEUE;
		if (sscanf(name, "xsk-%" SCNx64 "-%" SCNu32 "-%" SCNu32, &what.netns_ino,
			   &what.ifindex, &what.queue) != 3)
			return false;
	}
	name_of(&what, again);
	if (strcmp(name, again) != 0)
		return false;
	*ret = what;
	return true;
}

/* --- what is parked -------------------------------------------------------------------------- */

static struct parked *find(const struct park *p, const char *name)
{
	struct parked *hit;

	HASH_FIND_STR(p->all, name, hit);
	return hit;
}

/* All names, each with what parts it from the next, are one variable of the next one's environment. */
static bool has_room(const struct park *p, const char *name)
{
	return HASH_COUNT(p->all) < p->cap && p->bytes + strlen(name) + 1 <= BH_PARKED_NAMES_MAX;
}

static void forget(struct park *p, struct parked *one)
{
	p->bytes -= strlen(one->name) + 1;
	HASH_DEL(p->all, one);
	free(one);
}

static struct parked *note(struct park *p, const char *name, enum held_kind kind)
{
	struct parked *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	snprintf(one->name, sizeof(one->name), "%s", name);
	one->kind = kind;
	HASH_ADD_STR(p->all, name, one);
	p->bytes += strlen(name) + 1;
	return one;
}

static int answer(struct park *p, int r)
{
	char line[128];

	if (r >= 0)
		p->broken = false;
	if (r >= 0 || p->broken)
		return r;
	p->broken = true;
	snprintf(line, sizeof(line), "descriptors cannot be parked with systemd: %s", strerror(-r));
	controller_log(line, NULL);
	return r;
}

/* FDPOLL=0: a netlink socket that missed something has an error, and systemd would drop it. */
static int send_fd(struct park *p, const char *name, int fd)
{
	char state[NAME_MAX_BYTES + 64];

	snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return answer(p, sd_pid_notify_with_fds(0, 0, state, &fd, 1));
}

/* Both come to one socket of systemd's, and it reads them one after the other, in this order. */
static void send_removal(struct park *p, const char *name)
{
	answer(p, sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name));
}

static void tell_full(struct park *p)
{
	char line[256];

	p->refused++;
	if (p->told)
		return;
	p->told = true;
	snprintf(line, sizeof(line),
		 "the descriptor store is full with %u: what is not in it nobody holds while "
		 "bulkheadd is down (FileDescriptorStoreMax=, docs/daemon.md)",
		 HASH_COUNT(p->all));
	controller_log(line, NULL);
}

/* Of queues that are parked, one goes for the sake of an owner. */
static bool give_way(struct park *p)
{
	struct parked *each, *next;

	HASH_ITER (hh, p->all, each, next) {
		if (each->kind != HELD_QUEUE)
			continue;
		tell_full(p);
		send_removal(p, each->name);
		forget(p, each);
		return true;
	}
	return false;
}

static void keep(const struct held *what, int fd, void *arg)
{
	char name[NAME_MAX_BYTES];
	struct park *p = arg;
	struct parked *one;

	name_of(what, name);
	if (find(p, name))
		return;
	while (!has_room(p, name))
		if (what->kind == HELD_QUEUE || !give_way(p)) {
			tell_full(p);
			return;
		}
	one = note(p, name, what->kind);
	if (one && send_fd(p, name, fd) >= 0)
		return;
	if (one)
		forget(p, one);
	p->refused++; /* the next look tries again */
	p->freed = true;
}

static void drop(const struct held *what, void *arg)
{
	char name[NAME_MAX_BYTES];
	struct park *p = arg;
	struct parked *one;

	name_of(what, name);
	p->freed = true;
	one = find(p, name);
	if (!one)
		return;
	send_removal(p, name);
	forget(p, one);
}

void park_look(struct park *p, struct holds *h)
{
	if (!p->refused || !p->freed)
		return;
	p->refused = 0;
	p->freed = false;
	holds_keep_again(h);
	if (!p->refused)
		p->told = false;
}

size_t park_refused(const struct park *p)
{
	return p->refused;
}

/* --- what an earlier run left ---------------------------------------------------------------- */

struct left {
	char *name;
	int fd; /* -1: it is held again, or closed */
	bool is_ours, held;
	struct held what;
};

/* Owners before queues, and those in the order that they are opened in. */
static int in_order(const void *a, const void *b)
{
	const struct left *x = a, *y = b;
#define COMPARE(field)                                                                             \
	if (x->field != y->field)                                                                  \
	return x->field < y->field ? -1 : 1
	COMPARE(what.kind);
	COMPARE(what.netns_ino);
	COMPARE(what.ifindex);
	COMPARE(what.queue);
	COMPARE(fd);
#undef COMPARE
	return 0;
}

static void tell_refused(const char *name, const struct bh_err *err, size_t n)
{
	char shown[128], line[BH_ERR_MAX + 256];

	if (n > BH_PARKED_TOLD_MAX)
		return;
	bh_escape_str(shown, sizeof(shown), name);
	snprintf(line, sizeof(line), "let go of the parked descriptor %s: %s%s", shown, err->msg,
		 n == BH_PARKED_TOLD_MAX ? "; more are not told" : "");
	controller_log(line, NULL);
}

static bool take_one(struct park *p, struct holds *h, struct left *one, size_t n_refused)
{
	struct bh_err err = BH_ERR_INIT;
	int r;

	if (one->is_ours)
		r = holds_restore(h, &one->what, one->fd, &err);
	else
		r = bh_err_set(&err, -EINVAL, "it is none of bulkheadd's");
	if (r >= 0) {
		one->held = true;
		if (!find(p, one->name))
			note(p, one->name, one->what.kind);
		return true;
	}
	tell_refused(one->name, &err, n_refused + 1);
	close(one->fd);
	return false;
}

/* All of a name go at once: one that is in use comes back. */
static void remove_name(struct park *p, const struct left *all, size_t n, const char *name)
{
	if (strchr(name, '\n'))
		return; /* systemd gives no such names */
	send_removal(p, name);
	for (size_t i = 0; i < n; i++)
		if (all[i].held && strcmp(all[i].name, name) == 0)
			send_fd(p, name, all[i].fd);
}

static void take_all(struct park *p, struct holds *h, struct left *all, size_t n)
{
	size_t refused = 0;
	char line[128];

	for (size_t i = 0; i < n; i++)
		refused += !take_one(p, h, &all[i], refused);
	for (size_t i = 0; i < n; i++)
		if (!all[i].held)
			remove_name(p, all, n, all[i].name);
	/* Until systemd has closed them, they still own and occupy what they did. */
	if (refused)
		sd_notify_barrier(0, BH_PARKED_CLOSE_USEC);
	snprintf(line, sizeof(line), "took over %zu descriptors of an earlier run", n - refused);
	if (n > refused)
		controller_log(line, NULL);
}

static struct left *list_left(char **names, size_t n)
{
	struct left *all = calloc(n, sizeof(*all));

	for (size_t i = 0; all && i < n; i++) {
		all[i].name = names[i];
		all[i].fd = SD_LISTEN_FDS_START + (int)i;
		all[i].is_ours = parse_name(names[i], &all[i].what);
	}
	if (all)
		qsort(all, n, sizeof(*all), in_order);
	return all;
}

void park_restore(struct park *p, struct holds *h)
{
	const struct holds_keeper keeper = { keep, drop, p };
	bh_autofree struct left *all = NULL;
	char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names);

	if (n < 0)
		controller_log("the descriptors that were handed in cannot be told apart", NULL);
	if (n > 0)
		all = list_left(names, (size_t)n);
	if (all)
		take_all(p, h, all, (size_t)n);
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
	if (p->cap)
		holds_set_keeper(h, &keeper);
}

/* --- life ------------------------------------------------------------------------------------ */

size_t park_cap(void)
{
	const char *said = getenv("FDSTORE"); /* systemd 254 and later */
	uint64_t cap = BH_PARKED_MAX;

	if (!getenv("NOTIFY_SOCKET"))
		return 0;
	if (said && bh_parse_u64(said, 0, BH_PARKED_MAX, &cap) == -ERANGE)
		cap = BH_PARKED_MAX;
	return (size_t)cap;
}

int park_new(size_t cap, struct park **ret, struct bh_err *err)
{
	struct park *p = calloc(1, sizeof(*p));

	if (!p)
		return bh_err_oom(err);
	p->cap = cap;
	*ret = p;
	return 0;
}

void park_free(struct park *p)
{
	struct parked *each, *next;

	if (!p)
		return;
	HASH_ITER (hh, p->all, each, next)
		forget(p, each);
	free(p);
}
