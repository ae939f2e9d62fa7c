/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include "../../../src/nft/rules.h"

/* What belongs to the table netdev, wanted and read back: same or not. */

static struct nft_frames frames_of(const char *const *devices, size_t n)
{
	struct nft_frames f = { .n_devices = n };

	for (size_t i = 0; i < n; i++)
		snprintf(f.devices[i], sizeof(f.devices[i]), "%s", devices[i]);
	return f;
}

#define FRAMES(...)                                                                                \
	frames_of((const char *const[]) { __VA_ARGS__ },                                           \
		  sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(const char *))

static void assert_differs(const struct nft_frames *want, const struct nft_frames *have,
			   const char *expect)
{
	char why[128] = "";

	assert_false(nft_frames_equal(want, have, why, sizeof(why)));
	assert_string_equal(why, expect);
	assert_false(nft_frames_equal(want, have, NULL, 0));
	why[0] = 'x';
	assert_false(nft_frames_equal(want, have, why, 8)); /* as much as there is room for */
	assert_int_equal(strlen(why), 7);
}

static void assert_same(const struct nft_frames *want, const struct nft_frames *have)
{
	char why[128] = "";

	assert_true(nft_frames_equal(want, have, why, sizeof(why)));
	assert_string_equal(why, "");
}

static void test_devices(void **state)
{
	struct nft_frames one = FRAMES("eth0"), two = FRAMES("eth1", "eth0");
	struct nft_frames other = FRAMES("eth00"), odd = FRAMES("\033]0;x\a"), none = { 0 };

	assert_same(NULL, NULL);
	assert_differs(&one, NULL, "the table netdev bulkhead is missing");
	assert_differs(NULL, &one, "the table netdev bulkhead is there and should not be");
	assert_same(&one, &one);
	assert_same(&one, &two); /* more are held than must be */
	assert_same(&none, &one);
	assert_differs(&two, &one, "frames are not held on device eth1");
	assert_differs(&one, &other, "frames are not held on device eth0");
	assert_differs(&one, &none, "frames are not held on device eth0");
	assert_differs(&odd, &one, "frames are not held on device \\x1b]0;x\\x07");
	assert_true(nft_frames_covers(&one, &two));
	assert_false(nft_frames_covers(&two, &one));
	assert_true(nft_frames_covers(&none, &none));
}

/* In any order, but neither more nor fewer nor one twice in place of another. */
static void test_clients(void **state)
{
	static const char other[] = "other devices than those with leased addresses may use DHCP";
	struct nft_frames a = FRAMES("eth0"), ab = a, ba = a, aa = a, none = a;

	memcpy(a.dhcp[0], "\2\0\0\0\0\1", 6);
	a.n_dhcp = 1;
	memcpy(ab.dhcp[0], "\2\0\0\0\0\1", 6);
	memcpy(ab.dhcp[1], "\2\0\0\0\0\2", 6);
	ab.n_dhcp = 2;
	memcpy(ba.dhcp[0], ab.dhcp[1], 6);
	memcpy(ba.dhcp[1], ab.dhcp[0], 6);
	ba.n_dhcp = 2;
	memcpy(aa.dhcp[0], a.dhcp[0], 6);
	memcpy(aa.dhcp[1], a.dhcp[0], 6);
	aa.n_dhcp = 2;
	assert_same(&a, &a);
	assert_same(&ab, &ba);
	assert_differs(&a, &ab, other);
	assert_differs(&ab, &a, other);
	assert_differs(&ab, &aa, other);
	assert_differs(&a, &none, other);
	assert_differs(&none, &a, other);
	/* of who may use DHCP the hook says nothing */
	assert_true(nft_frames_covers(&a, &none));
}

/* The usual names, beside those that are there, none of them twice and never more than fit. */
static void test_late(void **state)
{
	struct nft_frames f = FRAMES("lo", "eth1", "wlan0"), full = { 0 };
	unsigned n = 0;

	nft_frames_add_late(&f);
	assert_int_equal(f.n_devices, 3 + BH_LATE_DEVICES - 1);
	for (size_t i = 0; i < f.n_devices; i++)
		n += strcmp(f.devices[i], "eth1") == 0;
	assert_int_equal(n, 1);
	assert_string_equal(f.devices[3], "eth0");
	assert_string_equal(f.devices[f.n_devices - 1], "eth15");
	nft_frames_add_late(&f);
	assert_int_equal(f.n_devices, 3 + BH_LATE_DEVICES - 1);
	for (full.n_devices = 0; full.n_devices < BH_ARRAY_SIZE(full.devices) - 1; full.n_devices++)
		snprintf(full.devices[full.n_devices], 16, "veth%u", (unsigned)full.n_devices);
	nft_frames_add_late(&full);
	assert_int_equal(full.n_devices, BH_ARRAY_SIZE(full.devices));
	assert_string_equal(full.devices[full.n_devices - 1], "eth0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
