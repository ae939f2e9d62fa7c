/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

/*
 * What root in a container can do to the table with nft(8): each is seen by readback, and undone by
 * the next apply. Root.
 */

static struct place here;
static struct fx f;

static int setup(void **state)
{
	place_open(&here);
	fx_full_until_and(&f, 0, true);
	f.r.on_deny = ON_DENY_REJECT;
	f.r.log_allowed = true;
	place_apply(&here, &f.r);
	return 0;
}

static int teardown(void **state)
{
	fx_done(&f);
	place_close(&here);
	return 0;
}

/* H CHAIN WORDS: the handle of the first rule of CHAIN with these words. */
#define H                                                                                          \
	"H() { nft -a list chain inet bulkhead $1 | grep -m1 -- \"$2\" | sed 's/.*handle //'; }; " \
	"T='inet bulkhead'; "

static void assert_seen_and_undone(const char *what)
{
	char why[256];

	if (place_holds(&here, &f.r, why))
		fail_msg("not seen: %s", what);
	assert_true(why[0]);
	place_apply(&here, &f.r);
}

static void tamper(const char *const *commands, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		place_do(&here, "exec 2>&1; set -e; " H "%s", commands[i]);
		assert_seen_and_undone(commands[i]);
	}
}

/* What is no tampering: counts, and the denied flows that are remembered. */
static void test_no_tampering(void **state)
{
	place_do(&here, "nft reset counters >/dev/null");
	assert_holds(&here, &f.r);
	place_do(&here, "nft 'add element inet bulkhead denied4 "
			"{ \"lo\" . 10.0.0.1 . 10.0.0.2 . tcp . 80 }'");
	assert_holds(&here, &f.r);
	place_do(&here, "nft flush set inet bulkhead denied4");
	assert_holds(&here, &f.r);
	place_do(&here, "nft 'add table ip other; add chain ip other c'");
	assert_holds(&here, &f.r);
}

static void test_rules(void **state)
{
	static const char *const commands[] = {
		"nft delete rule $T output handle $(H output denied.egress)",
		"nft delete rule $T record handle $(H record denied4)",
		"nft delete rule $T forward handle $(H forward forwarded)",
		"nft delete rule $T about handle $(H about generation)",
		"nft insert rule $T output accept",
		"nft insert rule $T input ip saddr 10.6.6.6 accept",
		"nft add rule $T output accept",
		"nft add rule $T about continue",
		"nft replace rule $T output handle $(H output jump) accept",
		"nft replace rule $T output handle $(H output icmpx) accept",
		"nft replace rule $T input handle $(H input iif) iifname eth0 accept",
		"nft flush chain $T record",
		"nft flush chain $T about",
		"nft flush table $T",
		/* the same rule, but for its comment */
		"nft replace rule $T about handle $(H about generation) continue comment "
		"'\"generation 0000000000000000\"'",
		"nft replace rule $T about handle $(H about mode) continue comment "
		"'\"mode audit\"'",
	};

	tamper(commands, BH_ARRAY_SIZE(commands));
}

static void test_chains(void **state)
{
	static const char *const commands[] = {
		"nft 'chain inet bulkhead output { policy accept; }'",
		"nft 'chain inet bulkhead forward { policy accept; }'",
		"nft add chain $T extra",
		"nft add chain $T extra { type filter hook output priority -1 \\; policy "
		"accept \\; }",
		"nft add chain $T extra { type nat hook output priority -100 \\; }",
		"nft flush chain $T forward; nft delete chain $T forward",
		"nft flush chain $T output; nft delete chain $T output; nft add chain $T output "
		"{ type filter hook output priority 1 \\; policy drop \\; }",
	};

	tamper(commands, BH_ARRAY_SIZE(commands));
}

static void test_elements(void **state)
{
	static const char *const commands[] = {
		"nft add element $T egress4 '{ 10.6.6.6 . tcp . 22 : \"payments.out.db\" }'",
		"nft add element $T ingress6_host '{ fd66::6 : \"payments.in.web\" }'",
		"nft add element $T egress4_range '{ 10.6.0.0/16 . 0-255 . 0-65535 : "
		"\"payments.out.db\" }'",
		"nft add element $T egress4_world '{ udp . 53 : \"payments.out.db\" }'",
		"nft delete element $T egress4 '{ 10.77.1.2 . tcp . 5432 }'",
		"nft delete element $T egress6_world '{ tcp . 443 }'",
		"nft flush map $T ingress4",
		/* everything */
		"nft add element $T egress4_host '{ * : \"payments.out.db\" }'",
		"nft add element $T egress4_range '{ * : \"payments.out.db\" }'",
		/* the same flow, but another rule's, or for a time only */
		"nft 'delete element inet bulkhead egress4_host { 10.77.1.9 }; add element inet "
		"bulkhead egress4_host { 10.77.1.9 : \"payments.out.dns\" }'",
		"nft 'delete element inet bulkhead egress4_host { 10.77.1.9 }; add element inet "
		"bulkhead egress4_host { 10.77.1.9 timeout 1h : \"payments.out.db\" }'",
		/* what is not the world */
		"nft flush set $T known4",
		"nft delete element $T known6 '{ fe80::/10 }'",
		"nft add element $T known4 '{ 1.0.0.0/8 }'",
	};

	tamper(commands, BH_ARRAY_SIZE(commands));
}

