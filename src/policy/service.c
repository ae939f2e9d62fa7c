/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/image.h>

/* schema_read_word() stores an int. */
_Static_assert(sizeof(enum mode) == sizeof(int), "mode is read as an int");
_Static_assert(sizeof(enum on_deny) == sizeof(int), "on-deny is read as an int");

/* --- select: ------------------------------------------------------------------------------ */

static int read_select_labels(struct reader *rd, const struct field *f, const struct node *n,
			      void *out)
{
	struct selector *s = out;

	return labels_read(rd, n, "write name: \"*\" to select every container", &s->labels,
			   &s->n_labels);
}

/* PROJECT/SERVICE, both exact: Docker Compose allows letters, digits and ._- in them. */
static bool compose_is_valid(const char *s)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t project = strspn(s, chars), service;

	if (!project || s[project] != '/')
		return false;
	s += project + 1;
	service = strspn(s, chars);
	return service && !s[service];
}

static int read_compose(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	if (compose_is_valid(n->text))
		return schema_read_string(rd, f, n, out);
	mistake(rd, n, "bad-compose",
		"write compose: PROJECT/SERVICE, both in full, without wildcards",
		"\"%s\" is not a project and a service", SHOWN(n->text));
	return 0;
}

static int read_image(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	const char *hint, *wrong = image_pattern_mistake(n->text, &hint);

	if (!wrong)
		return schema_read_string(rd, f, n, out);
	mistake(rd, n, "bad-image", hint, "image \"%s\" %s", SHOWN(n->text), wrong);
	return 0;
}

static const char *const runtime_words[] = { "docker", "podman", "netns", "cni", "oci", NULL };

static int read_runtime(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct selector *s = out;
	int word = -1;
	int r = schema_read_word(rd, f, n, &word);

	if (word >= 0)
		s->runtime = runtime_words[word];
	return r;
}

static const struct field select_fields[] = {
	{ .key = "labels",
	  .about = "Labels given when the container was created; all of them, exactly",
	  .shape = SHAPE_LABELS,
	  .takes = TAKES_MAP,
	  .read = read_select_labels,
	  .example = "labels: {app: web}" },
	{ .key = "compose",
	  .about = "Docker Compose project and service, both in full",
	  .shape = SHAPE_COMPOSE,
	  .takes = TAKES_TEXT,
	  .read = read_compose,
	  .offset = offsetof(struct selector, compose),
	  .example = "compose: shop/web" },
	{ .key = "name",
	  .about = "Name of the container or network namespace; * and ? are wildcards",
	  .takes = TAKES_TEXT,
	  .read = schema_read_string,
	  .offset = offsetof(struct selector, name),
	  .example = "name: \"web-*\"" },
	{ .key = "image",
	  .about = "Reference of the image, or NAME@sha256:DIGEST of what is really run; * and ? "
		   "are "
		   "wildcards",
	  .shape = SHAPE_IMAGE,
	  .takes = TAKES_TEXT,
	  .read = read_image,
	  .offset = offsetof(struct selector, image),
	  .example = "image: \"registry.example/web@sha256:*\"" },
	{ .key = "runtime",
	  .about = "Who runs it",
	  .takes = TAKES_TEXT,
	  .read = read_runtime,
	  .words = runtime_words,
	  .example = "runtime: docker" },
};

static const struct schema select_schema =
	SCHEMA("a select", select_fields, NULL, .shape = SHAPE_NOT_EMPTY);

static int read_select(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct service *svc = out;

	svc->select.loc = n->loc;
	if (!n->n)
		mistake(rd, n, "empty-select",
			"add labels:, compose:, name: or image:, as in select: {labels: {app: "
			"web}}",
			"select: {} selects no container");
	return schema_read(rd, &select_schema, n, &svc->select);
}

/* --- the service -------------------------------------------------------------------------- */

static int read_ingress(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct service *svc = out;

	svc->direction_loc[DIRECTION_INGRESS] = n->key->loc;
	return rules_read(rd, n, DIRECTION_INGRESS, svc);
}

static int read_egress(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct service *svc = out;

	svc->direction_loc[DIRECTION_EGRESS] = n->key->loc;
	if (n->kind == NODE_LIST)
		return rules_read(rd, n, DIRECTION_EGRESS, svc);
	svc->egress_follow = strcmp(n->text, "follow") == 0;
	if (!svc->egress_follow)
		mistake(rd, n, "bad-value",
			"write egress: follow, or egress: [] to let nothing out",
			"\"egress\" takes a list of rules or the word follow, not \"%s\"",
			SHOWN(n->text));
	return 0;
}

static int read_dns(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct service *svc = out;
	int word = 0;
	int r = schema_read_word(rd, f, n, &word);

	svc->dns = word;
	svc->dns_loc = n->key->loc;
	return r;
}

static int read_scope(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct service *svc = out;

	return ref_read(rd, NAME_SCOPE, n, &svc->scope);
}

