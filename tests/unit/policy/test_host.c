/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <sys/socket.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/endpoint.h>

/* The host file beyond test_load.c: what the daemon takes from it. */

static struct host_config config;

/* What was said; free() it. */
static char *parse(const char *text, size_t len, int r)
{
	struct policy_source source = { "h.yaml", text, len };
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	char *said;

	diag_list_init(&diags);
	assert_int_equal(host_config_parse(&source, &config, &diags, &err), r);
	assert_int_equal(diags.errors > 0, r == -EINVAL);
	said = diags_text(&diags);
	diag_list_done(&diags);
	return said;
}

static void assert_valid(const char *text)
{
	char *said = parse(text, strlen(text), 0);

	assert_string_equal(said, "");
	free(said);
}

/* Nothing is returned, and EXPECT is all that was said. */
static void assert_wrong(const char *text, const char *expect)
{
	struct host_config before;
	char *said;

	memset(&config, 0x5a, sizeof(config));
	before = config;
	said = parse(text, strlen(text), -EINVAL);
	assert_string_equal(said, expect);
	assert_memory_equal(&config, &before, sizeof(config));
	free(said);
}

static void test_all(void **state)
{
	assert_valid("new-namespaces: ignore\n"
		     "roles:\n"
		     "  - {group: ops, role: operator}\n"
		     "  - {user: 4294967294, role: viewer}\n"
		     "  - user: alice\n"
		     "    role: admin\n"
		     "    owners: [team-a, Team B]\n"
		     "control: {socket: /s, group: ops, read-only-socket: /r}\n"
		     "policies: {watch: false}\n"
		     "metrics: {listen: '[::1]:1', textfile: /x.prom}\n"
		     "retention: {audit-files: 1, generations: 2, denied-days: 3650, "
		     "denied-megabytes: 1048576}\n");
	assert_int_equal(config.new_namespaces, NEW_NAMESPACES_IGNORE);
	assert_int_equal(config.n_grants, 3);
	assert_true(config.grants[0].is_group && config.grants[0].everything);
	assert_string_equal(config.grants[0].who, "ops");
	assert_int_equal(config.grants[0].role, HOST_ROLE_OPERATOR);
	assert_string_equal(config.grants[1].who, "4294967294");
	assert_int_equal(config.grants[1].role, HOST_ROLE_VIEWER);
	assert_false(config.grants[2].is_group || config.grants[2].everything);
	assert_int_equal(config.grants[2].n_owners, 2);
	assert_string_equal(config.grants[2].owners[1], "Team B");
	assert_string_equal(config.grants[2].loc.file, "h.yaml");
	assert_int_equal(config.grants[2].loc.line, 5);
	assert_string_equal(config.control.socket, "/s");
	assert_string_equal(config.control.group, "ops");
	assert_string_equal(config.control.read_only_socket, "/r");
	assert_false(config.watch);
	assert_true(config.metrics.listen);
	assert_int_equal(config.metrics.addr.family, AF_INET6);
	assert_int_equal(config.metrics.port, 1);
	assert_string_equal(config.metrics.textfile, "/x.prom");
	assert_int_equal(config.retention.audit_files, 1);
	assert_int_equal(config.retention.generations, 2);
	assert_int_equal(config.retention.denied_days, BH_DENIED_DAYS_MAX);
	assert_int_equal(config.retention.denied_megabytes, BH_DENIED_MEGABYTES_MAX);
	host_config_done(&config);
}

/* Keys that are left out of a part have their defaults; the rest of the text may be freed. */
static void test_parts(void **state)
{
	char *text = strdup("control: {group: \"27\"}\nretention: {generations: 5}\n"
			    "metrics: {listen: 127.8.8.8:65535}\nroles: []\n");

	assert_valid(text);
	free(text);
	assert_string_equal(config.control.socket, BH_CTL_SOCKET);
	assert_string_equal(config.control.group, "27");
	assert_null(config.control.read_only_socket);
	assert_int_equal(config.retention.generations, 5);
	assert_int_equal(config.retention.denied_days, BH_DENIED_DAYS_DEFAULT);
	assert_int_equal(config.metrics.addr.family, AF_INET);
	assert_int_equal(config.metrics.port, 65535);
	assert_null(config.metrics.textfile);
	assert_int_equal(config.n_grants, 0);
	assert_true(config.watch);
	host_config_done(&config);
}