static void test_objects(void **state)
{
	static const char *const commands[] = {
		"nft delete counter $T payments.out.counted",
		"nft delete counter $T payments.out.counted; nft add counter $T "
		"payments.out.counted '{ comment \"elsewhere\"; }'",
		"nft add counter $T foreign",
		"nft flush chain $T allow",
		"nft add quota $T web.in.quota { 10 mbytes \\; }",
		"nft add set $T foreign { type ipv4_addr \\; }",
		"nft add map $T egress7 { type ipv4_addr : counter \\; }",
	};

	tamper(commands, BH_ARRAY_SIZE(commands));
}

static void test_table(void **state)
{
	static const char *const commands[] = {
		"nft delete table $T",
		"nft flush ruleset",
		"nft add table $T { flags dormant \\; }",
	};

	tamper(commands, BH_ARRAY_SIZE(commands));
}

/* --- the table as nft(8) prints it, altered and loaded again ------------------------------------ */

static char dump[] = "/tmp/bulkhead-tamper-XXXXXX";

/* The dump through sed, in place of the table. False when sed changed nothing. */
static bool reload(const char *sed)
{
	int status;

	free(place_run(&here, &status, "sed '%s' %s | cmp -s - %s", sed, dump, dump));
	if (status == 0)
		return false;
	free(place_run(&here, &status,
		       "exec 2>&1; { echo 'delete table inet bulkhead'; sed '%s' %s; } | nft -f -",
		       sed, dump));
	if (status != 0)
		fail_msg("nft does not take: %s", sed);
	return true;
}

/*
 * Without flows of the world's ICMP: nft(8) leaves the protocol out of their rules when it prints
 * them and puts it behind the look at `known` when it loads them, where we have it in front.
 */
static void write_dump(void)
{
	int fd;

	for (int d = 0; d < DIRECTIONS; d++)
		f.entries[d][ENTRY_WORLD_ICMP].n = 0;
	fx_finish(&f);
	place_apply(&here, &f.r);
	strcpy(dump + strlen(dump) - 6, "XXXXXX");
	fd = mkstemp(dump);
	assert_true(fd >= 0);
	close(fd);
	place_do(&here, "nft -s list table inet bulkhead > %s", dump);
}

/* nft(8) reads what we wrote, and what it then writes is ours again: two readers agree. */
static void test_second_reader(void **state)
{
	write_dump();
	place_do(&here, "{ echo 'delete table inet bulkhead'; cat %s; } | nft -f -", dump);
	assert_holds(&here, &f.r);
	unlink(dump);
}

static void test_altered_dump(void **state)
{
	static const char *const seds[] = {
		"s/size 4096/size 4095/",
		"0,/size 4096/s//size 1/",
		"s/timeout 1h/timeout 1s/",
		"s/hook output priority filter/hook output priority 10/",
		"s/hook input priority filter; policy drop/hook input priority filter; policy "
		"accept/",
		"s/hook forward/hook prerouting/",
		"s/group 48/group 49/",
		"0,/snaplen 128/s//snaplen 64/",
		"s/prefix \"bulkhead:deny\"/prefix \"bulkhead:audit\"/",
		"s/limit rate 10/limit rate 20/",
		"s/burst 10 packets/burst 11 packets/",
		"0,/ct direction reply/s//ct direction original/",
		"0,/th sport/s//th dport/",
		"0,/ip saddr/s//ip daddr/",
		"s/oif \"lo\"/oif 2/",
		"s/hoplimit 255/hoplimit 254/",
		"s/ct state related/ct state established/",
		"s/ct status confirmed/ct status assured/",
		"s/limit rate 1000/limit rate 1/",
		"s/prefix \"bulkhead:allow\"/prefix \"bulkhead:deny\"/",
		"0,/goto allow/s//accept/",
		"s/log-allowed true/log-allowed not/",
		"s/reject with tcp reset/accept/",
		"s/ != @known4/ @known4/",
		"s/jump record/goto record/",
		"s/goto revoked/jump revoked/",
		"s/default-deny egress policies/default-deny egress elsewhere/",
		"s/rate 1\\/day/rate 1\\/hour/",
		"s/203.0.113.0\\/24/203.0.112.0\\/23/",
		"s/10.77.1.9/10.77.1.10/",
		"s/flags interval,timeout/flags interval,timeout\\n\\t\\ttimeout 1h/",
		"0,/flags timeout/s//flags timeout\\n\\t\\tsize 100/",
		"s/\"payments.out.migration\"/\"payments.out.dns\"/",
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
	/* Rules are what stands in a chain and is no hook. */
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
	assert_in_range(n, 100, 224);
	unlink(dump);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_no_tampering),  CASE(test_rules),        CASE(test_chains),
		CASE(test_elements),      CASE(test_objects),      CASE(test_table),
		CASE(test_second_reader), CASE(test_altered_dump), CASE(test_every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
