/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>

/*
 * The table netdev in a real kernel: nft(8) as its second reader, what root in a container can do
 * to it, and what it does to frames. Root.
 */

static struct place here;
static struct fx f;

static int setup(void **state)
{
	place_open(&here);
	fx_full_until_and(&f, 0, true);
	place_apply(&here, &f.r);
	return 0;
}

static int teardown(void **state)
{
	fx_done(&f);
	place_close(&here);
	return 0;
}

/* --- the table as nft(8) prints it, loaded again ---------------------------------------------- */

static char dump[] = "/tmp/bulkhead-frames-XXXXXX";

static void write_dump(void)
{
	int fd;

	strcpy(dump + strlen(dump) - 6, "XXXXXX");
	fd = mkstemp(dump);
	assert_true(fd >= 0);
	close(fd);
	place_do(&here, "nft -s list table netdev bulkhead > %s", dump);
}

/* The dump through sed, in place of the table. False when sed changed nothing. */
static bool reload(const char *sed)
{
	int status;

	free(place_run(&here, &status, "sed '%s' %s | cmp -s - %s", sed, dump, dump));
	if (status == 0)
		return false;
	free(place_run(
		&here, &status,
		"exec 2>&1; { echo 'delete table netdev bulkhead'; sed '%s' %s; } | nft -f -", sed,
		dump));
	if (status != 0)
		fail_msg("nft does not take: %s", sed);
	return true;
}

/* What nft(8) lists loads again, and is what we would write: in every manner. */
static void test_second_reader(void **state)
{
	for (unsigned i = 0; i < 16; i++) {
		struct nft_want want;

		fx_done(&f);
		if (i & 8)
			fx_open(&f);
		else
			fx_full_until_and(&f, 0, i & 4);
		f.r.mode = i & 1 ? MODE_AUDIT : MODE_ENFORCE;
		f.r.log_denied = i & 2;
		fx_finish(&f);
		want = *fx_want(&f.r);
		place_apply_want(&here, &want);
		write_dump();
		place_do(&here,
			 "exec 2>&1; { echo 'delete table netdev bulkhead'; cat %s; } | nft -f -",
			 dump);
		unlink(dump);
		assert_holds(&here, &f.r);
	}
}

/* --- tampering ----------------------------------------------------------------------------------- */

static void assert_seen_and_undone(const char *what)
{
	char why[256];

	if (place_holds(&here, &f.r, why))
		fail_msg("not seen: %s", what);
	assert_true(why[0]);
	place_apply(&here, &f.r);
}

/* H CHAIN WORDS: the handle of the first rule of CHAIN with these words. */
#define H                                                                                          \
	"H() { nft -a list chain netdev bulkhead $1 | grep -m1 -- \"$2\" | sed 's/.*handle //'; "  \
	"}; "                                                                                      \
	"T='netdev bulkhead'; "

