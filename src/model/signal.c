/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/signal.h>

#include <errno.h>
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

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

/* The record as its own format has it. */
static json_t *record_json(const struct flow_record *r)
{
	struct bh_buf b;
	json_t *o = NULL;

	bh_buf_init(&b, 64u << 10);
	if (flow_record_json(r, &b) >= 0)
		o = json_loads(bh_buf_str(&b), 0, NULL);
	bh_buf_done(&b);
	return o;
}

int flow_signal_json(const struct flow_signal *s, struct bh_buf *out)
{
	json_t *o = json_object();

	if (!o)
		return -ENOMEM;
	json_put_text(o, "schema", "bulkhead.signal/1");
	json_put_text(o, "signal", kinds[s->kind]);
	json_put_time(o, "time", s->when);
	json_put_text(o, "reason", s->reason);
	if (s->kind == SIGNAL_PORT_SCAN) {
		json_put_number(o, "window_seconds", s->window_s);
		json_put_number(o, "ports", s->ports);
		json_put_number(o, "peers", s->peers);
	}
	json_object_set_new(o, "record", record_json(&s->record));
	return json_take_line(o, out);
}

int flow_signal_text(const struct flow_signal *s, struct bh_buf *out, bool colour)
{
	char when[BH_TIME_STR];

	bh_format_time(when, s->when);
	bh_buf_addf(out, "%.12s %sSIGNAL%s %s  ", when + 11, colour ? "\033[35m" : "",
		    colour ? "\033[0m" : "", kinds[s->kind]);
	bh_tame(out, s->reason, strlen(s->reason));
	return bh_buf_addstr(out, "\n");
}
