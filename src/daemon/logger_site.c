/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/model/roster.h>

#include "logger_private.h"

/* The owner of the first service of this endpoint. */
static const char *owner_of(const struct site *s, size_t i)
{
	if (!s->selection || s->selection->services_of[i].n == 0)
		return NULL;
	return s->policies->services[s->selection->services_of[i].i[0]].owner;
}

static void put_member(struct bh_buf *b, const struct site *s, size_t i)
{
	char services[RECORD_STR], scopes[RECORD_STR];
	const struct roster_member m = {
		.endpoint = s->endpoints->endpoints[i],
		.services = site_services_of(s, i, services, sizeof(services)),
		.owner = owner_of(s, i),
		.scope = site_scopes_of(s, i, scopes, sizeof(scopes)),
	};

	roster_put_member(b, &m);
}

/* The ruleset of a namespace, unless the logger has it. Rulesets never change once they are made. */
static void put_ruleset(struct bh_buf *b, struct logger_link *k, size_t i)
{
	const struct ruleset_item *item = site_item_of(&k->c->site, i);
	struct tap *t = item ? taps_find(k, k->c->site.endpoints->endpoints[i].netns_ino) : NULL;
	struct ruleset_share *share;

	if (!t || (t->share && t->told == item->ruleset))
		return;
	share = ruleset_list_share(k->c->site.rulesets, item);
	ruleset_share_put(t->share);
	t->share = share ? ruleset_share_get(share) : NULL;
	t->told = item->ruleset;
	roster_put_ruleset(b, t->ino, item->ruleset);
}

static int send_blob(struct logger_link *k, const struct bh_buf *b)
{
	const struct lg_head m = { .type = LG_SITE };
	int fd, r = bh_buf_error(b);

	if (r >= 0)
		r = channel_blob(b->data, b->len, &fd);
	if (r < 0)
		return r;
	r = logger_send(k, &m, sizeof(m), &fd, 1);
	close(fd);
	return r;
}

void logger_tell_site(struct logger_link *k, bool members)
{
	const struct site *s = &k->c->site;
	char line[128];
	struct bh_buf b;
	int r;

	if (!s->endpoints)
		return;
	bh_buf_init(&b, BH_LOGGER_SITE_MAX);
	if (members)
		roster_put_members(&b);
	for (size_t i = 0; members && i < s->endpoints->n; i++)
		put_member(&b, s, i);
	for (size_t i = 0; i < s->endpoints->n; i++)
		put_ruleset(&b, k, i);
	r = b.len ? send_blob(k, &b) : 0;
	bh_buf_done(&b);
	k->tell_members |= r < 0; /* all of it the next time */
	for (struct tap *t = k->taps; r < 0 && t; t = t->hh.next)
		t->told = NULL;
	if (r < 0 && r != -EPIPE) {
		snprintf(line, sizeof(line), "the logger could not be told who is who: %s",
			 strerror(-r));
		controller_log(line, NULL);
	}
}
