/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doubt.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/compile/compile.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/nlsock.h>

struct search {
	struct stat named; /* the directory of `ip netns` */
	int (*fn)(json_t *said, void *arg);
	void *arg;
	int missed; /* why it could not be seen whether the first of some has tables; 0: of all it was seen */
	struct bh_err why;
};

/*
 * One that nobody is in, and that is mounted elsewhere, was made by somebody whom nothing is known of: the machine
 * that this one is a container of, say. Nobody lists it, so nobody lets go of it.
 */
static bool is_of_host(const struct search *search, const struct runtime_namespace *ns)
{
	char dir[sizeof(ns->path)];
	char *slash;
	struct stat st;

	if (ns->pid)
		return true;
	memcpy(dir, ns->path, sizeof(dir));
	slash = strrchr(dir, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return stat(dir, &st) == 0 && st.st_dev == search->named.st_dev &&
	       st.st_ino == search->named.st_ino;
}

/* What has gone meanwhile has none. 1: it has; errors: that cannot be seen. */
static int has_table(const struct runtime_namespace *ns, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct nlsock s = NLSOCK_INIT;
	bool there = false;
	uint64_t ino;
	int r = netns_open(ns->path, &fd, &ino, err);

	if (r == -ENOENT || r == -ESRCH || (r >= 0 && ino != ns->ino))
		return 0;
	if (r >= 0)
		r = nlsock_open(&s, fd, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = nft_present(&s, &there, err);
	nlsock_done(&s);
	return r < 0 ? r : there;
}

/* The first is told. */
static void miss(struct search *search, int r, const struct bh_err *why)
{
	if (!search->missed) {
		search->missed = r;
		search->why = *why;
	}
}

static bool is_held(struct search *search, const struct runtime_namespace *ns)
{
	struct bh_err err = BH_ERR_INIT;
	int r = has_table(ns, &err);

	if (r < 0)
		miss(search, r, &err);
	return r > 0;
}

static int on_namespace(const struct runtime_namespace *ns, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct search *search = arg;
	char id[32];
	json_t *said;
	int r;

	if (!is_of_host(search, ns) || !is_held(search, ns))
		return 0;
	snprintf(id, sizeof(id), "net:[%llu]", (unsigned long long)ns->ino);
	said = json_pack("{s:s, s:s, s:s, s:I, s:b, s:b}", "runtime",
			 endpoint_runtime_name(ENDPOINT_OCI), "id", id, "netns", ns->path,
			 "netns_ino", (json_int_t)ns->ino, "gone", true, "doubt", true);
	if (!said) { /* a path that is no UTF-8, or there is no memory */
		bh_err_set(&err, -EILSEQ, "network namespace %s cannot be written down", id);
		miss(search, -EILSEQ, &err);
		return 0;
	}
	r = search->fn(said, search->arg);
	json_decref(said);
	return r;
}

int doubt_find(const char *netns_dir, int (*fn)(json_t *said, void *arg), void *arg,
	       struct bh_err *err)
{
	struct search search = { .fn = fn, .arg = arg, .why = BH_ERR_INIT };
	int r;

	if (stat(netns_dir ? netns_dir : "/run/netns", &search.named) < 0)
		search.named = (struct stat) { 0 };
	r = runtime_namespaces(on_namespace, &search, err);
	if (r != 0)
		return r < 0 ? r : -E2BIG;
	return search.missed ? bh_err_set(err, search.missed, "%s", search.why.msg) : 0;
}

static bool is_selected(const struct policy_set *policies, const struct endpoint_set *set)
{
	struct selection *s = NULL;
	bool any = selection_new(policies, set, false, &s, NULL) >= 0 && s->services_of[0].n;

	selection_free(s);
	return any;
}

bool doubt_is_named(const struct policy_set *policies, const struct endpoint_builder *b,
		    uint64_t netns_ino)
{
	const struct endpoint *e = endpoint_builder_find_name(b, netns_ino);
	struct endpoint_builder *alone = policies && e ? endpoint_builder_new() : NULL;
	struct endpoint_set *set = NULL;
	bool named = false;

	if (alone && endpoint_builder_add(alone, e, NULL) >= 0 &&
	    endpoint_builder_finish(alone, &set, NULL) >= 0)
		named = is_selected(policies, set);
	endpoint_set_free(set);
	endpoint_builder_free(alone);
	return named;
}