static void test_policies(void **state)
{
	assert_wrong(
		"policies: {watch: yes}\npolicies: {watch: true}\n",
		"h.yaml:1:19: error: \"watch\" takes true or false, not \"yes\" [bad-value]\n"
		"h.yaml:2:1: error: duplicate key \"policies\", first on line 1 (remove one of "
		"the two, or join them) [duplicate-key]\n");
	assert_wrong("policies: {watsh: true}",
		     "h.yaml:1:12: error: unknown key \"watsh\" in policies (did you mean "
		     "\"watch\"?) [unknown-key]\n");
	assert_wrong("policies: /etc/bulkhead/policies",
		     "h.yaml:1:11: error: \"policies\" takes a mapping, not text "
		     "(\"/etc/bulkhead/policies\") (write policies: {watch: true}) [wrong-type]\n");
}

/* Of the bytes, so that a comment makes another one. */
static void test_digest(void **state)
{
	char digest[DIGEST_HEX];

	assert_valid("strict: true\n");
	digest_bytes("strict: true\n", 13, digest);
	assert_string_equal(config.digest, digest);
	host_config_done(&config);
	assert_string_equal(config.digest, "");
	assert_valid("strict: true # so\n");
	assert_string_not_equal(config.digest, digest);
	host_config_done(&config);
}

static void test_roles(void **state)
{
	assert_wrong(
		"roles:\n"
		"  - {usr: bob, role: operater}\n"
		"  - {user: a, group: b, role: admin}\n"
		"  - {group: ops, owners: []}\n"
		"  - {role: admin}\n"
		"  - {user: 4294967295, role: viewer, owners: [a, a, '', [b]]}\n"
		"  - {user: -x, role: viewer, owners: a}\n"
		"  - nobody\n"
		"  - {user: \"a:b\\e\", role: viewer, role: viewer}\n",
		"h.yaml:2:6: error: unknown key \"usr\" in a role (did you mean \"user\"?) "
		"[unknown-key]\n"
		"h.yaml:2:22: error: \"role\" takes viewer, operator or admin, not \"operater\" "
		"(did you mean \"operator\"?) [bad-value]\n"
		"h.yaml:3:15: error: a role is for a user or for a group, not for both (write two "
		"entries) [bad-value]\n"
		"h.yaml:4:5: error: a role needs \"role\" (for example role: viewer) "
		"[missing-key]\n"
		"h.yaml:4:26: error: owners: [] grants nothing (leave \"owners\" out for "
		"everything) [bad-value]\n"
		"h.yaml:5:5: error: a role needs \"user\" or \"group\" (for example {group: ops, "
		"role: operator}) [missing-key]\n"
		"h.yaml:6:12: error: an ID is at most 4294967294, not 4294967295 [bad-value]\n"
		"h.yaml:6:50: error: \"owners\" names a twice (remove one of the two) "
		"[bad-value]\n"
		"h.yaml:6:53: error: an owner is empty [missing-value]\n"
		"h.yaml:6:57: error: an entry of \"owners\" takes text, not a list (write team-a) "
		"[wrong-type]\n"
		"h.yaml:7:12: error: \"-x\" is no user's name (write it as id(1) shows it) "
		"[bad-value]\n"
		"h.yaml:7:38: error: \"owners\" takes a list, not text (\"a\") (write owners: "
		"[team-a]) [wrong-type]\n"
		"h.yaml:8:5: error: a role takes a mapping, not text (\"nobody\") (write {group: "
		"ops, role: operator}) [wrong-type]\n"
		"h.yaml:9:12: error: \"a:b\\x1b\" is no user's name (write it as id(1) shows it) "
		"[bad-value]\n"
		"h.yaml:9:35: error: duplicate key \"role\", first on line 9 (remove one of the "
		"two, "
		"or join them) [duplicate-key]\n");
}

