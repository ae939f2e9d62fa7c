/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/touched.h>
#include <bulkhead/policy/policy.h>

static void notice(const char *text, void *arg)
{
	fprintf(stderr, "bulkhead: %s\n", text);
}

static int open_store(struct record *r, struct bh_err *err)
{
	const struct audit_options o = { .dir = r->store, .notice = notice };
	int n = snprintf(r->generations, sizeof(r->generations), "%s/generations",
			 r->store ? r->store : BH_STORE_DIR);

	if (n >= (int)sizeof(r->generations))
		return bh_err_set(err, -ENAMETOOLONG, "the store's name is too long");
	return audit_open(&o, &r->trail, err);
}

int record_begin(struct record *r, const struct cli_options *o, const char *verb, bool must)
{
	struct bh_err err = BH_ERR_INIT;

	*r = (struct record) { .store = o->store };
	if (!must && !o->store && (cli_names_its_own(o) || geteuid() != 0))
		return CLI_YES;
	if (open_store(r, &err) < 0) {
		if (must || o->store)
			return cli_fail(CLI_FAILED, "%s: nothing was changed: %s", verb, err.msg);
		fprintf(stderr, "bulkhead: this is not written down: %s\n", err.msg);
		return CLI_YES;
	}
	if (in_force_load(r->store, &r->now, &err) < 0)
		fprintf(stderr, "bulkhead: %s\n", err.msg);
	if (r->now.waits && strcmp(verb, "rollback") != 0)
		return cli_fail(CLI_NO,
				"%s: nothing was changed: a change by %s (user %u) waits to be "
				"confirmed, and its bulkheadd does not run: start it, or say "
				"bulkhead rollback",
				verb, r->now.name, r->now.uid);
	return CLI_YES;
}

struct generation_keeper record_keeper(const struct site *s)
{
	return (struct generation_keeper) {
		.uid = getuid(),
		.name = "bulkhead",
		.keep = s->host.retention.generations,
		.once = true,
	};
}

/* --- the entry ------------------------------------------------------------------------------- */

static bool has_policies(const struct site *s)
{
	return s && s->policies;
}

/* What was in force, when it is still there; else nothing of it is compared. */
static void load_before(const struct record *r, struct site *ret)
{
	struct generation *g = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	site_init(ret);
	diag_list_init(&diags);
	if (r->now.id[0] && generations_load(r->generations, r->now.id, &g, &err) >= 0 &&
	    policy_files_copy(g->files, g->n_files, &ret->files, &err) >= 0)
		policy_files_parse(ret->files, &ret->policies, &diags, &err);
	if (g && g->host.name)
		host_config_parse(&g->host, &ret->host, &diags, &err);
	generation_free(g);
	diag_list_done(&diags);
}

static void add_diff(const struct site *before, const struct site *after, struct bh_buf *out)
{
	size_t n_old = 0, n_new = 0;
	const struct policy_source *old =
		before->files ? policy_files_sources(before->files, &n_old) : NULL;
	const struct policy_source *new =
		after->files ? policy_files_sources(after->files, &n_new) : NULL;

	if (generation_diff_sources(old, n_old, new, n_new, out) < 0)
		bh_buf_reset(out); /* too large: the digests tell all the same */
}

static int append(struct record *r, const char *action, const struct site *before,
		  const struct site *s, int code, struct bh_err *err)
{
	bh_autofree struct touched *t = calloc(1, sizeof(*t));
	struct audit_entry e = {
		.who = { getuid(), getgid(), getpid(), "bulkhead", "command line" },
		.action = action,
		.before = has_policies(before) ? before->policies->digest : NULL,
		.after = has_policies(s) ? s->policies->digest : NULL,
		.outcome = code == CLI_YES      ? AUDIT_DONE
			   : code == CLI_FAILED ? AUDIT_FAILED
						: AUDIT_REFUSED,
		.detail = "without a daemon",
	};
	struct bh_buf diff;
	int q;

	if (!t)
		return bh_err_oom(err);
	bh_buf_init(&diff, BH_DIFF_BYTES_MAX);
	if (has_policies(s))
		add_diff(before, s, &diff);
	site_touched(before, s, t);
	e.objects = t->list;
	e.n_objects = t->n;
	e.diff = bh_buf_str(&diff);
	e.diff_len = diff.len;
	q = audit_append(r->trail, &e, err);
	bh_buf_done(&diff);
	return q;
}

/* --- the generation -------------------------------------------------------------------------- */

static int keep(struct record *r, const struct site *s, struct bh_err *err)
{
	struct generation_keeper k = record_keeper(s);
	const struct policy_source *host = &s->host.source, *files;
	struct in_force f = r->now;
	size_t n;
	int q;

	files = policy_files_sources(s->files, &n);
	q = generations_keep(r->generations, files, n, host->name ? host : NULL, &k, notice, NULL,
			     f.id, err);
	if (q < 0)
		return q;
	/* As in the daemon: rollback is no way to what nobody confirmed. */
	if (r->now.waits && strncmp(f.before, f.id, DIGEST_HEX - 1) == 0)
		f.before[0] = '\0';
	else if (!r->now.waits && r->now.id[0] && strncmp(r->now.id, f.id, DIGEST_HEX - 1) != 0)
		memcpy(f.before, r->now.id, sizeof(f.before));
	f.waits = false;
	return in_force_save(r->store, &f, err);
}

int record_end(struct record *r, const char *action, const struct site *s, int code)
{
	struct bh_err err = BH_ERR_INIT;
	struct site before;
	int q = 0;

	if (!r->trail)
		return code;
	load_before(r, &before);
	/* Some namespaces may have failed; the others have it. */
	if (has_policies(s) && s->rulesets && (code == CLI_YES || code == CLI_FAILED))
		q = keep(r, s, &err);
	if (q >= 0)
		q = append(r, action, &before, s, code, &err);
	if (q < 0)
		code = cli_fail(code == CLI_YES ? CLI_FAILED : code,
				"it was done, and could not be written down: %s", err.msg);
	site_done(&before);
	audit_close(r->trail);
	r->trail = NULL;
	return code;
}
