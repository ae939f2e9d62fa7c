#!/usr/bin/env bats
# bulkhead test: the policy tests beside the policies, without root and without a container.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	dir=$BATS_TEST_TMPDIR/policies
	cp -r policies "$dir"
	rm "$dir/tests.yaml"
	inventory=$PWD/examples/inventory.json
	cd "$BATS_TEST_TMPDIR" || return
}

# A test: of the one expectation given, or of several.
expect() {
	printf 'test: checkout path\nexpect:\n' >policies/t.yaml
	printf '  - {%s}\n' "$@" >>policies/t.yaml
}

@test "the shipped tests pass, with and without an inventory" {
	run "$bulkhead" test "$BATS_TEST_DIRNAME/../../policies"
	[ "$status" -eq 0 ]
	[ "$output" = "13 passed, 0 failed: 13 expectations of 3 tests" ]
	run "$bulkhead" test --policies "$BATS_TEST_DIRNAME/../../policies" --inventory "$inventory"
	[ "$status" -eq 0 ]
}

@test "what is not so fails, with the line that decides; -v shows all" {
	expect 'from: orders, to: payments, port: 8443/tcp, verdict: allow' \
		'from: web, to: cache, port: 6379/tcp, verdict: allow'
	run "$bulkhead" test policies
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "FAIL policies/t.yaml:4: checkout path: web -> cache 6379/tcp: expected allow" ]
	[[ ${lines[1]} == *"deny at web (egress, default-deny policies/web.yaml:"* ]]
	[ "${lines[2]}" = "1 passed, 1 failed: 2 expectations of 1 test" ]
	run "$bulkhead" test -v policies
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "ok   policies/t.yaml:3: checkout path: orders -> payments 8443/tcp: allow" ]
	[[ ${lines[1]} == *"orders sends by policies/orders.yaml:21"*"payments receives by policies/payments.yaml:12"* ]]
}

@test "a change of the policies shows" {
	expect 'from: orders, to: payments, port: 8443/tcp, verdict: allow'
	"$bulkhead" test policies
	sed -i 's/8443/9443/' policies/payments.yaml
	run "$bulkhead" test policies
	[ "$status" -eq 1 ]
}

@test "--json: an object for each expectation" {
	expect 'from: orders, to: payments, port: 8443/tcp, verdict: allow' \
		'from: 8.8.8.8, to: payments, port: icmp, verdict: allow'
	run -1 --separate-stderr "$bulkhead" test --json policies
	jq -se 'length == 2 and (.[0] | .passed and .verdict == "allow" and .source == "policies/orders.yaml:21") and
		(.[1] | (.passed | not) and .verdict == "deny" and .expected == "allow" and .line == 4)' <<<"$output"
}

@test "--junit: well-formed whatever things are called" {
	# shellcheck disable=SC2016
	printf '%s\n' 'test: "a <b> & \"c\" '"'"'d'"'"' \x1b[31m \u2028 ]]>"' 'expect:' \
		'  - {from: web, to: payments, port: 1/tcp, verdict: deny}' \
		'  - {from: web, to: payments, port: 1/tcp, verdict: allow}' >'policies/<&".yaml'
	run "$bulkhead" test --junit out.xml policies
	[ "$status" -eq 1 ]
	run python3 - out.xml <<-'END'
		import sys, xml.etree.ElementTree as E
		root = E.parse(sys.argv[1]).getroot()
		assert (root.get("tests"), root.get("failures")) == ("2", "1")
		suite, = root
		assert suite.get("name").startswith("a <b> & \"c\" 'd' \\x1b[31m "), suite.get("name")
		assert suite.get("file") == 'policies/<&".yaml'
		assert [len(case) for case in suite] == [0, 1]
		assert "deny at web" in suite[1][0].get("message")
	END
	[ "$status" -eq 0 ]
	run --separate-stderr "$bulkhead" test --junit - policies
	[ "$output" = "$(cat out.xml)" ]
	run "$bulkhead" test --junit /nowhere/out.xml policies
	[ "$status" -eq 3 ]
}

@test "all endpoints of a service, or one of them" {
	expect 'from: shop/orders, to: payments, port: 8443/tcp, verdict: allow'
	run "$bulkhead" test policies
	[ "$status" -eq 2 ]
	[[ $output == *'policies/t.yaml:3:12: error: no service is named "shop/orders"'*'[unknown-party]'* ]]
	run "$bulkhead" test policies --inventory "$inventory"
	[ "$status" -eq 0 ]
	jq '.endpoints += [.endpoints[] | select(.name == "orders") | .id = "shop/orders-2" | .name = "orders-2" |
		.addresses = ["10.99.0.1"] | .labels = {app: "orders", team: "x"} | del(.netns)]' "$inventory" >two.json
	sed -i 's/- service: orders/- {service: orders, labels: {team: x}}/; s/from: \[{service: orders}\]/from: [{service: orders, labels: {team: x}}]/' policies/payments.yaml
	grep -q 'team: x' policies/payments.yaml
	expect 'from: orders, to: payments, port: 8443/tcp, verdict: allow'
	run "$bulkhead" test policies --inventory two.json
	[ "$status" -eq 1 ]
	expect 'from: orders-2, to: payments, port: 8443/tcp, verdict: allow'
	run "$bulkhead" test policies --inventory two.json
	[ "$status" -eq 0 ]
}

@test "wrong names are all told, with the nearest, and nothing is called passed" {
	expect 'from: order, to: paymets, port: 8443/tcp, verdict: deny'
	run "$bulkhead" test policies
	[ "$status" -eq 2 ]
	[[ $output == *'t.yaml:3:12: '*'did you mean the service "orders"?'* ]]
	[[ $output == *'t.yaml:3:23: '*'did you mean the service "payments"?'* ]]
	[[ $output != *passed,* ]]
}

@test "invalid policies, and no tests at all, are exit 2" {
	run "$bulkhead" test policies
	[ "$status" -eq 2 ]
	[[ $output == *"nothing was tested"* ]]
	expect 'from: orders, to: payments, verdict: deny'
	run "$bulkhead" test policies
	[ "$status" -eq 2 ]
	[[ $output == *'an expectation needs "port"'* ]]
}

@test "tests are of no account to check, plan and explain" {
	"$bulkhead" check policies >before
	expect 'from: nobody, to: nowhere, port: 1/tcp, verdict: allow'
	"$bulkhead" check policies >after
	sed 's/^valid: [0-9]*/valid: N/' before >b
	sed 's/^valid: [0-9]*/valid: N/' after | cmp - b
	run "$bulkhead" explain --policies policies --inventory "$inventory" --from orders --to payments --port 8443/tcp
	[ "$status" -eq 0 ]
}
