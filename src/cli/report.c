/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/replace.h>

/* report: gather, judge, compare, write; or look whether one is as it was written. */

#define DAYS_MAX 3650
#define KEY_MAX  4096
#define USEC     1000000

/* --- what is asked for -------------------------------------------------------------------------- */

static int64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * USEC + t.tv_nsec / 1000;
}

static int parse_days(const char *s, unsigned *ret)
{
	uint64_t n = BH_REPORT_DAYS_DEFAULT;
	char shown[64];

	if (s && bh_parse_u64(s, 1, DAYS_MAX, &n) < 0)
		return cli_fail(CLI_USAGE, "report: --days '%s': 1 to %d",
				bh_escape_str(shown, sizeof(shown), s), DAYS_MAX);
	*ret = (unsigned)n;
	return CLI_YES;
}

static int parse_format(const char *s, enum report_format *ret)
{
	*ret = REPORT_HTML;
	if (s && report_format_parse(s, ret) < 0)
		return cli_fail(CLI_USAGE, "report: --format takes html, json or markdown");
	return CLI_YES;
}

static int find_scope(const struct policy_set *p, const char *name, const struct scope **ret)
{
	bh_autofree const char **names = calloc(p->n_scopes + 1, sizeof(*names));
	const char *near;
	char shown[128];

	*ret = policy_set_scope(p, name);
	if (*ret)
		return CLI_YES;
	for (size_t i = 0; names && i < p->n_scopes; i++)
		names[i] = p->scopes[i].name;
	near = names ? bh_nearest(name, names, p->n_scopes) : NULL;
	return cli_fail(CLI_USAGE, "report: the policies have no scope '%s'%s%s%s",
			bh_escape_str(shown, sizeof(shown), name), near ? "; did you mean '" : "",
			near ? near : "", near ? "'?" : "");
}

/* A file with a key, or nothing. */
static int load_key(const char *path, struct report_key *ret)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autofree char *text = NULL;
	char shown[256];
	size_t len;
	int r;

	if (!path)
		return CLI_YES;
	bh_escape_str(shown, sizeof(shown), path);
	r = bh_read_file(path, KEY_MAX, &text, &len);
	if (r < 0)
		return cli_fail(CLI_USAGE, "report: --key %s: %s", shown, strerrordesc_np(-r));
	r = report_key_parse(text, len, ret, &err);
	explicit_bzero(text, len);
	return r < 0 ? cli_fail(CLI_USAGE, "report: --key %s: %s", shown, err.msg) : CLI_YES;
}

/* --- looking at one ------------------------------------------------------------------------------ */

static void print_checked(const struct report_checked *c, bool keyed)
{
	printf("%s: %s, SHA-256 %s\n", c->intact ? "intact" : "ALTERED",
	       report_format_name(c->format), c->digest);
	if (!c->is_signed)
		printf("not signed: whoever altered it could have sealed it anew\n");
	else if (!c->signature_right)
		printf("THE SIGNATURE IS WRONG: it is not of these bytes by key %s\n", c->signer);
	else
		printf("signed by key %s%s\n", c->signer,
		       !keyed         ? "; name the key that it should be with --key"
		       : c->is_by_key ? ", which is the one given"
				      : ": NOT THE ONE GIVEN");
}

static int check(const struct cli_options *o)
{
	struct report_key key = { 0 };
	struct bh_err err = BH_ERR_INIT;
	struct report_checked c;
	bh_autofree char *text = NULL;
	size_t len = 0;
	int code = load_key(o->key, &key);

	if (code == CLI_YES)
		code = report_file("check", o->checked, &text, &len);
	if (code == CLI_YES && report_check(text, len, o->key ? &key : NULL, &c, &err) < 0)
		code = cli_fail(CLI_USAGE, "report: %s", err.msg);
	report_key_forget(&key);
	if (code != CLI_YES)
		return code;
	print_checked(&c, o->key);
	if (!c.intact || (c.is_signed && !c.signature_right) || (o->key && !c.is_by_key))
		return CLI_NO;
	return CLI_YES;
}

/* --- making one ---------------------------------------------------------------------------------- */

static int read_earlier(const char *text, size_t len, json_t **ret)
{
	struct bh_err err = BH_ERR_INIT;
	struct report_checked c;

	if (report_check(text, len, NULL, &c, &err) < 0 || report_read(text, len, ret, &err) < 0)
		return cli_fail(CLI_USAGE, "report: --since: %s", err.msg);
	if (!c.intact || (c.is_signed && !c.signature_right))
		return cli_fail(CLI_USAGE, "report: --since: that report was altered");
	report_tame(*ret);
	return CLI_YES;
}

static int load_earlier(const char *path, json_t **ret)
{
	char *text = NULL;
	size_t len = 0;
	int code;

	if (!path)
		return CLI_YES;
	code = report_file("since", path, &text, &len);
	if (code == CLI_YES)
		code = read_earlier(text, len, ret);
	free(text);
	return code;
}

