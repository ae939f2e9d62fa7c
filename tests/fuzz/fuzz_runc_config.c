/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>

#include "../../src/oci/runc.h"

/*
 * config.json of a bundle. Beyond not crashing: what is taken has our hook last, everything that was there
 * as it was but for the hooks, and stays the same when it is edited again; without raw sockets, no set has
 * the capability.
 */

static const struct runc_hook hook = { "/hook", (const char *const[]) { "hook", "a\"b", NULL } };

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static json_t *load(const char *text, size_t len)
{
	return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
}

static const char *last_path(json_t *config, const char *stage)
{
	json_t *list = json_object_get(json_object_get(config, "hooks"), stage);

	must(json_array_size(list) > 0);
	return json_string_value(
		json_object_get(json_array_get(list, json_array_size(list) - 1), "path"));
}

/* Members of hooks that are not ours, and of all else. */
static void check_rest(json_t *before, json_t *after)
{
	json_t *old = json_object_get(before, "hooks"), *now = json_object_get(after, "hooks");
	json_t *value;
	const char *key;

	json_object_foreach (old, key, value)
		must(strcmp(key, "createRuntime") == 0 || strcmp(key, "poststop") == 0 ||
		     json_equal(value, json_object_get(now, key)));
	json_object_del(before, "hooks");
	json_object_del(after, "hooks");
	must(json_equal(before, after));
}

static void check_hook(const char *data, size_t size, const struct bh_buf *text)
{
	json_t *before = load(data, size), *after = load(text->data, text->len);

	must(before && after);
	must(last_path(after, "createRuntime") && last_path(after, "poststop"));
	check_rest(before, after);
	json_decref(before);
	json_decref(after);
}

static void edit_hook(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf text;

	bh_buf_init(&text, 1 << 20);
	must(bh_buf_add(&text, data, size) == 0);
	if (runc_config_add_hook(&text, &hook, &err) == 0) {
		bh_autofree char *once = strdup(text.data);

		check_hook(data, size, &text);
		must(runc_config_add_hook(&text, &hook, &err) == 0);
		must(strcmp(once, text.data) == 0);
	} else {
		must(err.msg[0]);
	}
	bh_buf_done(&text);
}

static void check_sets(json_t *config)
{
	static const char *const names[] = { "bounding", "effective", "inheritable", "permitted",
					     "ambient" };
	json_t *sets = json_object_get(json_object_get(config, "process"), "capabilities"), *cap;
	size_t k;

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++)
		json_array_foreach (json_object_get(sets, names[i]), k, cap)
			must(!json_is_string(cap) ||
			     strcmp(json_string_value(cap), "CAP_NET_RAW") != 0);
}

static void edit_raw(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf text;

	bh_buf_init(&text, 1 << 20);
	must(bh_buf_add(&text, data, size) == 0);
	if (runc_config_deny_raw(&text, &err) == 0) {
		json_t *after = load(text.data, text.len);

		must(after && runc_config_denies_raw(text.data, text.len));
		check_sets(after);
		json_decref(after);
	} else {
		must(err.msg[0]);
	}
	bh_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf text;

	if (size > 1 << 16)
		return 0;
	edit_hook((const char *)data, size);
	edit_raw((const char *)data, size);
	bh_buf_init(&text, 1 << 20);
	must(bh_buf_add(&text, data, size) == 0);
	runc_process_deny_raw(&text, &err);
	bh_buf_done(&text);
	return 0;
}
