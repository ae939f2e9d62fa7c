#!/usr/bin/env bats
# Times in which no daemon ran, or not all was recorded: on the trail, and in the report (10.7).
# shellcheck disable=SC2154,SC2034,SC2016

bats_require_minimum_version 1.5.0
load lib/net
load lib/daemon

setup() {
	net_up web db
	policy cde <<<'{scope: cde, title: Cards}'
	policy web <<<'{service: web, scope: cde, owner: a, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [5432/tcp]}]}'
	policy db <<<'{service: db, scope: cde, owner: a, select: {labels: {app: db}}, ingress: [{from: [{service: web}], ports: [5432/tcp]}]}'
}
teardown() {
	daemon_gone
	net_down
}

history_of() { "$bulkhead_program" history --store "$NET_DIR/store" "$@"; }
entries() { history_of --json | jq -r 'select(.action) | "\(.action) \(.outcome)"' | xargs; }
detail() { history_of --json | jq -r --arg a "$1" 'select(.action == $a) | .detail' | tail -n 1; } # ACTION: the last

logger_runs() { [ "$(ctl status --json | jq -r 'select(.daemon) | .logger.state')" = runs ]; }
up() { daemon_up && await logger_runs; }

report() { # [OPTION...]: into $NET_DIR/report
	status=0
	"$bulkhead_program" report --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/control" --store "$NET_DIR/store" \
		--scope cde --format json --output "$NET_DIR/report" "$@" 2>"$NET_DIR/said" || status=$?
	[ "$status" -eq 1 ] || fail "$status: $(cat "$NET_DIR/said")"
}
verdict() { jq -r --arg id "$1" '.report.requirements[] | select(.id == $id) | .verdict' "$NET_DIR/report"; }
says() { # ID KIND REGEX
	jq -e --arg id "$1" --arg kind "$2" --arg re "$3" '.report.requirements[] | select(.id == $id) |
		.[$kind] | any(test($re))' "$NET_DIR/report" >/dev/null ||
		fail "$1 has no $2 '$3': $(jq --arg id "$1" '.report.requirements[] | select(.id == $id)' "$NET_DIR/report")"
}

@test "a restart in order is told, a daemon that was killed is a finding, and one that does not run too" {
	up
	report
	[ "$(verdict 10.7)" = met ] || fail "$(jq '.report.trail.runs' "$NET_DIR/report")"
	says 10.7 evidence 'there was no time without bulkheadd'
	daemon_stop
	up
	[ "$(entries)" = "start done stop done start done" ]
	[[ $(detail start) == *"the run before was told to end at "* ]]
	report
	[ "$(verdict 10.7)" = met ]
	says 10.7 evidence 'was ended and started again: from .* to .* \([0-9]+ s\)'
	daemon_kill
	up
	[[ $(detail start) == *"the run before ended without a word, and was seen last at "* ]]
	report
	[ "$(verdict 10.7)" = finding ]
	says 10.7 findings 'ended without a word .* from .* to .* \([0-9]+ s\)'
	report --format markdown
	grep -q '^### Times without bulkheadd' "$NET_DIR/report"
	daemon_stop
	report
	says 10.7 findings 'was ended, and none ran from .* to now'
}

@test "policies that end a start are no run, and do not hide how the one before ended" {
	up
	daemon_kill
	echo 'service: [' >"$NET_DIR/policies/bad.yaml"
	daemon_start
	daemon_ends
	[ "$status" -eq 2 ]
	rm "$NET_DIR/policies/bad.yaml"
	up
	[ "$(entries)" = "start done start refused start done" ]
	[[ $(detail start) == *"ended without a word"* ]]
	report
	[ "$(jq '.report.trail.runs.gaps | length' "$NET_DIR/report")" -eq 1 ]
	says 10.7 findings 'ended without a word'
	daemon_stop
}

