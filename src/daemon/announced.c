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
#include <bulkhead/ctl/notes.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#include "announced_file.h"
#include "announced_life.h"
#include "engines.h"
#include "fresh.h"
#include "reconcile.h"

struct one {
	struct announcement said;
	char *key; /* runtime and id */
	struct announced *in;
	bool ended;            /* its process */
	struct bh_addr *addrs; /* NULL: not read yet */
	size_t n_addrs;
	sd_event_source *process;
	UT_hash_handle hh;
};

struct announced {
	struct controller *c;
	struct one *all;
	bool dirty; /* the file is not what is known */
	bool told;  /* that it cannot be written */
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
	free(o->addrs);
	free(o->key);
	free(o);
	n->dirty = true;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct one *o = arg;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	o->ended = true;
	reconcile_changed(o->in->c);
	return 0;
}

/* It may have ended already, and its number be another's. */
static void watch_process(struct announced *n, struct one *o)
{
	bh_autoclose int fd = o->said.pid ? pidfd_open(o->said.pid, 0) : -1;

	if (fd < 0 || sd_event_add_io(n->c->event, &o->process, fd, EPOLLIN, on_end, o) < 0)
		return;
	if (sd_event_source_set_io_fd_own(o->process, true) >= 0)
		BH_STEAL_FD(fd);
	else
		o->process = sd_event_source_disable_unref(o->process);
	o->ended = !announced_life_lasts(&o->said);
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
	o->in = n;
	HASH_ADD_KEYPTR(hh, n->all, o->key, strlen(o->key), o);
	watch_process(n, o);
	n->dirty = true;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_all(struct announced *n, struct bh_err *err)
{
	json_t *list = json_array();
	int r = 0;

	for (const struct one *o = n->all; o && r >= 0; o = o->hh.next)
		r = json_array_append(list, o->said.said);
	r = r < 0 ? bh_err_oom(err) : announced_file_write(n->c->o->store, list, err);
	json_decref(list);
	return r;
}

/* What is not written is not known to the next daemon, which may let go of it. */
static int save(struct announced *n, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r = n->dirty ? write_all(n, &why) : 0;

	n->dirty = r < 0;
	if (r < 0 && !n->told)
		controller_log(why.msg, NULL);
	n->told = r < 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

/* --- taking one ------------------------------------------------------------------------------- */

/* Of one that nobody holds, the namespace's number may be another's before its end was heard of. */
static bool is_still_in(const struct endpoint *e)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", e->pid);
	if (e->pid && stat(path, &st) == 0 && st.st_ino == e->netns_ino)
		return true;
	return e->netns && stat(e->netns, &st) == 0 && st.st_ino == e->netns_ino;
}

/* Somebody else who is known to live in this namespace; NULL: nobody is. */
static const struct endpoint *inhabitant(const struct announced *n, const struct announcement *a)
{
	const struct endpoint_set *all = n->c->site.endpoints;

	for (size_t i = 0; all && i < all->n; i++)
		if (all->endpoints[i].netns_ino == a->netns_ino &&
		    all->endpoints[i].runtime != ENDPOINT_UNKNOWN &&
		    all->endpoints[i].runtime != ENDPOINT_NETNS &&
		    strcmp(all->endpoints[i].id, a->id) != 0 && is_still_in(&all->endpoints[i]))
			return &all->endpoints[i];
	return NULL;
}

/* Nomad has Docker make the namespaces of its CNI networks, and an inventory has names of its own. */
static bool is_foreign(const struct announcement *a, const struct endpoint *other)
{
	return a->runtime != ENDPOINT_CNI || endpoint_is_announced(other->runtime);
}

/*
 * Who runs in there already, of whom it is known that nobody wants him held, goes on: the one that joins him
 * waits for its policy.
 */
static int deny(struct announced *n, const struct announcement *a, struct bh_err *err)
{
	const struct endpoint *other = inhabitant(n, a);
	uint64_t ino = a->netns_ino;
	char who[128];
	int r;

	if (other && a->own && is_foreign(a, other))
		return bh_err_set(err, -EINVAL, "its network namespace is that of %s",
				  endpoint_format(who, sizeof(who), other));
	r = other ? 0 : enforce_deny_first(n->c->holds, a->netns, &ino, err);
	if (r == -EAGAIN || (r >= 0 && ino != a->netns_ino))
		return bh_err_set(err, -ESTALE, "\"netns\" is another namespace by now");
	return r == -EEXIST ? 0 : r;
}

int announced_take(struct announced *n, struct announcement *a, struct bh_err *err)
{
	int r = announced_life_begin(a, err);

	if (r >= 0 && a->netns)
		r = deny(n, a, err);
	if (r >= 0)
		r = remember(n, a, err);
	if (r < 0)
		return r;
	r = save(n, err);
	if (n->c->o->inventory) /* which is a file: it alone tells */
		reconcile_touch(n->c);
	reconcile_urgent(n->c);
	if (r >= 0 || !endpoint_is_announced(a->runtime))
		return 0; /* an engine tells the next daemon */
	*a = (struct announcement) { 0 };
	return r;
}

/* Whose process is watched says so. */
static bool is_over(const struct one *o)
{
	return o->ended || (!o->process && !announced_life_lasts(&o->said));
}

void announced_look(struct announced *n)
{
	struct one *o, *next;

	HASH_ITER (hh, n->all, o, next)
		if (is_over(o))
			forget(n, o);
	save(n, NULL);
}

/* A namespace that outlives its container is nobody's: it stays denied as long as it is there. */
static void let_go(struct announced *n, struct one *o)
{
	if (endpoint_is_announced(o->said.runtime) && !is_over(o) &&
	    announcement_set_gone(&o->said) >= 0)
		n->dirty = true;
	else
		forget(n, o);
}

bool announced_release(struct announced *n, enum endpoint_runtime runtime, const char *id)
{
	struct one *o = find(n, runtime, id);

	if (!o)
		return false;
	let_go(n, o);
	save(n, NULL);
	reconcile_changed(n->c);
	return true;
}

size_t announced_retain(struct announced *n,
			bool (*keep)(const struct announcement *a, const void *arg),
			const void *arg)
{
	struct one *o, *next;
	size_t gone = 0;

	HASH_ITER (hh, n->all, o, next) {
		if (o->said.gone || keep(&o->said, arg))
			continue;
		let_go(n, o);
		gone++;
	}
	if (gone) {
		save(n, NULL);
		reconcile_changed(n->c);
	}
	return gone;
}

/* --- word that was left ------------------------------------------------------------------------- */

/* Somebody was quarantined while no daemon was there, or it hung. */
static void on_note(json_t *request, void *arg)
{
	struct announced *n = arg;
	struct bh_err err = BH_ERR_INIT;
	struct announcement a;

	if (announcement_parse(request, &a, NULL) < 0)
		return;
	if (!a.netns || !a.netns_ino || find(n, a.runtime, a.id) ||
	    announced_life_begin(&a, NULL) < 0 || remember(n, &a, &err) < 0)
		announcement_done(&a);
}

static void take_notes(struct announced *n)
{
	const char *socket = n->c->o->socket ? n->c->o->socket : n->c->site.host.control.socket;
	struct bh_err why = BH_ERR_INIT;

	if (ctl_notes_take(socket, on_note, n, &why) < 0)
		controller_log(why.msg, NULL);
}

/* --- as endpoints ----------------------------------------------------------------------------- */

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

/* As they were read last, unless they may be others: only of what is held is that told. */
static int read_addrs(struct one *o, struct hold *h, int fd, struct diag_list *diags,
		      struct bh_err *err)
{
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX];
	char shown[128];
	size_t n = 0;
	int r;

	if (o->addrs && h && hold_is_sure(h))
		return 0;
	r = runtime_netns_addrs(fd, addrs, BH_ARRAY_SIZE(addrs), &n, err);
	/* Root inside may add addresses; this must not stop the work for all others. */
	if (r == -E2BIG)
		diag_add(diags, DIAG_WARNING, NULL, "too-many-addresses", NULL,
			 "container %s has more than %d addresses: none of them count",
			 bh_escape_str(shown, sizeof(shown), o->said.id), BH_ENDPOINT_ADDRS_MAX);
	else if (r < 0)
		return r;
	n = r < 0 ? 0 : n;
	free(o->addrs);
	o->addrs = calloc(n + 1, sizeof(*addrs));
	if (!o->addrs)
		return bh_err_oom(err);
	memcpy(o->addrs, addrs, n * sizeof(*addrs));
	o->n_addrs = n;
	return 0;
}