static void test_tampering(void **state)
{
	static const char *const commands[] = {
		"nft insert rule $T egress accept",
		"nft insert rule $T frames meta skuid 0 accept",
		"nft add rule $T raw accept",
		"nft add rule $T frames accept",
		"nft delete rule $T egress handle $(H egress goto)",
		"nft delete rule $T raw handle $(H raw limit)",
		"nft replace rule $T raw handle $(H raw counter) counter name raw accept",
		"nft replace rule $T frames handle $(H frames skuid) meta protocol arp accept",
		"nft replace rule $T dhcp handle $(H dhcp client) @ll,48,48 0x0242ac110003 "
		"@th,288,48 0x0242ac110003 ip saddr 0.0.0.0 limit rate 2/second burst 10 packets "
		"accept comment '\"client 02:42:ac:11:00:02\"'",
		"nft flush chain $T frames",
		"nft flush chain $T egress",
		"nft flush table $T",
		"nft 'chain netdev bulkhead egress { policy accept; }'",
		"nft add chain $T extra",
		"nft 'add chain netdev bulkhead extra { type filter hook egress device lo priority "
		"-1; policy accept; }'",
		"nft 'add chain netdev bulkhead extra { type filter hook ingress device lo "
		"priority "
		"0; policy drop; }'",
		/* hooked elsewhere, or on less */
		"nft flush chain $T egress; nft delete chain $T egress; nft 'add chain netdev "
		"bulkhead egress { type filter hook egress devices = { eth0 } priority 2147483647; "
		"policy drop; }; add rule netdev bulkhead egress goto frames; add rule netdev "
		"bulkhead egress drop'",
		"nft flush chain $T egress; nft delete chain $T egress; nft 'add chain netdev "
		"bulkhead egress { type filter hook ingress devices = { eth0, eth1 } priority "
		"2147483647; policy drop; }; add rule netdev bulkhead egress goto frames; add rule "
		"netdev bulkhead egress drop'",
		"nft flush chain $T egress; nft delete chain $T egress; nft 'add chain netdev "
		"bulkhead egress { type filter hook egress devices = { eth0, eth1 } priority 0; "
		"policy drop; }; add rule netdev bulkhead egress goto frames; add rule netdev "
		"bulkhead egress drop'",
		"nft flush chain $T egress; nft delete chain $T egress",
		"nft 'add set netdev bulkhead foreign { type ipv4_addr; }'",
		"nft 'add map netdev bulkhead egress4 { type ipv4_addr : verdict; }'",
		"nft add counter $T foreign",
		"nft add counter $T web.in.customers",
		"nft 'add quota netdev bulkhead q { 10 mbytes; }'",
		"nft delete rule $T raw handle $(H raw counter); nft delete counter $T raw",
		"nft delete table $T",
		"nft 'add table netdev bulkhead { flags dormant; }'",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(commands); i++) {
		place_do(&here, "exec 2>&1; set -e; " H "%s", commands[i]);
		assert_seen_and_undone(commands[i]);
	}
}

/* What is no tampering: what was counted, and tables of this name that are none of ours. */
static void test_no_tampering(void **state)
{
	place_do(&here, "nft reset counters >/dev/null");
	assert_holds(&here, &f.r);
	place_do(&here, "nft 'add table netdev other; add chain netdev other egress { type filter "
			"hook egress device lo priority 0; policy accept; }'");
	assert_holds(&here, &f.r);
	place_do(&here, "nft 'add table ip bulkhead; add chain ip bulkhead frames; add counter ip "
			"bulkhead raw'");
	assert_holds(&here, &f.r);
}

static void test_altered_dump(void **state)
{
	static const char *const seds[] = {
		"s/hook egress devices/hook ingress devices/",
		"s/priority 2147483647/priority 2147483646/",
		"s/policy drop/policy accept/",
		"s/eth0, eth1/eth0/",
		"s/127.0.0.0\\/8/127.0.0.0\\/9/",
		"s/saddr != ::1/saddr != ::2/",
		"s/saddr type local meta/daddr type local meta/",
		"s/saddr type local meta/saddr type unicast meta/",
		"0,/ meta rtclassid >= [^ ]*/s///",
		"s/meta rtclassid >=/meta rtclassid >/",
		"s/saddr 0.0.0.0 meta/saddr 0.0.0.1 meta/",
		"s/oif \"lo\"/oif 2/",
		"s/arp meta skuid >= 0/arp meta skuid 0/",
		"s/arp meta skuid >= 0/arp meta skgid >= 0/",
		"s/meta protocol arp accept/meta protocol vlan accept/",
		"s/@ll,0,48 0xffffffffffff/@ll,0,48 0xfffffffffffe/",
		"s/@nh,0,8 0x45/@nh,0,8 0x46/",
		"s/daddr 255.255.255.255/daddr 255.255.255.254/",
		"s/udp dport 67/udp dport 53/",
		"0,/@ll,48,48 0x242ac110002/s//@ll,48,48 0x242ac110003/",
		"0,/@th,288,48 0x242ac110002/s//@th,288,48 0x242ac110003/",
		"0,/limit rate 2/s//limit rate 20/",
		"s/client 02:42:ac:11:00:02/client 02:42:ac:11:00:03/",
		"s/goto raw/jump raw/",
		"s/prefix \"bulkhead:raw\"/prefix \"bulkhead:deny\"/",
		"s/group 48/group 49/",
		"s/limit rate 10/limit rate 11/",
		"s/counter name \"raw\" drop/counter name \"raw\" accept/",
		"s/counter name \"raw\" drop/drop/",
	};

	write_dump();
	for (size_t i = 0; i < BH_ARRAY_SIZE(seds); i++) {
		if (!reload(seds[i]))
			fail_msg("changes nothing: %s", seds[i]);
		assert_seen_and_undone(seds[i]);
	}
	unlink(dump);
}