static void test_control(void **state)
{
	assert_wrong(
		"control: {socket: run/x, group: \"\", read-only-socket: \"false\", sock: 1}",
		"h.yaml:1:19: error: \"socket\" takes the path of a socket, not \"run/x\" (a "
		"path begins with /) [bad-value]\n"
		"h.yaml:1:33: error: \"\" is no group's name (write it as id(1) shows it) "
		"[bad-value]\n"
		"h.yaml:1:55: error: \"read-only-socket\" takes false or the path of a "
		"socket, not the text \"false\" (remove the quotes) [bad-value]\n"
		"h.yaml:1:64: error: unknown key \"sock\" in control (the keys are socket, group, "
		"read-only-socket) [unknown-key]\n");
	assert_wrong("control: {socket: /a, read-only-socket: /a}",
		     "h.yaml:1:10: error: \"socket\" and \"read-only-socket\" are the same path "
		     "(give each a path of its own) [bad-value]\n");
	assert_wrong("control: {read-only-socket: " BH_CTL_SOCKET "}",
		     "h.yaml:1:10: error: \"socket\" and \"read-only-socket\" are the same path "
		     "(give each a path of its own) [bad-value]\n");
}

static void test_socket_length(void **state)
{
	char text[256];

	snprintf(text, sizeof(text), "control: {socket: /%0106u}", 1);
	assert_valid(text);
	host_config_done(&config);
	snprintf(text, sizeof(text), "control: {socket: /%0107u}", 1);
	free(parse(text, strlen(text), -EINVAL));
	assert_wrong("control: {socket: /run/}",
		     "h.yaml:1:19: error: a file is wanted, not \"/run/\" [bad-value]\n");
}

static void assert_listen(const char *value, const char *expect)
{
	char text[256], said[512];

	snprintf(text, sizeof(text), "metrics: {listen: %s}", value);
	snprintf(said, sizeof(said),
		 "h.yaml:1:19: error: %s (write 127.0.0.1:9467 or \"[::1]:9467\") [bad-value]\n",
		 expect);
	assert_wrong(text, said);
}

static void test_listen(void **state)
{
	static const char *const shapes[] = { "true",      "9467",     "localhost:9467",
					      "127.0.0.1", "::1:9467", "[127.0.0.1]:1" };
	static const char *const foreign[] = { "0.0.0.0:9467", "[::]:1", "192.0.2.1:80",
					       "[fe80::1]:80", "128.0.0.1:1" };
	static const char *const ports[] = { "0", "65536", "+1", "1x", "" };
	char value[64], said[256];

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		snprintf(value, sizeof(value), "\"%s\"", shapes[i]);
		snprintf(said, sizeof(said), "\"listen\" takes false or ADDRESS:PORT, not \"%s\"",
			 shapes[i]);
		assert_listen(value, said);
	}
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		snprintf(value, sizeof(value), "\"%s\"", foreign[i]);
		snprintf(said, sizeof(said),
			 "metrics are served to this host only, on a loopback address, not on "
			 "\"%s\"",
			 foreign[i]);
		assert_listen(value, said);
	}
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		snprintf(value, sizeof(value), "\"127.0.0.1:%s\"", ports[i]);
		snprintf(said, sizeof(said), "a port is a number from 1 to 65535, not \"%s\"",
			 ports[i]);
		assert_listen(value, said);
	}
}

static void test_textfile(void **state)
{
	assert_wrong("metrics: {textfile: /tmp/x}",
		     "h.yaml:1:21: error: the name of a text file ends with .prom, unlike "
		     "\"/tmp/x\" (node_exporter reads no others) [bad-value]\n");
	assert_wrong("metrics: {textfile: /tmp/.prom}",
		     "h.yaml:1:21: error: the name of a text file ends with .prom, unlike "
		     "\"/tmp/.prom\" (node_exporter reads no others) [bad-value]\n");
	assert_wrong("metrics: {textfile: true}",
		     "h.yaml:1:21: error: \"textfile\" takes false or the path of a file, not "
		     "\"true\" (a path begins with /) [bad-value]\n");
}

