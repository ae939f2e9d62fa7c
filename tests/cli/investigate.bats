#!/usr/bin/env bats
# The history of denied flows as its readers see it: tests/fuzz/corpus/flows/shop, which
# tests/system/history.c has made as the logger does. From 2027-01-15T08:00:00Z on.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	store=$BATS_TEST_TMPDIR/store
	mkdir -m 0700 "$store" "$store/flows"
	cp tests/fuzz/corpus/flows/shop "$store/flows/flows.db"
}
teardown() {
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
}

denied() { run --separate-stderr "$bulkhead" denied --store "$store" "$@"; }

# packets of the records that are found, in their order
packets() {
	denied --json "$@"
	[ "$status" -eq 0 ]
	found=$(jq -r .packets <<<"$output" | xargs)
}

@test "all of it, the oldest first, a line for each day" {
	denied
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 9 ]
	[ "${lines[0]}" = "-- 2027-01-15" ]
	[[ ${lines[1]} == "08:00:00.204 DENY  egress  payments"*"-> ledger"*":6379/tcp"*"1 packet "* ]]
	[ "${lines[7]}" = "-- 2027-01-16" ]
	[[ ${lines[8]} == *"5000 flows or more"* ]]
	[ -z "$stderr" ]
}

@test "who has read enough is told nothing; a full disk is said, once" {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec 4<>"$BATS_TEST_TMPDIR/pipe" 5>"$BATS_TEST_TMPDIR/pipe" 4>&- # nobody reads
	# shellcheck disable=SC2016
	run bash -c '"$1" denied --store "$2" 2>&1 >&5' sh "$bulkhead" "$store"
	exec 5>&-
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	# shellcheck disable=SC2016
	run bash -c '"$1" denied --store "$2" 2>&1 >/dev/full' sh "$bulkhead" "$store"
	[ "$status" -eq 3 ]
	[ "$output" = "bulkhead: cannot write the output" ]
}

@test "JSON is the record of docs/record.md, with what the logger knew" {
	denied --json --limit 1
	jq -e '.schema == "bulkhead.flow/1" and .first_seen == "2027-01-15T08:00:00.204Z" and
		.source.port == 49142 and .tcp_flags == 2 and .uid == 1000 and
		.destination == {address: "10.77.1.7", port: 6379, endpoint: "shop/ledger",
			name: "ledger", service: "ledger"} and
		.process == {pid: 4242, comm: "python3", exe: "/usr/bin/python3.13"} and
		.rule == {kind: "default-deny", name: "default-deny",
			file: "policies/payments.yaml", line: 14} and
		.generation == "3f0c9a12b4d5e6f7"' <<<"$output"
}

@test "filters, alone and together; several of a kind are alternatives" {
	local filter expected
	while IFS='|' read -r filter expected; do
		# shellcheck disable=SC2086
		packets $filter
		[ "$found" = "$expected" ] || { echo "$filter: $found, not $expected"; false; }
	done <<-'T'
		--service payments|1 40 7 100000
		--service ledger,web|2 3
		--service ledger --service web|2 3
		--service nobody|
		--container payments|1 40 7 100000
		--container shop/payments|1 40 7 100000
		--container web-1|3
		--container f36c8926|3
		--container f36|
		--peer ledger|1 40 7
		--peer shop/payments|2
		--peer 10.77.1.0/24|1 40 2 7
		--peer 169.254.169.254|3
		--peer 2001:db8::/32|1
		--port 6379/tcp|1 40 2 7
		--port 1-100/tcp|3
		--port 53/udp,80/tcp|3 1
		--direction ingress|2
		--direction ingress,egress|1 40 2 7 3 1 100000
		--rule guardrail|3
		--rule no-metadata|3
		--rule default-deny --service web|
		--verdict audit|1
		--verdict deny,audit --uid 0|1
		--uid 1000|1 40 7 3
		--since 2027-01-15T09:00:00Z|3 1 100000
		--until 2027-01-15T08:00:01Z|1
		--since 2027-01-15T08:00:05Z --until 2027-01-15T10:00:00Z|2 7 3
		--since 2027-01-16T08:00:20Z|100000
		--since 2027-01-16|100000
		--until 2027-01-15T12:00:00+02:00 --since 2027-01-15T11:00:00+02:00|3
		--since 3650d --service web|3
	T
	packets --until 3650d
	[ -z "$found" ]
	denied --service nobody # nothing is no failure
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
}

