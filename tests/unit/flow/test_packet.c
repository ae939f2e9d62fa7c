/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/flow.h>

/* Samples in hex; spaces are for the eye. */
#define V4(ihl, total, frag, proto)                                                                \
	"4" ihl "00" total "0000" frag "40" proto "0000 0a4d0102 cb007109 "
#define V6(payload, next)                                                                          \
	"60000000" payload next "40 fd000000000000000000000000000001 "                             \
	"20010db8000000000000000000000009 "
#define TCP_SYN "c001 18eb 00000001 00000000 5002 ffff 0000 0000 "
#define UDP     "c001 0035 0008 0000 "
#define ECHO    "0800 0000 0001 0001 "
#define ECHO6   "8000 0000 0001 0001 "

static const struct sample {
	const char *name, *hex;
	struct packet want; /* without the addresses, which are those of V4() and V6() */
	size_t upper;       /* where the upper layer begins; 0 = it cannot be read */
} samples[] = {
	{ "tcp",
	  V4("5", "0028", "4000", "06") TCP_SYN,
	  { .proto = IPPROTO_TCP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 6379,
	    .has_key = true,
	    .key = 6379,
	    .has_tcp_flags = true,
	    .tcp_flags = 2,
	    .length = 40 },
	  20 },
	{ "tcp behind options",
	  V4("6", "002c", "0000", "06") "01010101" TCP_SYN,
	  { .proto = IPPROTO_TCP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 6379,
	    .has_key = true,
	    .key = 6379,
	    .has_tcp_flags = true,
	    .tcp_flags = 2,
	    .length = 44 },
	  24 },
	{ "udp",
	  V4("5", "001c", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 28 },
	  20 },
	{ "udp, length 0 for more than 16 bits",
	  V4("5", "0000", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53 },
	  20 },
	{ "sctp",
	  V4("5", "001c", "0000", "84") UDP,
	  { .proto = IPPROTO_SCTP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 28 },
	  20 },
	{ "udplite",
	  V4("5", "001c", "0000", "88") UDP,
	  { .proto = IPPROTO_UDPLITE,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 28 },
	  20 },
	{ "dccp",
	  V4("5", "001c", "0000", "21") UDP,
	  { .proto = IPPROTO_DCCP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 28 },
	  20 },
	{ "gre has a key and no ports",
	  V4("5", "001c", "0000", "2f") "2000 0800 0000 0000",
	  { .proto = IPPROTO_GRE, .has_key = true, .key = 0x0800, .length = 28 },
	  20 },
	{ "icmp",
	  V4("5", "001c", "0000", "01") ECHO,
	  { .proto = IPPROTO_ICMP,
	    .has_icmp = true,
	    .icmp_type = 8,
	    .has_key = true,
	    .key = 0x800,
	    .length = 28 },
	  20 },
	{ "first fragment",
	  V4("5", "001c", "2000", "11") UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 28 },
	  20 },
	{ "later fragment",
	  V4("5", "001c", "0001", "11") UDP,
	  { .proto = IPPROTO_UDP, .fragment = true, .length = 28 },
	  0 },
	{ "header length below 20",
	  V4("4", "001c", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 28 },
	  0 },
	{ "header length 0",
	  V4("0", "001c", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 28 },
	  0 },
	{ "header length beyond the data",
	  V4("f", "001c", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 28 },
	  0 },
	{ "total length ends before the ports",
	  V4("5", "0016", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 22 },
	  0 },
	{ "total length below the header",
	  V4("5", "0001", "0000", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 1 },
	  0 },

	{ "tcp6",
	  V6("0014", "06") TCP_SYN,
	  { .proto = IPPROTO_TCP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 6379,
	    .has_key = true,
	    .key = 6379,
	    .has_tcp_flags = true,
	    .tcp_flags = 2,
	    .length = 60 },
	  40 },
	{ "icmpv6",
	  V6("0008", "3a") ECHO6,
	  { .proto = IPPROTO_ICMPV6,
	    .has_icmp = true,
	    .icmp_type = 128,
	    .has_key = true,
	    .key = 0x8000,
	    .length = 48 },
	  40 },
	{ "every extension header",
	  V6("0048",
	     "00") "2b00 0104 0000 0000 "                     /* hop by hop */
		   "2c00 0000 0000 0000 "                     /* routing */
		   "3c00 0001 0000 0001 "                     /* fragment, the first of more */
		   "3301 0000 0000 0000 0000 0000 0000 0000 " /* destination, 16 bytes */
		   "1104 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 " /* AH, 24 */
	  UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 112 },
	  104 },
	{ "later fragment6",
	  V6("0010", "2c") "1100 0008 0000 0001" UDP,
	  { .proto = IPPROTO_UDP, .fragment = true, .length = 56 },
	  0 },
	{ "no next header", V6("0008", "3b") UDP, { .proto = IPPROTO_NONE, .length = 48 }, 0 },
	{ "eight headers",
	  V6("0048", "00") "3c00 0104 0000 0000 3c00 0104 0000 0000 3c00 0104 0000 0000 "
			   "3c00 0104 0000 0000 3c00 0104 0000 0000 3c00 0104 0000 0000 "
			   "3c00 0104 0000 0000 1100 0104 0000 0000 " UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 112 },
	  104 },
	{ "nine headers",
	  V6("0050", "00") "3c00 0104 0000 0000 3c00 0104 0000 0000 3c00 0104 0000 0000 "
			   "3c00 0104 0000 0000 3c00 0104 0000 0000 3c00 0104 0000 0000 "
			   "3c00 0104 0000 0000 3c00 0104 0000 0000 1100 0104 0000 0000 " UDP,
	  { .proto = IPPROTO_DSTOPTS, .length = 120 },
	  0 },
	{ "extension header longer than the packet",
	  V6("0010", "3c") "11ff 0000 0000 0000" UDP,
	  { .proto = IPPROTO_DSTOPTS, .length = 56 },
	  0 },
	{ "payload length ends before the ports",
	  V6("0002", "11") UDP,
	  { .proto = IPPROTO_UDP, .length = 42 },
	  0 },
	{ "payload length 0 for more than 16 bits",
	  V6("0000", "11") UDP,
	  { .proto = IPPROTO_UDP,
	    .has_ports = true,
	    .sport = 0xc001,
	    .dport = 53,
	    .has_key = true,
	    .key = 53,
	    .length = 40 },
	  40 },
};

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (const char *p = hex; *p; p++) {
		if (*p == ' ')
			continue;
		if (n % 2)
			out[n / 2] = (uint8_t)(out[n / 2] << 4 | hex_digit(*p));
		else
			out[n / 2] = (uint8_t)hex_digit(*p);
		n++;
	}
	assert_int_equal(n % 2, 0);
	return n / 2;
}

