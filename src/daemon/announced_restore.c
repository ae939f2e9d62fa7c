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

static int on_doubt(json_t *said, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct announced *n = arg;
	struct announcement a;

	if (announcement_parse(said, &a, &err) < 0)
		return 0;
	for (const struct one *o = n->all; o; o = o->hh.next)
		if (o->said.netns_ino == a.netns_ino) {
			announcement_done(&a);
			return 0;
		}
	if (announced_life_begin(&a, &err) < 0 || announced_remember(n, &a, &err) < 0) {
		announcement_done(&a);
		if (err.msg[0])
			controller_log(err.msg, NULL);
	}
	return 0;
}

/* Nobody remembers whom some namespaces are held for: those that have our tables stay closed. */
static void begin_doubt(struct announced *n, const struct bh_err *why, bool keep)
{
	struct bh_err err = BH_ERR_INIT;
	char line[BH_ERR_MAX + 256];

	if (keep && announced_file_keep(n->c->o->store, &err) < 0)
		controller_log(err.msg, NULL);
	if (!n->c->o->inventory && doubt_find(n->c->o->netns_dir, on_doubt, n, &err) != 0)
		controller_log(err.msg, NULL);
	snprintf(line, sizeof(line),
		 "%s: it is not known any more what starters said%s; of %zu namespaces with tables "
		 "nobody knows yet whose they are: everything is denied in them",
		 why->msg, keep ? ", what it was is in announced.json.damaged" : "", n->doubts);
	controller_log(line, NULL);
	announced_save(n);
}

void announced_restore(struct announced *n)
{
	struct bh_err why = BH_ERR_INIT;
	json_t *list = NULL;
	int r = announced_file_read(n->c->o->store, &list, &why);

	if (r >= 0 && restore(n, list) > 0)
		r = bh_err_set(&why, -EBADMSG, "announced.json is damaged");
	if (r < 0)
		begin_doubt(n, &why, r == -EBADMSG || r == -EFBIG);
	json_decref(list);
}
