/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <errno.h>

/* Apart from the accounting: what uthash's macros expand to is more than an analyser can follow. */

struct flow *flow_table_find(struct flow *table, const struct flow_id *id)
{
	struct flow *f;

	HASH_FIND(hh, table, id, sizeof(*id), f);
	return f;
}

int flow_table_add(struct flow **table, struct flow *f)
{
	HASH_ADD(hh, *table, id, sizeof(f->id), f);
	return f->hh.tbl ? 0 : -ENOMEM;
}

void flow_table_remove(struct flow **table, struct flow *f)
{
	HASH_DEL(*table, f);
}

struct flow *flow_table_next(const struct flow *f)
{
	return f->hh.next;
}
