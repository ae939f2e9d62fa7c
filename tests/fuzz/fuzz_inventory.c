/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>

/*
 * An inventory file. Beyond not crashing: what is accepted has ids, each once, and no more of
 * anything than its cap; what is refused is refused with a located mistake.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_endpoint(const struct endpoint *e)
{
	must(e->id && e->id[0] && e->name && e->namespace);
	must(e->n_labels <= BH_LABELS_MAX && e->n_image_labels <= BH_LABELS_MAX);
	must(e->n_addrs <= BH_ENDPOINT_ADDRS_MAX && e->n_ports <= BH_ENDPOINT_PORTS_MAX);
	must(e->n_resolvers <= BH_ENDPOINT_RESOLVERS_MAX);
	must(!e->compose_project == !e->compose_service);
	for (size_t i = 0; i < e->n_labels; i++)
		must(e->labels[i].key && e->labels[i].value);
}

static void check_set(const struct endpoint_set *set)
{
	must(set->n <= BH_ENDPOINTS_MAX && set->n_host_addrs <= BH_HOST_ADDRS_MAX);
	for (size_t i = 0; i < set->n; i++) {
		check_endpoint(&set->endpoints[i]);
		must(!i || strcmp(set->endpoints[i - 1].id, set->endpoints[i].id) < 0);
		must(endpoint_set_find(set, set->endpoints[i].id, NULL) == &set->endpoints[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int r;

	if (!b)
		return 0;
	diag_list_init(&diags);
	r = runtime_inventory_parse("inventory.json", (const char *)data, size, b, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (diags.errors == 0));
	for (size_t i = 0; i < diags.n; i++)
		must(diags.d[i].file && diags.d[i].text[0]);
	if (r == 0) {
		r = endpoint_builder_finish(b, &set, &err);
		must(r == 0 || (r == -EEXIST && err.msg[0]));
		if (set)
			check_set(set);
		endpoint_set_free(set);
	}
	endpoint_builder_free(b);
	diag_list_done(&diags);
	return 0;
}
