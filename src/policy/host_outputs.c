/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Where records and signals go, and how many of them there may be. */

#define FACILITY_DAEMON 3
#define FILE_NAME_MAX   250 /* with a dot and a number behind it, it is a name still */
#define OUTPUT_EXAMPLE  "{file: /var/log/bulkhead/denied.json}"

static const char *const format_words[] = { [OUTPUT_JSON] = "json",
					    [OUTPUT_OCSF] = "ocsf",
					    [OUTPUT_ECS] = "ecs",
					    [OUTPUT_TEXT] = "text",
					    NULL };
static const char *const what_words[] = {
	[OUTPUT_BOTH] = "both", [OUTPUT_RECORDS] = "records", [OUTPUT_SIGNALS] = "signals", NULL
};
/* By their number in RFC 5424. */
static const char *const facility_words[] = { "kern",     "user",   "mail",   "daemon", "auth",
					      "syslog",   "lpr",    "news",   "uucp",   "cron",
					      "authpriv", "ftp",    "ntp",    "audit",  "alert",
					      "clock",    "local0", "local1", "local2", "local3",
					      "local4",   "local5", "local6", "local7", NULL };
_Static_assert(sizeof(enum output_format) == sizeof(int), "a format is read as an int");
_Static_assert(sizeof(enum output_what) == sizeof(int), "what is read as an int");
_Static_assert(sizeof(uint32_t) == sizeof(int), "a facility is read as an int");

/* --- the places ------------------------------------------------------------------------------- */

static int read_file(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_output *o = out;
	const char *slash = strrchr(n->text, '/');

	o->kind = OUTPUT_FILE;
	if (slash && strlen(slash + 1) > FILE_NAME_MAX)
		mistake(rd, n, "bad-value", NULL, "a file's name has %d bytes at most",
			FILE_NAME_MAX);
	return host_read_path(rd, f, n, "the path of a file", HOST_PATH_MAX, &o->path);
}

static int read_journal(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_output *o = out;

	o->kind = OUTPUT_JOURNAL;
	if (!host_is_true(n))
		mistake(rd, n, "bad-value", "leave the entry out for none",
			"\"journal\" takes true, not \"%s\"", SHOWN(n->text));
	return 0;
}

static int read_syslog(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_output *o = out;

	o->kind = OUTPUT_SYSLOG;
	return host_read_path(rd, f, n, "the path of a socket", HOST_SOCKET_MAX, &o->path);
}

/* --- rotation ----------------------------------------------------------------------------------- */

static const struct field rotate_fields[] = {
	{ .key = "megabytes",
	  .about = "A file is rotated when it is so large",
	  .takes = TAKES_TEXT,
	  .read = schema_read_u32,
	  .offset = offsetof(struct host_output, rotate_megabytes),
	  .min = 1,
	  .max = BH_OUTPUT_MEGABYTES_MAX,
	  .example = "megabytes: 64" },
	{ .key = "keep",
	  .about = "Files that were rotated away and are kept",
	  .takes = TAKES_TEXT,
	  .read = schema_read_u32,
	  .offset = offsetof(struct host_output, rotate_keep),
	  .min = 1,
	  .max = BH_OUTPUT_KEEP_MAX,
	  .example = "keep: 8" },
};

static const struct schema rotate_schema = SCHEMA("rotate", rotate_fields, NULL);

static int read_rotate(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_output *o = out;

	if (n->kind == NODE_MAP)
		return schema_read(rd, &rotate_schema, n, o);
	if (host_is_false(n))
		o->rotate_megabytes = o->rotate_keep = 0;
	else
		mistake(rd, n, "bad-value", "write rotate: {megabytes: 64, keep: 8}",
			"\"rotate\" takes false or a mapping, not \"%s\"", SHOWN(n->text));
	return 0;
}

/* --- one output ---------------------------------------------------------------------------------- */

static const struct field output_fields[] = {
	{ .key = "file",
	  .about = "Path of a file",
	  .shape = SHAPE_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_file,
	  .example = "file: /var/log/bulkhead/denied.json" },
	{ .key = "journal",
	  .about = "systemd's journal",
	  .shape = "\"const\":true",
	  .takes = TAKES_TEXT,
	  .read = read_journal,
	  .example = "journal: true" },
	{ .key = "syslog",
	  .about = "Path of the socket of a syslog daemon",
	  .shape = SHAPE_PATH,
	  .takes = TAKES_TEXT,
	  .read = read_syslog,
	  .example = "syslog: /dev/log" },
	{ .key = "format",
	  .about = "How a line of the file looks",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_output, format),
	  .words = format_words,
	  .example = "format: ocsf" },
	{ .key = "rotate",
	  .about = "When the file is rotated; false: logrotate does it, or nobody",
	  .of = &rotate_schema,
	  .shape = "\"const\":false",
	  .takes = TAKES_TEXT | TAKES_MAP,
	  .read = read_rotate,
	  .example = "rotate: {megabytes: 64, keep: 8}" },
	{ .key = "facility",
	  .about = "Of its messages; daemon without",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_output, facility),
	  .words = facility_words,
	  .example = "facility: local3" },
	{ .key = "what",
	  .about = "records, signals, or both (without)",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_output, what),
	  .words = what_words,
	  .example = "what: signals" },
};

