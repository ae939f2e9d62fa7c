/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced_life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
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
	return r < 0 ? bh_err_oom(err) : 0;
}

/* --- and the end ------------------------------------------------------------------------------ */

bool announced_life_lasts(const struct announcement *a)
{
	const char *was = json_string_value(json_object_get(a->said, "started"));
	char started[STARTED_MAX];
	struct stat st;

	if (!a->pid)
		return stat(a->netns, &st) == 0 && st.st_ino == a->netns_ino;
	return is_in(a->pid, a->netns_ino ? a->netns_ino : netns_own_ino()) &&
	       read_started(a->pid, started) && was && strcmp(was, started) == 0;
}