static void test_retention(void **state)
{
	assert_wrong("retention: {audit-files: 0, generations: \"3\", denied-days: -1, "
		     "denied-megabytes: 1048577, days: 1}",
		     "h.yaml:1:26: error: \"audit-files\" takes a number from 1 to 1024, not "
		     "\"0\" [bad-value]\n"
		     "h.yaml:1:42: error: \"generations\" takes a number from 1 to 1024, not the "
		     "text \"3\" (remove the quotes) [bad-value]\n"
		     "h.yaml:1:60: error: \"denied-days\" takes a number from 1 to 3650, not "
		     "\"-1\" [bad-value]\n"
		     "h.yaml:1:82: error: \"denied-megabytes\" takes a number from 1 to 1048576, "
		     "not \"1048577\" [bad-value]\n"
		     "h.yaml:1:91: error: unknown key \"days\" in retention (the keys are "
		     "audit-files, generations, denied-days, denied-megabytes) [unknown-key]\n");
}

static void test_word(void **state)
{
	assert_wrong("new-namespaces: quarantin\n",
		     "h.yaml:1:17: error: \"new-namespaces\" takes ignore or quarantine, not "
		     "\"quarantin\" (did you mean \"quarantine\"?) [bad-value]\n");
}

static void test_outputs(void **state)
{
	assert_valid("outputs:\n"
		     "  - {file: /v/a.json, format: ocsf, rotate: {megabytes: 5, keep: 1000}}\n"
		     "  - {file: /v/b.json, rotate: false, what: signals}\n"
		     "  - {journal: true, what: records}\n"
		     "  - {syslog: /dev/log, facility: local3, what: both}\n"
		     "  - {syslog: /run/x}\n");
	assert_int_equal(config.n_outputs, 5);
	assert_int_equal(config.outputs[0].kind, OUTPUT_FILE);
	assert_string_equal(config.outputs[0].path, "/v/a.json");
	assert_int_equal(config.outputs[0].format, OUTPUT_OCSF);
	assert_int_equal(config.outputs[0].what, OUTPUT_BOTH);
	assert_int_equal(config.outputs[0].rotate_megabytes, 5);
	assert_int_equal(config.outputs[0].rotate_keep, 1000);
	assert_string_equal(config.outputs[0].loc.file, "h.yaml");
	assert_int_equal(config.outputs[0].loc.line, 2);
	assert_int_equal(config.outputs[1].format, OUTPUT_JSON);
	assert_int_equal(config.outputs[1].what, OUTPUT_SIGNALS);
	assert_int_equal(config.outputs[1].rotate_megabytes, 0);
	assert_int_equal(config.outputs[2].kind, OUTPUT_JOURNAL);
	assert_null(config.outputs[2].path);
	assert_int_equal(config.outputs[2].what, OUTPUT_RECORDS);
	assert_int_equal(config.outputs[3].kind, OUTPUT_SYSLOG);
	assert_string_equal(config.outputs[3].path, "/dev/log");
	assert_int_equal(config.outputs[3].facility, 19);
	assert_int_equal(config.outputs[4].facility, 3);
	host_config_done(&config);
	assert_valid("outputs: [{file: /a}, {file: /b, rotate: {keep: 2}}]");
	assert_int_equal(config.outputs[0].rotate_megabytes, BH_OUTPUT_MEGABYTES_DEFAULT);
	assert_int_equal(config.outputs[0].rotate_keep, BH_OUTPUT_KEEP_DEFAULT);
	assert_int_equal(config.outputs[1].rotate_megabytes, BH_OUTPUT_MEGABYTES_DEFAULT);
	assert_int_equal(config.outputs[1].rotate_keep, 2);
	host_config_done(&config);
	assert_valid("outputs: []");
	assert_int_equal(config.n_outputs, 0);
	host_config_done(&config);
}

