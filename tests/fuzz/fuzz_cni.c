/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/cni/cni.h>

/*
 * What a runtime says to the CNI plugin: a letter for the command, CNI_ARGS, a NUL byte, standard input.
 * Beyond not crashing: what is refused has a code and a sentence, what is taken is within its caps, and
 * an answer is JSON that says what prevResult said.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_error(const struct cni_error *err)
{
	struct bh_buf out;
	json_t *o;

	must(err->code != CNI_NONE && err->err.msg[0]);
	bh_buf_init(&out, 16384);
	must(cni_error_write(err, NULL, &out) == 0);
	o = json_loads(bh_buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	must(json_is_string(json_object_get(o, "msg")));
	json_decref(o);
	bh_buf_done(&out);
}

static void check_labels(const char *args, const struct cni_config *c)
{
	const struct cni_environment e = { .args = args };
	struct cni_error err = CNI_ERROR_INIT;
	struct cni_labels l;

	if (cni_labels_take(&e, c, &l, &err) < 0) {
		check_error(&err);
		return;
	}
	must(l.n >= 1 && l.n <= BH_LABELS_MAX && l.bytes <= BH_CNI_LABELS_BYTES_MAX);
	must(strcmp(l.labels[0].key, CNI_NETWORK_LABEL) == 0);
	must(strcmp(l.labels[0].value, c->network) == 0);
	for (size_t i = 0; i < l.n; i++) {
		must(l.labels[i].key[0] && !strchr(l.labels[i].key, '='));
		for (size_t k = 0; k < i; k++)
			must(strcmp(l.labels[i].key, l.labels[k].key) != 0);
	}
	cni_labels_done(&l);
}

static void check_result(const struct cni_config *c)
{
	struct bh_buf out;
	json_t *got, *want;

	bh_buf_init(&out, 8 * BH_CNI_CONFIG_MAX);
	must(cni_result_write(c, &out) == 0);
	got = json_loads(bh_buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	want = json_copy(c->previous);
	must(got != NULL && want != NULL);
	json_object_set_new(want, "cniVersion", json_string(c->version->name));
	must(json_equal(got, want));
	json_decref(want);
	json_decref(got);
	bh_buf_done(&out);
}

static void check(const char *args, const char *text, size_t len, enum cni_command command)
{
	struct cni_error err = CNI_ERROR_INIT;
	const char *version = NULL;
	struct cni_config c;

	if (cni_config_parse(text, len, command, &c, &version, &err) < 0) {
		must(c.root == NULL);
		check_error(&err);
		return;
	}
	must(version == c.version->name && (c.network || command == CNI_STATUS));
	must(c.wait_ms <= BH_CNI_WAIT_MAX_S * 1000);
	if (command == CNI_GC)
		must(!cni_config_attached(&c, "../x"));
	if (command == CNI_ADD || command == CNI_CHECK) {
		check_labels(args, &c);
		check_result(&c);
	}
	cni_config_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size > 1 ? memchr(data + 1, '\0', size - 1) : NULL;
	char *text;

	if (!cut)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data, size);
	check(text + 1, (const char *)cut + 1, size - (size_t)(cut + 1 - data),
	      (enum cni_command)(data[0] % (CNI_STATUS + 1)));
	free(text);
	return 0;
}
