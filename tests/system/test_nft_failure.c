/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"
#include "random.h"

#include <fcntl.h>
#include <sys/wait.h>

/*
 * Changes that fail, that others get in the way of, and that end by themselves; and what must never
 * change at all: tables that are not ours. Root.
 */

static struct place here;

static int setup(void **state)
{
	place_open(&here);
	rnd_state = UINT64_C(0x123456789abcdef1);
	return 0;
}

static int teardown(void **state)
{
	place_close(&here);
	return 0;
}

static uint32_t commits(void)
{
	uint32_t id = 0;

	assert_int_equal(nft_commit_id(&here.s, &id, NULL), 0);
	return id;
}

/* How many flows the table allows. */
static size_t elements(void)
{
	struct nft_state st;
	size_t n = 0;

	place_read(&here, &st);
	assert_true(st.intact);
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < ENTRY_KINDS; k++)
			n += st.ruleset->entries[d][k].n;
	nft_state_done(&st);
	return n;
}

/* --- a change that fails --------------------------------------------------------------------- */

/* The kernel refuses some message: all that stood stands, to the last handle. */
static void assert_refused(const struct ruleset *stands, const struct ruleset *bad, int result,
			   const char *why)
{
	bh_autofree char *before = place_run(&here, NULL, "nft -a list ruleset"), *after = NULL;
	struct bh_err err = BH_ERR_INIT;
	uint32_t id = commits();

	assert_int_equal(place_try(&here, bad, &err), result);
	if (!strstr(err.msg, why))
		fail_msg("%s", err.msg);
	assert_int_equal(commits(), id);
	after = place_run(&here, NULL, "nft -a list ruleset");
	assert_string_equal(after, before);
	if (stands)
		assert_holds(&here, stands);
}

/* A counter whose name is over the kernel's 255 bytes. */
static void too_long(struct fx *f)
{
	char name[400];

	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, "web.in.", 7);
	name[sizeof(name) - 1] = '\0';
	fx_full_until(f, 0);
	fx_add(f, DIRECTION_INGRESS, ENTRY_HOST, "10.1.1.1", FX_ALL, fx_rule(f, name, "p:1"), 0);
	fx_finish(f);
}

static void test_refused(void **state)
{
	struct fx good, bad;

	too_long(&bad);
	assert_refused(NULL, &bad.r, -ERANGE, "the kernel refused the change");
	fx_full_until(&good, 0);
	good.r.mode = MODE_AUDIT;
	place_apply(&here, &good.r);
	assert_refused(&good.r, &bad.r, -ERANGE, "the kernel refused the change");
	/* Nor is what takes the place of a table of another make half done. */
	place_do(&here, "nft add chain inet bulkhead foreign");
	assert_refused(NULL, &bad.r, -ERANGE, "the kernel refused the change");
	place_apply(&here, &good.r);
	fx_done(&good);
	fx_done(&bad);
}

/* Two boxes that overlap, which compile never makes: the kernel notices in the middle. */
static void test_refused_elements(void **state)
{
	struct fx good, bad;
	uint32_t rule;

	fx_full_until(&good, 0);
	place_apply(&here, &good.r);
	fx_init(&bad);
	rule = fx_rule(&bad, "web.out.all", "p:1");
	fx_add(&bad, 0, ENTRY_RANGE, "10.0.0.0/8", FX_ALL, rule, 0);
	fx_add(&bad, 0, ENTRY_RANGE, "10.1.0.0/16", FX_ALL, rule, 0);
	assert_refused(&good.r, fx_finish(&bad), -EEXIST, "File exists");
	fx_done(&good);
	fx_done(&bad);
}

/* A descriptor that is no netlink socket, or none at all. */
static void test_no_socket(void **state)
{
	struct nlsock closed = NLSOCK_INIT;
	struct bh_err err = BH_ERR_INIT;
	struct nft_state have = { 0 };
	bh_autoclose int null = -1;
	struct nlsock other;
	uint32_t id;
	struct fx f;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	other = (struct nlsock) { .fd = null };
	fx_init(&f);
	fx_finish(&f);
	assert_int_equal(nft_apply(&closed, fx_want(&f.r), &have, NULL, &err), -EBADF);
	assert_int_equal(nft_apply(&other, fx_want(&f.r), &have, NULL, &err), -ENOTSOCK);
	assert_int_equal(nft_readback(&closed, &have, &err), -EBADF);
	assert_false(have.present || have.intact || have.ruleset);
	assert_int_equal(nft_remove(&other, NULL, &err), -ENOTSOCK);
	assert_int_equal(nft_commit_id(&closed, &id, &err), -EBADF);
	fx_done(&f);
}

