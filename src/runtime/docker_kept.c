/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_kept.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/image.h>
#include <bulkhead/runtime/early.h>

#include "resolve.h"

#define DAEMON_JSON "/etc/docker/daemon.json"
#define DATA_ROOT   "/var/lib/docker"

/*
 * dockerd keeps what its API says of a container in files, in the same words: config.v2.json is its
 * document but for the id's key, and hostconfig.json the HostConfig in it. Of what is not there, or is not
 * what is expected, nothing is known.
 */

static json_t *read_json(const char *path)
{
	bh_autofree char *text = NULL;
	json_t *root;
	size_t len;

	if (bh_read_file(path, BH_KEPT_BYTES_MAX, &text, &len) < 0)
		return NULL;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

static json_t *read_below(const char *root, const char *dir, const char *id, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s%s%s", root, dir, id, name[0] ? "/" : "",
			 name);

	return n < (int)sizeof(path) ? read_json(path) : NULL;
}

/* KEY of FROM, if it is there, as AS of TO. */
static void pass(json_t *to, const char *as, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v)
		json_object_set(to, as, v);
}

/* The document that the API would give, without where it is in its networks. */
static json_t *document(const json_t *kept, json_t *host)
{
	json_t *doc = json_object();

	if (!doc)
		return NULL;
	pass(doc, "Id", kept, "ID");
	pass(doc, "Name", kept, "Name");
	pass(doc, "Image", kept, "Image");
	pass(doc, "Config", kept, "Config");
	pass(doc, "ResolvConfPath", kept, "ResolvConfPath");
	json_object_set(doc, "HostConfig", host);
	return doc;
}

static int take_document(const json_t *doc, struct bh_arena *arena, struct docker_container *ret)
{
	char *text = json_dumps(doc, JSON_COMPACT);
	int r = text ? docker_parse_container(text, strlen(text), arena, ret, NULL) : -ENOMEM;

	free(text);
	return r;
}

/* --- its image -------------------------------------------------------------------------------- */

/* The digests of one name, {"app:1": ID, "app@sha256:...": ID}, that are of this image. */
static void add_digests(json_t *list, json_t *names, const char *id)
{
	const char *name;
	json_t *of;

	json_object_foreach (names, name, of)
		if (strchr(name, '@') && json_is_string(of) &&
		    strcmp(json_string_value(of), id) == 0)
			json_array_append_new(list, json_string(name));
}

static json_t *digests(const char *images, const char *id)
{
	json_t *list = json_array(), *all = read_below(images, ".", "repositories.json", ""),
	       *names;
	const char *name;

	json_object_foreach (json_object_get(all, "Repositories"), name, names)
		if (list)
			add_digests(list, names, id);
	json_decref(all);
	return list;
}

static json_t *image_document(const char *root, const char *driver, const char *id)
{
	char images[PATH_MAX];
	json_t *kept, *doc = NULL;

	if (snprintf(images, sizeof(images), "%s/image/%s", root, driver) >= (int)sizeof(images))
		return NULL;
	kept = read_below(images, "imagedb/content/sha256", strchr(id, ':') + 1, "");
	if (kept)
		doc = json_object();
	if (doc) {
		pass(doc, "Config", kept, "config");
		json_object_set_new(doc, "RepoDigests", digests(images, id));
	}
	json_decref(kept);
	return doc;
}

/* Letters, digits, '-' and '_': "overlay2". */
static bool is_driver(const char *s)
{
	return s && s[0] && strlen(s) == strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_");
}

/* 0: its labels are divided. */
static int take_image(const char *root, const char *driver, struct bh_arena *arena,
		      struct docker_container *c)
{
	json_t *doc =
		c->image_id && is_driver(driver) ? image_document(root, driver, c->image_id) : NULL;
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct docker_image image;
	int r = text ? docker_parse_image(text, strlen(text), arena, &image, NULL) : -ENOENT;

	if (r >= 0)
		r = docker_take_digests(c, &image, arena, NULL);
	if (r >= 0)
		r = docker_divide_labels(c, image.labels, image.n_labels, arena, NULL);
	free(text);
	json_decref(doc);
	return r;
}

/* --- the container ---------------------------------------------------------------------------- */

int docker_kept(const char *root, const char *id, struct bh_arena *arena,
		struct docker_container *ret)
{
	json_t *kept, *host, *doc = NULL;
	int r = -ENOENT;

	if (!docker_id_is_valid(id))
		return -EINVAL;
	kept = read_below(root, "containers", id, "config.v2.json");
	host = read_below(root, "containers", id, "hostconfig.json");
	if (kept && host)
		doc = document(kept, host);
	if (doc)
		r = take_document(doc, arena, ret);
	if (r >= 0 && strcmp(ret->e.id, id) != 0)
		r = -EBADMSG;
	if (r >= 0)
		r = take_image(root, json_string_value(json_object_get(kept, "Driver")), arena,
			       ret);
	json_decref(doc);
	json_decref(host);
	json_decref(kept);
	return r;
}

/* Its namespace, and the addresses in there, at most BH_ENDPOINT_ADDRS_MAX. */
static bool find_place(int netns_fd, struct bh_addr *addrs, struct endpoint *e)
{
	struct stat st;

	if (fstat(netns_fd, &st) < 0 ||
	    runtime_netns_addrs(netns_fd, addrs, BH_ENDPOINT_ADDRS_MAX, &e->n_addrs, NULL) < 0)
		return false;
	e->netns_ino = st.st_ino;
	e->addrs = addrs;
	return true;
}

int docker_kept_add(const char *root, const char *id, int netns_fd, const char *path,
		    struct endpoint_builder *b, struct bh_err *err)
{
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX], resolvers[BH_ENDPOINT_RESOLVERS_MAX];
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;
	int r;

	if (!arena)
		return bh_err_oom(err);
	r = docker_kept(root, id, arena, &c);
	if (r < 0 || (netns_fd >= 0 && !find_place(netns_fd, addrs, &c.e))) {
		bh_arena_free(arena);
		return 0;
	}
	c.e.runtime = ENDPOINT_DOCKER;
	c.e.netns = path;
	c.e.resolvers = resolvers;
	c.e.n_resolvers = docker_resolvers_expected(&c, resolvers, BH_ARRAY_SIZE(resolvers));
	r = endpoint_builder_add(b, &c.e, err);
	bh_arena_free(arena);
	return r < 0 ? r : 1;
}

/* Where it keeps them; "" when that is said in a way that is not known here. */
static void data_root(char out[PATH_MAX])
{
	json_t *conf = read_json(DAEMON_JSON);
	const char *said = json_string_value(json_object_get(conf, "data-root"));

	snprintf(out, PATH_MAX, "%s", !said ? DATA_ROOT : said[0] == '/' ? said : "");
	json_decref(conf);
}

int runtime_docker_kept(const char *id, int netns_fd, const char *path, struct endpoint_builder *b,
			struct bh_err *err)
{
	char root[PATH_MAX];

	data_root(root);
	return docker_kept_add(root, id, netns_fd, path, b, err);
}
