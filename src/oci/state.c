/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "json.h"

static int take_id(const json_t *root, const char **ret, struct bh_err *err)
{
	int r = oci_string(root, "id", BH_HINT_ID_MAX, ret, err);

	if (r < 0)
		return r;
	if (!*ret || strchr(*ret, '/') || strcmp(*ret, ".") == 0 || strcmp(*ret, "..") == 0)
		return bh_err_set(err, -EINVAL, "\"id\" must be a name, without \"/\"");
	return 0;
}

static int take_bundle(const json_t *root, const char **ret, struct bh_err *err)
{
	int r = oci_string(root, "bundle", PATH_MAX - 32, ret, err);

	if (r >= 0 && (!*ret || (*ret)[0] != '/'))
		return bh_err_set(err, -EINVAL, "\"bundle\" must be an absolute path");
	return r;
}

static int take_pid(const json_t *root, int *ret, struct bh_err *err)
{
	const json_t *v = json_object_get(root, "pid");

	*ret = 0;
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT_MAX)
		return bh_err_set(err, -EINVAL, "\"pid\" must be the number of a process");
	*ret = (int)json_integer_value(v);
	return 0;
}

static int take_all(struct oci_state *s, struct bh_err *err)
{
	int r = take_id(s->root, &s->id, err);

	if (r >= 0)
		r = oci_string(s->root, "status", BH_HINT_ID_MAX, &s->status, err);
	if (r >= 0)
		r = take_bundle(s->root, &s->bundle, err);
	if (r >= 0)
		r = take_pid(s->root, &s->pid, err);
	return r < 0 ? r : oci_strings(s->root, "annotations", &s->annotations, err);
}

int oci_state_parse(const char *data, size_t len, struct oci_state *ret, struct bh_err *err)
{
	struct oci_state s = { 0 };
	int r = oci_json(data, len, BH_OCI_STATE_BYTES_MAX, &s.root, err);

	if (r >= 0)
		r = take_all(&s, err);
	if (r < 0) {
		oci_state_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void oci_state_done(struct oci_state *s)
{
	json_decref(s->root);
	*s = (struct oci_state) { 0 };
}