static void test_bad_outputs(void **state)
{
	assert_wrong(
		"outputs:\n"
		"  - {fiel: /a, format: oscf}\n"
		"  - {file: a.json, rotate: {megabyte: 1, keep: 0}}\n"
		"  - {file: /a, journal: true}\n"
		"  - {journal: yes, format: json}\n"
		"  - {journal: true, format: json, facility: local3}\n"
		"  - {syslog: /dev/log, rotate: false}\n"
		"  - {syslog: true, facility: local8}\n"
		"  - {what: signals}\n"
		"  - {}\n"
		"  - /var/log/x\n"
		"  - {file: /a, rotate: true, what: all}\n",
		"h.yaml:2:6: error: unknown key \"fiel\" in an output (did you mean \"file\"?) "
		"[unknown-key]\n"
		"h.yaml:2:24: error: \"format\" takes json, ocsf, ecs or text, not \"oscf\" (did "
		"you "
		"mean \"ocsf\"?) [bad-value]\n"
		"h.yaml:3:12: error: \"file\" takes the path of a file, not \"a.json\" (a path "
		"begins with /) [bad-value]\n"
		"h.yaml:3:29: error: unknown key \"megabyte\" in rotate (did you mean "
		"\"megabytes\"?) [unknown-key]\n"
		"h.yaml:3:48: error: \"keep\" takes a number from 1 to 1000, not \"0\" "
		"[bad-value]\n"
		"h.yaml:4:16: error: an output is one of file, journal and syslog (write two "
		"entries) [bad-value]\n"
		"h.yaml:5:15: error: \"journal\" takes true, not \"yes\" (leave the entry out for "
		"none) [bad-value]\n"
		"h.yaml:5:20: error: \"format\" is for a file only, not for journal (remove it) "
		"[misplaced-key]\n"
		"h.yaml:6:21: error: \"format\" is for a file only, not for journal (remove it) "
		"[misplaced-key]\n"
		"h.yaml:6:35: error: \"facility\" is for a syslog only, not for journal (remove "
		"it) "
		"[misplaced-key]\n"
		"h.yaml:7:24: error: \"rotate\" is for a file only, not for syslog (remove it) "
		"[misplaced-key]\n"
		"h.yaml:8:14: error: \"syslog\" takes the path of a socket, not \"true\" (a path "
		"begins with /) [bad-value]\n"
		"h.yaml:8:30: error: \"facility\" takes kern, user, mail, daemon, auth, syslog, "
		"lpr, "
		"news, uucp, cron, authpriv, ftp, ntp, audit, alert, clock, local0, local1, "
		"local2, "
		"local3, local4, local5, local6 or local7, not \"local8\" (did you mean "
		"\"local0\"?) [bad-value]\n"
		"h.yaml:9:5: error: an output needs \"file\", \"journal\" or \"syslog\" (for "
		"example "
		"{file: /var/log/bulkhead/denied.json}) [missing-key]\n"
		"h.yaml:10:5: error: an output needs \"file\", \"journal\" or \"syslog\" (for "
		"example "
		"{file: /var/log/bulkhead/denied.json}) [missing-key]\n"
		"h.yaml:11:5: error: an output takes a mapping, not text (\"/var/log/x\") (write "
		"{file: /var/log/bulkhead/denied.json}) [wrong-type]\n"
		"h.yaml:12:24: error: \"rotate\" takes false or a mapping, not \"true\" (write "
		"rotate: {megabytes: 64, keep: 8}) [bad-value]\n"
		"h.yaml:12:36: error: \"what\" takes both, records or signals, not \"all\" "
		"[bad-value]\n");
	assert_wrong("outputs: {}", "h.yaml:1:10: error: \"outputs\" takes a list, not a mapping "
				    "(write outputs: [{file: /var/log/bulkhead/denied.json}]) "
				    "[wrong-type]\n");
}

/* Everything would be written twice. */
static void test_double_outputs(void **state)
{
	assert_wrong(
		"outputs:\n- {file: /a}\n- {syslog: /a}\n- {file: /a, what: signals}\n"
		"- {journal: true}\n- {journal: true}\n",
		"h.yaml:4:3: error: an output to the same file stands on line 2 (remove one of "
		"the two) [bad-value]\n"
		"h.yaml:6:3: error: an output to the same journal stands on line 5 (remove one "
		"of the two) [bad-value]\n");
}

static void test_file_name_length(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), "outputs: [{file: /v/%0250u}]", 1);
	assert_valid(text);
	host_config_done(&config);
	snprintf(text, sizeof(text), "outputs: [{file: /v/%0251u}]", 1);
	assert_wrong(text, "h.yaml:1:18: error: a file's name has 250 bytes at most [bad-value]\n");
}

