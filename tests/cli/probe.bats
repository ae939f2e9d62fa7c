#!/usr/bin/env bats
# bulkhead probe where nothing can be sent: what it refuses, and that what it cannot do never counts.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	cp -r policies examples/inventory.json "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	site=(--policies policies --inventory inventory.json)
}

refused() { # TEXT OPTION...
	run --separate-stderr "$bulkhead" probe "${site[@]}" "${@:2}"
	[ "$status" -eq 2 ] || { echo "$status $stderr"; return 1; }
	[[ $stderr == *"$1"* ]] || { echo "$stderr"; return 1; }
	[ -z "$output" ]
}

@test "mistakes are told, and nothing is sent" {
	refused "--rate takes 1 to 1000000 packets a second, not '0'" --rate 0
	refused "--rate takes 1 to 1000000" --rate $'1\e[2J'
	refused "--rate takes 1 to 1000000" --rate 1000001
	refused "--from takes an endpoint" --from 10.0.0.9
	refused "did you mean" --from we
	refused "is no endpoint's id or name and no address" --to $'\e[2Jqqqqqqqqqqqqqqqq'
	refused "--port 'nonsense/x'" --port nonsense/x
	refused "only echo-request and timestamp-request" --port icmp/destination-unreachable
	refused "unexpected 'policies'" policies
	refused "there is nothing to probe between these" --from web --to web
	run "$bulkhead" probe --policies none --inventory inventory.json
	[ "$status" -eq 2 ]
}

@test "namespaces that are not there: all is planned, nothing is probed, and it is no success" {
	jq '.endpoints[].netns = "/run/netns/bulkhead-none"' inventory.json >i && mv i inventory.json
	run --separate-stderr "$bulkhead" probe "${site[@]}" --json
	[ "$status" -eq 1 ]
	jq -se '.[-1] | .kind == "summary" and .packets > 100 and .not_probed == .packets and .agree == 0
		and .findings == 0 and .sent == 0 and .tables == 0 and .result == "incomplete"
		and (.reasons | keys) == ["unreachable"]' <<<"$output"
	run --separate-stderr "$bulkhead" probe "${site[@]}"
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "not probed  "* ]]
	[[ ${lines[-2]} == *" packets = 0 as the policies say (0 passed, 0 denied) + 0 findings + "*" not probed" ]]
}

@test "peers without a namespace are no success either; JUnit has them as errors" {
	jq 'del(.endpoints[].netns)' inventory.json >i && mv i inventory.json
	run "$bulkhead" probe "${site[@]}" --junit out.xml
	[ "$status" -eq 1 ]
	python3 - <<-'P'
		import xml.etree.ElementTree as E
		root = E.parse("out.xml").getroot()
		cases = root.findall("testsuite/testcase")
		assert cases and all(c.find("error") is not None and c.find("failure") is None for c in cases)
		assert int(root.get("errors")) == len(cases) == int(root.get("tests")) and root.get("failures") == "0"
	P
	run "$bulkhead" probe "${site[@]}" --junit /nowhere/out.xml
	[ "$status" -eq 3 ]
}

@test "a daemon that was named and does not answer: it could not be done" {
	run --separate-stderr "$bulkhead" probe "${site[@]}" --socket "$PWD/nobody"
	[ "$status" -eq 3 ]
	[[ $stderr == *nobody* ]]
}

@test "the schema, the verb and its options are those of the manual" {
	page=$BATS_TEST_DIRNAME/../../docs/probe.md
	"$bulkhead" probe --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' >options
	grep -qx -- --listen-only options
	for word in $(grep -ohE '^\| `[a-z-]+`' "$page" | tr -d '|` '); do
		grep -q "\"$word\"" "$BATS_TEST_DIRNAME"/../../src/probe/verdict.c
	done
	for word in $(grep -oE '^\s+\[PROBE_[A-Z_]+\] = \{ "[a-z-]+"' "$BATS_TEST_DIRNAME"/../../src/probe/verdict.c | grep -oE '"[a-z-]+"' | tr -d '"'); do
		grep -q "^| \`$word\`" "$page"
	done
}
