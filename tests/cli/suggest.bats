#!/usr/bin/env bats
# bulkhead suggest, without root: records in, a diff out that patch takes, and what it then lets pass.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	dir=$BATS_TEST_TMPDIR
	cp -r policies examples/inventory.json "$dir"
	cd "$dir" || return
	site=(--policies policies --inventory inventory.json)
}

# Questions of `explain --batch` to records, in turn as each end saw it: FROM TO PORT, with ids.
as_records() {
	jq -R -c --slurpfile inventory inventory.json '
		($inventory[0].endpoints | map({key: .id, value: .addresses[0]}) | from_entries) as $at |
		def side($who): if $at[$who] then {address: $at[$who], endpoint: $who} else {address: $who} end;
		split(" ") as [$from, $to, $port] | ($port | split("/")) as [$n, $proto] |
		(if $at[$from] and ($at[$to] | not) then "egress"
		 elif $at[$from] | not then "ingress"
		 else ["egress", "ingress"][input_line_number % 2] end) as $direction |
		(if $direction == "egress" then $from else $to end) as $self |
		{schema: "bulkhead.flow/1", first_seen: "2026-11-23T09:00:01.204Z",
		 last_seen: "2026-11-23T09:00:01.204Z", verdict: "deny", direction: $direction,
		 packets: 1, bytes: 60, source: side($from), destination: side($to),
		 endpoint: {id: $self}, rule: {kind: "default-deny"}} +
		(if $n == "icmp" then {protocol: "icmp", icmp: {type: 8, code: 0}}
		 else {protocol: $proto, destination: (side($to) + {port: ($n | tonumber)})} end)'
}

# Every pair, and the outside, on some ports.
matrix() {
	local from to port
	mapfile -t ids < <(jq -r '.endpoints[].id' inventory.json)
	for from in "${ids[@]}" 203.0.113.250; do
		for to in "${ids[@]}" 203.0.113.250; do
			[ "$from" = "$to" ] && continue
			for port in 80/tcp 5432/tcp 6379/tcp 8080/tcp 8443/tcp 9090/tcp 53/udp 7/sctp icmp/echo-request; do
				echo "$from $to $port"
			done
		done
	done
}

allowed() { "$bulkhead" explain "${site[@]}" --batch matrix | paste -d ' ' - matrix | sed -n 's/^allow //p'; }

# As explain and suggest call them: names for ids.
named() { sed 's|shop/||g' | sort; }

