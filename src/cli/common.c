/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/text.h>

#include "cli.h"

int cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	fputs("bulkhead: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

const char *cli_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

void cli_put_run(json_t *o)
{
	char host[256] = "", when[BH_TIME_STR];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	gethostname(host, sizeof(host) - 1);
	json_object_set_new(
		o, "when",
		json_string(bh_format_time(when, t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000)));
	json_object_set_new(o, "host", json_string(host));
}

void cli_print_object(const json_t *o)
{
	json_dumpf(o, stdout, 0);
	putchar('\n');
}

bool cli_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no && no[0]);
}

/* As behind `| head`: who read it has had enough. */
static bool nobody_reads(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

int cli_output_failed(void)
{
	static bool told;
	bool silent = told || nobody_reads();

	told = true;
	return silent ? CLI_FAILED : cli_fail(CLI_FAILED, "cannot write the output");
}

int cli_flush(struct bh_buf *b)
{
	int r = bh_buf_error(b);

	if (r == 0 && b->len && fwrite(b->data, 1, b->len, stdout) != b->len)
		r = -EIO;
	if (fflush(stdout) != 0)
		r = -EIO;
	bh_buf_reset(b);
	return r < 0 ? cli_output_failed() : CLI_YES;
}

void cli_site_options(const struct cli_options *o, struct site_options *so)
{
	*so = (struct site_options) {
		.config = o->config,
		.policies = o->policies,
		.n_policies = o->n_policies,
		.inventory = o->inventory,
		.netns_dir = o->netns_dir,
		.docker_socket = o->docker_socket,
		.podman_socket = o->podman_socket,
	};
}

/* The exit code of R, what a loading step returned; a sentence stays in ERR where it is needed. */
static int judge(int r, bool input, const struct diag_list *diags, struct bh_err *err)
{
	if (r >= 0)
		return CLI_YES;
	if (diags->errors && (r == -EINVAL || !err->msg[0])) {
		*err = (struct bh_err)BH_ERR_INIT; /* the diagnostics say it all */
		return CLI_USAGE;
	}
	if (!err->msg[0])
		bh_err_set(err, r, "%s", strerrordesc_np(-r));
	return input ? CLI_USAGE : CLI_FAILED;
}

static int load_steps(struct site *s, const struct cli_options *o, unsigned need,
		      struct diag_list *diags, struct bh_err *err)
{
	struct site_options so;
	bool input = true;
	int r, code;

	cli_site_options(o, &so);
	if (need & NEED_POLICIES)
		r = site_load_policies(s, &so, diags, err);
	else
		r = site_load_config(s, &so, diags, err);
	code = judge(r, r != -ENOMEM, diags, err);
	if ((need & NEED_ENDPOINTS) && (code == CLI_YES || (o->inventory && !err->msg[0]))) {
		/* A wrong inventory is told in the same run as wrong policies. */
		r = site_load_endpoints(s, &so, diags, &input, err);
		if (r < 0)
			code = judge(r, input && r != -ENOMEM, diags, err);
	}
	if (code == CLI_YES && (need & NEED_RULESETS)) {
		r = site_compile(s, need & NEED_ALL_SUBJECTS, diags, err);
		code = judge(r, r != -ENOMEM, diags, err);
	}
	if (code == CLI_YES && (need & NEED_LINT)) {
		r = site_lint_images(s, diags, err);
		code = judge(r, false, diags, err);
	}
	return code;
}

int cli_load_quietly(struct site *s, const struct cli_options *o, unsigned need,
		     struct diag_list *diags, struct bh_err *err)
{
	int code;

	site_init(s);
	code = load_steps(s, o, need, diags, err);
	diag_list_sort(diags);
	return code;
}

int cli_load(struct site *s, const struct cli_options *o, unsigned need)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int code;

	diag_list_init(&diags);
	code = cli_load_quietly(s, o, need, &diags, &err);
	diag_list_print(&diags, stderr, cli_colour(stderr));
	diag_list_done(&diags);
	return code != CLI_YES && err.msg[0] ? cli_fail(code, "%s", err.msg) : code;
}
