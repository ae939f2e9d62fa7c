/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "announced_file.h"
#include "announced_life.h"
#include "announced_private.h"
#include "doubt.h"

/* What the last daemon was told, or what is done when that is lost. */

/* Where the last daemon was, all of them are well-formed. */
static void tell_bad(size_t bad, const struct bh_err *first)
{
	char line[BH_ERR_MAX + 128];

	if (!bad)
		return;
	snprintf(line, sizeof(line),
		 "%zu containers of announced.json cannot be taken over, the first: %s", bad,
		 first->msg);
	controller_log(line, NULL);
}

static int take_over(struct announced *n, json_t *item, struct bh_err *err)
{
	struct announcement a;
	int r = announcement_parse(item, &a, err);

	if (r < 0)
		return r;
	if (!a.netns && !a.pid)
		r = bh_err_set(err, -EINVAL, "it does not say where it is");
	else if (announced_life_lasts(&a) && (r = announced_remember(n, &a, err)) >= 0)
		return 0;
	announcement_done(&a);
	return r;
}

/* How many could not be taken over. */
static size_t restore(struct announced *n, json_t *list)
{
	struct bh_err first = BH_ERR_INIT;
	json_t *item;
	size_t i, bad = 0;

	json_array_foreach (list, i, item)
		if (take_over(n, item, bad ? NULL : &first) < 0)
			bad++;
	n->dirty = true;
	tell_bad(bad, &first);
	return bad;
}

static bool is_known(const struct announced *n, uint64_t netns_ino)
{
	for (const struct one *o = n->all; o; o = o->hh.next)
		if (o->said.netns_ino == netns_ino)
			return true;
	return false;
}

/* What has gone meanwhile is not lost. */
static int on_doubt(json_t *said, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct announced *n = arg;
	struct announcement a;
	int r = announcement_parse(said, &a, &err);

	if (r >= 0 && !is_known(n, a.netns_ino)) {
		r = announced_life_begin(&a, &err);
		if (r >= 0)
			r = announced_remember(n, &a, &err);
		if (r < 0)
			announcement_done(&a);
	} else if (r >= 0) {
		announcement_done(&a);
	}
	n->lost |= r < 0 && r != -ENOENT && r != -ESTALE;
	if (r < 0 && err.msg[0])
		controller_log(err.msg, NULL);
	return 0;
}

/* An inventory names all that there is. */
static void find_doubts(struct announced *n)
{
	struct bh_err err = BH_ERR_INIT;

	n->lost = false;
	if (n->c->o->inventory || doubt_find(n->c->o->netns_dir, on_doubt, n, &err) >= 0)
		return;
	n->lost = true;
	controller_log(err.msg, NULL);
}

static bool keep_file(const struct announced *n)
{
	struct bh_err err = BH_ERR_INIT;
	int r = announced_file_keep(n->c->o->store, &err);

	if (r < 0)
		controller_log(err.msg, NULL);
	return r >= 0;
}

/*
 * Nobody remembers whom some namespaces are held for: those that have our tables stay closed. A list that could not
 * be read is replaced by what is found now.
 */
static void begin_doubt(struct announced *n, const struct bh_err *why, bool keep)
{
	char line[BH_ERR_MAX + 256];

	keep = keep && keep_file(n);
	find_doubts(n);
	snprintf(line, sizeof(line),
		 "%s: it is not known any more what starters said%s; of %zu namespaces with tables "
		 "nobody knows yet whose they are: everything is denied in them%s",
		 why->msg, keep ? ", what it was is in announced.json.damaged" : "", n->doubts,
		 n->lost ? "; others were not found, and are looked for by the next daemon" : "");
	controller_log(line, NULL);
	n->dirty = true;
	announced_save(n);
}

void announced_restore(struct announced *n)
{
	struct bh_err why = BH_ERR_INIT;
	json_t *list = NULL;
	bool lost = false;
	int r = announced_file_read(n->c->o->store, &list, &lost, &why);

	if (r >= 0 && restore(n, list) > 0)
		r = bh_err_set(&why, -EBADMSG, "announced.json is damaged");
	if (r >= 0 && lost)
		bh_err_set(&why, -EAGAIN, "the daemon before could not look into all namespaces");
	if (r < 0 || lost)
		begin_doubt(n, &why, r < 0);
	json_decref(list);
}
