/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/text.h>
#include <bulkhead/policy/policy.h>

#include "applied.h"
#include "cli.h"
#include "record.h"

/* --- without a daemon ------------------------------------------------------------------------ */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int find(const struct record *rec, const struct cli_options *o, struct generation **ret)
{
	const char *name = o->word ? o->word : rec->now.before;
	struct bh_err err = BH_ERR_INIT;
	struct generation_info info;
	int r;

	if (!name[0])
		return cli_fail(CLI_NO, "rollback: there is none known that was in force before; "
					"bulkhead history --generations lists what is kept");
	r = generations_find(rec->generations, name, &info, &err);
	if (r >= 0)
		r = generations_load(rec->generations, info.id, ret, &err);
	if (r >= 0)
		return CLI_YES;
	return cli_fail(r == -EINVAL || r == -ENOTUNIQ ? CLI_USAGE
			: r == -ENOENT                 ? CLI_NO
						       : CLI_FAILED,
			"rollback: %s", err.msg);
}

static int load_steps(struct site *s, const struct cli_options *o, const struct generation *g,
		      struct diag_list *diags, struct bh_err *err)
{
	struct site_options so;
	bool input = true;
	int r;

	cli_site_options(o, &so);
	r = site_load_config(s, &so, diags, err);
	if (r >= 0)
		r = policy_files_copy(g->files, g->n_files, &s->files, err);
	if (r >= 0)
		r = policy_files_parse(s->files, &s->policies, diags, err);
	if (r < 0)
		return r == -ENOMEM ? CLI_FAILED : CLI_USAGE;
	r = site_load_endpoints(s, &so, diags, &input, err);
	if (r >= 0)
		r = site_compile(s, false, diags, err);
	return r >= 0 ? CLI_YES : input && r != -ENOMEM ? CLI_USAGE : CLI_FAILED;
}

/* The policies of G on the endpoints of now: all is judged before a file is touched. */
static int load(struct site *s, const struct cli_options *o, const struct generation *g)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int code;

	diag_list_init(&diags);
	code = load_steps(s, o, g, &diags, &err);
	diag_list_sort(&diags);
	diag_list_print(&diags, stderr, cli_colour(stderr));
	diag_list_done(&diags);
	if (code != CLI_YES)
		return cli_fail(code, "rollback: nothing was changed: %s",
				err.msg[0] ? err.msg : "it is not valid");
	return o->strict || s->host.strict ? cli_preflight(s, o, "rollback", true) : CLI_YES;
}

/* They have become a policy set already. */
static int is_valid(const struct policy_source *files, size_t n, void *arg, struct bh_err *err)
{
	return 0;
}

static int write_files(const struct record *rec, const struct cli_options *o, const struct site *s,
		       const struct generation *g)
{
	const struct policy_source *host = &s->host.source;
	struct restore_options ro = {
		.store_dir = rec->generations,
		.policy_dir = o->policies[0],
		.validate = is_valid,
		.host = host->name ? host : NULL,
		.keeper = record_keeper(s),
	};
	struct bh_err err = BH_ERR_INIT;
	struct restored done;

	if (generation_restore(g, &ro, &done, &err) < 0)
		return cli_fail(CLI_FAILED, "rollback: %s", err.msg);
	return CLI_YES;
}

static int go_back(struct record *rec, struct cli_options *o, struct site *s, struct applied *a)
{
	struct bh_err err = BH_ERR_INIT;
	struct generation *g = NULL;
	int code = find(rec, o, &g);

	if (!g)
		return code;
	code = load(s, o, g);
	if (code == CLI_YES)
		code = write_files(rec, o, s, g);
	generation_free(g);
	if (code != CLI_YES)
		return code;
	a->site = s;
	if (enforce_apply(s, applied_result, a, &err) < 0)
		return cli_fail(CLI_FAILED, "%s", err.msg);
	return a->n[APPLY_FAILED] ? CLI_FAILED : CLI_YES;
}

static int rollback_here(struct cli_options *o, struct applied *a)
{
	struct record rec;
	struct site s;
	int code;

	if (o->n_policies != 1 || !is_directory(o->policies[0]))
		return cli_fail(CLI_FAILED, "rollback: the policies are not one directory: what is "
					    "in several places cannot be brought back");
	code = record_begin(&rec, o, "rollback", true);
	site_init(&s);
	if (code == CLI_YES)
		code = go_back(&rec, o, &s, a);
	code = record_end(&rec, "rollback", &s, code);
	site_done(&s);
	return code;
}

int cmd_rollback(struct cli_options *o)
{
	struct applied a = { .json = o->json, .head = "rolled back" };
	int code = cli_ask_daemon(o, "rollback", applied_item, &a);

	if (code == CLI_NO_DAEMON)
		code = rollback_here(o, &a);
	return applied_end(&a, code);
}