/* Without the right to: told so, and nothing is done. */
static void test_no_right(void **state)
{
	pid_t child;
	int status;
	struct fx f;

	fx_full_until(&f, 0);
	place_apply(&here, &f.r);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct nft_state have = { 0 };
		struct nlsock s = NLSOCK_INIT;

		if (nlsock_open(&s, here.fd, NETLINK_NETFILTER, NULL) < 0 ||
		    setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (nft_apply(&s, fx_want(&f.r), &have, NULL, NULL) != -EPERM)
			_exit(3);
		if (nft_remove(&s, NULL, NULL) != -EPERM)
			_exit(4);
		_exit(nft_readback(&s, &have, NULL) == -EPERM ? 0 : 5);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_holds(&here, &f.r);
	fx_done(&f);
}

/* --- somebody else writes, too --------------------------------------------------------------- */

/* What was read is not what is there any more: nothing is written. */
static void test_changed_meanwhile(void **state)
{
	struct nft_state have;
	struct fx a, b;

	fx_full_until(&a, 0);
	place_apply(&here, &a.r);
	place_read(&here, &have);
	place_do(&here, "nft add table ip other");
	fx_init(&b);
	assert_int_equal(nft_apply(&here.s, fx_want(fx_finish(&b)), &have, NULL, NULL), -ERESTART);
	assert_holds(&here, &a.r);
	nft_state_done(&have);
	place_apply(&here, &b.r);
	fx_done(&a);
	fx_done(&b);
}

/* Nor when the kernel has ended a rule in between, which is no commit. */
static void test_expired_meanwhile(void **state)
{
	struct nft_state have;
	struct fx a, b;
	int tries = 0;

	fx_init(&a);
	fx_add(&a, 0, ENTRY_HOST, "10.0.0.1", FX_ALL, fx_rule(&a, "web.out.all", "p:1"),
	       time(NULL) + 1);
	fx_add(&a, 0, ENTRY_HOST, "10.0.0.2", FX_ALL, 0, 0);
	place_apply(&here, fx_finish(&a));
	place_read(&here, &have);
	while (elements() > 1 && tries++ < 100)
		usleep(50000);
	fx_init(&b);
	fx_add(&b, 0, ENTRY_HOST, "10.0.0.2", FX_ALL, fx_rule(&b, "web.out.all", "p:1"), 0);
	fx_finish(&b);
	assert_int_equal(nft_apply(&here.s, fx_want(&b.r), &have, NULL, NULL), -ERESTART);
	nft_state_done(&have);
	place_apply(&here, &b.r);
	fx_done(&a);
	fx_done(&b);
}

static void test_commit_id(void **state)
{
	uint32_t id = commits();

	assert_int_equal(commits(), id);
	place_do(&here, "nft add table ip other");
	assert_int_not_equal(commits(), id);
	id = commits();
	place_do(&here, "nft add chain ip other c");
	assert_int_not_equal(commits(), id);
}

/* --- rules that end by themselves ------------------------------------------------------------ */

/* One element of each kind and family; those of IPv4 end in SECONDS, the others never. */
static void one_of_each(struct fx *f, int64_t seconds)
{
	int64_t end = time(NULL) + seconds;
	uint32_t out;

	fx_init(f);
	out = fx_rule(f, "web.out.short", "p:1");
	fx_add(f, 0, ENTRY_EXACT, "10.0.0.1", FX_TCP(1), out, end);
	fx_add(f, 0, ENTRY_HOST, "10.0.0.1", FX_ALL, out, end);
	fx_add(f, 0, ENTRY_ICMP, "10.0.0.1", FX_ICMP(8, 8), out, end);
	fx_add(f, 0, ENTRY_RANGE, "10.0.0.0/24", FX_TCP(1), out, end);
	fx_add(f, 0, ENTRY_ICMP_RANGE, "10.0.0.0/24", FX_ICMP(8, 8), out, end);
	fx_add(f, 0, ENTRY_WORLD, FX_ANY4, FX_TCP(1), out, end);
	fx_add(f, 0, ENTRY_WORLD_ICMP, FX_ANY4, FX_ICMP(8, 8), out, end);
	fx_add(f, 0, ENTRY_HOST, "fd00::1", FX_ALL, out, 0);
	fx_finish(f);
}

static void test_expiry(void **state)
{
	int64_t begin = time(NULL);
	struct fx f, after;
	int tries = 0;

	one_of_each(&f, 2);
	place_apply(&here, &f.r);
	assert_int_equal(elements(), 8);
	while (elements() > 1 && tries++ < 100)
		usleep(100000);
	assert_int_equal(elements(), 1); /* the kernel ended them, nobody else */
	assert_in_range(time(NULL) - begin, 1, 6);
	/* What is left is no drift, and goes on from there. */
	fx_init(&after);
	fx_add(&after, 0, ENTRY_HOST, "fd00::1", FX_ALL, fx_rule(&after, "web.out.short", "p:1"),
	       0);
	fx_finish(&after);
	assert_holds(&here, &after.r);
	place_apply(&here, &after.r);
	fx_done(&f);
	one_of_each(&f, 3600);
	place_apply(&here, &f.r);
	assert_int_equal(elements(), 8);
	fx_done(&f);
	fx_done(&after);
}

/* One that has ended when it is written never lets anything pass for long. */
static void test_ended_before(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct fx f;
	int tries = 0;

	one_of_each(&f, -100);
	assert_int_equal(place_try(&here, &f.r, &err), 0);
	while (elements() > 1 && tries++ < 30)
		usleep(100000);
	assert_int_equal(elements(), 1);
	fx_done(&f);
}

/* Applying the same again, or more beside it, does not give a rule more time. */
static void test_expiry_is_not_put_off(void **state)
{
	int64_t end = time(NULL) + 100;
	struct nft_state st;
	struct fx f;

	one_of_each(&f, 100);
	place_apply(&here, &f.r);
	while (time(NULL) < end - 97) /* longer than clocks may differ */
		usleep(50000);
	place_apply(&here, &f.r);
	fx_add(&f, 0, ENTRY_HOST, "fd00::2", FX_ALL, 0, 0);
	fx_finish(&f);
	place_apply(&here, &f.r);
	place_read(&here, &st);
	assert_in_range(st.ruleset->entries[0][ENTRY_HOST].e[0].expires, end - 1, end + 1);
	nft_state_done(&st);
	fx_done(&f);
}

/* --- what is not ours ------------------------------------------------------------------------ */

static const char foreign[] =
	"add table ip nat; add chain ip nat output { type nat hook output priority -100; }; "
	"add rule ip nat output ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:40000; "
	"add table ip bulkhead; add chain ip bulkhead output { type filter hook output priority "
	"0; policy accept; }; add rule ip bulkhead output counter comment ours; "
	"add table ip6 bulkhead; add set ip6 bulkhead egress4 { type ipv6_addr; }; "
	"add table arp bulkhead; add table bridge bulkhead; "
	"add table inet bulkhead2; add counter inet bulkhead2 denied.egress { packets 7 bytes 9; };"
	"add map inet bulkhead2 egress4 { type ipv4_addr : verdict; }; "
	"add element inet bulkhead2 egress4 { 10.0.0.1 : accept }; "
	"add table inet bulkhea; add chain inet bulkhea about; "
	"add table inet a { flags dormant; }";

/* All that is not ours, with its handles: the very same objects. */
static char *others(void)
{
	return place_run(&here, NULL,
			 "nft list tables | grep -vxE 'table (inet|netdev) bulkhead' | "
			 "while read -r t; do echo \"$t\"; nft -a list $t || exit; done");
}

static void test_foreign_tables(void **state)
{
	bh_autofree char *before = NULL;

	place_do(&here, "nft '%s'", foreign);
	before = others();
	assert_non_null(strstr(before, "dnat to 127.0.0.11:40000"));
	for (unsigned i = 0; i < 24; i++) {
		bh_autofree char *after = NULL;
		struct fx f;

		rnd_ruleset(&f, 10);
		if (i % 6 == 4) /* ours, altered: made anew */
			place_do(&here, "nft add chain inet bulkhead x");
		place_apply(&here, &f.r);
		if (i % 6 == 5)
			assert_int_equal(nft_remove(&here.s, NULL, NULL), 0);
		after = others();
		assert_string_equal(after, before);
		fx_done(&f);
	}
}

/* There, gone, and gone again; a table of the name in another family is none. */
static void test_remove(void **state)
{
	bh_autofree char *before = NULL, *after = NULL;
	bool there = true;
	struct fx f;

	place_do(&here, "nft '%s'", foreign);
	before = place_run(&here, NULL, "nft -a list ruleset");
	assert_int_equal(nft_present(&here.s, &there, NULL), 0);
	assert_false(there);
	assert_int_equal(nft_remove(&here.s, &there, NULL), 0);
	assert_false(there);
	fx_full_until(&f, 0);
	place_apply(&here, &f.r);
	assert_int_equal(nft_present(&here.s, &there, NULL), 0);
	assert_true(there);
	there = false;
	assert_int_equal(nft_remove(&here.s, &there, NULL), 0);
	assert_true(there);
	after = place_run(&here, NULL, "nft -a list ruleset");
	assert_string_equal(after, before);
	fx_done(&f);
}

/* This kernel has it all, or the other tests would be red. */
static void test_probe(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	char missing[512] = "x";
	struct nft_kernel kernel;

	assert_int_equal(nft_probe(&kernel, &err), 0);
	assert_true(nft_kernel_suffices(&kernel, missing, sizeof(missing)));
	assert_string_equal(missing, "");
	for (unsigned i = 0; i < NFT_FEATURES; i++)
		if (!kernel.has[i])
			fail_msg("this kernel lacks %s", nft_feature_info(i)->name);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_refused),
		CASE(test_refused_elements),
		CASE(test_no_socket),
		CASE(test_no_right),
		CASE(test_changed_meanwhile),
		CASE(test_commit_id),
		CASE(test_expired_meanwhile),
		CASE(test_expiry),
		CASE(test_ended_before),
		CASE(test_expiry_is_not_put_off),
		CASE(test_foreign_tables),
		CASE(test_remove),
		CASE(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
