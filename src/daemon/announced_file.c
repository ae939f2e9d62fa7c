/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announced_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Numbers of namespaces and processes begin anew with each. */
static int read_boot(char out[BOOT_MAX], struct bh_err *err)
{
	bh_autofree char *text = NULL;
	size_t len;
	int r = bh_read_file(BOOT_ID, BOOT_MAX - 1, &text, &len);

	if (r < 0)
		return bh_err_errno(err, r, BOOT_ID);
	snprintf(out, BOOT_MAX, "%s", text);
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

int announced_file_begin(struct bh_buf *out, bool lost, struct bh_err *err)
{
	char boot[BOOT_MAX];
	int r = read_boot(boot, err);

	if (r < 0)
		return r;
	bh_buf_reset(out);
	bh_buf_addf(out, "{\"boot\":\"%s\",%s\"containers\":[", boot, lost ? "\"lost\":true," : "");
	return 0;
}

void announced_file_add(struct bh_buf *out, const char *container)
{
	if (out->len && out->data[out->len - 1] != '[')
		bh_buf_add(out, ",", 1);
	bh_buf_addstr(out, container);
}

int announced_file_end(const char *store, struct bh_buf *out, struct bh_err *err)
{
	char path[PATH_MAX];
	int r = path_of(store, path, err);

	bh_buf_addstr(out, "]}");
	if (r >= 0 && bh_buf_error(out))
		r = bh_err_errno(err, bh_buf_error(out), "%s", path);
	return r < 0 ? r : replace_file(path, 0600, out->data, out->len, err);
}

int announced_file_keep(const char *store, struct bh_err *err)
{
	char path[PATH_MAX], kept[PATH_MAX + 16];
	int r = path_of(store, path, err);

	if (r < 0)
		return r;
	snprintf(kept, sizeof(kept), "%s.damaged", path);
	if ((unlink(kept) < 0 && errno != ENOENT) || link(path, kept) < 0)
		return bh_err_errno(err, -errno, "%s cannot be kept", path);
	return 0;
}

/* Of which boot it is has to be known: its numbers may be others' by now. */
static int take_list(const char *path, const json_t *root, json_t **ret_list, bool *ret_lost,
		     struct bh_err *err)
{
	const char *written = json_string_value(json_object_get(root, "boot"));
	json_t *list = json_object_get(root, "containers");
	char boot[BOOT_MAX];
	int r;

	if (!written || !written[0] || !json_is_array(list))
		return bh_err_set(err, -EBADMSG, "%s is damaged", path);
	r = read_boot(boot, err);
	if (r < 0)
		return bh_err_prefix(err, r, "%s", path);
	if (strcmp(written, boot) == 0) {
		*ret_list = json_incref(list);
		*ret_lost = json_is_true(json_object_get(root, "lost"));
	}
	return 0;
}

static int read_path(const char *path, json_t **ret_list, bool *ret_lost, struct bh_err *err)
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
	r = take_list(path, root, ret_list, ret_lost, err);
	json_decref(root);
	return r;
}

int announced_file_read(const char *store, json_t **ret_list, bool *ret_lost, struct bh_err *err)
{
	char path[PATH_MAX];
	int r = path_of(store, path, err);

	*ret_list = NULL;
	*ret_lost = false;
	return r < 0 ? r : read_path(path, ret_list, ret_lost, err);
}
