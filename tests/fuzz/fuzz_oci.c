/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "../../src/oci/bundle.h"
#include "../../src/oci/state.h"

/*
 * What a runtime hands to its hook: the state and the bundle's file. Beyond not crashing: what is taken
 * is within its bounds, and what is refused is refused with a sentence.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_labels(const json_t *annotations)
{
	static struct label labels[BH_LABELS_MAX];
	struct bh_err err = BH_ERR_INIT;
	size_t n = 0;
	int r = oci_labels(annotations, labels, &n, &err);

	must(r == 0 || ((r == -EINVAL || r == -E2BIG) && err.msg[0]));
	must(n <= BH_LABELS_MAX);
	for (size_t i = 0; r == 0 && i < n; i++) {
		must(labels[i].key[0] && !strchr(labels[i].key, '='));
		must(strlen(labels[i].value) <= BH_RUNTIME_LABEL_BYTES_MAX);
	}
}

static void check_state(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct oci_state s;
	int r = oci_state_parse(data, size, &s, &err);

	must(r == 0 || (r == -EINVAL && err.msg[0]));
	if (r < 0)
		return;
	must(s.id[0] && !strchr(s.id, '/') && strcmp(s.id, "..") && s.bundle[0] == '/');
	must(strlen(s.bundle) < PATH_MAX && s.pid >= 0);
	check_labels(s.annotations);
	oci_state_done(&s);
}

static void check_config(const char *data, size_t size)
{
	struct bh_err err = BH_ERR_INIT;
	struct oci_config c;
	int r = oci_config_parse(data, size, &c, &err);

	must(r == 0 || (r == -EINVAL && err.msg[0]));
	if (r < 0)
		return;
	must(!c.netns || (c.own_network && c.netns[0] == '/'));
	check_labels(c.annotations);
	oci_config_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_state((const char *)data, size);
	check_config((const char *)data, size);
	return 0;
}
