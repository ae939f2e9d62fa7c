/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/cni/cni.h>

#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/json.h>

/* From the first with chained plugins on. */
static const struct cni_version versions[] = {
	{ "0.3.0", false, false }, { "0.3.1", false, false },  { "0.4.0", true, false },
	{ "1.0.0", true, false },  { CNI_NEWEST, true, true },
};

const struct cni_version *cni_version_find(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(versions); i++)
		if (strcmp(versions[i].name, name) == 0)
			return &versions[i];
	return NULL;
}

int cni_version_write(const char *asked, struct bh_buf *out)
{
	const struct cni_version *v = asked ? cni_version_find(asked) : NULL;
	json_t *all = json_array();

	for (size_t i = 0; i < BH_ARRAY_SIZE(versions); i++)
		json_array_append_new(all, json_string(versions[i].name));
	return json_take_line(json_pack("{s:s, s:o}", "cniVersion", v ? v->name : CNI_NEWEST,
					"supportedVersions", all),
			      out);
}
