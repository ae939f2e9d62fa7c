/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bundle.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "json.h"

/* --- namespaces ------------------------------------------------------------------------------- */

static int take_namespace(const json_t *entry, struct oci_config *c, struct bh_err *err)
{
	const char *type;
	int r = json_is_object(entry) ? oci_string(entry, "type", BH_HINT_ID_MAX, &type, err)
				      : -EINVAL;

	if (r < 0 || !type)
		return bh_err_set(err, -EINVAL,
				  "\"linux\": \"namespaces\" must be objects with a "
				  "\"type\"");
	if (strcmp(type, "network") != 0)
		return 0;
	c->own_network = true;
	r = oci_string(entry, "path", PATH_MAX - 1, &c->netns, err);
	if (r >= 0 && c->netns && c->netns[0] != '/')
		return bh_err_set(err, -EINVAL,
				  "\"linux\": \"namespaces\": \"path\" must be an "
				  "absolute path");
	return r;
}

static int take_namespaces(const json_t *linux_, struct oci_config *c, struct bh_err *err)
{
	const json_t *list, *entry;
	size_t i;
	int r = oci_array(linux_, "namespaces", &list, err);

	json_array_foreach (list, i, entry) {
		r = take_namespace(entry, c, err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- capabilities ----------------------------------------------------------------------------- */

static bool lists(const json_t *list, const char *cap)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *s = json_string_value(item);

		if (s && strcasecmp(s, cap) == 0)
			return true;
	}
	return false;
}

/* In whichever set: what is not in the bounding one today is no reason to trust. */
static bool has_cap(const json_t *sets, const char *cap)
{
	const char *name;
	json_t *list;

	json_object_foreach ((json_t *)sets, name, list)
		if (lists(list, cap))
			return true;
	return false;
}

static int take_capabilities(struct oci_config *c, struct bh_err *err)
{
	const json_t *process, *sets = NULL;
	int r = oci_object(c->root, "process", &process, err);

	if (r >= 0)
		r = oci_object(process, "capabilities", &sets, err);
	if (r < 0 || !sets)
		return r;
	if (has_cap(sets, "CAP_NET_ADMIN"))
		c->obstacle = ENDPOINT_NET_ADMIN;
	else if (has_cap(sets, "CAP_NET_RAW"))
		c->obstacle = ENDPOINT_RAW_SOCKETS;
	return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

static int take_all(struct oci_config *c, struct bh_err *err)
{
	const json_t *linux_;
	int r = oci_strings(c->root, "annotations", &c->annotations, err);

	if (r >= 0)
		r = oci_object(c->root, "linux", &linux_, err);
	if (r >= 0)
		r = take_namespaces(linux_, c, err);
	return r < 0 ? r : take_capabilities(c, err);
}

int oci_config_parse(const char *data, size_t len, struct oci_config *ret, struct bh_err *err)
{
	struct oci_config c = { 0 };
	int r = oci_json(data, len, BH_OCI_CONFIG_BYTES_MAX, &c.root, err);

	if (r >= 0)
		r = take_all(&c, err);
	if (r < 0) {
		oci_config_done(&c);
		return r;
	}
	*ret = c;
	return 0;
}

int oci_config_read(const char *bundle, struct oci_config *ret, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	char path[PATH_MAX];
	size_t len;
	int r;

	if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path))
		return bh_err_set(err, -ENAMETOOLONG, "\"bundle\" is too long");
	r = bh_read_file(path, BH_OCI_CONFIG_BYTES_MAX, &data, &len);
	if (r < 0)
		return bh_err_errno(err, r, "%s", path);
	r = oci_config_parse(data, len, ret, err);
	return r < 0 ? bh_err_prefix(err, r, "%s", path) : 0;
}

void oci_config_done(struct oci_config *c)
{
	json_decref(c->root);
	*c = (struct oci_config) { 0 };
}

int oci_labels(const json_t *annotations, struct label *ret, size_t *ret_n, struct bh_err *err)
{
	const char *key;
	char shown[128];
	size_t n = 0;
	json_t *v;

	json_object_foreach ((json_t *)annotations, key, v) {
		if (strchr(key, '=')) /* no policy can name it, and it would be read as another */
			continue;
		if (n == BH_LABELS_MAX)
			return bh_err_set(err, -E2BIG, "\"annotations\" has more than %d",
					  BH_LABELS_MAX);
		if (!key[0] || strlen(key) > BH_RUNTIME_LABEL_BYTES_MAX ||
		    json_string_length(v) > BH_RUNTIME_LABEL_BYTES_MAX)
			return bh_err_set(err, -EINVAL,
					  "\"annotations\": \"%s\" has more than %d bytes",
					  bh_escape_str(shown, sizeof(shown), key),
					  BH_RUNTIME_LABEL_BYTES_MAX);
		ret[n++] = (struct label) { key, json_string_value(v) };
	}
	*ret_n = n;
	return 0;
}
