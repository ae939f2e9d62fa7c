/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "graph.h"

#include <errno.h>

#include "report.h"

/* export --format svg: the map of a report, without what was denied. */
void graph_svg(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out)
{
	json_t *map = map_of_graph(g, policies, NULL);
	struct bh_err err = BH_ERR_INIT;

	if (!map) {
		out->error = -ENOMEM;
	} else if (report_map_svg(map, out, &err) < 0) {
		cli_fail(0, "export: %s", err.msg);
		out->error = -E2BIG;
	}
	json_decref(map);
}
