/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/model/roster.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken can be told again, and is the same then. */
static void tell_again(const struct ruleset *r)
{
	struct roster *again = roster_new();
	struct bh_buf b;

	bh_buf_init(&b, 16 << 20);
	if (again && roster_put_ruleset(&b, 1, r) == 0) {
		if (roster_take(again, b.data, b.len, NULL) < 0)
			abort();
		if (strcmp(roster_ruleset(again, 1)->generation, r->generation) != 0)
			abort();
	}
	bh_buf_done(&b);
	roster_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1); /* its end is watched */
	struct roster *r = roster_new();

	if (copy && r) {
		memcpy(copy, data, size);
		if (roster_take(r, copy, size, NULL) == 0 && roster_ruleset(r, 1))
			tell_again(roster_ruleset(r, 1));
	}
	roster_free(r);
	free(copy);
	return 0;
}