/* Without any one of its rules the table is not ours. */
static void test_every_rule(void **state)
{
	bh_autofree char *lines = NULL;
	unsigned n = 0;
	char sed[32];

	write_dump();
	lines = place_run(&here, NULL,
			  "awk '/^\\tchain /,/^\\t}/ { if ($0 ~ /^\\t\\t/ && $1 != \"type\") "
			  "print NR }' %s",
			  dump);
	for (char *save, *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), n++) {
		snprintf(sed, sizeof(sed), "%sd", line);
		assert_true(reload(sed));
		assert_seen_and_undone(sed);
	}
	assert_int_equal(n, 16);
	unlink(dump);
}

/* --- shapes --------------------------------------------------------------------------------------- */

/* The base chains of the policy with their handles: they are the same ones to the end. */
static char *handles(void)
{
	return place_run(&here, NULL,
			 "nft -a list table inet bulkhead | "
			 "grep -E '^table|chain (output|input|forward) '");
}

/* Late names or only what is there, clients or none, no table at all: from each to each in place. */
static void test_shapes(void **state)
{
	struct nft_frames shapes[] = {
		{ .devices = { "lo", "v0" }, .n_devices = 2 },
		{ .devices = { "lo", "v0" }, .n_devices = 2 },
		{ .devices = { "v0" },
		  .n_devices = 1,
		  .dhcp = { { 2, 0, 0, 0, 0, 9 } },
		  .n_dhcp = 1 },
		{ .devices = { "v1" }, .n_devices = 1 },
	};
	enum { N = BH_ARRAY_SIZE(shapes) + 1 }; /* and NULL */
	bh_autofree char *before = NULL, *after = NULL;

	place_do(&here, "exec 2>&1; ip link add v0 type veth peer name v1");
	nft_frames_add_late(&shapes[1]);
	before = handles();
	for (unsigned from = 0; from < N; from++)
		for (unsigned to = 0; to < N; to++) {
			const struct nft_frames *a = from < N - 1 ? &shapes[from] : NULL;
			const struct nft_frames *b = to < N - 1 ? &shapes[to] : NULL;

			place_apply_want(&here, &((struct nft_want) { &f.r, a }));
			place_apply_want(&here, &((struct nft_want) { &f.r, b }));
		}
	after = handles();
	assert_string_equal(after, before);
}

/* All devices that there may be, at their full length. */
static void test_many_devices(void **state)
{
	static struct nft_frames most = { .n_devices = BH_ARRAY_SIZE(most.devices) };

	for (unsigned i = 0; i < most.n_devices; i++)
		snprintf(most.devices[i], sizeof(most.devices[i]), "fifteen-byt-%03u", i);
	place_apply_want(&here, &((struct nft_want) { &f.r, &most }));
}

/* Of what is not there any more, only its name: the table is whole without it. */
static void test_devices_come_and_go(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		place_do(&here, "exec 2>&1; ip link add eth0 type veth peer name eth1");
		assert_holds(&here, &f.r);
		place_do(&here, "exec 2>&1; ip link set eth0 name other");
		assert_holds(&here, &f.r);
		place_do(&here, "exec 2>&1; ip link del other");
		assert_holds(&here, &f.r);
	}
}

/* --- frames ---------------------------------------------------------------------------------------- */

static uint64_t raw_total(void)
{
	struct nft_totals t;

	assert_int_equal(nft_denied_totals(&here.s, &t, NULL), 0);
	return t.raw;
}