/* A copy that ends where the data ends, so that the sanitizer sees a read behind it. */
static int decode_exact(const uint8_t *data, size_t len, struct packet *ret)
{
	bh_autofree uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return packet_decode(copy, len, ret);
}

static void assert_packet(const struct packet *got, const struct packet *want)
{
	assert_int_equal(got->proto, want->proto);
	assert_int_equal(got->length, want->length);
	assert_int_equal(got->fragment, want->fragment);
	assert_int_equal(got->has_ports, want->has_ports);
	assert_int_equal(got->sport, want->sport);
	assert_int_equal(got->dport, want->dport);
	assert_int_equal(got->has_key, want->has_key);
	assert_int_equal(got->key, want->key);
	assert_int_equal(got->has_icmp, want->has_icmp);
	assert_int_equal(got->icmp_type, want->icmp_type);
	assert_int_equal(got->icmp_code, want->icmp_code);
	assert_int_equal(got->has_tcp_flags, want->has_tcp_flags);
	assert_int_equal(got->tcp_flags, want->tcp_flags);
}

static void assert_addresses(const struct packet *got, const uint8_t *data)
{
	size_t len = data[0] >> 4 == 4 ? 4 : 16, at = data[0] >> 4 == 4 ? 12 : 8;
	static const uint8_t zero[16];

	assert_int_equal(got->source.family, len == 4 ? AF_INET : AF_INET6);
	assert_int_equal(got->destination.family, got->source.family);
	assert_memory_equal(got->source.b, data + at, len);
	assert_memory_equal(got->destination.b, data + at + len, len);
	assert_memory_equal(got->source.b + len, zero, 16 - len);
	assert_memory_equal(got->destination.b + len, zero, 16 - len);
}