static void begin(struct gathering *g)
{
	char host[256] = "", when[BH_TIME_STR];

	gethostname(host, sizeof(host) - 1);
	g->report = json_pack("{s:s, s:s, s:s, s:i}", "schema", REPORT_SCHEMA, "version",
			      BULKHEAD_VERSION, "generated", bh_format_time(when, g->now), "days",
			      (int)g->days);
	gather_text(g->report, "host", host);
}

/*
 * The history comes early, but behind the times of tests: nothing that is open then is worth anything to
 * whoever reads it.
 */
static int gather(struct gathering *g, size_t warnings)
{
	static int (*const sections[])(struct gathering *) = {
		gather_flows,    gather_tested, gather_trail, gather_denied,
		gather_enforced, gather_probe,  gather_rules, gather_verified,
	};
	int code = gather_policies(g, warnings);

	for (size_t i = 0; code == CLI_YES && i < BH_ARRAY_SIZE(sections); i++)
		code = sections[i](g);
	return code;
}

static int put_out(const struct cli_options *o, struct bh_buf *b)
{
	struct bh_err err = BH_ERR_INIT;

	if (!o->output || strcmp(o->output, "-") == 0)
		return cli_flush(b);
	if (put_file(o->output, 0600, b->data, b->len, &err) < 0)
		return cli_fail(CLI_FAILED, "report: %s", err.msg);
	return CLI_YES;
}

static json_int_t sum_of(const json_t *report, const char *verdict)
{
	return json_integer_value(json_object_get(json_object_get(report, "sum"), verdict));
}

/* What there is to say on stderr, so that it is not overlooked when the report goes to a file. */
static int tell(const json_t *report)
{
	json_int_t met = sum_of(report, "met"), found = sum_of(report, "finding");
	json_int_t unknown = sum_of(report, "not-assessed");

	fprintf(stderr,
		"bulkhead: scope %s: %" JSON_INTEGER_FORMAT " met, %" JSON_INTEGER_FORMAT
		" %s, %" JSON_INTEGER_FORMAT " not assessed\n",
		cli_text(json_object_get(report, "scope"), "name"), met, found,
		found == 1 ? "finding" : "findings", unknown);
	return found || unknown ? CLI_NO : CLI_YES;
}

static int finish(struct gathering *g, enum report_format format, const json_t *earlier)
{
	const struct cli_options *o = g->options;
	struct report_key key = { 0 };
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf out;
	int code = load_key(o->key, &key);

	bh_buf_init(&out, BH_REPORT_BYTES_MAX);
	if (code == CLI_YES && o->key && !key.is_private)
		code = cli_fail(CLI_USAGE, "report: --key: to sign takes the private key");
	if (code == CLI_YES && (report_judge(g->report, &err) < 0 ||
				(earlier && report_compare(g->report, earlier, &err) < 0)))
		code = cli_fail(CLI_USAGE, "report: %s", err.msg);
	if (code == CLI_YES &&
	    report_write(g->report, format, o->key ? &key : NULL, &out, &err) < 0)
		code = cli_fail(CLI_FAILED, "report: %s", err.msg);
	report_key_forget(&key);
	if (code == CLI_YES)
		code = put_out(o, &out);
	if (code == CLI_YES)
		code = tell(g->report);
	bh_buf_done(&out);
	return code;
}

static int load_policies(struct site *s, const struct cli_options *o, size_t *ret_warnings)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int code;

	diag_list_init(&diags);
	code = cli_load_quietly(s, o, NEED_POLICIES, &diags, &err);
	*ret_warnings = diags.warnings;
	if (code != CLI_YES)
		diag_list_print(&diags, stderr, cli_colour(stderr));
	diag_list_done(&diags);
	return code != CLI_YES && err.msg[0] ? cli_fail(code, "%s", err.msg) : code;
}

static int make(struct gathering *g, enum report_format format)
{
	json_t *earlier = NULL;
	size_t warnings;
	int code = load_policies(g->site, g->options, &warnings);

	if (code == CLI_YES)
		code = find_scope(g->site->policies, g->options->scope, &g->scope);
	if (code == CLI_YES)
		code = load_earlier(g->options->since, &earlier);
	if (code == CLI_YES) {
		begin(g);
		code = gather(g, warnings);
	}
	if (code == CLI_YES)
		code = finish(g, format, earlier);
	json_decref(earlier);
	json_decref(g->report);
	json_decref(g->counted);
	site_done(g->site);
	return code;
}

int cmd_report(struct cli_options *o)
{
	struct site s;
	struct gathering g = { .options = o, .site = &s, .now = now_usec() };
	enum report_format format;
	int code = parse_days(o->days, &g.days);

	if (code == CLI_YES)
		code = parse_format(o->format, &format);
	if (code != CLI_YES)
		return code;
	if (o->checked && (o->scope || o->since || o->probe || o->output || o->format))
		return cli_fail(CLI_USAGE,
				"report: --check looks at a report and makes none: it goes "
				"with --key alone");
	if (o->checked)
		return check(o);
	if (!o->scope)
		return cli_fail(CLI_USAGE, "report: --scope NAME says of what");
	return make(&g, format);
}
