/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/policy/format.h>
#include <bulkhead/policy/policy.h>

#include "cli.h"

struct formatting {
	const struct cli_options *o;
	struct diag_list diags;
	size_t printed;
	int code; /* the worst so far */
};

static void note_code(struct formatting *x, int code)
{
	x->code = code > x->code ? code : x->code;
}

static void write_file(struct formatting *x, const struct policy_source *src,
		       const struct bh_buf *text)
{
	char shown[256];
	int r = cli_rewrite(src->name, src->data, src->len, BH_POLICY_FILE_BYTES_MAX, text->data,
			    text->len);

	bh_escape_str(shown, sizeof(shown), src->name);
	if (r == -ESTALE)
		note_code(x,
			  cli_fail(CLI_FAILED, "fmt: %s has changed meanwhile; it stays", shown));
	else if (r < 0)
		note_code(x, cli_fail(CLI_FAILED, "fmt: cannot write %s: %s", shown,
				      strerrordesc_np(-r)));
	else
		printf("%s\n", shown);
}

static void use(struct formatting *x, const struct policy_source *src, struct bh_buf *text)
{
	bool same = text->len == src->len && memcmp(bh_buf_str(text), src->data, src->len) == 0;
	char shown[256];

	if (x->o->check && !same) {
		printf("%s\n", bh_escape_str(shown, sizeof(shown), src->name));
		note_code(x, CLI_NO);
	} else if (x->o->write && !same) {
		write_file(x, src, text);
	} else if (!x->o->check && !x->o->write) {
		fputs(x->printed++ ? "---\n" : "", stdout);
		note_code(x, cli_flush(text));
	}
}

static void format_one(struct formatting *x, const struct policy_source *src)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf text;
	int r;

	bh_buf_init(&text, BH_FORMAT_BYTES_MAX);
	r = policy_format(src, &text, &x->diags, &err);
	if (r >= 0)
		use(x, src, &text);
	else if (r == -EINVAL)
		note_code(x, CLI_USAGE); /* the diagnostics say it all */
	else
		note_code(x, cli_fail(CLI_FAILED, "fmt: %s", err.msg));
	bh_buf_done(&text);
}

static int format_paths(struct formatting *x)
{
	const struct policy_source *sources;
	struct bh_err err = BH_ERR_INIT;
	struct policy_files *files;
	size_t n;
	int r = policy_read(x->o->policies, x->o->n_policies, &files, &x->diags, &err);

	if (r < 0)
		return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "%s", err.msg);
	if (x->diags.errors) /* too big */
		note_code(x, CLI_USAGE);
	sources = policy_files_sources(files, &n);
	for (size_t i = 0; i < n; i++)
		format_one(x, &sources[i]);
	policy_files_free(files);
	return x->code;
}

static int format_stdin(struct formatting *x)
{
	struct policy_source src = { .name = "(stdin)" };
	struct bh_buf in;
	char *room;
	size_t n;

	if (x->o->write)
		return cli_fail(CLI_USAGE, "fmt: --write needs files, not -");
	bh_buf_init(&in, BH_POLICY_FILE_BYTES_MAX + 1);
	while ((room = bh_buf_room(&in, 4096)) != NULL && (n = fread(room, 1, 4096, stdin)) > 0)
		bh_buf_took(&in, n);
	src.data = bh_buf_str(&in);
	src.len = in.len;
	if (bh_buf_error(&in) || ferror(stdin))
		x->code = cli_fail(CLI_FAILED, "fmt: cannot read all of stdin");
	else
		format_one(x, &src);
	bh_buf_done(&in);
	return x->code;
}

int cmd_fmt(struct cli_options *o)
{
	struct formatting x = { .o = o };
	int code;

	if (o->write && o->check)
		return cli_fail(CLI_USAGE, "fmt: --write and --check exclude one another");
	diag_list_init(&x.diags);
	if (o->n_policies == 1 && strcmp(o->policies[0], "-") == 0)
		code = format_stdin(&x);
	else
		code = format_paths(&x);
	diag_list_sort(&x.diags);
	diag_list_print(&x.diags, stderr, cli_colour(stderr));
	diag_list_done(&x.diags);
	return code;
}