static const struct field log_fields[] = {
	{ .key = "denied",
	  .about = "false keeps no records of denials; they are counted all the same",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct service, log_denied),
	  .example = "denied: true" },
	{ .key = "allowed",
	  .about = "true records every connection that is allowed",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct service, log_allowed),
	  .example = "allowed: false" },
};

static const struct schema log_schema = SCHEMA("a log", log_fields, NULL);

static int read_log(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &log_schema, n, out);
}

static const char *const raw_sockets_words[] = { "keep", "deny", NULL };

static int read_raw_sockets(struct reader *rd, const struct field *f, const struct node *n,
			    void *out)
{
	struct service *svc = out;
	int word = 0;
	int r = schema_read_word(rd, f, n, &word);

	svc->denies_raw = word;
	return r;
}

static const struct field privileges_fields[] = {
	{ .key = "raw-sockets",
	  .about = "deny starts its containers without CAP_NET_RAW and without packet and XDP "
		   "sockets; keep (without) leaves them what their engine gives",
	  .takes = TAKES_TEXT,
	  .read = read_raw_sockets,
	  .words = raw_sockets_words,
	  .example = "raw-sockets: deny" },
};

static const struct schema privileges_schema = SCHEMA("privileges", privileges_fields, NULL);

static int read_privileges(struct reader *rd, const struct field *f, const struct node *n,
			   void *out)
{
	return schema_read(rd, &privileges_schema, n, out);
}

static const char *const mode_words[] = {
	[MODE_ENFORCE] = "enforce", [MODE_AUDIT] = "audit", [MODE_OFF] = "off", NULL
};
static const char *const on_deny_words[] = {
	[ON_DENY_DROP] = "drop", [ON_DENY_REJECT] = "reject", NULL
};
static const char *const dns_words[] = { "deny", "allow", NULL };

static const struct field fields[] = {
	{ .key = "service",
	  .about = "Name of the service, unique in all files; the first key",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct service, name),
	  .example = "service: NAME" },
	{ .key = "owner",
	  .about = "Who answers for it; free text, used by roles and reports",
	  .takes = TAKES_TEXT,
	  .read = schema_read_remark,
	  .offset = offsetof(struct service, owner),
	  .example = "owner: team-payments" },
	{ .key = "scope",
	  .about = "The declared scope that this service is in",
	  .shape = SHAPE_NAME,
	  .takes = TAKES_TEXT,
	  .read = read_scope,
	  .example = "scope: NAME" },
	{ .key = "select",
	  .about = "Which containers are this service; all lines must match",
	  .of = &select_schema,
	  .takes = TAKES_MAP,
	  .required = true,
	  .read = read_select,
	  .example = "select: {labels: {app: web}}" },
	{ .key = "mode",
	  .about = "enforce (without); audit: record what would be denied and let it pass; off: no "
		   "table",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct service, mode),
	  .words = mode_words,
	  .example = "mode: enforce" },
	{ .key = "ingress",
	  .about = "Who may come in; nobody without",
	  .of = &rule_schemas[DIRECTION_INGRESS],
	  .takes = TAKES_LIST,
	  .read = read_ingress,
	  .example = "ingress: [] to let nothing in, or a list of rules" },
	{ .key = "egress",
	  .about = "Where it may go, or follow: wherever another service's ingress lets it in; "
		   "nowhere without",
	  .of = &rule_schemas[DIRECTION_EGRESS],
	  .shape = "\"const\":\"follow\"",
	  .takes = TAKES_LIST | TAKES_TEXT,
	  .read = read_egress,
	  .example = "egress: [] to let nothing out, a list of rules, or egress: follow" },
	{ .key = "dns",
	  .about = "The resolver that the container uses, 53/udp and 53/tcp; deny without",
	  .takes = TAKES_TEXT,
	  .read = read_dns,
	  .words = dns_words,
	  .example = "dns: allow" },
	{ .key = "log",
	  .about = "What is recorded",
	  .of = &log_schema,
	  .takes = TAKES_MAP,
	  .read = read_log,
	  .example = "log: {denied: true, allowed: false}" },
	{ .key = "on-deny",
	  .about = "drop (without), or reject: answer the container that sends at once",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct service, on_deny),
	  .words = on_deny_words,
	  .example = "on-deny: drop" },
	{ .key = "privileges",
	  .about = "What its containers are started without",
	  .of = &privileges_schema,
	  .takes = TAKES_MAP,
	  .read = read_privileges,
	  .example = "privileges: {raw-sockets: deny}" },
	ACCEPT_FIELD(offsetof(struct service, accepts)),
};

const struct schema service_schema = SCHEMA("a service", fields, NULL);

int service_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct service *svc = set_define(b, NAME_SERVICE, root, &r);

	if (!svc)
		return r;
	svc->loc = root->first->loc;
	svc->log_denied = true;
	svc->dns_loc = svc->loc;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		svc->direction_loc[d] = svc->loc;
	r = meaning_of(root, &service_schema, &svc->meaning);
	if (r < 0)
		return r;
	r = schema_read(&b->rd, &service_schema, root, svc);
	if (!svc->name) /* misspelt: peers that name it are not wrong for that */
		b->incomplete = true;
	return r;
}
