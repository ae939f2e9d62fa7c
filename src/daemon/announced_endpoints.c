/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#include "announced_life.h"
#include "announced_private.h"
#include "doubt.h"
#include "engines.h"
#include "fresh.h"
#include "noted.h"

/* What was announced, as endpoints. */

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
	uint64_t ino = a->netns_ino;
	int fd, r;

	if (a->gone || a->doubt)
		return 0;
	if (!a->netns)
		return add_said(o, b, diags, err);
	r = h ? 0 : netns_open(a->netns, &opened, &ino, err);
	fd = h ? hold_netns(h) : opened;
	if (r >= 0 && ino != a->netns_ino)
		r = bh_err_set(err, -ESTALE, "its path leads to another namespace by now");
	if (r < 0)
		return r;
	if (!endpoint_is_announced(a->runtime))
		return engines_named(n->c->engines, a->runtime, a->id, fd, a->netns, b, diags, err);
	r = read_addrs(o, h, fd, diags, err);
	return r < 0 ? r : add_said(o, b, diags, err);
}

/* What an engine has said last may be of a life of it that is over. */
static void drop_former(struct announcement *a, struct endpoint_builder *b)
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

/* Its process has gone elsewhere, and nobody has stayed: what is not there is not held. */
static bool has_left(struct announced *n, struct one *o)
{
	char line[256], shown[128];
	int r;

	if (!o->said.netns || holds_find(n->c->holds, o->said.netns_ino))
		return false;
	r = announced_life_reach(&o->said);
	if (r == 2)
		announced_altered(n, o);
	if (r != 0)
		return false;
	snprintf(line, sizeof(line),
		 "container %s has left its network namespace, and nobody is in there: it is known "
		 "no more",
		 bh_escape_str(shown, sizeof(shown), o->said.id));
	controller_log(line, NULL);
	return true;
}

/* Does somebody say by now whose it is? */
static bool is_explained(const struct one *o, const struct policy_set *policies,
			 const struct endpoint_builder *b, bool listed)
{
	if (o->said.doubt)
		return listed || doubt_is_named(policies, b, o->said.netns_ino);
	return listed && !endpoint_is_announced(o->said.runtime);
}

int announced_add(struct announced *n, const struct policy_set *policies,
		  struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	struct one *o, *next;
	int r = 0;

	noted_take(n->noted);
	announced_look(n);
	HASH_ITER (hh, n->all, o, next) {
		bool listed;

		drop_former(&o->said, b);
		listed = is_listed(&o->said, b);
		if (is_explained(o, policies, b, listed) || has_left(n, o)) {
			announced_forget(n, o);
			continue;
		}
		r = listed ? 1 : add_one(n, o, b, diags, err);
		if (r <= 0 && r != -ENOMEM && o->said.netns)
			r = add_unknown(n, &o->said, b, err);
		if (r < 0)
			return r;
	}
	announced_save(n);
	return 0;
}
