/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* The edits of one file, one after the other. */
struct batch {
	struct policy_edit **edits;
	size_t n;
};

static int edits_of(struct adviser *a, const struct policy_source *src, struct batch *ret,
		    struct bh_err *err)
{
	struct policy_edit *const *all = a->edits.data;

	ret->n = 0;
	ret->edits = calloc(a->edits.n + 1, sizeof(*ret->edits));
	if (!ret->edits)
		return bh_err_oom(err);
	for (size_t i = 0; i < a->edits.n; i++)
		if (strcmp(all[i]->service->loc.file, src->name) == 0)
			ret->edits[ret->n++] = all[i];
	return 0;
}

/* --- what goes wrong ------------------------------------------------------------------------- */

static int refuse_trouble(struct adviser *a, struct chosen *f, const struct policy_edit *e,
			  struct bh_err *err)
{
	char file[RECORD_STR];
	struct advice_refusal why = { 0 };
	struct bh_buf text;

	bh_escape_str(file, sizeof(file), e->service->loc.file);
	bh_buf_init(&text, BH_POLICY_FILE_BYTES_MAX);
	policy_edit_text(e, &text);
	why.by_hand = bh_arena_strdup(a->arena, bh_buf_str(&text));
	bh_buf_done(&text);
	why.where = bh_arena_printf(a->arena, "%s:%u", file, e->trouble_line);
	why.why = bh_arena_printf(a->arena, "service %s has to be edited by hand at %s:%u, as %s",
				  e->service->name, file, e->trouble_line, e->trouble);
	if (!why.by_hand || !why.where)
		return bh_err_oom(err);
	return refuse(a, f, &why, err);
}

/* An edit that nobody wants any more, as an owner's, is not refused by itself: it goes with the rule. */
static int refuse_troubled(struct adviser *a, struct bh_err *err)
{
	struct chosen *f = a->flows.data;
	const struct want *w = a->wants.data;
	struct policy_edit *const *all = a->edits.data;
	int r = 0;

	for (size_t k = 0; k < a->edits.n; k++)
		for (size_t i = 0; r >= 0 && all[k]->trouble && i < a->wants.n; i++)
			if (w[i].edit == all[k] || (all[k]->kind == POLICY_EDIT_OWNER &&
						    w[i].edit->service == all[k]->service))
				r = refuse_trouble(a, &f[w[i].flow], all[k], err);
	return r;
}

/* The first mistake in what was edited tells why; its file says whose flows they are. */
static int refuse_mistakes(struct adviser *a, const struct diag_list *diags, struct bh_err *err)
{
	struct chosen *f = a->flows.data;
	const struct want *w = a->wants.data;
	const struct diag *d = NULL;
	size_t before = a->refused.n + a->refused_more;
	char file[RECORD_STR] = "";
	int r = 0;

	for (size_t i = 0; !d && i < diags->n; i++)
		if (diags->d[i].severity == DIAG_ERROR)
			d = &diags->d[i];
	if (d && d->file)
		bh_escape_str(file, sizeof(file), d->file);
	for (int all = 0; all < 2 && before == a->refused.n + a->refused_more; all++)
		for (size_t i = 0; r >= 0 && i < a->wants.n; i++)
			if (all ||
			    (d && d->file && strcmp(w[i].edit->service->loc.file, d->file) == 0))
				r = refuse_for(a, &f[w[i].flow], err,
					       "the edited policy would not be valid: %s:%u: %s",
					       file, d ? d->line : 0,
					       d ? d->text : "out of memory");
	return r;
}

/* 1 when all pass. */
static int judge_all(struct adviser *a, const struct view *after, struct bh_err *err)
{
	struct chosen *f = a->flows.data;
	bool all = true;

	for (size_t i = 0; i < a->flows.n; i++) {
		struct explanation x;
		bool clean = true;
		int r;

		if (f[i].state != FLOW_CHOSEN)
			continue;
		r = flow_judge(after, &f[i], &x, &clean, err);
		if (r >= 0 && !clean)
			r = refuse_for(a, &f[i], err, "no rule would let it pass: %s", x.sentence);
		if (r < 0)
			return r;
		all &= clean;
	}
	return all;
}

