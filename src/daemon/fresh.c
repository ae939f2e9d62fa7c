/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fresh.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/runtime/runtime.h>

#include "engines.h"
#include "reconcile.h"

/* The file is there before its namespace is mounted on it: 0 to 5 times, 50 us apart, were seen. */
#define MOUNT_TRIES 100
#define MOUNT_USEC  50

struct namespace
{
	uint64_t ino;
	uint64_t number; /* inodes are given again, these are not */
	char path[PATH_MAX];
	char joined[RUNTIME_ID_SIZE]; /* the container it was taken for last, or empty */
	UT_hash_handle hh;
};

struct fresh {
	struct controller *c;
	struct namespace *all;
	uint64_t last_number;
	bool full; /* and that was said */
};

struct fresh *fresh_new(struct controller *c)
{
	struct fresh *f = calloc(1, sizeof(*f));

	if (f)
		f->c = c;
	return f;
}

static void forget(struct fresh *f, struct namespace *one)
{
	HASH_DEL(f->all, one);
	free(one);
}

void fresh_free(struct fresh *f)
{
	if (!f)
		return;
	while (f->all)
		forget(f, f->all);
	free(f);
}

static struct namespace *find(const struct fresh *f, uint64_t ino)
{
	struct namespace *one;

	HASH_FIND(hh, f->all, &ino, sizeof(ino), one);
	return one;
}

bool fresh_has(const struct fresh *f, uint64_t netns_ino)
{
	return find(f, netns_ino) != NULL;
}

size_t fresh_count(const struct fresh *f)
{
	return HASH_COUNT(f->all);
}

void fresh_list(const struct fresh *f, uint64_t *ret_inos)
{
	for (const struct namespace *one = f->all; one; one = one->hh.next)
		*ret_inos++ = one->ino;
}

/* --- one has appeared ------------------------------------------------------------------------- */

/* "netns-UUID" of Podman, "cni-UUID" of those that use CNI: a UUID has 36 characters. */
bool fresh_is_of_engine(const char *name)
{
	static const char *const prefixes[] = { "netns-", "cni-" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], len) == 0 && strlen(name + len) == 36)
			return true;
	}
	return false;
}

/* It stays denied without a place here, and until the next whole look nobody asks whose it is. */
static void remember(struct fresh *f, uint64_t ino, const char *path)
{
	struct namespace *one;

	if (HASH_COUNT(f->all) >= BH_FRESH_MAX) {
		if (!f->full)
			controller_log(
				"too many new namespaces at once: whose the last ones are is "
				"found later; they stay denied until then",
				NULL);
		f->full = true;
		return;
	}
	f->full = false;
	one = find(f, ino) ? NULL : calloc(1, sizeof(*one));
	if (!one)
		return;
	one->ino = ino;
	one->number = ++f->last_number;
	snprintf(one->path, sizeof(one->path), "%s", path);
	HASH_ADD(hh, f->all, ino, sizeof(one->ino), one);
}

/* It is mounted on within a fraction of a millisecond, so this waits; for no more than five. */
static int deny_when_mounted(struct fresh *f, const char *path, uint64_t *ret_ino,
			     struct bh_err *err)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < MOUNT_TRIES; i++) {
		if (i)
			usleep(MOUNT_USEC);
		r = enforce_deny_first(f->c->holds, path, ret_ino, err);
	}
	return r;
}

static void tell_failure(const char *path, int r, const struct bh_err *err)
{
	char line[BH_ERR_MAX + 300], shown[256];

	if (r == -ENOENT || r == -EEXIST || r == -EINVAL)
		return; /* gone again, or known, or the host's own */
	snprintf(line, sizeof(line), "a new namespace could not be denied at once: %s: %s",
		 bh_escape_str(shown, sizeof(shown), path), err->msg[0] ? err->msg : strerror(-r));
	controller_log(line, NULL);
}

void fresh_appeared(struct fresh *f, const char *folder, const char *name, bool by_name)
{
	bool unknown = !by_name || (fresh_is_of_engine(name) && engines_tell(f->c->engines));
	struct bh_err err = BH_ERR_INIT;
	char path[PATH_MAX];
	uint64_t ino = 0;
	int r;

	if (!unknown && !controller_lists(f->c, ENDPOINT_NETNS))
		return; /* nobody would ever say whose it is */
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return;
	r = deny_when_mounted(f, path, &ino, &err);
	if (r < 0)
		tell_failure(path, r, &err);
	else if (unknown)
		remember(f, ino, path);
	reconcile_changed(f->c);
}

/* --- whose is it ------------------------------------------------------------------------------ */

static int add_unknown(const struct namespace *one, struct endpoint_builder *b, struct bh_err *err)
{
	char id[32];
	const char *slash = strrchr(one->path, '/');
	const struct endpoint e = {
		.id = id,
		.name = slash ? slash + 1 : one->path,
		.runtime = ENDPOINT_UNKNOWN,
		.netns = one->path,
		.netns_ino = one->ino,
	};

	snprintf(id, sizeof(id), "net:[%llu]", (unsigned long long)one->ino);
	return endpoint_builder_add(b, &e, err);
}

static bool is_there(const struct namespace *one)
{
	struct stat st;

	return stat(one->path, &st) == 0 && st.st_ino == one->ino;
}

/* Never seen since the engine is asked after a namespace has appeared; it would be a hole. */
static void check(const struct namespace *one, const struct endpoint *e)
{
	char line[256];

	if (!one->joined[0] || strcmp(one->joined, e->id) == 0)
		return;
	snprintf(line, sizeof(line),
		 "net:[%llu] was taken for container %.12s before it ran, and is %.12s's",
		 (unsigned long long)one->ino, one->joined, e->id);
	controller_log(line, NULL);
}

static int add_one(struct fresh *f, struct namespace *one, struct endpoint_builder *b,
		   struct diag_list *diags, struct bh_err *err)
{
	const struct endpoint *known = endpoint_builder_find_netns(b, one->ino);
	const struct hold *h = holds_find(f->c->holds, one->ino);
	int r;

	if (known)
		check(one, known);
	if (known || !h || !is_there(one)) {
		forget(f, one);
		return 0;
	}
	one->joined[0] = '\0';
	r = engines_join(f->c->engines, hold_netns(h), one->path, one->number, b, one->joined,
			 diags, err);
	if (r > 0)
		endpoint_builder_keep_last(b, one->joined);
	else
		r = add_unknown(one, b, err); /* also when that could not be found out */
	return r < 0 ? r : 0;
}

int fresh_add(struct endpoint_builder *b, struct diag_list *diags, void *arg, struct bh_err *err)
{
	struct fresh *f = arg;
	struct namespace *one, *next;
	int r = 0;

	HASH_ITER (hh, f->all, one, next) {
		r = add_one(f, one, b, diags, err);
		if (r < 0)
			return r;
	}
	return 0;
}