@test "order and pages: nothing twice, nothing left out" {
	local order all page pages
	for order in "--sort time" "--reverse" "--sort packets" "--sort packets --reverse"; do
		# shellcheck disable=SC2086
		packets $order
		all=$found pages='' page=
		while :; do
			# shellcheck disable=SC2086
			packets $order --limit 2 ${page:+--page "$page"}
			pages+="$found "
			[[ $stderr =~ --page\ ([0-9.]+)$ ]] || break
			page=${BASH_REMATCH[1]}
		done
		[ "$pages" = "$all " ]
	done
	packets --sort packets --limit 2
	[ "$found" = "100000 40" ]
}

@test "groups: lines with tabs where there is no terminal, objects with --json" {
	denied --by service,peer,port --limit 2
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = "payments	ledger	6379/tcp	48	3	2027-01-15T08:00:00.204Z	2027-01-15T08:00:30.204Z" ]
	[ "${lines[0]%%100000*}" = "payments	-	-	" ]
	[[ $stderr == *"--page +2" ]]
	denied --by service,peer,port --limit 2 --page +2 --json
	[ "$(jq -r '[.service, .peer, .port, .packets] | join(" ")' <<<"$output")" = \
		$'web 169.254.169.254 80/tcp 3\nledger payments 6379/tcp 2' ]
	denied --by rule,verdict --sort records --reverse --json
	[ "$(jq -r .records <<<"$output" | xargs)" = "1 1 5" ]
	denied --by process --service payments,build --json
	[ "$(jq -c '[.process, .records]' <<<"$output" | xargs)" = "[null,2] [/usr/bin/python3.13,3]" ]
}

@test "the summary closes: denied = recorded + not recorded, of each and in sum" {
	denied --summary
	[ "$status" -eq 0 ]
	grep -qE '^  payments +payments +egress +100053 = +100048 \+ +5$' <<<"$output"
	grep -qE '^  sum +100060 = +100054 \+ +6$' <<<"$output"
	grep -q '7 records of 100054 packets' <<<"$output"
	[[ $output == *▁*█* ]]
	[[ $output != *"DOES NOT ADD UP"* ]]
	denied --summary --json
	jq -e '.schema == "bulkhead.denied-summary/1" and
		.sum == {denied: 100060, recorded: 100054, not_recorded: 6} and
		all(.endpoints[]; .denied == .recorded + .not_recorded) and
		([.endpoints[].denied] | add) == .sum.denied and
		.kept.packets == .sum.recorded and .packets == .sum.recorded and
		([.timeline.packets[]] | add) == .packets and (.most | length) == 5' <<<"$output"
	denied --summary --service web --json
	jq -e '.sum.denied == 3 and .packets == 3 and .records == 1' <<<"$output"
}

@test "where there is no UTF-8 the line over time is of digits" {
	LC_ALL=C denied --summary
	[[ $output != *█* ]]
	[[ $output =~ 08:00:00Z\ [0-9]{60}\ 2027 ]]
}

@test "signals beside the records, at their time" {
	denied --signals
	[ "$(grep -c SIGNAL <<<"$output")" -eq 2 ]
	[[ ${lines[2]} == *"SIGNAL first-denied"* ]]
	[[ ${lines[5]} == *"SIGNAL into-scope"* ]]
	denied --signals --json --reverse
	[ "$(jq -r '.schema' <<<"$output" | tr -d '\n' | sed 's/bulkhead\.//g')" = \
		flow/1flow/1flow/1flow/1signal/1flow/1flow/1flow/1signal/1 ]
	denied --signals --direction ingress
	[ "$(grep -c SIGNAL <<<"$output")" -eq 1 ]
	# pages of them, too
	denied --signals --limit 1
	[ "$(grep -c SIGNAL <<<"$output")" -eq 0 ]
	[[ $stderr =~ --page\ ([0-9.]+)$ ]]
	denied --signals --page "${BASH_REMATCH[1]}"
	[ "$(grep -c SIGNAL <<<"$output")" -eq 2 ]
}