@test "a logger that does not run is on the trail, from when to when, and a finding afterwards" {
	mkdir "$NET_DIR/bin"
	cp "${bulkhead_program%/*}"/{bulkheadd,bulkhead-logger} "$NET_DIR/bin/"
	daemon_program=$NET_DIR/bin/bulkheadd
	up
	mv "$NET_DIR/bin/bulkhead-logger" "$NET_DIR/bin/away"
	kill -9 "$(pgrep -P "$daemon" -x bulkhead-logger)"
	await eval '[[ $(entries) == *"logger failed" ]]'
	[[ $(detail logger) == "denied packets are not all recorded since "*"the logger does not run"* ]]
	report
	says 10.7 findings 'not all denied packets were recorded from .* to now'
	mv "$NET_DIR/bin/away" "$NET_DIR/bin/bulkhead-logger"
	await in_log 'denied packets are recorded again'
	daemon_stop
	[ "$(entries)" = "start done logger failed logger done stop done" ] || fail "$(entries)"
	up
	report
	says 10.7 findings 'not all denied packets were recorded from .*Z to .*Z .*: the logger does not run'
	daemon_stop
}

@test "a service that nothing runs of shows nothing, and the evidence has the time of the comparison" {
	up
	report
	says 1.3.1 evidence '2 of 2 endpoints .* last compared all endpoints with the policies at 20'
	run ! says 1.3.1 unknown 'no endpoint of'
	policy idle <<<'{service: idle, scope: cde, owner: a, select: {labels: {app: idle}}}'
	ctl apply
	report
	for id in 1.2.8 1.3.1 1.3.2 1.4.2 1.4.3 1.4.4; do
		[ "$(verdict $id)" != met ]
		says $id unknown 'no endpoint of idle runs'
	done
	daemon_stop
}

@test "an attempt while a segmentation test runs is listed; what the test itself was denied is not" {
	up
	# for longer than a client of the daemon may be silent (BH_CTL_REQUEST_MS)
	"$bulkhead_program" probe --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/control" --rate 20 >"$NET_DIR/probe" 2>&1 &
	probe=$!
	await eval '[[ $(entries) == *"probe done" ]]'
	[ "$(ask web db 7777/tcp)" = "timeout timeout" ]
	[ "$(entries)" = "start done probe done" ] || fail "the test was over before the attempt"
	wait $probe || fail "$(cat "$NET_DIR/probe")"
	[ "$(entries)" = "start done probe done probe done" ]
	await eval '[ "$("$bulkhead_program" denied --store "$NET_DIR/store" --json | jq -s "map(select(.destination.port == 3389)) | length")" -ge 4 ]'
	report
	jq -e '.report.denied | (.groups | any(.service == "web" and .peer == "db" and .port == "7777/tcp")) and
		all(.groups[]; .port != "3389/tcp") and .left_out >= 4 and (.unclear | length < 4)' "$NET_DIR/report" ||
		fail "$(jq -c .report.denied "$NET_DIR/report") $(cat "$NET_DIR/probe")"
	daemon_stop
}

# What a client of the daemon says, and what it answers.
says_to_daemon() { socat -t 10 - "UNIX-CONNECT:$NET_DIR/control,type=5" <<<"$1"; } # JSON
begin_test='{"v":1,"do":"probe","port":61000,"packets":1}'
end_test='{"v":1,"do":"probe","port":61000,"packets":1,"findings":0,"not_probed":0}'

@test "nobody hides attempts of his own behind a segmentation test that he invents" {
	printf 'unmanaged: ignore\nroles: [{user: 65534, role: admin}]\n' >"$NET_DIR/bulkhead.yaml"
	up
	let_through
	chmod 666 "$NET_DIR/control"
	exec 8>>"$NET_DIR.probes"
	[[ $(says_to_daemon "$begin_test") == *"does not hold the file"* ]]
	flock -s 8
	[[ $(setpriv --reuid 65534 --regid 65534 --clear-groups socat -t 10 - \
		"UNIX-CONNECT:$NET_DIR/control,type=5" <<<"$begin_test" 8>&-) == *"for root alone"* ]]
	[[ $(says_to_daemon "${begin_test/61000/60000}") == *"out of range"* ]]
	# root may write what he wants; no two processes are one test
	[[ $(says_to_daemon "$begin_test") == *'"exit":0'* ]]
	ns web socat -u /dev/null "UDP:$(v4 db):7777,bind=:61000,shut-null" 8>&- 2>/dev/null || true # denied
	await eval '[ "$("$bulkhead_program" denied --store "$NET_DIR/store" --json | jq -s "map(select(.destination.port == 7777)) | length")" -ge 1 ]'
	[[ $(says_to_daemon "$end_test") == *'"exit":0'* ]]
	flock -u 8
	[[ $(says_to_daemon "$end_test") == *"does not hold the file"* ]]
	exec 8>&-
	[ "$(entries)" = "start done probe refused probe refused probe done probe done probe refused" ] || fail "$(entries)"
	report
	jq -e '.report.denied | (.groups | any(.port == "7777/udp")) and .left_out == 0' "$NET_DIR/report" ||
		fail "$(jq -c .report.denied "$NET_DIR/report")"
	daemon_stop
}

