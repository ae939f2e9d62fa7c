/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "../../../src/runtime/resolve.h"

/* resolv.conf(5), as a container may have it. */

static struct bh_addr out[BH_ENDPOINT_RESOLVERS_MAX];
static size_t n;
static bool embedded;

/* "ADDR ADDR", and " +" when Docker's own server is one of them. */
static const char *parse_up_to(const char *text, size_t cap)
{
	static char found[1024];
	char addr[BH_ADDR_STR];
	size_t len = 0;

	n = 99;
	runtime_resolvers_parse(text, out, cap, &n, &embedded);
	assert_true(n <= cap);
	found[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(found + len, sizeof(found) - len, "%s%s", i ? " " : "",
					bh_addr_format(addr, &out[i]));
	snprintf(found + len, sizeof(found) - len, "%s", embedded ? " +" : "");
	return found;
}

static const char *parse(const char *text)
{
	return parse_up_to(text, BH_ENDPOINT_RESOLVERS_MAX);
}

static void test_plain(void **state)
{
	assert_string_equal(parse("nameserver 10.77.0.53\n"), "10.77.0.53");
	assert_string_equal(parse("# by hand\nsearch shop\nnameserver 10.77.0.53\n"
				  "nameserver\tfd77::53\noptions ndots:0\n"),
			    "10.77.0.53 fd77::53");
	assert_string_equal(parse("nameserver 10.77.0.53"), "10.77.0.53"); /* no newline */
	assert_string_equal(parse("  nameserver   10.77.0.53   # ours\n"), "10.77.0.53");
	assert_string_equal(parse("nameserver 10.77.0.53\r\n"), "10.77.0.53");
}

static void test_nothing(void **state)
{
	assert_string_equal(parse(""), "");
	assert_string_equal(parse("\n\n\n"), "");
	assert_string_equal(parse("nameserver"), "");
	assert_string_equal(parse("nameserver\n"), "");
	assert_string_equal(parse("nameserver10.0.0.1\n"), "");
	assert_string_equal(parse("nameservers 10.0.0.1\n"), "");
	assert_string_equal(parse("# nameserver 10.0.0.1\n;nameserver 10.0.0.1\n"), "");
}

/* An address must not be borrowed from the next line. */
static void test_line_by_line(void **state)
{
	assert_string_equal(parse("nameserver\n10.0.0.1\n"), "");
	assert_string_equal(parse("nameserver \n10.0.0.1\nnameserver 10.0.0.2\n"), "10.0.0.2");
	assert_string_equal(parse("\nnameserver 10.0.0.2\n"), "10.0.0.2");
	assert_string_equal(parse("search x\n\n  \nnameserver 10.0.0.2\n"), "10.0.0.2");
}

/* Loopback is the container's own; 127.0.0.11 tells that Docker answers, from the host's. */
static void test_loopback(void **state)
{
	assert_string_equal(parse("nameserver 127.0.0.53\nnameserver ::1\n"), "");
	assert_string_equal(parse("nameserver 127.0.0.11\n"), " +");
	assert_string_equal(parse("nameserver 127.0.0.11\nnameserver 10.0.0.1\n"), "10.0.0.1 +");
	assert_string_equal(parse("nameserver 127.0.0.110\n"), "");
}

static void test_no_addresses(void **state)
{
	assert_string_equal(parse("nameserver dns.example\n"), "");
	assert_string_equal(parse("nameserver 10.0.0.256\n"), "");
	assert_string_equal(parse("nameserver fe80::1%eth0\n"), "");
	assert_string_equal(parse("nameserver 10.0.0.0/8\n"), "");
	assert_string_equal(parse("nameserver \033[31m\n"), "");
}

/* Far too much of everything: the first ones count, nothing overflows. */
static void test_too_much(void **state)
{
	char *text = malloc(1 << 16);
	size_t len = 0;

	assert_non_null(text);
	for (int i = 1; i <= 200; i++)
		len += (size_t)sprintf(text + len, "nameserver 10.0.0.%d\n", i);
	parse(text);
	assert_int_equal(n, BH_ENDPOINT_RESOLVERS_MAX);
	assert_int_equal(out[BH_ENDPOINT_RESOLVERS_MAX - 1].b[3], BH_ENDPOINT_RESOLVERS_MAX);
	assert_string_equal(parse_up_to(text, 1), "10.0.0.1");
	assert_string_equal(parse_up_to(text, 0), "");
	memset(text, '1', 60000); /* a word that fits nowhere */
	memcpy(text, "nameserver ", 11);
	strcpy(text + 60000, "\nnameserver 10.0.0.1\n");
	assert_string_equal(parse(text), "10.0.0.1");
	memset(text, ' ', 60000);
	assert_string_equal(parse(text), "10.0.0.1");
	free(text);
}

/* --- files ----------------------------------------------------------------------------------- */

static const char *read_conf(const char *path)
{
	static char found[BH_ADDR_STR];

	n = 99;
	embedded = true;
	runtime_resolvers(path, out, BH_ENDPOINT_RESOLVERS_MAX, &n, &embedded);
	assert_true(n <= 1);
	return n ? bh_addr_format(found, &out[0]) : "";
}

static void test_files(void **state)
{
	char dir[] = "/tmp/bulkhead-resolve-XXXXXX", path[64];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	assert_string_equal(read_conf(path), ""); /* absent */
	assert_false(embedded);
	assert_string_equal(read_conf(dir), ""); /* a directory */
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_string_equal(read_conf(path), ""); /* nobody writes to it */
	alarm(0);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("nameserver 10.0.0.1\n", f);
	fclose(f);
	assert_string_equal(read_conf(path), "10.0.0.1");
	assert_int_equal(truncate(path, BH_RESOLV_CONF_BYTES_MAX + 1), 0);
	assert_string_equal(read_conf(path), ""); /* too large to be one */
	unlink(path);
	rmdir(dir);
}

static void test_inodes(void **state)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(runtime_netns_ino("/proc/self/ns/net"), st.st_ino);
	assert_int_equal(runtime_netns_ino("/proc/self/ns/mnt"), 0);
	assert_int_equal(runtime_netns_ino("/nonexistent"), 0);
	assert_int_equal(runtime_netns_ino(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),        cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_line_by_line), cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_no_addresses), cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_files),        cmocka_unit_test(test_inodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
