/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* --- names -------------------------------------------------------------------------------------- */

static bool is_project(const char *s)
{
	return *s && !strchr("_-", *s) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(s);
}

/* As Compose does it: lower case, nothing but letters, digits, _ and -, none of these two in front. */
static const char *normalise(struct bh_arena *arena, const char *directory)
{
	char *out = bh_arena_strdup(arena, directory);
	size_t n = 0;

	for (const char *s = directory; out && *s; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    (n && (c == '_' || c == '-')))
			out[n++] = c;
	}
	if (out)
		out[n] = '\0';
	return out;
}

static int bad_project(struct compose_file *f, const yaml_node_t *n, const char *name)
{
	tree_report(&f->tree, DIAG_ERROR, n, "compose-project", "give it with --project NAME",
		    "\"%s\" is not the name of a project: a-z, 0-9, _ and - are", SHOWN(name));
	return -EINVAL;
}

static int find_project(struct compose_file *f, const struct entries *top, const char *project,
			const char *directory)
{
	const yaml_node_t *n = entries_find(top, "name");
	const yaml_node_t *at = n ? n : tree_root(&f->tree);
	const char *name = project;

	if (!name && n) {
		name = tree_text(&f->tree, n, "\"name\"");
		if (!name)
			return -EINVAL;
	}
	f->project =
		name ? bh_arena_strdup(f->tree.arena, name) : normalise(f->tree.arena, directory);
	if (!f->project)
		return -ENOMEM;
	return is_project(f->project) ? 0 : bad_project(f, at, name ? name : directory);
}

/* "shop" and "API_v2" are "shop-api-v2". */
static int name_policy(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	char *name = bh_arena_printf(f->tree.arena, "%s-%s", f->project, s->name);
	size_t len = name ? strlen(name) : 0;

	if (!name)
		return -ENOMEM;
	for (char *p = name; *p; p++)
		*p = strchr("_.", *p) ? '-' : *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	while (len && name[len - 1] == '-')
		name[--len] = '\0';
	s->policy = name;
	if (bh_name_is_valid(name))
		return 0;
	tree_report(&f->tree, DIAG_ERROR, n, "compose-name", "a shorter --project NAME may do",
		    "the policy of service \"%s\" would be called \"%s\": more than 63 letters",
		    SHOWN(s->name), SHOWN(name));
	return -EINVAL;
}

static int check_twins(struct compose_file *f, const struct entries *list)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < i; k++) {
			if (strcmp(f->services[i].policy, f->services[k].policy) != 0)
				continue;
			tree_report(&f->tree, DIAG_ERROR, list->e[i].key_node, "compose-name",
				    "rename one of the two",
				    "the policies of \"%s\" and \"%s\" would both be called %s",
				    SHOWN(f->services[k].name), SHOWN(f->services[i].name),
				    f->services[i].policy);
			return -EINVAL;
		}
	return 0;
}

/* --- networks ----------------------------------------------------------------------------------- */

static int add_network(struct compose_file *f, struct compose_service *s, const char *name)
{
	s->networks[s->n_networks] = bh_arena_strdup(f->tree.arena, name);
	return s->networks[s->n_networks++] ? 0 : -ENOMEM;
}

/* All but "default" are declared; a variable in a name cannot be followed. */
static int check_network(struct compose_file *f, const struct entry *e, const struct entries *known)
{
	if (strcmp(e->key, "default") == 0 || entries_find(known, e->key))
		return 0;
	for (size_t i = 0; i < known->n; i++) /* declared, and null */
		if (strcmp(known->e[i].key, e->key) == 0)
			return 0;
	tree_report(&f->tree, DIAG_ERROR, e->key_node ? e->key_node : e->value, "compose-network",
		    compose_has_variable(e->key) ? COMPOSE_CONFIG : "declare it in networks:",
		    "there is no network \"%s\" in this file", SHOWN(e->key));
	return -EINVAL;
}

static int read_networks(struct compose_file *f, struct compose_service *s, const struct entries *e,
			 const struct entries *known)
{
	const yaml_node_t *n = entries_find(e, "networks");
	struct entries list = { 0 };
	int r = 0;

	if (n && !tree_is_null(n))
		r = tree_names(&f->tree, n, "\"networks\"", &list);
	if (r < 0)
		return r;
	s->networks = bh_arena_array(f->tree.arena, list.n + 1, sizeof(*s->networks));
	if (!s->networks)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		r = check_network(f, &list.e[i], known);
		if (r >= 0)
			r = add_network(f, s, list.e[i].key);
	}
	if (r >= 0 && !list.n && !s->network_mode)
		r = add_network(f, s, "default");
	return r;
}

