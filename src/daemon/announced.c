/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/runtime/runtime.h>

#include "announced_file.h"
#include "announced_life.h"
#include "announced_private.h"
#include "noted.h"
#include "reconcile.h"

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

void announced_forget(struct announced *n, struct one *o)
{
	HASH_DEL(n->all, o);
	n->doubts -= o->said.doubt;
	sd_event_source_disable_unref(o->process);
	announcement_done(&o->said);
	free(o->addrs);
	free(o->text);
	free(o->key);
	free(o);
	n->dirty = true;
}

void announced_altered(struct announced *n, struct one *o)
{
	free(o->text);
	o->text = NULL;
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

/* Whose namespace was in doubt, is told. */
static void end_doubt(struct announced *n, uint64_t netns_ino)
{
	struct one *o, *next;

	if (!n->doubts)
		return;
	HASH_ITER (hh, n->all, o, next)
		if (o->said.doubt && o->said.netns_ino == netns_ino)
			announced_forget(n, o);
}

int announced_remember(struct announced *n, struct announcement *a, struct bh_err *err)
{
	char key[BH_HINT_ID_MAX + 16];
	struct one *o = find(n, a->runtime, a->id);

	if (o)
		announced_forget(n, o);
	if (a->netns)
		end_doubt(n, a->netns_ino);
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
	n->doubts += a->doubt;
	HASH_ADD_KEYPTR(hh, n->all, o->key, strlen(o->key), o);
	watch_process(n, o);
	n->dirty = true;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_all(struct announced *n, struct bh_err *err)
{
	int r = announced_file_begin(&n->file, n->lost, err);

	if (r < 0)
		return r;
	for (struct one *o = n->all; o; o = o->hh.next) {
		if (!o->text && !(o->text = json_dumps(o->said.said, JSON_COMPACT)))
			return bh_err_oom(err);
		announced_file_add(&n->file, o->text);
	}
	return announced_file_end(n->c->o->store, &n->file, err);
}

void announced_save(struct announced *n)
{
	struct bh_err why = BH_ERR_INIT;

	if (!n->dirty)
		return;
	n->dirty = write_all(n, &why) < 0;
	if (n->dirty && !n->unwritten[0])
		controller_log(why.msg, NULL);
	snprintf(n->unwritten, sizeof(n->unwritten), "%s", n->dirty ? why.msg : "");
}

const char *announced_unwritten(const struct announced *n)
{
	return n->unwritten[0] ? n->unwritten : NULL;
}

size_t announced_doubts(const struct announced *n)
{
	return n->doubts;
}

/* --- taking one ------------------------------------------------------------------------------- */

/* Its first process may be elsewhere, and what holds it is ours. */
static bool is_announced_in(const struct announced *n, const struct endpoint *e)
{
	struct one *o = endpoint_is_announced(e->runtime) ? find(n, e->runtime, e->id) : NULL;

	return o && o->process && !o->ended && holds_find(n->c->holds, e->netns_ino);
}

/* Of one that nobody holds, the namespace's number may be another's before its end was heard of. */
static bool is_still_in(const struct announced *n, const struct endpoint *e)
{
	char path[RUNTIME_TASK_PATH_SIZE];
	struct stat st;

	if (e->pid && runtime_process_in(e->pid, e->netns_ino, path) == 1)
		return true;
	if (e->netns && stat(e->netns, &st) == 0 && st.st_ino == e->netns_ino)
		return true;
	return is_announced_in(n, e);
}

/* Somebody else who is known to live in this namespace; NULL: nobody is. */
static const struct endpoint *inhabitant(const struct announced *n, const struct announcement *a)
{
	const struct endpoint_set *all = n->c->site.endpoints;

	for (size_t i = 0; all && i < all->n; i++)
		if (all->endpoints[i].netns_ino == a->netns_ino &&
		    all->endpoints[i].runtime != ENDPOINT_UNKNOWN &&
		    all->endpoints[i].runtime != ENDPOINT_NETNS &&
		    strcmp(all->endpoints[i].id, a->id) != 0 && is_still_in(n, &all->endpoints[i]))
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
		r = announced_remember(n, a, err);
	if (r < 0)
		return r;
	if (n->c->o->inventory) /* which is a file: it alone tells */
		reconcile_touch(n->c);
	reconcile_urgent(n->c);
	return 0;
}

/* Whose process is watched says so. */
static bool is_over(struct one *o)
{
	return o->ended || (!o->process && !announced_life_lasts(&o->said));
}

void announced_look(struct announced *n)
{
	struct one *o, *next;

	HASH_ITER (hh, n->all, o, next)
		if (is_over(o))
			announced_forget(n, o);
	announced_save(n);
}

/* A namespace that outlives its container is nobody's: it stays denied as long as it is there. */
static void let_go(struct announced *n, struct one *o)
{
	if (endpoint_is_announced(o->said.runtime) && !is_over(o) &&
	    announcement_set_gone(&o->said) >= 0)
		announced_altered(n, o);
	else
		announced_forget(n, o);
}

/* An id may be given again before it is said that the one before has ended. */
static bool is_of(const struct one *o, const struct announced_life *life)
{
	if (life->pid && o->said.pid && life->pid != o->said.pid)
		return false;
	if (life->netns_ino && o->said.netns_ino != life->netns_ino)
		return false;
	/* Where it is not there any more, it has that name only. */
	return life->netns_ino || !life->netns || !o->said.netns ||
	       strcmp(life->netns, o->said.netns) == 0;
}

bool announced_release(struct announced *n, enum endpoint_runtime runtime, const char *id,
		       const struct announced_life *life)
{
	struct one *o = find(n, runtime, id);

	if (!o || !is_of(o, life))
		return false;
	if (o->said.pid) { /* its process says it better than who tells of it */
		o->ended = !announced_life_lasts(&o->said);
		if (!o->ended)
			return false;
	}
	let_go(n, o);
	announced_save(n);
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
		announced_save(n);
		reconcile_changed(n->c);
	}
	return gone;
}

/* --- word that was left ----------------------------------------------------------------------- */

static bool is_same_life(const struct one *o, const struct announcement *a)
{
	return o && o->said.netns_ino == a->netns_ino && o->said.pid == a->pid;
}

int announced_note(struct announced *n, json_t *request, struct bh_err *err)
{
	struct announcement a;
	int r = announcement_parse(request, &a, err);

	if (r < 0)
		return r;
	if (!a.netns || !a.netns_ino)
		r = bh_err_set(err, -EINVAL, "it does not say in which namespace");
	else if (is_same_life(find(n, a.runtime, a.id), &a)) /* it was told of by itself */
		r = -EEXIST;
	if (r >= 0)
		r = announced_life_begin(&a, err);
	if (r >= 0)
		r = announced_remember(n, &a, err);
	if (r < 0)
		announcement_done(&a);
	return r == -EEXIST ? 0 : r < 0 ? r : 1;
}

/* --- life ------------------------------------------------------------------------------------- */

int announced_new(struct controller *c, struct announced **ret, struct bh_err *err)
{
	struct announced *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return bh_err_oom(err);
	n->c = c;
	bh_buf_init(&n->file, BH_ANNOUNCED_BYTES_MAX);
	announced_restore(n);
	r = noted_new(c, n, &n->noted, err);
	if (r < 0) {
		announced_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void announced_free(struct announced *n)
{
	struct one *o, *next;

	if (!n)
		return;
	noted_free(n->noted);
	HASH_ITER (hh, n->all, o, next)
		announced_forget(n, o);
	bh_buf_done(&n->file);
	free(n);
}