@test "the packets of the history, for Wireshark" {
	denied --pcap "$BATS_TEST_TMPDIR/out.pcap"
	[ "$status" -eq 0 ]
	[[ $stderr == *"1 packet written"* ]]
	[ -s "$BATS_TEST_TMPDIR/out.pcap" ]
}

@test "hostile names harm no terminal" {
	for how in "" --summary "--by container"; do
		# shellcheck disable=SC2086
		denied $how
		[ "$status" -eq 0 ]
		[[ $output != *$'\033'* ]]
		[[ $output != *$'\u202e'* ]]
	done
	denied --by container
	[[ $output == *'build \x1b[31m'* ]]
}

@test "bad usage is exit 2, and says what would be right" {
	local options part
	while IFS='|' read -r options part; do
		# shellcheck disable=SC2086
		denied $options
		[ "$status" -eq 2 ] || { echo "$options: $status"; false; }
		[[ $stderr == *"$part"* ]] || { echo "$options: $stderr"; false; }
		[ -z "$output" ]
	done <<-'T'
		--since yesterday|2h or 3d ago
		--since 2027-01-15T08:00:00|2h or 3d ago
		--since 1h --until 2h|not after
		--port 99999/tcp|65535
		--port 80/quic|80/quic
		--peer 10.0.0.1/8|bits behind
		--uid root|number
		--direction up|egress or ingress
		--verdict denied|deny, audit or allow
		--by servce|did you mean 'service'
		--by service,service,service,service,service,service,service,service,service|at most
		--sort size|time, packets or records
		--sort records|groups
		--limit 0|1 to
		--limit x|1 to
		--page 5|ended
		--page +5|ended
		--page 1.0|ended
		--by service --page 5.5|groups
		--service ,|empty
		--follow --by service|--follow
		--follow --since 1h|--follow
		--summary --limit 3|--summary
		--signals --by service|--signals
		--signals --sort packets|order of time
		--by service --format ocsf|--json
		stray|unexpected
	T
}

@test "what cannot be read is exit 3, and says where" {
	denied --store "$BATS_TEST_TMPDIR/none"
	[ "$status" -eq 3 ]
	[[ $stderr == *"none/flows: there is no history"*"--follow"* ]]
	rm "$store/flows/flows.db"
	denied
	[ "$status" -eq 3 ]
	: >"$store/flows/flows.db" # a logger that has begun
	denied
	[ "$status" -eq 3 ]
	for file in junk cut; do
		cp tests/fuzz/corpus/flows/$file "$store/flows/flows.db"
		denied
		[ "$status" -eq 3 ]
		[[ $stderr == *"$store/flows: "* ]]
	done
	ln -sfn "$store/flows" "$BATS_TEST_TMPDIR/flows"
	denied --store "$BATS_TEST_TMPDIR"
	[ "$status" -eq 3 ]
}

@test "a copy on a medium that nobody can write to" {
	cp -r "$store" "$BATS_TEST_TMPDIR/copy"
	chmod 0500 "$BATS_TEST_TMPDIR/copy/flows"
	denied --store "$BATS_TEST_TMPDIR/copy" --service web
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	chmod 0700 "$BATS_TEST_TMPDIR/copy/flows"
}

@test "a reader changes nothing" {
	before=$(sha256sum <"$store/flows/flows.db")
	denied --signals
	denied --summary
	denied --by reason
	[ "$(sha256sum <"$store/flows/flows.db")" = "$before" ]
}

@test "--follow of a named history waits for what comes, and ends when told" {
	"$bulkhead" denied --store "$store" --follow --service web >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- &
	follower=$!
	for ((i = 0; i < 500; i++)); do
		grep -q 'following the history' "$BATS_TEST_TMPDIR/err" && break
		read -rt 0.02 <> <(:) || true
	done
	grep -q 'following the history' "$BATS_TEST_TMPDIR/err"
	kill -INT "$follower"
	wait "$follower"
	follower=
	[ ! -s "$BATS_TEST_TMPDIR/out" ] # what was there is no news
}
