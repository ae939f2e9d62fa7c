/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "parse.h"
#include "schema.h"

#define HOST_FILE "/etc/bulkhead/bulkhead.yaml"

static const char *const unmanaged_words[] = {
	[UNMANAGED_IGNORE] = "ignore", [UNMANAGED_QUARANTINE] = "quarantine", NULL
};
_Static_assert(sizeof(enum unmanaged) == sizeof(int), "unmanaged is read as an int");

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

/* true, false, or the path of the socket to ask. */
static void read_runtime(struct reader *rd, const struct field *f, const struct node *n, bool *use,
			 char *socket, size_t size)
{
	if (n->plain && strcmp(n->text, "true") == 0) {
		*use = true;
	} else if (n->plain && strcmp(n->text, "false") == 0) {
		*use = false;
	} else if (n->text[0] != '/') {
		mistake(rd, n, "bad-value", n->plain ? "a path begins with /" : "remove the quotes",
			"\"%s\" takes true, false or the path of a socket, not %s\"%s\"", f->key,
			n->plain ? "" : "the text ", SHOWN(n->text));
	} else if (strlen(n->text) >= size) {
		mistake(rd, n, "bad-value", NULL,
			"the path of a socket has at most %zu bytes, this one %zu", size - 1,
			strlen(n->text));
	} else {
		*use = true;
		strcpy(socket, n->text);
	}
}

static int read_docker(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	read_runtime(rd, f, n, &c->docker, c->docker_socket, sizeof(c->docker_socket));
	return 0;
}

static int read_podman(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct host_config *c = out;

	read_runtime(rd, f, n, &c->podman, c->podman_socket, sizeof(c->podman_socket));
	return 0;
}

static const struct field runtimes_fields[] = {
	{ .key = "docker",
	  .takes = TAKES_TEXT,
	  .read = read_docker,
	  .example = "docker: true, false or /run/docker.sock" },
	{ .key = "podman",
	  .takes = TAKES_TEXT,
	  .read = read_podman,
	  .example = "podman: true, false or /run/podman/podman.sock" },
	{ .key = "netns",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, netns),
	  .example = "netns: true" },
};

static const struct schema runtimes_schema = SCHEMA("runtimes", runtimes_fields, NULL);

static int read_runtimes(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return schema_read(rd, &runtimes_schema, n, out);
}

static const struct field fields[] = {
	{ .key = "unmanaged",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct host_config, unmanaged),
	  .words = unmanaged_words,
	  .example = "unmanaged: ignore" },
	{ .key = "image-labels",
	  .takes = TAKES_TEXT,
	  .read = read_image_labels,
	  .words = image_labels_words,
	  .example = "image-labels: ignore" },
	{ .key = "strict",
	  .takes = TAKES_TEXT,
	  .read = schema_read_bool,
	  .offset = offsetof(struct host_config, strict),
	  .example = "strict: true" },
	{ .key = "runtimes",
	  .takes = TAKES_MAP,
	  .read = read_runtimes,
	  .example = "runtimes: {docker: true, podman: true, netns: true}" },
};

static const struct schema schema = SCHEMA("the host file", fields, "unmanaged: ignore");

static int read_documents(struct doc_reader *d, struct reader *rd, struct host_config *c)
{
	const struct node *root = NULL;
	int r = doc_next(d, rd->arena, &root);

	if (r > 0 && root)
		r = schema_read(rd, &schema, root, c);
	if (r < 0)
		return r;
	r = doc_next(d, rd->arena, &root);
	if (r > 0 && root)
		mistake(rd, root, "second-document", "join the two",
			"the host file holds one document only");
	return r < 0 ? r : 0;
}

static int parse(const char *path, const char *data, size_t len, struct host_config *c,
		 struct diag_list *diags)
{
	struct reader rd = { .arena = bh_arena_new(), .diags = diags };
	struct doc_reader d;
	int r = rd.arena ? doc_open(&d, path, data, len, diags) : -ENOMEM;

	if (r >= 0) {
		r = read_documents(&d, &rd, c);
		doc_close(&d);
	}
	bh_arena_free(rd.arena);
	return r;
}

int host_config_load(const char *path, struct host_config *ret, struct diag_list *diags,
		     struct bh_err *err)
{
	const char *file = path ? path : HOST_FILE;
	bh_autofree char *data = NULL;
	size_t len = 0, errors = diags->errors;
	struct host_config c;
	int r = bh_read_file(file, BH_POLICY_FILE_BYTES_MAX, &data, &len);

	host_config_init(&c);
	if (r == -ENOENT && !path) {
		*ret = c;
		return 0;
	}
	if (r == -EFBIG)
		source_too_big(diags, file);
	else if (r == -EINVAL)
		return bh_err_set(err, r, "%s is not a regular file", file);
	else if (r < 0)
		return bh_err_errno(err, r, "cannot read %s", file);
	else
		r = parse(file, data, len, &c, diags);
	if (r == -ENOMEM)
		return bh_err_oom(err);
	if (diags->errors > errors)
		return bh_err_set(err, -EINVAL, "%s is not valid", file);
	*ret = c;
	return 0;
}