/* As its starter says. */
static int add_said(const struct one *o, struct endpoint_builder *b, struct diag_list *diags,
		    struct bh_err *err)
{
	struct endpoint e;
	char shown[128];
	int r;

	announcement_endpoint(&o->said, &e);
	e.addrs = o->addrs;
	e.n_addrs = o->n_addrs;
	if (!endpoint_builder_find(b, e.id)) {
		r = endpoint_builder_add(b, &e, err);
		return r < 0 ? r : 1;
	}
	diag_add(diags, DIAG_WARNING, NULL, "same-id", NULL,
		 "two containers have the id %s: all is denied to the second",
		 bh_escape_str(shown, sizeof(shown), e.id));
	return 0;
}

/* 1: it was added; 0: it is not known what it is. */
static int add_one(struct announced *n, struct one *o, struct endpoint_builder *b,
		   struct diag_list *diags, struct bh_err *err)
{
	const struct announcement *a = &o->said;
	struct hold *h = holds_find(n->c->holds, a->netns_ino);
	bh_autoclose int opened = -1;
	int fd, r;

	if (!a->netns)
		return add_said(o, b, diags, err);
	r = h ? 0 : netns_open(a->netns, &opened, NULL, err);
	fd = h ? hold_netns(h) : opened;
	if (r < 0)
		return r;
	if (!endpoint_is_announced(a->runtime))
		return engines_named(n->c->engines, a->runtime, a->id, fd, a->netns, b, diags, err);
	r = read_addrs(o, h, fd, diags, err);
	return r < 0 ? r : add_said(o, b, diags, err);
}