static void test_starts(void **state)
{
	assert_valid("starts: {}");
	assert_int_equal(config.starts.without_daemon, STARTS_FAIL);
	assert_int_equal(config.starts.wait_s, BH_STARTS_WAIT_S);
	host_config_done(&config);
	assert_valid("starts: {without-daemon: quarantine, wait: 2m}");
	assert_int_equal(config.starts.without_daemon, STARTS_QUARANTINE);
	assert_int_equal(config.starts.wait_s, 120);
	assert_null(config.starts.runtime);
	host_config_done(&config);
	assert_valid("starts: {runtime: /usr/bin/crun}");
	assert_string_equal(config.starts.runtime, "/usr/bin/crun");
	host_config_done(&config);
	assert_wrong("starts: {runtime: crun}",
		     "h.yaml:1:19: error: \"runtime\" takes the path of a program, not \"crun\" (a "
		     "path begins with /) [bad-value]\n");
	assert_wrong(
		"starts: {without-daemon: open, wait: 0s}",
		"h.yaml:1:26: error: \"without-daemon\" takes fail or quarantine, not \"open\" "
		"[bad-value]\n"
		"h.yaml:1:38: error: \"wait\" takes a time from 1s to 10m, not \"0s\" (write it "
		"as 10s or 1m) [bad-value]\n");
	assert_wrong(
		"starts: {wait: 11m}",
		"h.yaml:1:16: error: \"wait\" takes a time from 1s to 10m, not \"11m\" (write it "
		"as 10s or 1m) [bad-value]\n");
}

static void test_limits(void **state)
{
	assert_valid("limits: {flows: 256, records-per-second: 100000}");
	assert_int_equal(config.limits.flows, 256);
	assert_int_equal(config.limits.records_per_second, 100000);
	host_config_done(&config);
	assert_valid("limits: {}");
	assert_int_equal(config.limits.flows, BH_FLOWS_MAX);
	assert_int_equal(config.limits.records_per_second, BH_RECORDS_PER_S_DEFAULT);
	host_config_done(&config);
	assert_wrong(
		"limits: {flows: 255, records-per-second: 0, namespaces: 3}",
		"h.yaml:1:17: error: \"flows\" takes a number from 256 to 1048576, not "
		"\"255\" [bad-value]\n"
		"h.yaml:1:42: error: \"records-per-second\" takes a number from 1 to 100000, "
		"not \"0\" [bad-value]\n"
		"h.yaml:1:45: error: unknown key \"namespaces\" in limits (the keys are flows, "
		"records-per-second) [unknown-key]\n");
}

static void test_namespaces(void **state)
{
	assert_valid(
		"namespaces: {shop: {team: retail, a.b/c: \"\"}, my_project: {}, ops: {x: \"1\"}}");
	assert_int_equal(config.n_namespace_labels, 3);
	assert_string_equal(config.namespace_labels[0].namespace, "shop");
	assert_string_equal(config.namespace_labels[0].key, "team");
	assert_string_equal(config.namespace_labels[0].value, "retail");
	assert_string_equal(config.namespace_labels[1].value, "");
	assert_string_equal(config.namespace_labels[2].namespace, "ops");
	host_config_done(&config);
	assert_valid("namespaces: {shop: {kubernetes.io/metadata.name: shop}}");
	host_config_done(&config);
	assert_wrong(
		"namespaces: {shop: {team: 1}, a b: {}, c: retail, d: , e: {kubernetes.io/"
		"metadata.name: shop, \"a b\": c}}",
		"h.yaml:1:27: error: label \"team\" takes text, and without quotes 1 is a number "
		"(write \"1\", with quotes) [wrong-type]\n"
		"h.yaml:1:31: error: bad namespace \"a b\" (write the namespace, or the Compose "
		"project, as bulkhead endpoints --json shows it) [bad-name]\n"
		"h.yaml:1:43: error: namespace \"c\" takes a mapping, not text (\"retail\") (write "
		"{} or its labels, like {team: retail}) [wrong-type]\n"
		"h.yaml:1:54: error: namespace \"d\" has no value (write {} or its labels, like "
		"{team: retail}) [missing-value]\n"
		"h.yaml:1:89: error: label kubernetes.io/metadata.name is the namespace's own "
		"name, not \"shop\" (leave it out: every namespace has it) [bad-label]\n"
		"h.yaml:1:95: error: bad label key \"a b\" (a label's name is 1 to 63 of letters, "
		"digits, -, _ and ., with a letter or digit at both ends) [bad-label]\n");
}

