/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced_life.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#define STARTED_FIELD 22 /* of /proc/PID/stat: proc(5) */
#define STARTED_MAX   32

/* Its time of start, in ticks since boot. False: there is no such process. */
static bool read_started(int pid, char out[STARTED_MAX])
{
	bh_autofree char *text = NULL;
	char path[64];
	const char *at;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (bh_read_file(path, BH_RESOLV_CONF_BYTES_MAX, &text, &len) < 0)
		return false;
	at = strrchr(text, ')'); /* the second field is its name, which may hold anything */
	for (int field = 2; at && field < STARTED_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	snprintf(out, STARTED_MAX, "%.*s", (int)strcspn(at + 1, " "), at + 1);
	return true;
}

/* What cannot be looked at is taken to go on: so it stays held. */
static bool has_ended(int pid)
{
	bh_autoclose int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 ? errno == ESRCH : poll(&p, 1, 0) > 0;
}

static bool is_in(int pid, uint64_t netns_ino)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) == 0 && st.st_ino == netns_ino;
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int find_netns(struct announcement *a, uint64_t *ret_ino, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = netns_open(a->netns, &fd, ret_ino, err);

	if (r < 0)
		return bh_err_prefix(err, r, "\"netns\"");
	if (*ret_ino == netns_own_ino())
		return bh_err_set(err, -EINVAL,
				  "\"netns\" is the host's own network namespace, where nothing is "
				  "enforced");
	if (a->netns_ino && *ret_ino != a->netns_ino)
		return bh_err_set(err, -ESTALE, "\"netns\" is another namespace by now");
	if (netns_cookie(fd, &a->cookie, NULL) < 0)
		a->cookie = 0; /* then its inode's number has to do */
	return 0;
}

static int check_process(struct announcement *a, uint64_t ino, struct bh_err *err)
{
	char started[STARTED_MAX];

	if (!a->pid)
		return 0;
	if (!read_started(a->pid, started))
		return bh_err_set(err, -ESRCH, "\"pid\": there is no process %d", a->pid);
	if (!is_in(a->pid, ino))
		return bh_err_set(err, -EINVAL,
				  "\"pid\": process %d is in another network "
				  "namespace",
				  a->pid);
	return json_object_set_new(a->said, "started", json_string(started)) < 0 ? bh_err_oom(err)
										 : 0;
}

int announced_life_begin(struct announcement *a, struct bh_err *err)
{
	uint64_t ino = netns_own_ino();
	int r = a->netns ? find_netns(a, &ino, err) : 0;

	if (r >= 0)
		r = check_process(a, ino, err);
	if (r < 0 || !a->netns)
		return r;
	a->netns_ino = ino;
	r = json_object_set_new(a->said, "netns_ino", json_integer((json_int_t)ino));
	if (r >= 0)
		r = json_object_set_new(a->said, "cookie", json_integer((json_int_t)a->cookie));
	return r < 0 ? bh_err_oom(err) : 0;
}

/* --- where it is ------------------------------------------------------------------------------ */

/*
 * Of a namespace that is mounted, the file is as old as it is, and one that its process is in is still there: only
 * of others is more asked.
 */
static bool is_as_seen(const struct announcement *a, const struct stat *st)
{
	return a->seen.tv_sec == st->st_ctim.tv_sec && a->seen.tv_nsec == st->st_ctim.tv_nsec;
}

/* Whose number is not to be had may be the same: it stays who it is. */
static bool has_cookie(const struct announcement *a)
{
	bh_autoclose int fd = -1;
	uint64_t ino, cookie;

	if (netns_open(a->netns, &fd, &ino, NULL) < 0 || ino != a->netns_ino)
		return false;
	return netns_cookie(fd, &cookie, NULL) < 0 || cookie == a->cookie;
}

static bool leads(struct announcement *a)
{
	struct stat st;

	if (stat(a->netns, &st) < 0 || st.st_ino != a->netns_ino)
		return false;
	if (!a->cookie || is_as_seen(a, &st) || (a->pid && is_in(a->pid, a->netns_ino)))
		return true;
	if (!has_cookie(a))
		return false;
	a->seen = st.st_ctim;
	return true;
}

static int on_namespace(const struct runtime_namespace *n, void *arg)
{
	struct announcement *a = arg;

	if (n->ino != a->netns_ino)
		return 0;
	return announcement_set_netns(a, n->path) < 0 ? -ENOMEM : -ECANCELED;
}

int announced_life_reach(struct announcement *a)
{
	int r;

	if (leads(a))
		return 1;
	r = runtime_namespaces(on_namespace, a, NULL);
	if (r == -ECANCELED)
		r = leads(a) ? 2 : 0;
	return r;
}

/* --- and the end ------------------------------------------------------------------------------ */

bool announced_life_lasts(struct announcement *a)
{
	const char *was = json_string_value(json_object_get(a->said, "started"));
	char started[STARTED_MAX];

	if (a->doubt)
		return announced_life_reach(a) != 0;
	if (!a->pid)
		return leads(a);
	return !has_ended(a->pid) && read_started(a->pid, started) && was &&
	       strcmp(was, started) == 0;
}