/* What an engine has said last may be of a life of it that is over. */
static void drop_former(const struct announcement *a, struct endpoint_builder *b)
{
	const struct endpoint *e = endpoint_builder_find(b, a->id);

	if (e && e->runtime == a->runtime && a->netns && e->netns_ino != a->netns_ino &&
	    announced_life_lasts(a))
		endpoint_builder_drop(b, a->id, e->pid);
}

/* Does an engine say what it is? Of OCI and CNI, it knows the namespace. */
static bool is_listed(const struct announcement *a, const struct endpoint_builder *b)
{
	const struct endpoint *e = endpoint_is_announced(a->runtime) && a->netns
					   ? endpoint_builder_find_netns(b, a->netns_ino)
					   : endpoint_builder_find(b, a->id);

	return e && endpoint_is_of_engine(e->runtime);
}

int announced_add(struct announced *n, struct endpoint_builder *b, struct diag_list *diags,
		  struct bh_err *err)
{
	struct one *o, *next;
	int r = 0;

	take_notes(n);
	announced_look(n);
	HASH_ITER (hh, n->all, o, next) {
		bool listed;

		drop_former(&o->said, b);
		listed = is_listed(&o->said, b);
		if (listed && !endpoint_is_announced(o->said.runtime)) {
			forget(n, o);
			continue;
		}
		r = listed ? 1 : o->said.gone ? 0 : add_one(n, o, b, diags, err);
		if (r <= 0 && r != -ENOMEM && o->said.netns)
			r = add_unknown(n, &o->said, b, err);
		if (r < 0)
			return r;
	}
	save(n, NULL);
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
		if (!announced_life_lasts(&a) || remember(n, &a, &err) < 0)
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
	take_notes(n);
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
