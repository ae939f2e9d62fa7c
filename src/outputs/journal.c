/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <ctype.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "params.h"

/*
 * journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). sd_journal_sendv() will not
 * do: it waits for a journald that does not read, and says that all is well when there is none.
 */

#define FLOW_ID   "3b6e8c5a0f5d4e5c9a0e6f1b7f2c4d81"
#define SIGNAL_ID "c1d94a7e52b84e1f8f7a0b3d9e6c2a57"

static void add_value(struct bh_buf *b, const char *value, size_t len)
{
	uint64_t le = htole64(len);

	if (!memchr(value, '\n', len)) {
		bh_buf_addstr(b, "=");
	} else {
		bh_buf_addstr(b, "\n");
		bh_buf_add(b, &le, sizeof(le));
	}
	bh_buf_add(b, value, len);
	bh_buf_addstr(b, "\n");
}

static int add_field(const char *name, const char *value, size_t len, void *arg)
{
	struct bh_buf *b = arg;

	bh_buf_addstr(b, "BULKHEAD_");
	for (; *name; name++)
		bh_buf_add(b, &(char) { (char)toupper((unsigned char)*name) }, 1);
	add_value(b, value, len);
	return bh_buf_error(b);
}

static int put(struct sink *s, const struct message *m)
{
	struct bh_buf *b = &s->scratch;
	int r;

	bh_buf_reset(b);
	bh_buf_addstr(b, "MESSAGE");
	add_value(b, m->line, m->len ? m->len - 1 : 0);
	bh_buf_addf(b, "MESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=bulkhead\n",
		    m->facts.s ? SIGNAL_ID : FLOW_ID, params_severity(&m->facts));
	r = params_each(&m->facts, add_field, b);
	return r < 0 ? r : sink_send(s);
}

const struct sink_ops journal_ops = { .put = put, .look = sink_find, .close = sink_keep };
