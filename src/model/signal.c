/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/signal.h>

#include <errno.h>
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "record_json.h"

static const char *const kinds[SIGNAL_KINDS] = {
	[SIGNAL_FIRST_DENIED] = "first-denied",
	[SIGNAL_PORT_SCAN] = "port-scan",
	[SIGNAL_RAW_SOCKET] = "raw-socket",
	[SIGNAL_INTO_SCOPE] = "into-scope",
};

const char *signal_kind_name(enum signal_kind k)
{
	return kinds[k];
}

static void add_scan(struct bh_buf *b, const struct flow_signal *s)
{
	json_add_number(b, "window_seconds", s->window_s);
	json_add_number(b, "ports", s->ports);
	json_add_number(b, "peers", s->peers);
}

int flow_signal_json(const struct flow_signal *s, struct bh_buf *out)
{
	size_t start = out->len;

	json_add_object(out, NULL);
	json_add_text(out, "schema", "bulkhead.signal/1");
	json_add_time(out, "time", s->when);
	json_add_text(out, "signal", kinds[s->kind]);
	json_add_text(out, "reason", s->reason);
	json_add_number(out, "packets", s->packets);
	if (s->kind == SIGNAL_PORT_SCAN)
		add_scan(out, s);
	if (s->kind == SIGNAL_INTO_SCOPE)
		json_add_text(out, "into_scope", s->scope);
	record_add_json(out, "record", &s->record);
	json_add_end(out, '}');
	return json_end_line(out, start);
}

int flow_signal_text(const struct flow_signal *s, struct bh_buf *out, bool colour)
{
	char when[BH_TIME_STR];

	bh_format_time(when, s->when);
	bh_buf_addf(out, "%.12s %sSIGNAL%s %-12s ", when + 11, colour ? "\033[1;35m" : "",
		    colour ? "\033[0m" : "", kinds[s->kind]);
	bh_tame(out, s->reason, strlen(s->reason));
	return bh_buf_addstr(out, "\n");
}
