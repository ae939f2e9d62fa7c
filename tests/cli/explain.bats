#!/usr/bin/env bats
# bulkhead explain: both ends, many questions at once, and what other policies would answer.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	cp -r policies examples/inventory.json "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	site=(--policies policies --inventory inventory.json)
	cp -r policies other
}

# Every pair of endpoints and some outside, on some ports.
questions() {
	local from to port
	mapfile -t who < <(jq -r '.endpoints[].id' inventory.json; printf '%s\n' 203.0.113.7 198.51.100.1 fd00::99)
	for from in "${who[@]}"; do
		for to in "${who[@]}"; do
			for port in 5432/tcp 6379/tcp 8080/tcp 8443/tcp icmp; do
				echo "$from $to $port"
			done
		done
	done
}

@test "a refusal says what the other end would do" {
	run --separate-stderr "$bulkhead" explain "${site[@]}" --from web --to payments --port 9090/tcp
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 1 ] # both refuse
	sed -i 's/^egress: \[\]/egress:/; s/^egress:$/&\n  - to: [{service: cache}]\n    ports: [6379\/tcp]/' policies/web.yaml
	run --separate-stderr "$bulkhead" explain "${site[@]}" --from web --to cache --port 6379/tcp
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "deny at cache (ingress, default-deny policies/cache.yaml:"* ]]
	[[ ${lines[1]} == "  the source allows it: policies/web.yaml:"* ]]
	run --separate-stderr "$bulkhead" explain "${site[@]}" --from 8.8.8.8 --to cache --port 6379/tcp
	[ "${#lines[@]}" -eq 1 ] # the other end is nobody's
}

@test "--batch answers as each question alone does" {
	questions >q
	"$bulkhead" explain "${site[@]}" --batch q >answers
	[ "$(wc -l <answers)" -eq "$(wc -l <q)" ]
	paste -d ' ' answers q | shuf -n 60 --random-source=q | while read -r verdict from to port; do
		code=0
		"$bulkhead" explain "${site[@]}" --from "$from" --to "$to" --port "$port" >/dev/null || code=$?
		[ "$verdict $code" = "allow 0" ] || [ "$verdict $code" = "deny 1" ]
	done
	[ "$(grep -c allow answers)" -gt 20 ]
}

@test "--compare: the same policies, reworded, answer the same" {
	sed -i 's/8080\/tcp/8080/' other/*.yaml
	mv other/web.yaml other/z.yaml
	run --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --from web --to catalog --port 8080/tcp
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "allow: "*policies/web.yaml:21* ]]
	[[ ${lines[1]} == "with other: allow: "*other/z.yaml:21* ]]
	questions >q
	run --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --batch q
	[ "$status" -eq 0 ]
	[ "$output" = "0 of $(wc -l <q) questions are answered otherwise" ]
}

@test "--compare: one answer that is another" {
	sed -i 's/8080\/tcp/8081\/tcp/' other/catalog.yaml
	run --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --from web --to catalog --port 8080/tcp
	[ "$status" -eq 1 ]
	[[ ${lines[1]} == "with other: deny at catalog (ingress, default-deny other/catalog.yaml:"*"8081/tcp, not 8080/tcp"* ]]
	run --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --json --from web --to catalog --port 8080/tcp
	[ "$status" -eq 1 ]
	jq -e '.verdict == "allow" and .changed and .compared.verdict == "deny" and
		.compared.destination.near == "allows 8081/tcp, not 8080/tcp"' <<<"$output"
	# both deny: nothing changes, whatever the lines
	run --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --from web --to cache --port 8080/tcp
	[ "$status" -eq 0 ]
}

@test "--compare --batch: exactly the questions that two runs answer otherwise" {
	sed -i 's/8080\/tcp/8081\/tcp/' other/catalog.yaml
	sed -i 's/cidr: 169.254.0.0\/16 /cidr: 169.254.0.0\/17 /; s/service: orders, ports/service: web, ports/' other/guardrails.yaml
	sed -i 's/on-deny: reject/mode: audit/' other/cache.yaml
	questions >q
	"$bulkhead" explain "${site[@]}" --batch q >a
	"$bulkhead" explain --policies other --inventory inventory.json --batch q >b
	paste -d ' ' a b q | awk '$1 != $2 { print $3, $4, $5 ": " $1 ", then " $2 }' >expected
	[ "$(wc -l <expected)" -gt 3 ]
	run -1 --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --batch q
	grep ', then ' <<<"$output" | grep -v '^  ' | cmp - expected
	[ "${lines[-1]}" = "$(wc -l <expected) of $(wc -l <q) questions are answered otherwise" ]
	run -1 --separate-stderr "$bulkhead" explain "${site[@]}" --compare other --json --batch q
	jq -r '"\(.from) \(.to) \(.port): \(.before.verdict), then \(.after.verdict)"' <<<"$output" | cmp - expected
	jq -se 'all(.before.sentence != .after.sentence)' <<<"$output"
}

@test "--compare: what is wrong with the others is exit 2, also in the middle of a batch" {
	echo 'service: X' >other/x.yaml
	run "$bulkhead" explain "${site[@]}" --compare other --from web --to catalog --port 8080/tcp
	[ "$status" -eq 2 ]
	[[ $output == *"other/x.yaml:1:10: error"* ]]
	rm other/x.yaml
	printf '%s\n' 'web catalog 8080/tcp' 'web catalogue 8080/tcp' >q
	run "$bulkhead" explain "${site[@]}" --compare other --batch q
	[ "$status" -eq 2 ]
	[[ $output == *"q:2: no endpoint or address 'catalogue'; did you mean catalog?"* ]]
}