/* A frame by a packet socket, past the queues if BYPASS; did it leave? */
static bool send_frame_by(uint16_t type, const uint8_t *body, size_t len, int bypass)
{
	uint8_t frame[256] = {
		2, 0, 0, 0, 0, 0x53, 2, 0, 0, 0, 0, 1, (uint8_t)(type >> 8), (uint8_t)type
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(type) };
	struct ifreq ifr = { .ifr_name = "eth0" };
	bh_autoclose int fd = -1;
	ssize_t n;

	assert_int_equal(netns_socket(here.fd, AF_PACKET, SOCK_RAW, 0, &fd, NULL), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)),
			 0);
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &ifr), 0);
	to.sll_ifindex = ifr.ifr_ifindex;
	assert_true(ETH_HLEN + len <= sizeof(frame));
	memcpy(frame + ETH_HLEN, body, len);
	n = sendto(fd, frame, ETH_HLEN + len, 0, (struct sockaddr *)&to, sizeof(to));
	assert_true(n >= 0 || errno == ENOBUFS || errno == EPERM);
	return n >= 0;
}

static bool send_frame(uint16_t type, const uint8_t *body, size_t len)
{
	return send_frame_by(type, body, len, 0);
}

/* 10.9.0.1 -> 10.9.0.53, UDP port 53: what the policy allows the stack to send. */
static const uint8_t query[] = { 0x45, 0, 0,  28, 0, 0,  0,    0, 64, 17, 0, 0, 10, 9,
				 0,    1, 10, 9,  0, 53, 0x90, 0, 0,  53, 0, 8, 0,  0 };

/*
 * A frame is held on a device that was not there when the table was written, counted apart from
 * what the policy denies, and by no other rule's counter.
 */
static void test_held(void **state)
{
	struct nft_state st;

	place_do(&here,
		 "exec 2>&1; set -e; ip link add eth0 type veth peer name eth1; "
		 "ip link set eth0 up; ip link set eth1 up; ip addr add 10.9.0.1/16 dev eth0");
	assert_false(send_frame(ETH_P_IP, query, sizeof(query)));
	assert_false(send_frame(ETH_P_ARP, query, sizeof(query)));
	assert_false(send_frame_by(0x88b5, query, sizeof(query), 1));
	assert_int_equal(raw_total(), 3);
	place_read(&here, &st);
	assert_true(st.intact);
	assert_int_equal(st.totals.raw, 3);
	assert_int_equal(st.totals.denied[DIRECTION_EGRESS], 0);
	nft_state_done(&st);
	/* a change in place forgets none, nor does a table made anew */
	f.r.generation = "another";
	place_apply(&here, &f.r);
	assert_int_equal(raw_total(), 3);
	place_do(&here, "nft add chain netdev bulkhead foreign");
	place_apply(&here, &f.r);
	assert_int_equal(raw_total(), 3);
	/* audit: the same count, and it passes, where no guardrail stands; without a table, too */
	fx_done(&f);
	fx_full_until(&f, 0);
	f.r.mode = MODE_AUDIT;
	place_apply(&here, &f.r);
	assert_true(send_frame(ETH_P_IP, query, sizeof(query)));
	assert_int_equal(raw_total(), 4);
	place_apply_want(&here, &((struct nft_want) { &f.r }));
	assert_true(send_frame(ETH_P_IP, query, sizeof(query)));
	assert_int_equal(raw_total(), 0);
}

/* Where only guardrails hold, what cannot be IP passes. */
static void test_open(void **state)
{
	fx_done(&f);
	fx_open(&f);
	place_apply(&here, &f.r);
	place_do(&here, "exec 2>&1; set -e; ip link add eth0 type veth peer name eth1; "
			"ip link set eth0 up; ip link set eth1 up");
	assert_true(send_frame(0x88b5, query, sizeof(query)));
	assert_true(send_frame(ETH_P_ARP, query, sizeof(query)));
	assert_int_equal(raw_total(), 0);
	assert_false(send_frame(ETH_P_IP, query, sizeof(query)));
	assert_false(send_frame(ETH_P_8021Q, query, sizeof(query)));
	assert_false(send_frame_by(ETH_P_IP, query, sizeof(query), 1));
	assert_int_equal(raw_total(), 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_second_reader), CASE(test_tampering),           CASE(test_no_tampering),
		CASE(test_altered_dump),  CASE(test_every_rule),          CASE(test_shapes),
		CASE(test_many_devices),  CASE(test_devices_come_and_go), CASE(test_held),
		CASE(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
