/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* What only the daemon needs: when it reads, its sockets, its metrics, how much it keeps. */

/* --- policies -------------------------------------------------------------------------------- */

static const struct field policies_fields[] = {
	{ .key = "watch",
	  .about = "Read policies and this file anew when they change",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, watch),
	  .example = "watch: true" },
};

const struct schema host_policies_schema = SCHEMA("policies", policies_fields, NULL);

int host_read_policies(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_policies_schema, n, out);
}

/* --- control --------------------------------------------------------------------------------- */

static int read_socket(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	return host_read_path(rd, f, n, "the path of a socket", HOST_SOCKET_MAX,
			      &c->control.socket);
}

static int read_group(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	return host_read_account(rd, f, n, &c->control.group);
}

static int read_read_only(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	if (host_is_false(n)) {
		c->control.read_only_socket = NULL;
		return 0;
	}
	return host_read_path(rd, f, n, "false or the path of a socket", HOST_SOCKET_MAX,
			      &c->control.read_only_socket);
}

static const struct field control_fields[] = {
	{ .key = "socket",
	  .about = "Path of the control socket",
	  .shape = SHAPE_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_socket,
	  .example = "socket: " BH_CTL_SOCKET },
	{ .key = "group",
	  .about = "Whose members may connect: a name or an ID",
	  .shape = SHAPE_ACCOUNT,
	  .takes = TAKES_TEXT,
	  .read = read_group,
	  .example = "group: ops" },
	{ .key = "read-only-socket",
	  .about = "false, or the path of a socket where anybody may look",
	  .shape = SHAPE_PATH_OR_FALSE,
	  .takes = TAKES_TEXT,
	  .read = read_read_only,
	  .example = "read-only-socket: false or /run/bulkhead/read-only.sock" },
};

const struct schema host_control_schema = SCHEMA("control", control_fields, NULL);

int host_read_control(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;
	int r = schema_read(rd, &host_control_schema, n, c);

	if (r >= 0 && c->control.read_only_socket &&
	    strcmp(c->control.read_only_socket, c->control.socket) == 0)
		mistake(rd, n, "bad-value", "give each a path of its own",
			"\"socket\" and \"read-only-socket\" are the same path");
	return r;
}

/* --- metrics --------------------------------------------------------------------------------- */

#define LISTEN_HINT "write 127.0.0.1:9467 or \"[::1]:9467\""

/* "127.0.0.1:9467" or "[::1]:9467": the address into *RET, then what is behind the colon. */
static const char *split_listen(const char *s, struct bh_addr *ret)
{
	const char *colon = strrchr(s, ':');
	char text[BH_ADDR_STR + 2];
	size_t len = colon ? (size_t)(colon - s) : 0;
	bool brackets = len >= 2 && s[0] == '[' && s[len - 1] == ']';

	if (len == 0 || len >= sizeof(text))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)(brackets ? len - 2 : len), s + brackets);
	if (bh_addr_parse(text, ret) < 0 || brackets != (ret->family == AF_INET6))
		return NULL;
	return colon + 1;
}

static int read_listen(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_metrics *m = &((struct host_config *)out)->metrics;
	struct bh_addr addr;
	const char *port;
	uint64_t number;

	if (host_is_false(n)) {
		m->listen = false;
		return 0;
	}
	port = split_listen(n->text, &addr);
	if (!port) {
		mistake(rd, n, "bad-value", LISTEN_HINT,
			"\"listen\" takes false or ADDRESS:PORT, not \"%s\"", SHOWN(n->text));
	} else if (!bh_addr_is_loopback(&addr)) {
		mistake(rd, n, "bad-value", LISTEN_HINT,
			"metrics are served to this host only, on a loopback address, not on "
			"\"%s\"",
			SHOWN(n->text));
	} else if (bh_parse_u64(port, 1, UINT16_MAX, &number) < 0) {
		mistake(rd, n, "bad-value", LISTEN_HINT,
			"a port is a number from 1 to 65535, not \"%s\"", SHOWN(port));
	} else {
		m->listen = true;
		m->addr = addr;
		m->port = (uint16_t)number;
	}
	return 0;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), len = strlen(suffix);

	return n > len && strcmp(s + n - len, suffix) == 0 && s[n - len - 1] != '/';
}

static int read_textfile(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_metrics *m = &((struct host_config *)out)->metrics;

	if (host_is_false(n)) {
		m->textfile = NULL;
		return 0;
	}
	if (n->text[0] == '/' && !has_suffix(n->text, ".prom"))
		mistake(rd, n, "bad-value", "node_exporter reads no others",
			"the name of a text file ends with .prom, unlike \"%s\"", SHOWN(n->text));
	return host_read_path(rd, f, n, "false or the path of a file", HOST_PATH_MAX, &m->textfile);
}

static const struct field metrics_fields[] = {
	{ .key = "listen",
	  .about = "false, or a loopback address and a port",
	  .shape = SHAPE_LISTEN,
	  .takes = TAKES_TEXT,
	  .read = read_listen,
	  .example = "listen: false or 127.0.0.1:9467" },
	{ .key = "textfile",
	  .about = "false, or the path of a file for node_exporter, which ends with .prom",
	  .shape = SHAPE_PATH_OR_FALSE,
	  .takes = TAKES_TEXT,
	  .read = read_textfile,
	  .example = "textfile: false or "
		     "/var/lib/prometheus/node-exporter/bulkhead.prom" },
};

const struct schema host_metrics_schema = SCHEMA("metrics", metrics_fields, NULL);

int host_read_metrics(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_metrics_schema, n, out);
}

/* --- retention ------------------------------------------------------------------------------- */

#define NUMBER(name, member, most, text, what)                                                     \
	{                                                                                          \
		.key = name, .about = (what), .takes = TAKES_TEXT, .read = schema_read_u32,        \
		.offset = offsetof(struct host_config, retention.member), .min = 1, .max = (most), \
		.example = name ": " text                                                          \
	}

static const struct field retention_fields[] = {
	NUMBER("audit-files", audit_files, BH_AUDIT_FILES_MAX, "8", "Files of the audit trail"),
	NUMBER("generations", generations, BH_GENERATIONS_MAX, "32",
	       "Policy sets that can be rolled back to"),
	NUMBER("denied-days", denied_days, BH_DENIED_DAYS_MAX, "14",
	       "Denied flows are kept for so many days,"),
	NUMBER("denied-megabytes", denied_megabytes, BH_DENIED_MEGABYTES_MAX, "256",
	       "and in so much room at most"),
};

const struct schema host_retention_schema = SCHEMA("retention", retention_fields, NULL);

int host_read_retention(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_retention_schema, n, out);
}
