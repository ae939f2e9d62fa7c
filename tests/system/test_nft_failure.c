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
	assert_int_equal(nft_apply(&closed, &f.r, &have, &err), -EBADF);
	assert_int_equal(nft_apply(&other, &f.r, &have, &err), -ENOTSOCK);
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

		if (nlsock_open(&s, here.fd, NULL) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (nft_apply(&s, &f.r, &have, NULL) != -EPERM)
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
	assert_int_equal(nft_apply(&here.s, fx_finish(&b), &have, NULL), -ERESTART);
	assert_holds(&here, &a.r);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_refused),  CASE(test_refused_elements),  CASE(test_no_socket),
		CASE(test_no_right), CASE(test_changed_meanwhile), CASE(test_commit_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
