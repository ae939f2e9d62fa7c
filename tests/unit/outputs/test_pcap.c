/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <pcap/pcap.h>

#include <bulkhead/outputs/pcap.h>

/* What is written is read back by libpcap. */

static const uint8_t syn[] = {
	0x45, 0,    0,    40,   0, 0, 0, 0, 64, 6, 0, 0, 10,   77,   1,    2,    203, 0, 113, 9,
	0xc0, 0x01, 0x18, 0xeb, 0, 0, 0, 1, 0,  0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0,   0, 0,   0,
};

static struct pcap_writer *open_writer(const char *file)
{
	struct bh_err err = BH_ERR_INIT;
	struct pcap_writer *w = NULL;

	assert_int_equal(pcap_writer_open(file, &w, &err), 0);
	return w;
}

static struct flow_record record_of(const uint8_t *data, size_t len, size_t ip_at, uint32_t length)
{
	struct flow_record r = sample;

	record_packet_set(&r.packet, data, len, ip_at, length);
	return r;
}

static void put(struct pcap_writer *w, const struct flow_record *r)
{
	assert_int_equal(pcap_writer_record(w, r), 0);
}

static void assert_sums(const struct pcap_writer *w, uint64_t written, uint64_t no_bytes,
			uint64_t no_packet)
{
	struct pcap_writer_sums sums;

	pcap_writer_sums(w, &sums);
	assert_int_equal(sums.written, written);
	assert_int_equal(sums.no_bytes, no_bytes);
	assert_int_equal(sums.no_packet, no_packet);
}

/* The bytes as they were, when they were, and how long the packet was. */
static void test_round_trip(void **state)
{
	struct pcap_writer *w = open_writer(in_place("d.pcap"));
	struct flow_record whole = record_of(syn, sizeof(syn), 0, sizeof(syn));
	struct flow_record cut = record_of(syn, 32, 0, 1500);
	char message[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr head;
	const u_char *data;
	struct bh_err err = BH_ERR_INIT;
	pcap_t *p;

	put(w, &whole);
	put(w, &cut);
	assert_sums(w, 2, 0, 0);
	assert_int_equal(pcap_writer_close(w, &err), 0);
	p = pcap_open_offline(in_place("d.pcap"), message);
	assert_non_null(p);
	assert_int_equal(pcap_datalink(p), DLT_RAW);
	data = pcap_next(p, &head);
	assert_non_null(data);
	assert_int_equal(head.caplen, sizeof(syn));
	assert_int_equal(head.len, sizeof(syn));
	assert_int_equal(head.ts.tv_sec, SEEN / 1000000);
	assert_int_equal(head.ts.tv_usec, SEEN % 1000000);
	assert_memory_equal(data, syn, sizeof(syn));
	data = pcap_next(p, &head);
	assert_non_null(data);
	assert_int_equal(head.caplen, 32);
	assert_int_equal(head.len, 1500);
	assert_null(pcap_next(p, &head));
	pcap_close(p);
}

/* Of a frame that was made by hand, the packet in it; of one without, nothing, and it is counted. */
static void test_frames(void **state)
{
	struct pcap_writer *w = open_writer(in_place("d.pcap"));
	uint8_t frame[14 + sizeof(syn)] = { 255, 255, 255, 255, 255, 255, [12] = 8 };
	char message[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr head;
	struct flow_record r, counted = sample;
	const u_char *data;
	pcap_t *p;

	memcpy(frame + 14, syn, sizeof(syn));
	r = record_of(frame, sizeof(frame), 14, sizeof(frame));
	put(w, &r);
	r = record_of(frame, sizeof(frame), sizeof(frame), 0);
	put(w, &r);
	r = record_of(frame, 14, 14, 0);
	put(w, &r);
	put(w, &counted);
	assert_sums(w, 1, 1, 2);
	assert_int_equal(pcap_writer_close(w, NULL), 0);
	p = pcap_open_offline(in_place("d.pcap"), message);
	assert_non_null(p);
	data = pcap_next(p, &head);
	assert_int_equal(head.caplen, sizeof(syn));
	assert_memory_equal(data, syn, sizeof(syn));
	assert_null(pcap_next(p, &head));
	pcap_close(p);
}

/* Whatever was captured: no more than is kept, and lengths that agree. */
static void test_bounds(void **state)
{
	struct record_packet p;
	uint8_t data[300];

	memset(data, 7, sizeof(data));
	record_packet_set(&p, data, sizeof(data), 0, 0);
	assert_int_equal(p.len, BH_NFLOG_COPY_RANGE);
	assert_int_equal(p.length, sizeof(data));
	record_packet_set(&p, data, sizeof(data), 200, 65535);
	assert_int_equal(p.ip_at, p.len);
	assert_int_equal(p.length, 65535);
	record_packet_set(&p, data, 20, 0, 3);
	assert_int_equal(p.length, 20);
}

/* A reader sees the head and each packet at once, not when a buffer is full. */
static void test_at_once(void **state)
{
	struct pcap_writer *w = open_writer(in_place("d.pcap"));
	struct flow_record r = record_of(syn, sizeof(syn), 0, sizeof(syn));
	struct stat st;

	assert_int_equal(stat(in_place("d.pcap"), &st), 0);
	assert_int_equal(st.st_size, 24);
	put(w, &r);
	assert_int_equal(stat(in_place("d.pcap"), &st), 0);
	assert_int_equal(st.st_size, 24 + 16 + sizeof(syn));
	assert_int_equal(pcap_writer_close(w, NULL), 0);
}

static void test_errors(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct pcap_writer *w = NULL;
	int r;

	assert_int_equal(pcap_writer_open(in_place("no/d.pcap"), &w, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no/d.pcap: No such file"));
	assert_null(w);
	r = pcap_writer_open("/dev/full", &w, &err);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(pcap_writer_close(NULL, &err), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_frames), TEST(test_bounds),
		TEST(test_at_once),    TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
