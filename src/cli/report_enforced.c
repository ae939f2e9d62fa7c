/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/report.h>

#include "netns_name.h"
#include "report.h"

/* How the endpoints stand: as a daemon says it, or read back here. */

struct listening {
	struct gathering *g;
	json_t *endpoints, *daemon;
	struct site *site; /* when it is read here */
};

static bool is_of_scope(const struct listening *l, const json_t *o)
{
	return gather_is_joined(cli_text(o, "scope"), l->g->scope->name);
}

static void take_daemon(struct listening *l, const json_t *o)
{
	json_t *d = gather_state("read", cli_text(o, "why"));
	static const char *const copied[][2] = { { "since", "since" },
						 { "compared", "compared" },
						 { "generation", "generation" },
						 { "finding", "finding" },
						 { "repairs", "repairs" },
						 { "trouble", "trouble" },
						 { "namespaces", "namespaces_held" },
						 { "logger_counts", "logger" } };

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		json_object_set(d, copied[i][0], json_object_get(o, copied[i][1]));
	gather_text(d, "logger", cli_text(json_object_get(o, "logger"), "state"));
	json_decref(l->daemon);
	l->daemon = d;
}

/* Which of those that may have its id in turn it is (docs/probe.md). */
static void put_netns(json_t *o)
{
	json_int_t ino = gather_number(o, "netns_ino");
	char name[NETNS_NAME_STR];

	if (ino > 0 && json_is_true(json_object_get(o, "inside")))
		gather_text(o, "namespace",
			    netns_name_at(name, cli_text(o, "netns"), (uint64_t)ino));
}

/* Takes O over. */
static int on_item(json_t *o, void *arg)
{
	struct listening *l = arg;

	report_tame(o);
	if (json_object_get(o, "daemon")) {
		take_daemon(l, o);
	} else if (json_object_get(o, "kernel")) {
		json_object_set(l->g->report, "kernel", o);
	} else if (json_object_get(o, "endpoint")) {
		json_object_set_new(o, "inside", json_boolean(is_of_scope(l, o)));
		put_netns(o);
		json_array_append(l->endpoints, o);
	}
	json_decref(o);
	return 0;
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct listening *l = arg;

	return on_item(report_endpoint(l->site, st), l);
}

/* COMPARED: when all endpoints were listed and compared with the policies; "" is not known. */
static json_t *was_read(const char *source, const char *compared)
{
	json_t *o = gather_state("read", NULL);

	gather_text(o, "source", source);
	gather_text(o, "compared", compared);
	return o;
}

static json_t *look_here(struct listening *l)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	char now[BH_TIME_STR];
	json_t *state;
	int code;

	diag_list_init(&diags);
	code = cli_load_quietly(l->site, l->g->options,
				NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS, &diags, &err);
	if (code == CLI_YES && enforce_status(l->site, on_status, l, &err) < 0)
		code = CLI_FAILED;
	state = code == CLI_YES ? was_read("by this run", bh_format_time(now, l->g->now))
				: gather_state("unreadable", err.msg[0] ? err.msg
									: "the endpoints cannot be "
									  "listed");
	site_done(l->site);
	diag_list_done(&diags);
	return state;
}

static json_t *no_daemon(const struct gathering *g)
{
	if (!g->options->socket && cli_names_its_own(g->options))
		return gather_state("not-asked",
				    "policies or endpoints were named by options, so no "
				    "daemon was asked (--socket PATH asks it)");
	return gather_state("absent", "no bulkheadd answers");
}

/* How many endpoints each service of the scope has. */
static void count_endpoints(const struct gathering *g, const json_t *endpoints)
{
	json_t *s, *e;
	size_t i, k;

	json_array_foreach (json_object_get(g->report, "services"), i, s) {
		json_int_t n = 0;

		json_array_foreach (endpoints, k, e)
			n += gather_is_joined(cli_text(e, "services"), cli_text(s, "name"));
		json_object_set_new(s, "endpoints", json_integer(n));
	}
}

int gather_enforced(struct gathering *g)
{
	struct site s;
	struct listening l = { .g = g, .endpoints = json_array(), .site = &s };
	json_t *state;
	int code = cli_ask_daemon(g->options, "status", on_item, &l);

	if (code == CLI_NO_DAEMON)
		state = look_here(&l);
	else if (l.daemon && code != CLI_FAILED)
		state = was_read("by bulkheadd", cli_text(l.daemon, "compared"));
	else
		state = gather_state("unreadable", "bulkheadd did not say how the endpoints stand");
	if (!l.daemon)
		l.daemon = code == CLI_NO_DAEMON
				   ? no_daemon(g)
				   : gather_state("unreadable", "bulkheadd gave no answer");
	count_endpoints(g, l.endpoints);
	json_object_set_new(g->report, "enforcement", state);
	json_object_set_new(g->report, "endpoints", l.endpoints);
	json_object_set_new(g->report, "daemon", l.daemon);
	return CLI_YES;
}