@test "a trail that was cut off behind its first entry, or removed, is not met" {
	store=$NET_DIR/store
	up
	daemon_stop
	head -n 1 "$store/audit.jsonl" >"$NET_DIR/first"
	cat "$NET_DIR/first" >"$store/audit.jsonl"
	rm "$store/audit.head"
	run history_of --verify
	[ "$status" -eq 1 ]
	[[ $output == *"the head file is missing"* ]]
	up
	[[ $(detail damage) == *"the head file is missing"* ]]
	report
	for id in 10.2 10.3 10.7; do
		[ "$(verdict $id)" = finding ] || fail "$id: $(verdict $id)"
	done
	daemon_stop
	rm "$store"/audit*
	up
	report
	for id in 10.2 10.3 10.7; do
		says $id findings 'knows of a run that was seen last at .* the trail before was removed'
	done
	# under the daemon's hands
	await eval '[ "$(($(date +%s) - $(jq .since "$store/running") / 1000000))" -gt 2 ]'
	rm "$store"/audit*
	policy web <<<'{service: web, scope: cde, owner: b, select: {labels: {app: web}}}'
	ctl apply
	[ "$(entries)" = "apply done" ] || [ "$(entries)" = "change done" ] || fail "$(entries)"
	report
	says 10.3 findings 'the bulkheadd that ran last was ready at .*: the trail before was removed'
	daemon_stop
}

sql() { # STATEMENT
	python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: print(*db.execute(sys.argv[2]).fetchone() or "")' "$NET_DIR/store/flows/flows.db" "$1"
}
begun() { [ "$(sql "SELECT value FROM state WHERE name = 'begun'")" -gt 0 ]; }

@test "a history that is not there, or has no beginning, is not assessed and has no span" {
	up
	await begun # though nothing is denied
	report
	says 10.2 evidence 'denied packets of the scope since 20'
	daemon_stop
	sql "DELETE FROM state WHERE name = 'begun'"
	report
	[ "$(verdict 10.2)" = not-assessed ] || fail "$(verdict 10.2)"
	says 10.2 unknown 'has not begun'
	jq -e '.report.denied | has("from") | not' "$NET_DIR/report"
	run ! says 10.2 evidence 'denied packets of the scope since'
	find "$NET_DIR/store/flows" -type f -delete
	report
	[ "$(verdict 10.2)" = not-assessed ] || fail "$(verdict 10.2)"
	says 10.2 unknown 'there is no history'
}

# As long as a daemon may be silent (BH_RUN_STALL_S), and a little more.
silent_for() { [ "$(($(date +%s%6N) - $(jq .seen "$NET_DIR/store/running")))" -gt "${1}000000" ]; } # SECONDS

@test "a daemon that stood still is on the trail, from when to when, and a finding; so is a mark that was removed" {
	up
	kill -STOP "$daemon"
	for ((i = 8; i <= 48; i += 8)); do await silent_for "$((i < 46 ? i : 46))"; done
	kill -CONT "$daemon"
	await eval '[ "$(entries)" = "start done stall failed" ]'
	[[ $(detail stall) == "bulkheadd stood still from "*" to "* ]]
	report
	[ "$(jq '.report.trail.runs.gaps | length' "$NET_DIR/report")" -eq 1 ]
	says 10.7 findings 'was there and stood still from .*Z to .*Z \([0-9]+ s\)'
	daemon_kill
	rm "$NET_DIR/store/running"
	up
	report
	says 10.7 findings 'it kept a mark, and that was removed'
	daemon_stop
}

@test "what a segmentation test was denied is in the history when it has ended" {
	up
	"$bulkhead_program" probe --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/control" >"$NET_DIR/probe" 2>&1 ||
		fail "$(cat "$NET_DIR/probe")"
	report
	n=$(jq .report.denied.left_out "$NET_DIR/report")
	[ "$n" -ge 4 ] || fail "$n"
	daemon_stop # which writes all that there is
	report
	[ "$(jq .report.denied.left_out "$NET_DIR/report")" -eq "$n" ] ||
		fail "$n, then $(jq .report.denied.left_out "$NET_DIR/report")"
}
