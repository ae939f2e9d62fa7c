/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <jansson.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/report.h>

#include "cli.h"

struct refusals {
	const struct site *site;
	bool json;
	size_t n;
};

static const char *subject_id(const struct refusals *t, const struct preflight_finding *f,
			      char *out, size_t cap)
{
	if (f->about == PREFLIGHT_KERNEL)
		return REPORT_KERNEL;
	return bh_escape_str(out, cap,
			     f->about == PREFLIGHT_SERVICE
				     ? t->site->policies->services[f->index].name
				     : t->site->endpoints->endpoints[f->index].id);
}

static void print_json(const struct refusals *t, const struct preflight_finding *f)
{
	static const char *const keys[] = {
		[PREFLIGHT_KERNEL] = "kernel",
		[PREFLIGHT_SERVICE] = "service",
		[PREFLIGHT_ENDPOINT] = "endpoint",
	};
	static const char *const states[] = {
		[PREFLIGHT_KERNEL] = REPORT_UNSUPPORTED,
		[PREFLIGHT_SERVICE] = "selects-nobody",
	};
	char id[256];
	json_t *o = json_pack(
		"{s:s, s:s, s:b, s:s}", keys[f->about], subject_id(t, f, id, sizeof(id)), "state",
		f->about == PREFLIGHT_ENDPOINT ? endpoint_state_name(f->state) : states[f->about],
		"finding", true, "why", f->why);

	if (o && f->obstacle)
		json_object_set_new(o, "obstacle",
				    json_string(endpoint_obstacle_word(f->obstacle)));
	json_dumpf(o, stdout, 0);
	putchar('\n');
	json_decref(o);
}

static void print_text(const struct refusals *t, const struct preflight_finding *f)
{
	char line[BH_ERR_MAX + 400];

	cli_fail(CLI_NO, "%s", preflight_format(line, sizeof(line), t->site, f));
}

static int on_finding(const struct preflight_finding *f, void *arg)
{
	struct refusals *t = arg;

	t->n++;
	(t->json ? print_json : print_text)(t, f);
	return 0;
}

static void tell_unseen(const char *verb, const struct preflight_unseen *u)
{
	if (u->kernel)
		fprintf(stderr,
			"bulkhead: %s: what this kernel can do was not asked: "
			"that needs privileges\n",
			verb);
	if (u->endpoints)
		fprintf(stderr, "bulkhead: %s: %zu %s could not be looked at without privileges\n",
			verb, u->endpoints, u->endpoints == 1 ? "namespace" : "namespaces");
}

int cli_preflight(struct site *s, const struct cli_options *o, const char *verb, bool enter)
{
	struct refusals t = { .site = s, .json = o->json };
	struct bh_err err = BH_ERR_INIT;
	struct preflight_unseen unseen;

	if (enforce_preflight(s, enter, on_finding, &t, &unseen, &err) < 0)
		return cli_fail(CLI_FAILED, "%s: %s", verb, err.msg);
	tell_unseen(verb, &unseen);
	if (!t.n)
		return CLI_YES;
	return cli_fail(CLI_NO, "%s: strict: %zu %s, %s", verb, t.n,
			t.n == 1 ? "finding" : "findings",
			enter ? "nothing was changed" : "apply --strict would refuse");
}