/* --- trying ---------------------------------------------------------------------------------- */

static int edit_file(struct adviser *a, const struct policy_source *src, const char *fill,
		     struct bh_buf *out, struct bh_err *err)
{
	struct batch b;
	int r = edits_of(a, src, &b, err);

	bh_buf_init(out, BH_SUGGEST_TEXT_MAX);
	if (r >= 0 && b.n)
		r = policy_edit(src, b.edits, b.n, fill, out, err);
	free(b.edits);
	return r;
}

static int edit_all(struct adviser *a, struct attempt *t, struct bh_err *err)
{
	size_t n = a->in->n_sources;
	char today[BH_TIME_STR];
	bool troubled = false;

	t->sources = calloc(n + 1, sizeof(*t->sources));
	t->texts = calloc(n + 1, sizeof(*t->texts));
	if (!t->sources || !t->texts)
		return bh_err_oom(err);
	bh_format_time(today, a->in->now * 1000000);
	today[strlen("2026-11-23")] = '\0';
	for (size_t i = 0; i < n; i++) {
		int r = edit_file(a, &a->in->sources[i], today, &t->texts[t->n_texts++], err);

		if (r < 0 && r != -ENOTSUP)
			return r;
		troubled |= r < 0;
		t->sources[i] = a->in->sources[i];
		if (!t->texts[i].len)
			continue;
		t->sources[i].data = t->texts[i].data;
		t->sources[i].len = t->texts[i].len;
	}
	return troubled ? -ENOTSUP : 0;
}

static int parse_all(struct adviser *a, struct attempt *t, struct bh_err *err)
{
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = policy_files_copy(t->sources, a->in->n_sources, &t->files, err);
	if (r >= 0)
		r = policy_files_parse(t->files, &t->policies, &diags, err);
	if (r == -EINVAL)
		r = refuse_mistakes(a, &diags, err);
	else if (r >= 0)
		r = 1;
	diag_list_done(&diags);
	return r;
}

int attempt_edits(struct adviser *a, struct attempt *t, struct bh_err *err)
{
	int r;

	*t = (struct attempt) { 0 };
	r = edit_all(a, t, err);
	if (r == -ENOTSUP)
		return refuse_troubled(a, err);
	if (r >= 0)
		r = parse_all(a, t, err);
	if (r <= 0)
		return r;
	r = view_build(&t->after, t->policies, a->in, err);
	return r < 0 ? r : judge_all(a, &t->after, err);
}

void attempt_done(struct attempt *t)
{
	view_done(&t->after);
	policy_set_free(t->policies);
	policy_files_free(t->files);
	for (size_t i = 0; i < t->n_texts; i++)
		bh_buf_done(&t->texts[i]);
	free(t->sources);
	free(t->texts);
	*t = (struct attempt) { 0 };
}

/* --- telling --------------------------------------------------------------------------------- */

static void put_names(const struct policy_edit *e, struct bh_buf *b)
{
	const struct peer *peers = e->kind == POLICY_EDIT_PORTS ? e->rule->peers : e->peers;
	size_t n = e->kind == POLICY_EDIT_PORTS ? e->rule->n_peers : e->n_peers;
	char text[BH_PREFIX_STR];

	for (size_t i = 0; i < n; i++) {
		bh_buf_addstr(b, i ? ", " : "");
		if (peers[i].service)
			bh_buf_addstr(b, peers[i].service);
		else if (peers[i].has_cidr)
			bh_buf_addstr(b, bh_prefix_format(text, &peers[i].cidr));
		else
			bh_buf_addstr(b, "those with the rule's labels");
	}
}

