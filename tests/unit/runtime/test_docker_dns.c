/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <nettle/sha2.h>

#include "../../../src/runtime/docker.h"

/* Where a container's DNS queries go, by the file that it sees and by who vouches for that. */

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

struct question {
	const char *text;
	bool vouched;
	const char *dns, *gateway, *host; /* one each, or NULL */
};

/* The answer as "A B", with " -N" behind it when N servers were not believed. */
static const char *ask(struct question q)
{
	static char out[512];
	struct bh_addr dns, gateway, host, found[BH_ENDPOINT_RESOLVERS_MAX];
	struct docker_container c = { .dns = &dns, .gateways = &gateway };
	char s[BH_ADDR_STR];
	size_t n, left_out = 99, len = 0;

	if (q.dns)
		dns = addr(q.dns);
	if (q.gateway)
		gateway = addr(q.gateway);
	if (q.host)
		host = addr(q.host);
	c.n_dns = q.dns != NULL;
	c.n_gateways = q.gateway != NULL;
	n = docker_resolvers_from(&c, q.text, q.vouched, &host, q.host != NULL, found,
				  BH_ENDPOINT_RESOLVERS_MAX, &left_out);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(out + len, "%s%s", i ? " " : "",
				       bh_addr_format(s, &found[i]));
	if (left_out)
		sprintf(out + len, " -%zu", left_out);
	return out;
}

#define ASK(...) ask((struct question) { __VA_ARGS__ })

static void test_as_the_engine_wrote_it(void **state)
{
	assert_string_equal(ASK("nameserver 10.0.0.1\nnameserver fd00::1\n", .vouched = true),
			    "10.0.0.1 fd00::1");
	assert_string_equal(ASK("nameserver 10.0.0.1\nnameserver 10.0.0.1\n", .vouched = true),
			    "10.0.0.1");
	assert_string_equal(ASK("nameserver 127.0.0.1\nnameserver ::1\n", .vouched = true), "");
	assert_string_equal(ASK("", .vouched = true, .host = "10.0.0.1"), "");
}

/* The container may write what it likes: that opens nothing. */
static void test_changed_from_inside(void **state)
{
	assert_string_equal(ASK("nameserver 203.0.113.66\n", .host = "10.0.0.1"), " -1");
	assert_string_equal(
		ASK("nameserver 203.0.113.66\nnameserver 10.0.0.1\n", .host = "10.0.0.1"),
		"10.0.0.1 -1");
	assert_string_equal(ASK("nameserver 10.0.0.9\n", .dns = "10.0.0.9"), "10.0.0.9");
	assert_string_equal(ASK("nameserver 10.89.0.1\n", .gateway = "10.89.0.1"), "10.89.0.1");
	assert_string_equal(
		ASK("# ExtServers: [203.0.113.66]\nnameserver 127.0.0.11\n", .host = "10.0.0.1"),
		"10.0.0.1");
	assert_string_equal(
		ASK("nameserver 127.0.0.11\nnameserver 203.0.113.66\n", .host = "10.0.0.1"),
		"10.0.0.1 -1");
}

/* Docker's own server asks from inside the container: those that it asks are what counts. */
static void test_embedded(void **state)
{
	static const char plain[] = "nameserver 127.0.0.11\noptions ndots:0\n";

	assert_string_equal(ASK(plain, .host = "10.0.0.1"), "10.0.0.1");
	assert_string_equal(ASK(plain, .vouched = true, .host = "10.0.0.1"), "10.0.0.1");
	assert_string_equal(ASK(plain, .dns = "10.0.0.9", .host = "10.0.0.1"), "10.0.0.9");
	assert_string_equal(ASK(plain), "");
}

static void test_ext_servers(void **state)
{
#define TAIL "]\n# Overrides: []\n"
	static const char head[] = "nameserver 127.0.0.11\n# ExtServers: [";
	char text[256];

	snprintf(text, sizeof(text), "%s10.0.0.2 fd00::2 host(127.0.0.53) host(10.0.0.3)" TAIL,
		 head);
	assert_string_equal(ASK(text, .vouched = true, .host = "10.0.0.1"), "10.0.0.2 fd00::2");
	snprintf(text, sizeof(text), "%shost(127.0.0.53)" TAIL, head);
	assert_string_equal(ASK(text, .vouched = true, .host = "10.0.0.1"), "");
	assert_string_equal(ASK("nameserver 127.0.0.11\n# NO EXTERNAL NAMESERVERS DEFINED\n",
				.vouched = true, .host = "10.0.0.1"),
			    "");
	/* cut off, or in the middle of a line: not Docker's */
	assert_string_equal(ASK(head, .vouched = true, .host = "10.0.0.1"), "10.0.0.1");
	assert_string_equal(ASK("nameserver 127.0.0.11 # ExtServers: [10.0.0.2]", .vouched = true,
				.host = "10.0.0.1"),
			    "10.0.0.1");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* By the digest beside the file, as Docker keeps it. */
static void test_the_digest(void **state)
{
	static const char text[] = "nameserver 198.51.100.53\n";
	char dir[] = "/tmp/bulkhead-dns-XXXXXX", file[64], hash[80], digest[80] = "sha256:";
	struct docker_container c = { .resolv_conf = file };
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct bh_addr found[4];
	struct sha256_ctx ctx;
	size_t left_out;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/resolv.conf", dir);
	snprintf(hash, sizeof(hash), "%s.hash", file);
	sha256_init(&ctx);
	sha256_update(&ctx, strlen(text), (const uint8_t *)text);
	sha256_digest(&ctx, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(digest + 7 + 2 * i, "%02x", sum[i]);

	assert_int_equal(docker_resolvers(&c, found, 4, &left_out), 0); /* no file */
	write_file(file, text);
	assert_int_equal(docker_resolvers(&c, found, 4, &left_out), 0); /* no digest */
	assert_int_equal(left_out, 1);
	write_file(hash, digest);
	assert_int_equal(docker_resolvers(&c, found, 4, &left_out), 1);
	assert_int_equal(left_out, 0);
	write_file(file, "nameserver 198.51.100.54\n");
	assert_int_equal(docker_resolvers(&c, found, 4, &left_out), 0);
	assert_int_equal(left_out, 1);
	c.resolv_conf = NULL;
	assert_int_equal(docker_resolvers(&c, found, 4, &left_out), 0);
	unlink(file);
	unlink(hash);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_engine_wrote_it),
		cmocka_unit_test(test_changed_from_inside),
		cmocka_unit_test(test_embedded),
		cmocka_unit_test(test_ext_servers),
		cmocka_unit_test(test_the_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