static void test_decode(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(samples); i++) {
		uint8_t data[256];
		size_t len = from_hex(samples[i].hex, data);
		struct packet got;

		print_message("%s\n", samples[i].name);
		assert_int_equal(decode_exact(data, len, &got), 0);
		assert_addresses(&got, data);
		assert_packet(&got, &samples[i].want);
	}
}

/* What a prefix of LEN bytes may tell is known byte by byte. */
static void assert_prefix(const struct sample *s, const uint8_t *data, size_t len)
{
	size_t header = data[0] >> 4 == 4 ? 20 : 40, behind = len > s->upper ? len - s->upper : 0;
	struct packet got = { .proto = 99 };
	int r = decode_exact(data, len, &got);

	if (len < header) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(got.proto, 99); /* untouched */
		return;
	}
	assert_int_equal(r, 0);
	assert_addresses(&got, data);
	assert_int_equal(got.length, s->want.length);
	assert_int_equal(got.has_ports, s->want.has_ports && behind >= 4);
	assert_int_equal(got.has_icmp, s->want.has_icmp && behind >= 2);
	assert_int_equal(got.has_key, s->want.has_key && behind >= (s->want.has_icmp ? 2 : 4));
	assert_int_equal(got.has_tcp_flags, s->want.has_tcp_flags && behind >= 14);
	assert_int_equal(got.dport, got.has_ports ? s->want.dport : 0);
	if (s->upper && len >= s->upper)
		assert_int_equal(got.proto, s->want.proto);
}

static void test_every_prefix(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(samples); i++) {
		uint8_t data[256];
		size_t len = from_hex(samples[i].hex, data);

		for (size_t n = 0; n <= len; n++)
			assert_prefix(&samples[i], data, n);
	}
}

static void test_not_ip(void **state)
{
	static const uint8_t versions[] = { 0x00, 0x15, 0x35, 0x55, 0x75, 0xf5 };
	uint8_t data[64] = { 0 };
	struct packet got;

	assert_int_equal(packet_decode(data, 0, &got), -EINVAL);
	for (size_t i = 0; i < BH_ARRAY_SIZE(versions); i++) {
		data[0] = versions[i];
		assert_int_equal(decode_exact(data, sizeof(data), &got), -EINVAL);
	}
}

/* --- frames ------------------------------------------------------------------------------- */

#define MACS "ffffffffffff 0242ac110002 "

static const struct {
	const char *hex;
	uint16_t type;
	size_t packet_at;
} frames[] = {
	{ MACS "0800 45", 0x0800, 14 },
	{ MACS "0806 0001", 0x0806, 14 },
	{ MACS "8100 0007 0800 45", 0x0800, 18 },
	{ MACS "88a8 0007 86dd 60", 0x86dd, 18 },
	{ MACS "88a8 0007 8100 0008 0800 45", 0x8100, 18 }, /* one tag is looked behind */
	{ MACS "8100", 0x8100, 14 },
	{ MACS "8100 0007 08", 0x8100, 14 },
	{ MACS "9100 0007 0800 45", 0x9100, 14 },
};

static int decode_frame(const uint8_t *data, size_t len, struct frame *ret, size_t *ret_at)
{
	bh_autofree uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return frame_decode(copy, len, ret, ret_at);
}

static void test_frame(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(frames); i++) {
		uint8_t data[256];
		size_t len = from_hex(frames[i].hex, data), at = 99;
		struct frame f;

		assert_int_equal(decode_frame(data, len, &f, &at), 0);
		assert_memory_equal(f.destination, data, 6);
		assert_memory_equal(f.source, data + 6, 6);
		assert_int_equal(f.type, frames[i].type);
		assert_int_equal(at, frames[i].packet_at);
		assert_true(at <= len);
	}
}

/* The packet is never said to begin behind the end. */
static void test_every_prefix_of_a_frame(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(frames); i++) {
		uint8_t data[256];
		size_t len = from_hex(frames[i].hex, data);

		for (size_t n = 0; n <= len; n++) {
			struct frame f = { .type = 99 };
			size_t at = 99;
			int r = decode_frame(data, n, &f, &at);

			assert_int_equal(r, n < 14 ? -EINVAL : 0);
			if (r < 0) {
				assert_int_equal(f.type, 99); /* untouched */
				assert_int_equal(at, 99);
				continue;
			}
			assert_true(at == 14 || (at == 18 && n >= 18));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_every_prefix_of_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