# What is still to be written by a person.
fill_in() { sed -i -e 's/reviewed: TODO/reviewed: 2026-11-01/' -e 's/: TODO/: as asked/' policies/*.yaml; }

@test "any denied flows: after the patch check passes, and they pass, and else only what was said" {
	matrix >matrix
	allowed | sort >before
	sort matrix | comm -23 - before >denied
	[ "$(wc -l <before)" -gt 20 ]
	[ "$(wc -l <denied)" -gt 1000 ]
	cp -r policies pristine
	refused=0 edited=0
	for round in {1..25}; do
		rm -rf policies
		cp -r pristine policies
		shuf -n $((round % 7 + 1)) --random-source=<(yes "$round") denied >chosen
		as_records <chosen >records
		code=0
		"$bulkhead" suggest "${site[@]}" records >diff 2>said || code=$?
		"$bulkhead" suggest "${site[@]}" --json records >json || [ $? -eq "$code" ]
		jq -e --argjson code "$code" '(.refused | length > 0) == ($code == 1) and .also_more == 0' json
		jq -j .diff json | cmp - diff
		if [ -s diff ]; then
			patch -s -p1 <diff
			edited=$((edited + 1))
		fi
		if jq -e .todo json; then
			grep -q 'write what stands for TODO' said
			run "$bulkhead" check policies
			[ "$status" -eq 2 ]
			[[ $output == *"is still to be written"* ]]
			fill_in
		fi
		"$bulkhead" check policies >out 2>&1
		run grep -v insecure-port out # no warning, but of what was asked for
		[ ${#lines[@]} -eq 1 ] || { echo "$output"; false; }
		{
			jq -r '.also[]' json | sed 's/ -> / /'
			named <before
			jq -r '.refused[].flow' json | sed 's/ -> / /' | sort >not
			named <chosen | comm -23 - not
		} | sort >expected
		allowed | named | diff -u expected -
		refused=$((refused + $(wc -l <not)))
	done
	[ "$edited" -ge 20 ]
	[ "$refused" -ge 5 ] # the guardrails
}

@test "every refusal of the shop names a guardrail with its file and line" {
	matrix | grep -v ' 203\|^203' >matrix.in
	mv matrix.in matrix
	allowed | sort >before
	sort matrix | comm -23 - before | shuf -n 400 --random-source=<(yes 1) | as_records >records
	run --separate-stderr "$bulkhead" suggest "${site[@]}" --json records
	[ "$status" -eq 1 ]
	jq -e '.refused | length > 10 and all(.[]; .guardrail == "cde-boundary" and
		(.where | test("^policies/guardrails.yaml:[0-9]+$")))' <<<"$output"
}

@test "a diff of two files, for one flow; git apply takes it as well" {
	"$bulkhead" suggest "${site[@]}" --from web --to cache --port 6379/tcp >diff 2>said
	[ "$(grep -c '^--- a/policies/' diff)" -eq 2 ]
	[ "$(grep -c '^+++ b/policies/' diff)" -eq 2 ]
	grep -q '^bulkhead: policies/cache.yaml:[0-9]*: cache lets web in on 6379/tcp$' said
	grep -q '^bulkhead: policies/web.yaml:[0-9]*: web may send to cache on 6379/tcp$' said
	git apply --check diff
	git apply diff
	"$bulkhead" explain "${site[@]}" --from web --to cache --port 6379/tcp
	run --separate-stderr "$bulkhead" suggest "${site[@]}" --from web --to cache --port 6379/tcp
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ $stderr == *"passes already"* ]]
}

@test "nothing is written to the policies" {
	before=$(find policies -type f -exec sha256sum {} + | sort)
	"$bulkhead" suggest "${site[@]}" --from web --to cache --port 6379/tcp >/dev/null
	[ "$(find policies -type f -exec sha256sum {} + | sort)" = "$before" ]
}

@test "a guardrail refuses: exit 1, its name and place, no diff; the others get theirs" {
	run --separate-stderr "$bulkhead" suggest "${site[@]}" --from web --to ledger --port 5432/tcp
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr =~ "refused: guardrail cde-boundary forbids it (policies/guardrails.yaml:"[0-9]+ ]]
	printf '%s\n' 'shop/web shop/ledger 5432/tcp' 'shop/web shop/cache 6379/tcp' | as_records >records
	run --separate-stderr "$bulkhead" suggest "${site[@]}" - <records
	[ "$status" -eq 1 ]
	[[ $output == *"+++ b/policies/cache.yaml"* ]]
	[[ $output != *ledger* ]]
	[[ $stderr == *"stdin:1: web -> ledger 5432/tcp: refused"* ]]
}

@test "more containers of the service than were denied: said" {
	jq '.endpoints += [{"id": "shop/web-2", "name": "web-2", "labels": {"app": "web"}, "addresses": ["10.77.0.99"]}]' \
		inventory.json >i.json
	run --separate-stderr "$bulkhead" suggest --policies policies --inventory i.json \
		--from web --to cache --port 6379/tcp
	[ "$status" -eq 0 ]
	[[ $stderr == *"also lets web-2 -> cache 6379/tcp"* ]]
}

@test "--json: edits with file, line and the lines that come" {
	run --separate-stderr "$bulkhead" suggest "${site[@]}" --json --from payments --to ledger --port 6379/tcp
	[ "$status" -eq 0 ]
	jq -e '.edits | length == 2' <<<"$output"
	jq -e '.edits[0] | .file == "policies/ledger.yaml" and .line > 10 and .add == ["    ports: [5432/tcp, 6379/tcp]"]' <<<"$output"
	jq -e '.refused == [] and .also == [] and (.notes | length > 0)' <<<"$output"
}

@test "input that is no record: exit 2 with its line; other schemas are passed over" {
	echo 'shop/web shop/cache 6379/tcp' | as_records >records
	{ cat records; echo; echo '{"schema": "bulkhead.signal/1"}'; } >mixed
	run --separate-stderr "$bulkhead" suggest "${site[@]}" mixed
	[ "$status" -eq 0 ]
	[[ $stderr == *"mixed: 1 lines are of another schema"* ]]
	{ cat records; echo '{"schema": "bulkhead.flow/1"}'; } >wrong
	run "$bulkhead" suggest "${site[@]}" wrong
	[ "$status" -eq 2 ]
	[[ $output == *'wrong:2: no record: "first_seen" is no time'* ]]
	head -c 200000 /dev/zero | tr '\0' 'x' >long
	run "$bulkhead" suggest "${site[@]}" long
	[ "$status" -eq 2 ]
	[[ $output == *"long:1: longer than 65536 bytes"* ]]
	head -c 100000 /dev/urandom >junk
	run "$bulkhead" suggest "${site[@]}" junk
	[ "$status" -eq 2 ]
	run "$bulkhead" suggest "${site[@]}" nowhere
	[ "$status" -eq 2 ]
}

@test "hostile names reach no terminal" {
	echo 'shop/web shop/cache 6379/tcp' | as_records |
		jq -c '.endpoint = {id: "\u001b[2Jx", name: "\u001b]0;x\u0007"} | .source.name = "\u001b[31m"' >records
	run "$bulkhead" suggest "${site[@]}" records
	[ "$status" -eq 1 ]
	[[ $output != *$'\e'* ]]
	[[ $output == *'\x1b[2Jx is none of the endpoints'* ]]
}

@test "usage: records or a flow, not both, not neither" {
	for words in '' '--from web' 'records --from web' '--from web --to cache --port any' '--from nobody --to cache --port 1/tcp'; do
		# shellcheck disable=SC2086
		run "$bulkhead" suggest "${site[@]}" $words
		[ "$status" -eq 2 ]
	done
}

@test "names that patch and git have to be told of: absolute, with spaces, beyond ASCII" {
	mv policies 'pol icies'
	"$bulkhead" suggest --policies "$dir/pol icies" --inventory inventory.json \
		--from web --to cache --port 6379/tcp >diff 2>said
	grep -q 'patch -p1 -d /' said
	git apply -p"$(($(tr -cd / <<<"$dir" | wc -c) + 1))" --check diff
	mv 'pol icies/web.yaml' 'pol icies/wéb.yaml'
	"$bulkhead" suggest --policies 'pol icies' --inventory inventory.json \
		--from web --to cache --port 6379/tcp >diff
	git apply --check diff
	patch -s -p1 <diff
	grep -q 'service: cache' 'pol icies/wéb.yaml'
}

@test "the help is the golden text" {
	"$bulkhead" suggest --help >out
	if [ "${BULKHEAD_WRITE_GOLDEN:-0}" = 1 ]; then
		cp out "$BATS_TEST_DIRNAME/golden/suggest-help.txt"
	fi
	diff -u "$BATS_TEST_DIRNAME/golden/suggest-help.txt" out
}
