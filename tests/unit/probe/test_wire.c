/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets as they are sent, checksums included, and as they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/probe/packet.h"

static struct packet_key key(const char *src, const char *dst, uint16_t proto, uint16_t port)
{
	struct packet_key k = { .proto = proto, .port = port, .source = 61234 };

	assert_int_equal(bh_addr_parse(src, &k.src), 0);
	assert_int_equal(bh_addr_parse(dst, &k.dst), 0);
	return k;
}

static const struct {
	uint16_t proto, port;
} asks[] = {
	{ IPPROTO_TCP, 443 }, { IPPROTO_UDP, 53 },     { IPPROTO_SCTP, 9 },    { IPPROTO_ICMP, 8 },
	{ IPPROTO_ICMP, 13 }, { IPPROTO_ICMPV6, 128 }, { IPPROTO_TCP, 65535 }, { IPPROTO_UDP, 0 },
};

static struct packet_key nth(size_t i, bool v4)
{
	return v4 ? key("10.0.0.1", "10.0.0.2", asks[i].proto, asks[i].port)
		  : key("fd00::1", "fd00::2", asks[i].proto, asks[i].port);
}

static uint16_t add_up(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | (i + 1 < len ? p[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void reads_back(void **state)
{
	uint8_t buf[PACKET_MAX];

	for (size_t i = 0; i < 2 * BH_ARRAY_SIZE(asks); i++) {
		struct packet_key k = nth(i / 2, i % 2), got;
		size_t len = packet_make(&k, 64, buf);

		assert_in_range(len, 28, PACKET_MAX);
		assert_true(packet_parse(buf, len, &got));
		assert_int_equal(bh_addr_cmp(&k.src, &got.src), 0);
		assert_int_equal(bh_addr_cmp(&k.dst, &got.dst), 0);
		assert_int_equal(got.proto, k.proto);
		assert_int_equal(got.port, k.port);
		assert_int_equal(got.source, k.source);
	}
}

/* With a sum over everything, the checksum included, that is all ones. */
static void checksums_add_up(void **state)
{
	uint8_t buf[PACKET_MAX];

	for (size_t i = 0; i < 2 * BH_ARRAY_SIZE(asks); i++) {
		struct packet_key k = nth(i / 2, i % 2);
		size_t len = packet_make(&k, 64, buf), header = i % 2 ? 20 : 40;
		size_t n = bh_addr_len(k.src.family);
		uint32_t pseudo = k.proto + (uint32_t)(len - header);

		for (size_t b = 0; b < n; b += 2)
			pseudo += (uint32_t)(k.src.b[b] << 8 | k.src.b[b + 1]) +
				  (uint32_t)(k.dst.b[b] << 8 | k.dst.b[b + 1]);
		if (i % 2)
			assert_int_equal(add_up(buf, 20, 0), 0xffff);
		if (k.proto != IPPROTO_SCTP)
			assert_int_equal(add_up(buf + header, len - header,
						k.proto == IPPROTO_ICMP ? 0 : pseudo),
					 0xffff);
	}
}

/* RFC 9260 has no example of a packet; this is the CRC-32C of a known one. */
static void sctp_has_crc32c(void **state)
{
	struct packet_key k = key("10.0.0.1", "10.0.0.2", IPPROTO_SCTP, 9);
	uint8_t buf[PACKET_MAX], *p = buf + 20;
	size_t len = packet_make(&k, 64, buf);
	uint32_t crc = 0xffffffff, have;

	assert_int_equal(len, 52);
	have = (uint32_t)p[8] | (uint32_t)p[9] << 8 | (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
	memset(p + 8, 0, 4);
	for (size_t i = 0; i < 32; i++) {
		uint32_t c = (crc ^ p[i]) & 0xff;

		for (int b = 0; b < 8; b++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		crc = crc >> 8 ^ c;
	}
	assert_int_equal(have, ~crc);
}

static void a_syn_and_an_empty_datagram(void **state)
{
	struct packet_key k = key("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 443);
	uint8_t buf[PACKET_MAX];

	assert_int_equal(packet_make(&k, 1, buf), 40);
	assert_int_equal(buf[8], 1);  /* hop limit */
	assert_int_equal(buf[33], 2); /* SYN and nothing else */
	assert_memory_equal(buf + 24, "bhbp", 4);
	k.proto = IPPROTO_UDP;
	assert_int_equal(packet_make(&k, 64, buf), 28);
	assert_int_equal(buf[25], 8);
	k.proto = 47;
	assert_int_equal(packet_make(&k, 64, buf), 0);
}

static void hostile_bytes_are_no_packet(void **state)
{
	static const uint8_t short_header[20] = { 0x41, [9] = IPPROTO_TCP };
	static const uint8_t fragment[28] = { 0x45, [6] = 0x00, [7] = 0x10, [9] = IPPROTO_TCP };
	struct packet_key k = key("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 443), got;
	uint8_t buf[PACKET_MAX];
	size_t len = packet_make(&k, 64, buf);

	assert_false(packet_parse(short_header, sizeof(short_header), &got));
	assert_false(packet_parse(fragment, sizeof(fragment), &got));
	for (size_t i = 0; i < 28; i++) {
		uint8_t *cut = malloc(i + 1);

		assert_non_null(cut);
		memcpy(cut, buf, i);
		assert_false(packet_parse(cut, i, &got));
		free(cut);
	}
	assert_true(packet_parse(buf, len, &got));
	buf[0] = 0x25;
	assert_false(packet_parse(buf, len, &got));
}

/* Whoever reads the records knows each of them again, and no packet that is like it. */
static void is_known_by_its_marks(void **state)
{
	uint8_t buf[PACKET_MAX];

	for (size_t i = 0; i < 2 * BH_ARRAY_SIZE(asks); i++) {
		struct packet_key k = nth(i / 2, i % 2);
		struct record_packet p = { 0 };
		size_t len = packet_make(&k, 64, buf), header = i % 2 ? 20 : 40, mark;

		record_packet_set(&p, buf, len, 0, (uint32_t)len);
		assert_true(testmark_is(&p, 61234));
		assert_true(testmark_is(&p, 61233)); /* of a raw socket */
		assert_false(testmark_is(&p, 61235));
		assert_false(testmark_is(&p, 61232));
		memmove(p.bytes + 14, p.bytes, len); /* behind a frame's header */
		p.len += 14;
		p.ip_at = 14;
		assert_true(testmark_is(&p, 61234));
		if (k.proto == IPPROTO_ICMP && k.port == 13)
			continue; /* has no room for more marks than its id */
		mark = header + (k.proto == IPPROTO_SCTP  ? 19
				 : k.proto == IPPROTO_TCP ? 7
				 : k.proto == IPPROTO_UDP ? 5
							  : 9);
		buf[mark] ^= 1;
		record_packet_set(&p, buf, len, 0, (uint32_t)len);
		assert_false(testmark_is(&p, 61234));
	}
}

/* Cut off anywhere, and of nothing at all: no byte behind the end is looked at. */
static void too_short_for_marks(void **state)
{
	uint8_t buf[PACKET_MAX];

	for (size_t i = 0; i < 2 * BH_ARRAY_SIZE(asks); i++) {
		struct packet_key k = nth(i / 2, i % 2);
		size_t len = packet_make(&k, 64, buf), header = i % 2 ? 20 : 40;

		for (size_t n = 0; n < len; n++) {
			struct record_packet p = { 0 };

			record_packet_set(&p, buf, n, 0, (uint32_t)len);
			if (n < header + 8)
				assert_false(testmark_is(&p, 61234));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),
		cmocka_unit_test(checksums_add_up),
		cmocka_unit_test(sctp_has_crc32c),
		cmocka_unit_test(a_syn_and_an_empty_datagram),
		cmocka_unit_test(hostile_bytes_are_no_packet),
		cmocka_unit_test(is_known_by_its_marks),
		cmocka_unit_test(too_short_for_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
