/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "host.h"
#include "parse.h"
#include "schema.h"

static const char *const unmanaged_words[] = {
	[UNMANAGED_IGNORE] = "ignore", [UNMANAGED_QUARANTINE] = "quarantine", NULL
};
static const char *const new_namespaces_words[] = {
	[NEW_NAMESPACES_IGNORE] = "ignore", [NEW_NAMESPACES_QUARANTINE] = "quarantine", NULL
};
_Static_assert(sizeof(enum unmanaged) == sizeof(int), "unmanaged is read as an int");
_Static_assert(sizeof(enum new_namespaces) == sizeof(int), "new-namespaces is read as an int");

static const char *const image_labels_words[] = { "ignore", "select", NULL };

static int read_image_labels(struct reader *rd, const struct field *f, const struct node *n,
			     void *out)
{
	struct host_config *c = out;
	int word = 0;
	int r = schema_read_word(rd, f, n, &word);

	c->image_labels = word;
	return r;
}

static const struct field fields[] = {
	{ .key = "unmanaged",
	  .about = "Containers that no service selects: ignore leaves them alone, quarantine "
		   "denies them everything",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_config, unmanaged),
	  .words = unmanaged_words,
	  .example = "unmanaged: ignore" },
	{ .key = "new-namespaces",
	  .about = "Network namespaces until it is known whose they are",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_config, new_namespaces),
	  .words = new_namespaces_words,
	  .example = "new-namespaces: quarantine" },
	{ .key = "image-labels",
	  .about = "Do labels that are baked into images select?",
	  .takes = TAKES_TEXT,
	  .read = read_image_labels,
	  .words = image_labels_words,
	  .example = "image-labels: ignore" },
	{ .key = "strict",
	  .about = "Change nothing when something that is selected cannot be held",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, strict),
	  .example = "strict: true" },
	{ .key = "starts",
	  .about = "Containers whose start waits for their policy",
	  .of = &host_starts_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_starts,
	  .example = "starts: {without-daemon: fail, wait: 10s}" },
	{ .key = "runtimes",
	  .about = "Where containers are looked for",
	  .of = &host_runtimes_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_runtimes,
	  .example = "runtimes: {docker: true, podman: true, netns: true}" },
	{ .key = "policies",
	  .about = "How bulkheadd reads policies",
	  .of = &host_policies_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_policies,
	  .example = "policies: {watch: true}" },
	{ .key = "roles",
	  .about = "Who may do what on the control socket, besides root",
	  .of = &host_role_schema,
	  .max = BH_CTL_GRANTS_MAX,
	  .takes = TAKES_LIST,
	  .read = host_read_roles,
	  .example = "roles: [{group: ops, role: operator}]" },
	{ .key = "control",
	  .about = "The sockets of bulkheadd",
	  .of = &host_control_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_control,
	  .example = "control: {socket: " BH_CTL_SOCKET "}" },
	{ .key = "metrics",
	  .about = "Metrics for Prometheus",
	  .of = &host_metrics_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_metrics,
	  .example = "metrics: {listen: \"127.0.0.1:9467\"}" },
	{ .key = "retention",
	  .about = "How much of the past is kept",
	  .of = &host_retention_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_retention,
	  .example = "retention: {generations: 32}" },
	{ .key = "outputs",
	  .about = "Where denied flows and signals go, besides the daemon's own store",
	  .of = &host_output_schema,
	  .max = BH_OUTPUTS_MAX,
	  .takes = TAKES_LIST,
	  .read = host_read_outputs,
	  .example = "outputs: [{file: /var/log/bulkhead/denied.json}]" },
	{ .key = "namespaces",
	  .about = "Labels of the namespaces that NetworkPolicies select",
	  .shape = SHAPE_NAMESPACES,
	  .takes = TAKES_MAP,
	  .read = host_read_namespaces,
	  .example = "namespaces: {shop: {team: retail}}" },
	{ .key = "limits",
	  .about = "What a flood may cost",
	  .of = &host_limits_schema,
	  .takes = TAKES_MAP,
	  .read = host_read_limits,
	  .example = "limits: {records-per-second: 100}" },
};

const struct schema host_schema = SCHEMA("the host file", fields, "unmanaged: ignore");

/* DOCUMENT holds the nodes: of them nothing is left but what readers copy into C's own arena. */
static int read_documents(struct doc_reader *d, struct bh_arena *document, struct host_config *c)
{
	struct reader rd = { .arena = c->arena, .diags = d->diags };
	const struct node *root = NULL;
	int r = doc_next(d, document, &root);

	if (r > 0 && root)
		r = schema_read(&rd, &host_schema, root, c);
	if (r < 0)
		return r;
	r = doc_next(d, document, &root);
	if (r > 0 && root)
		mistake(&rd, root, "second-document", "join the two",
			"the host file holds one document only");
	return r < 0 ? r : 0;
}

static int parse(const struct policy_source *source, struct host_config *c, struct diag_list *diags)
{
	struct bh_arena *document = bh_arena_new();
	struct doc_reader d;
	int r = document ? doc_open(&d, source->name, source->data, source->len, diags) : -ENOMEM;

	if (r >= 0) {
		r = read_documents(&d, document, c);
		doc_close(&d);
	}
	bh_arena_free(document);
	return r;
}

static int keep_source(const struct policy_source *source, struct host_config *c)
{
	c->source = (struct policy_source) {
		.name = bh_arena_strdup(c->arena, source->name),
		.data = bh_arena_memdup(c->arena, source->data, source->len),
		.len = source->len,
	};
	return c->source.name && (c->source.data || !source->len) ? 0 : -ENOMEM;
}

int host_config_parse(const struct policy_source *source, struct host_config *ret,
		      struct diag_list *diags, struct bh_err *err)
{
	size_t errors = diags->errors;
	struct host_config c;
	int r;

	host_config_init(&c);
	c.arena = bh_arena_new();
	r = c.arena ? keep_source(source, &c) : -ENOMEM;
	if (r >= 0)
		r = parse(source, &c, diags);
	if (r != -ENOMEM && diags->errors > errors)
		r = bh_err_set(err, -EINVAL, "%s is not valid", source->name);
	else if (r < 0)
		r = bh_err_oom(err);
	if (r < 0) {
		host_config_done(&c);
		return r;
	}
	digest_bytes(source->data, source->len, c.digest);
	*ret = c;
	return 0;
}

int host_config_load(const char *path, struct host_config *ret, struct diag_list *diags,
		     struct bh_err *err)
{
	const char *file = path ? path : HOST_CONFIG_FILE;
	struct policy_source source = { .name = file };
	bh_autofree char *data = NULL;
	int r = bh_read_file(file, BH_POLICY_FILE_BYTES_MAX, &data, &source.len);

	if (r == -ENOENT && !path) {
		host_config_init(ret);
		return 0;
	}
	if (r == -EFBIG) {
		source_too_big(diags, file);
		return bh_err_set(err, -EINVAL, "%s is not valid", file);
	}
	if (r == -EINVAL)
		return bh_err_set(err, r, "%s is not a regular file", file);
	if (r < 0)
		return bh_err_errno(err, r, "cannot read %s", file);
	source.data = data;
	return host_config_parse(&source, ret, diags, err);
}
