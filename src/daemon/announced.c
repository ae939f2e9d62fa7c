/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#include "announced_file.h"
#include "engines.h"
#include "fresh.h"
#include "reconcile.h"

struct one {
	struct announcement said;
	char *key; /* runtime and id */
	sd_event_source *process;
	UT_hash_handle hh;
};

struct announced {
	struct controller *c;
	struct one *all;
	bool dirty; /* the file is not what is known */
};

/* --- the table -------------------------------------------------------------------------------- */

static void key_of(char out[BH_HINT_ID_MAX + 16], enum endpoint_runtime runtime, const char *id)
{
	snprintf(out, BH_HINT_ID_MAX + 16, "%s:%s", endpoint_runtime_name(runtime), id);
}

static struct one *find(const struct announced *n, enum endpoint_runtime runtime, const char *id)
{
	char key[BH_HINT_ID_MAX + 16];
	struct one *o;

	key_of(key, runtime, id);
	HASH_FIND_STR(n->all, key, o);
	return o;
}

const struct announcement *announced_find(const struct announced *n, enum endpoint_runtime runtime,
					  const char *id)
{
	const struct one *o = find(n, runtime, id);

	return o ? &o->said : NULL;
}

size_t announced_count(const struct announced *n)
{
	return HASH_COUNT(n->all);
}

void announced_list(const struct announced *n, uint64_t *ret_inos)
{
	for (const struct one *o = n->all; o; o = o->hh.next)
		*ret_inos++ = o->said.netns_ino;
}

static void forget(struct announced *n, struct one *o)
{
	HASH_DEL(n->all, o);
	sd_event_source_disable_unref(o->process);
	announcement_done(&o->said);
	free(o->key);
	free(o);
	n->dirty = true;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct announced *n = arg;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	reconcile_changed(n->c);
	return 0;
}

/* Of one that has ended already, the next look finds it. */
static void watch_process(struct announced *n, struct one *o)
{
	bh_autoclose int fd = o->said.pid ? pidfd_open(o->said.pid, 0) : -1;

	if (fd < 0 || sd_event_add_io(n->c->event, &o->process, fd, EPOLLIN, on_end, n) < 0)
		return;
	if (sd_event_source_set_io_fd_own(o->process, true) >= 0)
		BH_STEAL_FD(fd);
	else
		o->process = sd_event_source_disable_unref(o->process);
}