static void test_too_many(void **state)
{
	struct bh_buf text;
	char *said;

	bh_buf_init(&text, 1 << 20);
	bh_buf_addstr(&text, "roles:\n");
	for (unsigned i = 0; i <= BH_CTL_GRANTS_MAX; i++)
		bh_buf_addf(&text, "- {user: u%u, role: viewer}\n", i);
	said = parse(text.data, text.len, -EINVAL);
	assert_string_equal(said, "h.yaml:2:1: error: 1025 roles; 1024 is the most [too-many]\n");
	free(said);
	bh_buf_reset(&text);
	bh_buf_addstr(&text, "roles: [{user: u, role: viewer, owners: [");
	for (unsigned i = 0; i <= BH_CTL_OWNERS_MAX; i++)
		bh_buf_addf(&text, "o%u,", i);
	bh_buf_addstr(&text, "]}]");
	said = parse(text.data, text.len, -EINVAL);
	assert_string_equal(said, "h.yaml:1:41: error: 257 owners; 256 is the most [too-many]\n");
	free(said);
	bh_buf_reset(&text);
	bh_buf_addstr(&text, "outputs:\n");
	for (unsigned i = 0; i <= BH_OUTPUTS_MAX; i++)
		bh_buf_addf(&text, "- {file: /f%u}\n", i);
	said = parse(text.data, text.len, -EINVAL);
	assert_string_equal(said, "h.yaml:2:1: error: 17 outputs; 16 is the most [too-many]\n");
	free(said);
	bh_buf_done(&text);
}

/* --- the example ----------------------------------------------------------------------------- */

/* Settings that are hidden: behind them is no space, or more than one. */
static char *show_hidden(const char *text)
{
	char *out = malloc(strlen(text) + 1), *to = out;
	bool begin = true;

	for (const char *s = text; *s; s++) {
		if (!begin || *s != '#' || s[1] == '\n' || (s[1] == ' ' && s[2] != ' '))
			*to++ = *s;
		begin = *s == '\n';
	}
	*to = '\0';
	return out;
}

static void test_example(void **state)
{
	struct host_config defaults;
	char *text, *all;
	size_t len;

	assert_int_equal(bh_read_file("examples/bulkhead.yaml", 1 << 20, &text, &len), 0);
	assert_valid(text);
	host_config_init(&defaults);
	assert_int_equal(config.unmanaged, defaults.unmanaged);
	assert_int_equal(config.new_namespaces, defaults.new_namespaces);
	assert_int_equal(config.strict, defaults.strict);
	assert_true(config.docker && config.podman && config.netns && !config.image_labels);
	assert_true(config.watch);
	assert_int_equal(config.n_grants, 0);
	assert_string_equal(config.control.socket, defaults.control.socket);
	assert_memory_equal(&config.retention, &defaults.retention, sizeof(defaults.retention));
	assert_memory_equal(&config.limits, &defaults.limits, sizeof(defaults.limits));
	assert_int_equal(config.n_outputs, 0);
	host_config_done(&config);
	all = show_hidden(text);
	assert_valid(all);
	assert_int_equal(config.n_grants, 3);
	assert_string_equal(config.grants[2].owners[0], "team-payments");
	assert_string_equal(config.control.group, "bulkhead");
	assert_int_equal(config.n_outputs, 3);
	assert_string_equal(config.outputs[0].path, "/var/log/bulkhead/denied.json");
	assert_int_equal(config.outputs[2].what, OUTPUT_SIGNALS);
	assert_int_equal(config.n_namespace_labels, 1);
	host_config_done(&config);
	free(all);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_socket_length),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_textfile),
		cmocka_unit_test(test_retention),
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_bad_outputs),
		cmocka_unit_test(test_double_outputs),
		cmocka_unit_test(test_file_name_length),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_starts),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