static void put_sentence(const struct policy_edit *e, struct bh_buf *b)
{
	bool out = e->direction == DIRECTION_EGRESS;
	char text[PORT_SPEC_STR];

	if (e->kind == POLICY_EDIT_DNS) {
		bh_buf_addf(b, "%s may ask its resolvers on 53/udp and 53/tcp", e->service->name);
		return;
	}
	if (e->kind == POLICY_EDIT_OWNER) {
		bh_buf_addf(b, "%s has to have an owner", e->service->name);
		return;
	}
	bh_buf_addf(b, "%s %s ", e->service->name, out ? "may send to" : "lets");
	put_names(e, b);
	bh_buf_addstr(b, out ? " on " : " in on ");
	for (size_t i = 0; i < e->n_ports; i++)
		bh_buf_addf(b, "%s%s", i ? ", " : "", port_spec_format(text, &e->ports[i]));
}

static const char *sentence_of(struct adviser *a, const struct policy_edit *e)
{
	struct bh_buf b;
	const char *ret;

	bh_buf_init(&b, 1 << 20);
	put_sentence(e, &b);
	ret = bh_arena_strdup(a->arena, bh_buf_str(&b));
	bh_buf_done(&b);
	return ret;
}

/* N lines of TEXT from the LINE-th on, counted from 1. */
static const char **lines_of(struct adviser *a, const char *text, unsigned line, unsigned n)
{
	const char **out = bh_arena_array(a->arena, n + 1, sizeof(*out));

	for (unsigned i = 1; text && i < line; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	for (unsigned i = 0; out && i < n; i++) {
		size_t len = text ? strcspn(text, "\r\n") : 0;

		out[i] = bh_arena_strndup(a->arena, text ? text : "", len);
		if (!out[i])
			return NULL;
		text = text ? strchr(text, '\n') : NULL;
		text = text ? text + 1 : NULL;
	}
	return out;
}

static int tell_edit(struct adviser *a, const struct policy_edit *e, const struct advice_file *f,
		     struct advice *ret, struct bh_err *err)
{
	struct advice_edit *out = &ret->edits[ret->n_edits++];

	*out = (struct advice_edit) { f->name, e->line, lines_of(a, f->new, e->line, e->n_lines),
				      e->n_lines, sentence_of(a, e) };
	for (int k = 0; k < SCOPE_FIELDS; k++)
		ret->todo |= e->todo[k];
	ret->todo |= e->kind == POLICY_EDIT_OWNER;
	return out->add && out->says ? 0 : bh_err_oom(err);
}

static int tell_file(struct adviser *a, const struct policy_source *src, struct advice *ret,
		     struct bh_err *err)
{
	struct policy_edit *const *all = a->edits.data;
	struct advice_file *f = &ret->files[ret->n_files];
	struct bh_buf text;
	int r = edit_file(a, src, NULL, &text, err);

	if (r >= 0 && text.len) {
		*f = (struct advice_file) { src->name, src->data, NULL, src->len, text.len };
		f->new = bh_arena_strndup(a->arena, text.data, text.len);
		r = f->new ? 0 : bh_err_oom(err);
		ret->n_files++;
		for (size_t i = 0; r >= 0 && i < a->edits.n; i++)
			if (strcmp(all[i]->service->loc.file, src->name) == 0)
				r = tell_edit(a, all[i], f, ret, err);
	}
	bh_buf_done(&text);
	return r;
}

int attempt_texts(struct adviser *a, struct advice *ret, struct bh_err *err)
{
	int r = 0;

	ret->files = bh_arena_array(a->arena, a->in->n_sources + 1, sizeof(*ret->files));
	ret->edits = bh_arena_array(a->arena, a->edits.n + 1, sizeof(*ret->edits));
	if (!ret->files || !ret->edits)
		return bh_err_oom(err);
	for (size_t i = 0; r >= 0 && a->edits.n && i < a->in->n_sources; i++)
		r = tell_file(a, &a->in->sources[i], ret, err);
	return r;
}
