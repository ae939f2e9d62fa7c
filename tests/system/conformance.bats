#!/usr/bin/env bats
# Random policies by real packets against the second implementation of the language
# (tests/conformance, docs/conformance.md): each case replaces the one before, in the same namespaces.

load lib/net

setup_file() {
	local name
	net_up p1 p2 p3 p4 p5 p6
	outsider world
	for name in p1 p2 p3 p4 p5 p6 switch world; do
		serve "$name" 80/tcp 443/tcp 8000/tcp 53/udp 443/udp
	done
}
teardown_file() { net_down; }

@test "102 random policies of both languages, one over the other: the wire says what the documentation says" {
	run "$BATS_TEST_DIRNAME/../conformance/packets" "$NET" "$NET_DIR" --cases 102
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"102 cases, "* ]]
}
