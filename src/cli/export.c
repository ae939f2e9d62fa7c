/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/nft/nft.h>

#include "graph.h"

static int export_one(const struct site *s, const struct ruleset_item *item, struct bh_buf *out)
{
	const struct endpoint *e = &s->endpoints->endpoints[item->endpoint];
	struct nft_frames frames = { 0 };
	const struct nft_want want = { .ruleset = item->ruleset, .frames = &frames };

	nft_frames_add_late(&frames);
	bh_buf_addstr(out, "# endpoint ");
	bh_escape(out, e->id, strlen(e->id));
	bh_buf_addstr(out, e->netns ? ", namespace " : ", no namespace on this host");
	if (e->netns)
		bh_escape(out, e->netns, strlen(e->netns));
	bh_buf_addstr(out, "\n");
	/* Loaded anew it takes the place of what is there, at once. */
	bh_buf_addstr(out, "table inet bulkhead\ndelete table inet bulkhead\n"
			   "table netdev bulkhead\ndelete table netdev bulkhead\n");
	if (nft_text(&want, s->now, out) < 0)
		return cli_fail(CLI_FAILED, "export: out of memory");
	return cli_flush(out);
}

/* All rulesets, or the one of the endpoint that was named. */
static int export_all(const struct site *s, const struct cli_options *o)
{
	const struct ruleset_item *only = NULL;
	struct bh_buf out;
	int code = CLI_YES;

	if (o->endpoint) {
		const struct endpoint *e = endpoint_set_find(s->endpoints, o->endpoint, NULL);

		if (e)
			only = site_item_of(s, (size_t)(e - s->endpoints->endpoints));
		if (!only)
			return cli_fail(CLI_USAGE,
					"export: no managed endpoint has that id or name alone; "
					"bulkhead check --endpoints lists them");
	}
	bh_buf_init(&out, BH_BATCH_BYTES_MAX);
	for (size_t i = 0; code == CLI_YES && i < s->rulesets->n; i++)
		if (!only || only == &s->rulesets->items[i])
			code = export_one(s, &s->rulesets->items[i], &out);
	bh_buf_done(&out);
	return code;
}

int cmd_export(struct cli_options *o)
{
	const struct graph_format *format = o->format ? graph_format_find(o->format) : NULL;
	struct site s;
	int code;

	if (format)
		return graph_export(format, o);
	if (!o->format || strcmp(o->format, "nft") != 0)
		return cli_fail(CLI_USAGE, "export: --format takes nft, mermaid, dot, svg or json");
	code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS | NEED_ALL_SUBJECTS);
	if (code == CLI_YES)
		code = export_all(&s, o);
	site_done(&s);
	return code;
}