/* What A has is the table's then. */
static int remember(struct announced *n, struct announcement *a, struct bh_err *err)
{
	char key[BH_HINT_ID_MAX + 16];
	struct one *o = find(n, a->runtime, a->id);

	if (o)
		forget(n, o);
	if (HASH_COUNT(n->all) >= BH_ANNOUNCED_MAX)
		return bh_err_set(err, -E2BIG, "more than %d containers that nobody lists",
				  BH_ANNOUNCED_MAX);
	key_of(key, a->runtime, a->id);
	o = calloc(1, sizeof(*o));
	if (!o || !(o->key = strdup(key))) {
		free(o);
		return bh_err_oom(err);
	}
	o->said = *a;
	HASH_ADD_KEYPTR(hh, n->all, o->key, strlen(o->key), o);
	watch_process(n, o);
	n->dirty = true;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

/* What is not written is not known to the next daemon: for it everything stays denied in there. */
static void save(struct announced *n)
{
	json_t *list = n->dirty ? json_array() : NULL;
	struct bh_err err = BH_ERR_INIT;

	if (!list)
		return;
	for (const struct one *o = n->all; o; o = o->hh.next)
		json_array_append(list, o->said.said);
	if (announced_file_write(n->c->o->store, list, &err) < 0)
		controller_log(err.msg, NULL);
	else
		n->dirty = false;
	json_decref(list);
}

/* --- taking one ------------------------------------------------------------------------------- */

/* What a path leads to, and that it is what the starter saw. */
static int check_netns(const struct announcement *a, uint64_t *ret_ino, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = netns_open(a->netns, &fd, ret_ino, err);

	if (r < 0)
		return bh_err_prefix(err, r, "\"netns\"");
	if (*ret_ino == netns_own_ino())
		return bh_err_set(err, -EINVAL,
				  "\"netns\": its namespace is the host's own, where nothing is "
				  "enforced");
	if (a->netns_ino && *ret_ino != a->netns_ino)
		return bh_err_set(err, -ESTALE, "\"netns\" is another namespace by now");
	return 0;
}

/* The process is the container's own: else its end would not be that of the container. */
static int check_pid(const struct announcement *a, uint64_t ino, struct bh_err *err)
{
	char path[64];
	struct stat st;

	if (!a->pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", a->pid);
	if (stat(path, &st) < 0)
		return bh_err_set(err, -ESRCH, "\"pid\": there is no process %d", a->pid);
	if (st.st_ino != ino)
		return bh_err_set(err, -EINVAL, "\"pid\": process %d is in another namespace",
				  a->pid);
	return 0;
}

int announced_take(struct announced *n, struct announcement *a, struct bh_err *err)
{
	uint64_t ino, denied;
	int r = check_netns(a, &ino, err);

	if (r >= 0)
		r = check_pid(a, ino, err);
	if (r < 0)
		return r;
	r = enforce_deny_first(n->c->holds, a->netns, &denied, err);
	if (r < 0 && r != -EEXIST)
		return r == -EAGAIN ? -ESTALE : r;
	if (denied != ino)
		return bh_err_set(err, -ESTALE, "\"netns\" is another namespace by now");
	if (json_object_set_new(a->said, "netns_ino", json_integer((json_int_t)ino)) < 0)
		return bh_err_oom(err);
	a->netns_ino = ino;
	r = remember(n, a, err);
	if (r >= 0)
		save(n);
	reconcile_changed(n->c);
	return r;
}

bool announced_release(struct announced *n, enum endpoint_runtime runtime, const char *id)
{
	struct one *o = find(n, runtime, id);

	if (!o)
		return false;
	forget(n, o);
	save(n);
	reconcile_changed(n->c);
	return true;
}

/* --- as endpoints ----------------------------------------------------------------------------- */

static bool lives(const struct announcement *a)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", a->pid);
	return stat(a->pid ? path : a->netns, &st) == 0 && st.st_ino == a->netns_ino;
}

/* Nobody has said whose it is: it stays denied. Of two in one namespace, one tells. */
static int add_unknown(const struct announced *n, const struct announcement *a,
		       struct endpoint_builder *b, struct bh_err *err)
{
	char id[32];
	const struct endpoint e = {
		.id = id,
		.name = a->id,
		.runtime = ENDPOINT_UNKNOWN,
		.netns = a->netns,
		.netns_ino = a->netns_ino,
	};

	snprintf(id, sizeof(id), "net:[%llu]", (unsigned long long)a->netns_ino);
	if (fresh_has(n->c->fresh, a->netns_ino) || endpoint_builder_find(b, id))
		return 0;
	return endpoint_builder_add(b, &e, err);
}

static int add_said(int fd, const struct announcement *a, struct endpoint_builder *b,
		    struct diag_list *diags, struct bh_err *err)
{
	struct endpoint e;
	char shown[128];

	announcement_endpoint(a, &e);
	if (!endpoint_builder_find(b, a->id)) {
		int r = runtime_announced(fd, &e, b, diags, err);

		return r < 0 ? r : 1;
	}
	diag_add(diags, DIAG_WARNING, NULL, "same-id", NULL,
		 "two containers have the id %s: all is denied to the second",
		 bh_escape_str(shown, sizeof(shown), a->id));
	return 0;
}

/* 1: it was added; 0: it is not known what it is. */
static int add_one(struct announced *n, const struct announcement *a, struct endpoint_builder *b,
		   struct diag_list *diags, struct bh_err *err)
{
	const struct hold *h = holds_find(n->c->holds, a->netns_ino);
	bh_autoclose int opened = -1;
	int r = h ? 0 : netns_open(a->netns, &opened, NULL, err);

	if (r < 0)
		return r;
	if (endpoint_is_announced(a->runtime))
		return add_said(h ? hold_netns(h) : opened, a, b, diags, err);
	return engines_named(n->c->engines, a->runtime, a->id, h ? hold_netns(h) : opened, a->netns,
			     b, diags, err);
}

/* Does an engine say what it is? Of OCI and CNI, it knows the namespace. */
static bool is_listed(const struct announcement *a, const struct endpoint_builder *b)
{
	const struct endpoint *e = endpoint_is_announced(a->runtime)
					   ? endpoint_builder_find_netns(b, a->netns_ino)
					   : endpoint_builder_find(b, a->id);

	return e && endpoint_is_of_engine(e->runtime);
}

int announced_add(struct announced *n, struct endpoint_builder *b, struct diag_list *diags,
		  struct bh_err *err)
{
	struct one *o, *next;
	int r = 0;

	HASH_ITER (hh, n->all, o, next) {
		bool listed = is_listed(&o->said, b);

		if (!lives(&o->said) || (listed && !endpoint_is_announced(o->said.runtime))) {
			forget(n, o);
			continue;
		}
		r = listed ? 1 : add_one(n, &o->said, b, diags, err);
		if (r <= 0)
			r = add_unknown(n, &o->said, b, err);
		if (r < 0)
			return r;
	}
	save(n);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static void restore(struct announced *n, json_t *list)
{
	struct bh_err err = BH_ERR_INIT;
	struct announcement a;
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (announcement_parse(item, &a, NULL) < 0)
			continue;
		if (!lives(&a) || remember(n, &a, &err) < 0)
			announcement_done(&a);
	}
	n->dirty = true;
}

int announced_new(struct controller *c, struct announced **ret, struct bh_err *err)
{
	struct announced *n = calloc(1, sizeof(*n));
	struct bh_err why = BH_ERR_INIT;
	json_t *list = NULL;

	if (!n)
		return bh_err_oom(err);
	n->c = c;
	if (announced_file_read(c->o->store, &list, &why) < 0)
		controller_log(why.msg, NULL);
	restore(n, list);
	json_decref(list);
	*ret = n;
	return 0;
}

void announced_free(struct announced *n)
{
	struct one *o, *next;

	if (!n)
		return;
	HASH_ITER (hh, n->all, o, next)
		forget(n, o);
	free(n);
}
