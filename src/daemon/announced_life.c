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

/* The words for what is not there; of whatever else went wrong nobody knows what is there. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ESRCH;
}

/* Its time of start, in ticks since boot. -ENOENT, -ESRCH: there is no such process; others: it is not known. */
static int read_started(int pid, char out[STARTED_MAX])
{
	bh_autofree char *text = NULL;
	char path[64];
	const char *at;
	size_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = bh_read_file(path, BH_RESOLV_CONF_BYTES_MAX, &text, &len);
	if (r < 0)
		return r;
	at = strrchr(text, ')'); /* the second field is its name, which may hold anything */
	for (int field = 2; at && field < STARTED_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EBADMSG;
	snprintf(out, STARTED_MAX, "%.*s", (int)strcspn(at + 1, " "), at + 1);
	return 0;
}

/* What cannot be looked at is taken to go on: so it stays held. */
static bool has_ended(int pid)
{
	bh_autoclose int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 ? errno == ESRCH : poll(&p, 1, 0) > 0;
}

/* Any of its threads. */
static bool is_in(int pid, uint64_t netns_ino)
{
	char path[RUNTIME_TASK_PATH_SIZE];

	return runtime_process_in(pid, netns_ino, path) == 1;
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

/* Its first thread may have ended by now, and with it the path that was said: another leads there as well. */
static int find_way(struct announcement *a, struct bh_err *err)
{
	char path[RUNTIME_TASK_PATH_SIZE];
	struct stat st;

	if (!a->pid || !a->netns_ino || stat(a->netns, &st) == 0 || !is_absent(-errno) ||
	    runtime_process_in(a->pid, a->netns_ino, path) != 1)
		return 0;
	return announcement_set_netns(a, path) < 0 ? bh_err_oom(err) : 0;
}

static int check_process(struct announcement *a, uint64_t ino, struct bh_err *err)
{
	char started[STARTED_MAX], path[RUNTIME_TASK_PATH_SIZE];
	int r;

	if (!a->pid)
		return 0;
	r = read_started(a->pid, started);
	if (is_absent(r))
		return bh_err_set(err, -ESRCH, "\"pid\": there is no process %d", a->pid);
	if (r < 0)
		return bh_err_errno(err, r, "\"pid\": process %d", a->pid);
	r = runtime_process_in(a->pid, ino, path);
	if (r == 0)
		return bh_err_set(err, -EINVAL,
				  "\"pid\": process %d is in another network "
				  "namespace",
				  a->pid);
	if (r < 0) /* it has not ended just because its first thread has */
		return bh_err_set(err, is_absent(r) ? -EAGAIN : r,
				  "\"pid\": it cannot be looked at where process %d is: %s", a->pid,
				  strerror(-r));
	return json_object_set_new(a->said, "started", json_string(started)) < 0 ? bh_err_oom(err)
										 : 0;
}

int announced_life_begin(struct announcement *a, struct bh_err *err)
{
	uint64_t ino = netns_own_ino();
	int r = a->netns ? find_way(a, err) : 0;

	if (r >= 0 && a->netns)
		r = find_netns(a, &ino, err);
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
static int has_cookie(const struct announcement *a)
{
	bh_autoclose int fd = -1;
	uint64_t ino, cookie;
	int r = netns_open(a->netns, &fd, &ino, NULL);

	if (r < 0)
		return is_absent(r) ? 0 : r;
	return ino == a->netns_ino && (netns_cookie(fd, &cookie, NULL) < 0 || cookie == a->cookie);
}

/* 1: yes; 0: there is nothing, or something else; errors: it is not known. */
static int leads(struct announcement *a)
{
	struct stat st;
	int r;

	if (stat(a->netns, &st) < 0)
		return is_absent(-errno) ? 0 : -errno;
	if (st.st_ino != a->netns_ino)
		return 0;
	if (!a->cookie || is_as_seen(a, &st) || (a->pid && is_in(a->pid, a->netns_ino)))
		return 1;
	r = has_cookie(a);
	if (r > 0)
		a->seen = st.st_ctim;
	return r;
}

static int on_namespace(const struct runtime_namespace *n, void *arg)
{
	struct announcement *a = arg;

	if (n->ino != a->netns_ino)
		return 0;
	return announcement_set_netns(a, n->path) < 0 ? -ENOMEM : -ECANCELED;
}

/* The process that it is in: its first one, or where none was named, that of its path. 0: there is none. */
static int process_of(const struct announcement *a)
{
	int pid = 0, end = 0;

	if (a->pid || !a->netns)
		return a->pid;
	if (sscanf(a->netns, "/proc/%d/ns/net%n", &pid, &end) != 1 || !end || a->netns[end])
		return 0;
	return pid > 0 ? pid : 0;
}

/*
 * Is its process still in there? 0: it has gone elsewhere, with all its threads, or it has ended; errors: that is not
 * known. Of one whose first thread has ended, and that has none in there, nobody can say where it is.
 */
static int stays(const struct announcement *a)
{
	char path[RUNTIME_TASK_PATH_SIZE];
	int pid = process_of(a);
	int r = pid ? runtime_process_in(pid, a->netns_ino, path) : 0;

	return r < 0 && has_ended(pid) ? 0 : r;
}

int announced_life_reach(struct announcement *a)
{
	int known = leads(a), r;

	if (known > 0)
		return 1;
	r = runtime_namespaces(on_namespace, a, NULL);
	if (r == -ECANCELED) {
		r = leads(a);
		return r > 0 ? 2 : r;
	}
	if (r != 0) /* not all was looked through */
		return r < 0 ? r : -E2BIG;
	r = known < 0 ? known : stays(a);
	return r > 0 ? -EAGAIN : r; /* it has come back meanwhile */
}

/* --- and the end ------------------------------------------------------------------------------ */

/* False as well: nobody knows. */
static bool is_another(const struct announcement *a)
{
	const char *was = json_string_value(json_object_get(a->said, "started"));
	char started[STARTED_MAX];
	int r = read_started(a->pid, started);

	return r < 0 ? is_absent(r) : was && strcmp(was, started) != 0;
}

bool announced_life_lasts(struct announcement *a)
{
	if (a->doubt)
		return announced_life_reach(a) != 0;
	if (!a->pid)
		return leads(a) != 0 || stays(a) != 0;
	return !has_ended(a->pid) && !is_another(a);
}
