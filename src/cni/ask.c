/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/ctl/ctl.h>

static int read_answer(struct ctl_client *c, json_t **ret_item, struct bh_err *err)
{
	struct ctl_end end;
	json_t *item;
	int r;

	while ((r = ctl_client_next(c, &item, &end, err)) > 0) {
		if (ret_item) {
			json_decref(*ret_item);
			*ret_item = json_incref(item);
		}
		json_decref(item);
	}
	if (r < 0 || end.exit == CTL_EXIT_YES)
		return r;
	return bh_err_set(err, end.exit == CTL_EXIT_NO ? -EPERM : -EAGAIN, "%s", end.error);
}

int plugin_ask(const struct launch_options *o, const char *verb, json_t *args, json_t **ret_item,
	       struct bh_err *err)
{
	struct ctl_client *c;
	int r = ctl_client_connect(o->socket, (int)o->wait_ms, &c, err);

	if (r < 0) {
		json_decref(args);
		return r;
	}
	r = ctl_client_request(c, verb, args, (int)o->wait_ms, err);
	if (r >= 0)
		r = read_answer(c, ret_item, err);
	ctl_client_free(c);
	return r;
}

/* --- GC: as many messages as it takes ---------------------------------------------------------- */

#define PIECE_BYTES (BH_CTL_FRAME_MAX / 2) /* of ids in one message */

struct retaining {
	const struct launch_options *options;
	const char *network;
	const char **ids; /* sorted */
	size_t n;
};

static int order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Those from FIRST to before END are there; of others between, nothing is known any more. */
static int tell(const struct retaining *t, size_t first, size_t end, struct bh_err *err)
{
	char label[sizeof(CNI_NETWORK_LABEL) + BH_CNI_ID_MAX + 1];
	json_t *keep = json_array(), *args;

	snprintf(label, sizeof(label), "%s=%s", CNI_NETWORK_LABEL, t->network);
	args = json_pack("{s:s, s:s, s:s*, s:s*}", "runtime", endpoint_runtime_name(ENDPOINT_CNI),
			 "label", label, "after", first ? t->ids[first - 1] : NULL, "until",
			 end < t->n ? t->ids[end - 1] : NULL);

	for (size_t i = first; i < end; i++)
		json_array_append_new(keep, json_string(t->ids[i]));
	json_object_set_new(args, "keep", keep);
	return plugin_ask(t->options, "retain", args, NULL, err);
}

static size_t piece_end(const struct retaining *t, size_t first)
{
	size_t bytes = 0, i = first;

	while (i < t->n && bytes < PIECE_BYTES)
		bytes += strlen(t->ids[i++]) + 3;
	return i;
}

int plugin_retain(const struct launch_options *o, const struct cni_config *c, struct bh_err *err)
{
	struct retaining t = { .options = o, .network = c->network };
	bh_autofree const char **ids = calloc(json_array_size(c->attachments) + 1, sizeof(*ids));
	const json_t *item;
	size_t i, first = 0;
	int r;

	if (!ids)
		return bh_err_oom(err);
	t.ids = ids;
	json_array_foreach (c->attachments, i, item)
		ids[t.n++] = json_string_value(json_object_get(item, "containerID"));
	qsort(ids, t.n, sizeof(*ids), order);
	do {
		size_t end = piece_end(&t, first);

		r = tell(&t, first, end, err);
		first = end;
	} while (r >= 0 && first < t.n);
	return r;
}
