/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <bulkhead/base/limits.h>
#include <bulkhead/nft/monitor.h>

#include "../../src/nft/batch.h"

/*
 * One listener that hears of the commits in several namespaces: who, where, and when it could not
 * keep up. Root.
 */

#define HEARD_MAX 16

static struct place home, a, b, stranger;
static struct nlsock route = NLSOCK_INIT; /* of home */
static int monitor = -1;
static struct nft_commit heard[HEARD_MAX];
static size_t n_heard; /* all of them, kept or not */

static int setup(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	place_open(&home);
	place_open(&a);
	place_open(&b);
	place_open(&stranger);
	if (nlsock_open(&route, home.fd, NETLINK_ROUTE, &err) < 0 ||
	    nft_monitor_open(home.fd, &monitor, &err) < 0)
		fail_msg("%s", err.msg);
	return 0;
}

static int teardown(void **state)
{
	close(monitor);
	nlsock_done(&route);
	place_close(&home);
	place_close(&a);
	place_close(&b);
	place_close(&stranger);
	return 0;
}

static int32_t id_of(const struct place *p)
{
	struct bh_err err = BH_ERR_INIT;
	int32_t id = -7;

	if (netns_id(&route, p->fd, &id, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(id >= 0);
	return id;
}

static void take(const struct nft_commit *c, void *arg)
{
	if (n_heard < HEARD_MAX)
		heard[n_heard] = *c;
	n_heard++;
}

/* All that is there; was some of it missed? */
static bool hear(void)
{
	size_t before;
	bool missed = false, now;

	n_heard = 0;
	do {
		before = n_heard;
		assert_int_equal(nft_monitor_read(monitor, take, NULL, &now), 0);
		missed |= now;
	} while (n_heard > before || now);
	return missed;
}

/* By the socket of the place: its table comes, or goes. */
static void commit_one(struct place *p, bool comes)
{
	struct batch batch;

	batch_begin(&batch);
	if (comes)
		batch_new_table(&batch, TABLE_INET, 0);
	else
		batch_delete_table(&batch, TABLE_INET);
	assert_int_equal(batch_commit(&batch, &p->s, NULL, NULL, NULL), 0);
	batch_done(&batch);
}

static void commit(struct place *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		commit_one(p, i % 2 == 0);
}

static void assert_heard(size_t i, int32_t id, uint32_t port)
{
	assert_int_equal(heard[i].netns_id, id);
	assert_int_equal(heard[i].port, port);
}

static void test_number(void **state)
{
	int32_t id = id_of(&a);

	assert_int_equal(id_of(&a), id); /* it stays */
	assert_int_not_equal(id_of(&b), id);
}

static void test_where(void **state)
{
	int32_t in_a = id_of(&a), in_b = id_of(&b);

	commit(&a, 2);
	commit(&stranger, 2); /* it has no number */
	commit(&b, 1);
	commit(&home, 2);
	commit(&a, 2);
	assert_false(hear());
	assert_int_equal(n_heard, 7);
	assert_heard(0, in_a, a.s.portid);
	assert_heard(1, in_a, a.s.portid);
	assert_heard(2, in_b, b.s.portid);
	assert_heard(3, -1, home.s.portid);
	assert_heard(6, in_a, a.s.portid);
	assert_int_equal(heard[0].pid, getpid());
	assert_string_equal(heard[0].name, "test_monitor");
}

/* What a foreigner writes between two of ours, and by which name; a commit is told once, whatever is in it. */
static void test_foreign_between_two_of_ours(void **state)
{
	id_of(&a);
	commit_one(&a, true);
	place_do(&a, "nft 'add table ip x; add set ip x s { type ipv4_addr; }; "
		     "add element ip x s { 192.0.2.1, 192.0.2.2, 192.0.2.3 }' 2>&1");
	place_do(&a, "nft add element ip x s { 192.0.2.4 } 2>&1; nft add table ip a 2>&1");
	commit_one(&a, false);
	assert_false(hear());
	assert_int_equal(n_heard, 5);
	assert_int_equal(heard[0].port, a.s.portid);
	assert_int_equal(heard[4].port, a.s.portid);
	for (size_t i = 1; i < 4; i++) {
		assert_int_not_equal(heard[i].port, a.s.portid);
		assert_int_not_equal(heard[i].pid, getpid());
		assert_string_equal(heard[i].name, "nft");
	}
}

/* How much is in a commit does not matter, only how many there are. */
static void test_large(void **state)
{
	id_of(&a);
	commit_one(&a, true);
	place_do(&a,
		 "awk 'BEGIN { print \"table ip x { set s { type ipv4_addr; elements = {\";"
		 "for (i = 0; i < 65536; i++) print \"10.0.\" int(i / 256) \".\" i %% 256 \",\";"
		 "print \"}\\n}\\n}\" }' | nft -f - 2>&1");
	assert_false(hear());
	assert_int_equal(n_heard, 2);
}

/* It is said when some could not be kept, and then it hears again. */
static void test_too_many(void **state)
{
	unsigned n = BH_MONITOR_RCVBUF / 256;

	id_of(&a);
	commit(&a, n);
	assert_true(hear());
	assert_true(n_heard > 0 && n_heard < n);
	commit(&a, 2);
	assert_false(hear());
	assert_int_equal(n_heard, 2);
}

/* What one daemon writes at once, in hundreds of namespaces, is kept. */
static void test_as_many_as_one_change_makes(void **state)
{
	id_of(&a);
	commit(&a, 2000);
	assert_false(hear());
	assert_int_equal(n_heard, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_between_two_of_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_many_as_one_change_makes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
