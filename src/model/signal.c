/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/signal.h>

#include <errno.h>
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "record_object.h"

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

static void put_scan(json_t *o, const struct flow_signal *s)
{
	json_put_number(o, "window_seconds", s->window_s);
	json_put_number(o, "ports", s->ports);
	json_put_number(o, "peers", s->peers);
}

int flow_signal_json(const struct flow_signal *s, struct bh_buf *out)
{
	json_t *o = json_object(), *record = record_object(&s->record);

	if (!o || !record) {
		json_decref(o);
		json_decref(record);
		return -ENOMEM;
	}
	json_put_text(o, "schema", "bulkhead.signal/1");
	json_put_time(o, "time", s->when);
	json_put_text(o, "signal", kinds[s->kind]);
	json_put_text(o, "reason", s->reason);
	json_put_number(o, "packets", s->packets);
	if (s->kind == SIGNAL_PORT_SCAN)
		put_scan(o, s);
	if (s->kind == SIGNAL_INTO_SCOPE)
		json_put_text(o, "into_scope", s->scope);
	json_object_set_new(o, "record", record);
	return json_take_line(o, out);
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