const struct schema host_output_schema =
	SCHEMA("an output", output_fields, OUTPUT_EXAMPLE,
	       .shape = "\"oneOf\":[{\"required\":[\"file\"]},{\"required\":[\"journal\"]},{"
			"\"required\":[\"syslog\"]}],"
			"\"dependentRequired\":{\"format\":[\"file\"],\"rotate\":[\"file\"],"
			"\"facility\":[\"syslog\"]}");

static const char *const places[] = {
	[OUTPUT_FILE] = "file",
	[OUTPUT_JOURNAL] = "journal",
	[OUTPUT_SYSLOG] = "syslog",
};

/* What only some outputs have. */
static const struct {
	const char *key;
	enum output_kind of;
} belongs[] = {
	{ "format", OUTPUT_FILE },
	{ "rotate", OUTPUT_FILE },
	{ "facility", OUTPUT_SYSLOG },
};

/* How many places N names; what it names beyond the first is reported. */
static size_t check_places(struct reader *rd, const struct node *n)
{
	size_t found = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(places); i++) {
		const struct node *c = node_find(n, places[i]);

		if (c && found++)
			mistake(rd, c->key, "bad-value", "write two entries",
				"an output is one of file, journal and syslog");
	}
	return found;
}

static void check_keys(struct reader *rd, const struct node *n, enum output_kind kind)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(belongs); i++) {
		const struct node *c = node_find(n, belongs[i].key);

		if (c && kind != belongs[i].of)
			mistake(rd, c->key, "misplaced-key", "remove it",
				"\"%s\" is for a %s only, not for %s", belongs[i].key,
				places[belongs[i].of], places[kind]);
	}
}

/* CLEAN: nothing else was wrong with it. A table cannot say these. */
static void check_output(struct reader *rd, const struct node *n, const struct host_output *o,
			 bool clean)
{
	size_t found;

	if (n->kind != NODE_MAP)
		return;
	found = check_places(rd, n);
	if (found == 1)
		check_keys(rd, n, o->kind);
	else if (found == 0 && clean)
		mistake(rd, n, "missing-key", "for example " OUTPUT_EXAMPLE,
			"an output needs \"file\", \"journal\" or \"syslog\"");
}

/* Two that write to one place would write everything twice, and both rotate it. */
static void check_double(struct reader *rd, const struct node *n, const struct host_output *list,
			 size_t at)
{
	const struct host_output *o = &list[at];

	for (size_t i = 0; i < at; i++) {
		const char *path = list[i].path;

		if (list[i].kind != o->kind || !path != !o->path ||
		    (path && strcmp(path, o->path) != 0))
			continue;
		mistake(rd, n, "bad-value", "remove one of the two",
			"an output to the same %s stands on line %u", places[o->kind],
			list[i].loc.line);
		return;
	}
}

static int read_output(struct reader *rd, const struct node *n, struct host_output *list, size_t at)
{
	size_t errors = rd->diags->errors;
	struct host_output *o = &list[at];
	int r;

	*o = (struct host_output) {
		.loc = n->loc,
		.facility = FACILITY_DAEMON,
		.rotate_megabytes = BH_OUTPUT_MEGABYTES_DEFAULT,
		.rotate_keep = BH_OUTPUT_KEEP_DEFAULT,
	};
	r = schema_read(rd, &host_output_schema, n, o);
	check_output(rd, n, o, rd->diags->errors == errors);
	if (rd->diags->errors == errors)
		check_double(rd, n, list, at);
	return r;
}

int host_read_outputs(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;
	struct host_output *list;
	const char *file;
	int r = 0;

	if (!node_fits(rd, n, BH_OUTPUTS_MAX, "outputs"))
		return 0;
	list = bh_arena_array(rd->arena, n->n + 1, sizeof(*list));
	file = bh_arena_strdup(rd->arena, n->loc.file); /* that of the node ends with the reading */
	if (!list || !file)
		return -ENOMEM;
	c->outputs = list;
	for (const struct node *e = n->first; r >= 0 && e; e = e->next) {
		r = read_output(rd, e, list, c->n_outputs);
		list[c->n_outputs++].loc.file = file;
	}
	return r;
}

/* --- limits --------------------------------------------------------------------------------------- */

static const struct field limits_fields[] = {
	{ .key = "flows",
	  .about = "Denied flows kept in memory",
	  .takes = TAKES_TEXT,
	  .read = schema_read_u32,
	  .offset = offsetof(struct host_config, limits.flows),
	  .min = BH_FLOWS_MIN,
	  .max = BH_FLOWS_CEILING,
	  .example = "flows: 65536" },
	{ .key = "records-per-second",
	  .about = "Of one container; what is beyond is aggregated",
	  .takes = TAKES_TEXT,
	  .read = schema_read_u32,
	  .offset = offsetof(struct host_config, limits.records_per_second),
	  .min = 1,
	  .max = BH_RECORDS_PER_S_MAX,
	  .example = "records-per-second: 100" },
};

const struct schema host_limits_schema = SCHEMA("limits", limits_fields, NULL);

int host_read_limits(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &host_limits_schema, n, out);
}