const char *compose_shared_network(const struct compose_service *a, const struct compose_service *b)
{
	for (size_t i = 0; i < a->n_networks; i++)
		for (size_t k = 0; k < b->n_networks; k++)
			if (strcmp(a->networks[i], b->networks[k]) == 0)
				return a->networks[i];
	return NULL;
}

/* --- who needs whom ----------------------------------------------------------------------------- */

static struct compose_service *find_service(struct compose_file *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->services[i].name, name) == 0)
			return &f->services[i];
	return NULL;
}

static int add_need(struct compose_file *f, struct compose_service *s, const yaml_node_t *n,
		    const char *name, const char *how)
{
	const struct compose_service *other = find_service(f, name);

	if (!other) {
		tree_report(&f->tree, DIAG_ERROR, n, "compose-service", COMPOSE_CONFIG,
			    "\"%s\" names the service \"%s\", which is not in this file", how,
			    SHOWN(name));
		return -EINVAL;
	}
	for (size_t i = 0; i < s->n_needs; i++)
		if (s->needs[i].service == (size_t)(other - f->services))
			return 0;
	if (other != s)
		s->needs[s->n_needs++] = (struct compose_need) {
			.service = (size_t)(other - f->services), .how = how, .line = tree_line(n)
		};
	return 0;
}

/* {condition: ..., required: false}: it may be missing. */
static bool is_optional(struct compose_file *f, const yaml_node_t *n)
{
	const yaml_node_t *required;
	struct entries e;

	if (n->type != YAML_MAPPING_NODE || tree_map(&f->tree, n, "an entry", &e) < 0)
		return false;
	required = entries_find(&e, "required");
	return required && required->type == YAML_SCALAR_NODE &&
	       strcmp((const char *)required->data.scalar.value, "false") == 0;
}

static int read_depends(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	struct entries list;
	int r = tree_names(&f->tree, n, "\"depends_on\"", &list);

	for (size_t i = 0; r >= 0 && i < list.n; i++)
		if (find_service(f, list.e[i].key) || !is_optional(f, list.e[i].value))
			r = add_need(f, s, list.e[i].key_node, list.e[i].key, "depends_on");
	return r;
}

/* SERVICE or SERVICE:ALIAS */
static int read_links(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	struct entries list;
	int r = tree_names(&f->tree, n, "\"links\"", &list);

	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		const char *text = list.e[i].key;
		char *name = bh_arena_strndup(f->tree.arena, text, strcspn(text, ":"));

		r = name ? add_need(f, s, list.e[i].value, name, "links") : -ENOMEM;
	}
	return r;
}

/* --- a service ---------------------------------------------------------------------------------- */

static int refuse_extends(struct compose_file *f, const struct entries *e)
{
	const yaml_node_t *n = entries_find(e, "extends");

	if (!n)
		return 0;
	tree_report(&f->tree, DIAG_ERROR, n, "compose-extends", COMPOSE_CONFIG,
		    "\"extends\" is not followed: what it brings may stand in other files");
	return -EINVAL;
}

static int read_texts(struct compose_file *f, struct compose_service *s, const struct entries *e)
{
	const yaml_node_t *mode = entries_find(e, "network_mode");
	const yaml_node_t *image = entries_find(e, "image");

	if (mode && !tree_is_null(mode)) {
		s->network_mode = tree_text(&f->tree, mode, "\"network_mode\"");
		if (!s->network_mode)
			return -EINVAL;
		if (compose_has_variable(s->network_mode)) {
			tree_report(&f->tree, DIAG_ERROR, mode, "compose-variable", COMPOSE_CONFIG,
				    "\"network_mode\" depends on a variable");
			return -EINVAL;
		}
	}
	if (image && !tree_is_null(image)) {
		s->image = tree_text(&f->tree, image, "\"image\"");
		if (!s->image)
			return -EINVAL;
	}
	return 0;
}

struct key_reader {
	const char *key;
	int (*read)(struct compose_file *f, struct compose_service *s, const yaml_node_t *n);
};

static int read_published(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	return compose_read_ports(f, s, n, true);
}

static int read_exposed(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	return compose_read_ports(f, s, n, false);
}

static int read_external(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	s->external_links = true;
	return 0;
}

static const struct key_reader keys[] = {
	{ "ports", read_published },
	{ "expose", read_exposed },
	{ "links", read_links },
	{ "depends_on", read_depends },
	{ "external_links", read_external },
};

