/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/probe/lookup.h"

#define SENT   200
#define UNSENT 90

static void count(struct probe_cell *c, void *arg)
{
	assert_int_not_equal(c->outcome, PROBE_NOT_PROBED);
	c->facts |= PROBE_SEEN;
	++*(size_t *)arg;
}

/* Those without addresses, or that stay at home, are in nobody's way. */
static void every_cell_that_is_sent_is_found(void **state)
{
	struct probe_cell cells[SENT + UNSENT] = { 0 };
	struct probe_run run = { .cells = cells, .n_cells = SENT + UNSENT };
	size_t found = 0;

	for (unsigned i = 0; i < SENT + UNSENT; i++) {
		uint8_t family = i % 2 ? AF_INET : AF_INET6;

		cells[i].port = (uint16_t)i;
		if (i % 29 < 9) {
			cells[i].outcome = PROBE_NOT_PROBED;
			if (i % 3)
				continue;
		}
		cells[i].src = (struct bh_addr) { .family = family, .b = { 1 } };
		cells[i].dst = (struct bh_addr) { .family = family, .b = { (uint8_t)(i % 7) } };
	}
	assert_int_equal(lookup_init(&run), 0);
	for (size_t i = 0; i < run.n_cells; i++) {
		struct packet_key k;

		lookup_key(&run, &cells[i], &k);
		lookup_each(&run, &k, count, &found);
	}
	for (size_t i = 0; i < run.n_cells; i++)
		assert_int_equal(cells[i].facts,
				 cells[i].outcome == PROBE_NOT_PROBED ? 0 : PROBE_SEEN);
	assert_int_equal(found, SENT);
	free(run.order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_that_is_sent_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
