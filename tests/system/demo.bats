#!/usr/bin/env bats
# `make demo` tells its story, meets its own expectations and leaves nothing behind.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
}

@test "the demo: every expectation met, nothing left" {
	export TMPDIR=$BATS_TEST_TMPDIR # where it keeps everything, servers' files included
	run examples/demo/run
	[ "$status" -eq 0 ]
	[[ $output == *"Every expectation was met"* ]]
	[[ $output =~ denied\ ([0-9]+)\ =\ recorded\ ([0-9]+)\ \+\ not\ recorded\ 0 ]]
	[ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[2]}" ]
	[ "${BASH_REMATCH[1]}" -ge 14 ]
	# its namespaces by their name, its servers by the folder in their command lines
	[ -z "$(ip netns list | grep '^bhdemo')" ]
	[ -z "$(pgrep -f -- "(nginx|redis|dnsmasq).*$BATS_TEST_TMPDIR")" ]
	[ -z "$(ls -A "$BATS_TEST_TMPDIR")" ]
}
