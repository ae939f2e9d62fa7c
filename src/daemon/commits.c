/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/monitor.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/nlsock.h>

#include "fresh.h"
#include "reconcile.h"

/* One namespace. */
struct heard {
	int32_t id;
	uint64_t ino;
	bool told; /* of a change, since the last full look */
	UT_hash_handle hh;
};

struct commits {
	struct controller *c;
	struct heard *all;
	sd_event_source *listener;
	struct nlsock route; /* of the own namespace, for the numbers of others */
	bool failed;         /* the last time that it was to be opened */
};

static struct heard *find(const struct commits *k, int32_t id)
{
	struct heard *one;

	HASH_FIND(hh, k->all, &id, sizeof(id), one);
	return one;
}

static void drop(struct commits *k, struct heard *one)
{
	if (!one)
		return;
	HASH_DEL(k->all, one);
	free(one);
}

static void tell(struct heard *one, const struct nft_commit *commit)
{
	char line[256];

	one->told = true;
	snprintf(line, sizeof(line), "nf_tables of namespace %llu were changed by %s (process %d)",
		 (unsigned long long)one->ino, commit->name, (int)commit->pid);
	controller_log(line, NULL);
}

/* Whatever it was, and whether it was allowed, is found by looking: ours is put back. */
static void on_commit(const struct nft_commit *commit, void *arg)
{
	struct commits *k = arg;
	struct heard *one = find(k, commit->netns_id);
	struct hold *h = one ? holds_find(k->c->holds, one->ino) : NULL;

	if (!h || commit->port == hold_socket(h)->portid)
		return;
	hold_doubt(h);
	reconcile_changed(k->c);
	if (!one->told && !fresh_has(k->c->fresh, one->ino))
		tell(one, commit); /* an engine at work on what it makes is no news */
}

/* Some were not heard of: the numbers of commits say where there were any. */
static void on_missed(struct commits *k)
{
	holds_ask_numbers(k->c->holds);
	reconcile_changed(k->c);
}

static int on_notices(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct commits *k = arg;
	bool missed;

	if (nft_monitor_read(fd, on_commit, k, &missed) < 0) {
		k->listener = sd_event_source_disable_unref(k->listener); /* until the next look */
		missed = true;
	}
	if (missed)
		on_missed(k);
	return 0;
}

static int listen_in(struct commits *k, int netns_fd, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = k->route.fd < 0 ? nlsock_open(&k->route, netns_fd, NETLINK_ROUTE, err) : 0;

	if (r >= 0)
		r = nft_monitor_open(netns_fd, &fd, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(k->c->event, &k->listener, fd, EPOLLIN, on_notices, k);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(k->listener, true);
	if (r < 0)
		return bh_err_errno(err, r, "event loop");
	BH_STEAL_FD(fd);
	return 0;
}

static bool open_listener(struct commits *k)
{
	bh_autoclose int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct bh_err err = BH_ERR_INIT;
	char line[BH_ERR_MAX + 128];
	int r = netns < 0 ? bh_err_errno(&err, -errno, "/proc/self/ns/net")
			  : listen_in(k, netns, &err);

	if (r < 0 && !k->failed) {
		snprintf(line, sizeof(line),
			 "changes of nf_tables by others are found late, and not by whom: %s",
			 err.msg);
		controller_log(line, NULL);
	}
	k->failed = r < 0;
	return r >= 0;
}

void commits_look(struct commits *k)
{
	for (struct heard *one = k->all; one; one = one->hh.next)
		one->told = false;
	if (!k->listener && open_listener(k))
		on_missed(k);
}

int commits_hear(struct commits *k, int netns_fd, uint64_t netns_ino, int32_t *ret_id)
{
	struct heard *one;
	int32_t id;
	int r = k->listener ? netns_id(&k->route, netns_fd, &id, NULL) : 0;

	if (r < 0 || !k->listener)
		return r;
	drop(k, find(k, id)); /* of one that is gone: numbers are given again */
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	*one = (struct heard) { .id = id, .ino = netns_ino };
	HASH_ADD(hh, k->all, id, sizeof(one->id), one);
	*ret_id = id;
	return 0;
}

void commits_forget(struct commits *k, int32_t id, uint64_t netns_ino)
{
	struct heard *one = find(k, id);

	if (one && one->ino == netns_ino)
		drop(k, one);
}

int commits_new(struct controller *c, struct commits **ret, struct bh_err *err)
{
	struct commits *k = calloc(1, sizeof(*k));

	if (!k)
		return bh_err_oom(err);
	*k = (struct commits) { .c = c, .route = NLSOCK_INIT };
	open_listener(k);
	*ret = k;
	return 0;
}

void commits_free(struct commits *k)
{
	if (!k)
		return;
	while (k->all)
		drop(k, k->all);
	sd_event_source_disable_unref(k->listener);
	nlsock_done(&k->route);
	free(k);
}