/* Its name is known, as are those of all others. */
static int read_service(struct compose_file *f, struct compose_service *s,
			const struct entry *entry, const struct entries *networks)
{
	struct entries e;
	int r = tree_map(&f->tree, entry->value, "a service", &e);

	if (r >= 0)
		r = refuse_extends(f, &e);
	if (r >= 0)
		r = read_texts(f, s, &e);
	if (r >= 0)
		r = read_networks(f, s, &e, networks);
	s->needs = bh_arena_array(f->tree.arena, f->n, sizeof(*s->needs));
	if (r >= 0 && !s->needs)
		r = -ENOMEM;
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(keys); i++) {
		const yaml_node_t *n = entries_find(&e, keys[i].key);

		if (n && !tree_is_null(n))
			r = keys[i].read(f, s, n);
	}
	return r;
}

/* network_mode: service:NAME. It has no networks of its own, but those of NAME. */
static int share_networks(struct compose_file *f, struct compose_service *s)
{
	const struct compose_service *other = s;

	for (int depth = 0; depth < 8 && other && other->network_mode; depth++) {
		const char *mode = other->network_mode;

		other = strncmp(mode, "service:", 8) == 0 ? find_service(f, mode + 8) : NULL;
	}
	if (!other || other == s || other->network_mode)
		return 0;
	s->networks = other->networks;
	s->n_networks = other->n_networks;
	return 0;
}

static int name_services(struct compose_file *f, const struct entries *list)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		struct compose_service *s = &f->services[i];

		s->name = list->e[i].key;
		s->line = tree_line(list->e[i].key_node);
		if (!*s->name || strspn(s->name, NAME_CHARS) != strlen(s->name)) {
			tree_report(
				&f->tree, DIAG_ERROR, list->e[i].key_node, "compose-name", NULL,
				"\"%s\" is not the name of a service: letters, digits, ., _ and "
				"- are",
				SHOWN(s->name));
			return -EINVAL;
		}
		r = name_policy(f, s, list->e[i].key_node);
	}
	return r >= 0 ? check_twins(f, list) : r;
}

static int make_services(struct compose_file *f, const yaml_node_t *n, struct entries *list)
{
	int r = tree_map(&f->tree, n, "\"services\"", list);

	if (r < 0)
		return r;
	if (!list->n || list->n > BH_COMPOSE_SERVICES_MAX) {
		tree_report(&f->tree, DIAG_ERROR, n, "compose-size", NULL,
			    list->n ? "more than %u services"
				    : "there is no service, of at most %u",
			    BH_COMPOSE_SERVICES_MAX);
		return -EINVAL;
	}
	f->n = list->n;
	f->services = bh_arena_array(f->tree.arena, list->n, sizeof(*f->services));
	return f->services ? name_services(f, list) : -ENOMEM;
}

static int read_services(struct compose_file *f, const struct entries *list,
			 const struct entries *networks)
{
	int r = 0, worst = 0;

	/* The mistakes of all of them, in one run. */
	for (size_t i = 0; r != -ENOMEM && i < f->n; i++) {
		r = read_service(f, &f->services[i], &list->e[i], networks);
		worst = r < 0 ? r : worst;
	}
	for (size_t i = 0; worst >= 0 && i < f->n; i++)
		worst = share_networks(f, &f->services[i]);
	for (size_t i = 0; worst >= 0 && i < f->n; i++)
		for (size_t k = 0; k < f->services[i].n_needs; k++) {
			struct compose_need *need = &f->services[i].needs[k];

			need->reachable = compose_shared_network(&f->services[i],
								 &f->services[need->service]);
		}
	return worst;
}

int compose_read(struct compose_file *f, const char *project, const char *directory)
{
	const yaml_node_t *n = tree_root(&f->tree);
	struct entries top, networks = { 0 }, list;
	int r = tree_map(&f->tree, n, "a Compose file", &top);

	if (r < 0)
		return r;
	n = entries_find(&top, "include");
	if (n) {
		tree_report(&f->tree, DIAG_ERROR, n, "compose-include", COMPOSE_CONFIG,
			    "\"include\" is not followed");
		return -EINVAL;
	}
	r = find_project(f, &top, project, directory);
	n = entries_find(&top, "networks");
	if (r >= 0 && n && !tree_is_null(n))
		r = tree_map(&f->tree, n, "\"networks\"", &networks);
	n = entries_find(&top, "services");
	if (r >= 0 && !n) {
		tree_report(&f->tree, DIAG_ERROR, tree_root(&f->tree), "compose-empty",
			    "a Compose file has services:", "there is no \"services\" in it");
		r = -EINVAL;
	}
	if (r >= 0)
		r = make_services(f, n, &list);
	return r < 0 ? r : read_services(f, &list, &networks);
}
