/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_IMPORT_COMPOSE_PRIVATE_H
#define BULKHEAD_IMPORT_COMPOSE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/import/compose.h>
#include <bulkhead/model/flowspec.h>

/* --- tree.c: YAML with anchors and merge keys, within limits ------------------------------------ */

struct tree {
	const char *file;
	yaml_document_t doc;
	struct bh_arena *arena;
	struct diag_list *diags;
	size_t steps; /* entries that were looked at, repetitions by aliases included */
};

/* An entry of a mapping, what it merges included; or of a list, without a key. */
struct entry {
	const char *key;
	const yaml_node_t *key_node;
	const yaml_node_t *value;
};

struct entries {
	struct entry *e;
	size_t n;
};

/* 0 and a document that tree_close() ends; -EINVAL reported; -ENOMEM. */
int tree_open(struct tree *t, const struct policy_source *src, struct bh_arena *arena,
	      struct diag_list *diags);
void tree_close(struct tree *t);
const yaml_node_t *tree_root(struct tree *t);
/* WHAT N is: a mapping. -EINVAL: reported; -ENOMEM. */
int tree_map(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret);
/* The same of a list. */
int tree_list(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret);
/* A list of names, or a mapping whose keys they are. */
int tree_names(struct tree *t, const yaml_node_t *n, const char *what, struct entries *ret);
const yaml_node_t *entries_find(const struct entries *e, const char *key);
bool tree_is_null(const yaml_node_t *n);
/* The text of a scalar, or NULL (reported as WHAT); it is the document's. */
const char *tree_text(struct tree *t, const yaml_node_t *n, const char *what);
unsigned tree_line(const yaml_node_t *n);

#define tree_report(t, severity, node, id, hint, ...)                                              \
	do {                                                                                       \
		const struct src_loc loc_ = { (t)->file, (unsigned)(node)->start_mark.line + 1,    \
					      (unsigned)(node)->start_mark.column + 1 };           \
                                                                                                   \
		diag_add((t)->diags, severity, &loc_, id, hint, __VA_ARGS__);                      \
	} while (0)

#define SHOWN(s) bh_escape_str((char[100]) { 0 }, 100, (s))

/* The way out of all that a single file does not say. */
#define COMPOSE_CONFIG "docker compose config > resolved.yaml; then bulkhead init resolved.yaml"

/* --- model.c, ports.c: what is of use in it ----------------------------------------------------- */

/* A port that a container listens on. */
struct compose_port {
	struct port_spec spec;
	unsigned line;
	bool published;
	bool host_only;      /* on a loopback address of the host */
	bool unread_address; /* which depends on a variable: taken for all of them */
	const char *unread;  /* its text, when it depends on a variable; SPEC says nothing then */
};

struct compose_need {
	size_t service;  /* index */
	const char *how; /* "depends_on" or "links" */
	unsigned line;
	bool reachable; /* the two share a network */
};

struct compose_service {
	const char *name, *policy; /* in the file; of its policy */
	const char *image;         /* or NULL */
	unsigned line;
	const char **networks;
	size_t n_networks;
	const char *network_mode; /* or NULL */
	bool external_links;
	struct compose_port *ports; /* each once */
	size_t n_ports;
	struct compose_need *needs; /* each service once, never itself */
	size_t n_needs;
};

struct compose_file {
	struct tree tree;
	const char *project;
	const char *base; /* of its path, safe */
	struct compose_service *services;
	size_t n;
};

/* 0; -EINVAL reported, -ENOMEM. */
int compose_read(struct compose_file *f, const char *project, const char *directory);
/* ports: (PUBLISHED) or expose: */
int compose_read_ports(struct compose_file *f, struct compose_service *s, const yaml_node_t *n,
		       bool published);
/* Does Compose put something in there, from the environment? */
bool compose_has_variable(const char *s);
/* A network that both are in, or NULL. */
const char *compose_shared_network(const struct compose_service *a,
				   const struct compose_service *b);

/* --- write.c ------------------------------------------------------------------------------------ */

/* Errors stick to OUT. */
void compose_write(const struct compose_file *f, const struct compose_service *s,
		   struct bh_buf *out);

#endif
