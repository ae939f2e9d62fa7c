/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/replace.h>

#define FILE_NAME "announced.json"
#define BOOT_ID   "/proc/sys/kernel/random/boot_id"
#define BOOT_MAX  64

static int path_of(const char *store, char out[PATH_MAX], struct bh_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/" FILE_NAME, store ? store : BH_STORE_DIR);

	return n < PATH_MAX ? 0 : bh_err_set(err, -ENAMETOOLONG, "the path of the store");
}

/* Numbers of namespaces and processes begin anew with each. "" where it is not known. */
static void read_boot(char out[BOOT_MAX])
{
	bh_autofree char *text = NULL;
	size_t len;

	out[0] = '\0';
	if (bh_read_file(BOOT_ID, BOOT_MAX - 1, &text, &len) >= 0)
		snprintf(out, BOOT_MAX, "%s", text);
	out[strcspn(out, "\n")] = '\0';
}

int announced_file_write(const char *store, json_t *list, struct bh_err *err)
{
	char path[PATH_MAX], boot[BOOT_MAX];
	bh_autofree char *text = NULL;
	json_t *root;
	int r = path_of(store, path, err);

	if (r < 0)
		return r;
	read_boot(boot);
	root = json_pack("{s:s, s:O}", "boot", boot, "containers", list);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text ? replace_file(path, 0600, text, strlen(text), err) : bh_err_oom(err);
}

static int take_list(const char *path, const json_t *root, json_t **ret_list, struct bh_err *err)
{
	const char *written = json_string_value(json_object_get(root, "boot"));
	json_t *list = json_object_get(root, "containers");
	char boot[BOOT_MAX];

	if (!written || !json_is_array(list))
		return bh_err_set(err, -EBADMSG,
				  "%s is damaged: containers of OCI and CNI that run stay as they "
				  "are until they are told of again",
				  path);
	read_boot(boot);
	if (strcmp(written, boot) == 0)
		*ret_list = json_incref(list);
	return 0;
}

static int read_path(const char *path, json_t **ret_list, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	json_t *root;
	size_t len;
	int r = bh_read_file(path, BH_ANNOUNCED_BYTES_MAX, &text, &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return bh_err_errno(err, r, "%s", path);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = take_list(path, root, ret_list, err);
	json_decref(root);
	return r;
}

int announced_file_read(const char *store, json_t **ret_list, struct bh_err *err)
{
	char path[PATH_MAX];
	int r = path_of(store, path, err);

	*ret_list = NULL;
	return r < 0 ? r : read_path(path, ret_list, err);
}
