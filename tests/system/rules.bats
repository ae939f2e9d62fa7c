#!/usr/bin/env bats
# What policy rules let pass, over restarts, deaths and lives of containers: each packet once.
# shellcheck disable=SC2030,SC2031

load lib/net
load lib/daemon

setup() {
	net_up web db
	policy shop <<-'Y'
		scope: cde
		title: Card data
		---
		service: web
		owner: team-web
		scope: cde
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [8432/tcp]
		    reason: orders are kept there
		    ticket: NET-7
		    reviewed: 2026-11-01
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [8432/tcp]
		  - from: [{service: web}]
		    ports: [9187/tcp]
		    name: scrape
		    accept: [{lint: one-sided, reason: nobody scrapes yet}]
	Y
	serve db 8432/tcp
}
teardown() {
	[ -z "${probing:-}" ] || kill "$probing" 2>/dev/null || true
	daemon_gone
	net_down
}

OUT=web.out.to-db.8432-tcp IN=db.in.from-web.8432-tcp

rules() { # [OPTION...]
	"$bulkhead_program" rules --config "$NET_DIR/bulkhead.yaml" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store" "$@"
}
of() { rules --json | jq -r --arg rule "$1" "select(.rule == \$rule) | $2"; } # RULE FILTER
packets() { of "$1" '.packets // 0'; }                                        # RULE
kernel() { # NAME RULE
	ns "$1" nft -j list counter inet bulkhead "$2" | jq '.nftables[] | select(.counter).counter.packets'
}
counts() { [ "$(packets "$1")" = "$2" ]; } # RULE PACKETS
long() { await "$@" || await "$@"; } 2>/dev/null # a look is within ten seconds
edit() { # SQL
	python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])' "$NET_DIR/store/flows/flows.db" "$1"
}

@test "a hit is counted at both ends, with first and last time, and what the rule says of itself" {
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	[ "$(kernel web "$OUT")" -gt 0 ]
	long counts "$OUT" "$(kernel web "$OUT")"
	long counts "$IN" "$(kernel db "$IN")"
	[ "$(of "$OUT" '[.use, .kind, .service, .scope, .owner, .direction, .reason, .ticket, .reviewed, .line] | join(" ")')" = \
		"used rule web cde team-web egress orders are kept there NET-7 2026-11-01 9" ]
	of "$OUT" '.first_hit, .last_hit, .since' | grep -vq null
	# nobody scraped: it is watched, and much too short to be called unused
	[ "$(of db.in.scrape '[.use, .packets, .last_hit] | join(" ")')" = "not-yet-known 0 " ]
	[ "$(of db.in.scrape .why)" = "watched for 0 hours of the 90 days that are asked for" ]
}

@test "restarts and kill -9 count nothing twice and lose nothing that the kernel still has" {
	local i last=0 now
	for i in 1 2 3; do
		daemon_up
		[ "$(ask web db 8432/tcp)" = "open open" ]
		if [ "$i" = 2 ]; then
			daemon_kill
			[ "$(ask web db 8432/tcp)" = "open open" ] # while nobody reads
			daemon_up
		fi
		long counts "$OUT" "$(kernel web "$OUT")"
		now=$(packets "$OUT")
		[ "$now" -gt "$last" ]
		last=$now
		daemon_stop
	done
	# the logger alone
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	kill -9 "$(pgrep -P "$daemon" -x bulkhead-logger)"
	[ "$(ask web db 8432/tcp)" = "open open" ]
	long counts "$OUT" "$(kernel web "$OUT")"
}

@test "containers come and go: the sum is what all of them sent, and is there when they are not" {
	local i sent=0
	daemon_up
	for i in 1 2 3; do
		[ "$(ask web db 8432/tcp)" = "open open" ]
		sent=$((sent + $(kernel web "$OUT")))
		member_gone web
		ctl apply
		await eval "[ \$(packets $OUT) = $sent ]" # the last look, before it goes
		member web
		ctl apply
	done
	[ "$(kernel web "$OUT")" -eq 0 ]
	member_gone web
	ctl apply
	daemon_stop
	daemon_up
	[ "$(ask db db 8432/tcp)" = "open open" ] # all that was to be read has been
	counts "$OUT" "$sent"
}

@test "a rule that moves keeps its sum, and one that says something else is another" {
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	long counts "$OUT" "$(kernel web "$OUT")"
	local before
	before=$(packets "$OUT")
	sed -i '1i # a line more' "$NET_DIR/policies/shop.yaml"
	ctl apply
	[ "$(of "$OUT" .line)" = 10 ]
	[ "$(ask web db 8432/tcp)" = "open open" ]
	[ "$(kernel web "$OUT")" -gt "$before" ]
	long counts "$OUT" "$(kernel web "$OUT")"
	sed -i 's/8432/5433/' "$NET_DIR/policies/shop.yaml"
	run rules
	[[ $output = *"rules: the policies in force are "*": what is listed is of the files"* ]]
	ctl apply
	run rules
	[[ $output != *"in force"* ]]
	[ "$(of web.out.to-db.5433-tcp .use)" = "not-yet-known" ]
	[ -z "$(of "$OUT" .use)" ]
}

@test "unused is what was watched for long without a hit; the young and the unwatched are not" {
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	long counts "$OUT" "$(kernel web "$OUT")"
	long counts "$IN" "$(kernel db "$IN")"
	run rules --unused 90d
	[ "$status" -eq 1 ]
	[ "$output" = "rules: 3; used: 2, unused: 0, not yet known: 1, expired: 0" ]
	daemon_stop
	edit 'update rule set watched = watched + 100 * 86400000000'
	run rules --unused 90d
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 4 ]
	edit "update rule set idle_from = watched where name != 'db.in.scrape'"
	run rules --unused 90d
	[ "$status" -eq 1 ]
	[[ ${lines[0]} = "unused        db.in.scrape"*" 0 never "*"shop.yaml:20" ]]
	[ "${lines[1]}" = "rules: 3; used: 2, unused: 1, not yet known: 0, expired: 0" ]
	[ "${#lines[@]}" -eq 2 ]
	run rules --unused 101d
	[ "$status" -eq 1 ]
	[[ $output = *"used: 2, unused: 0, not yet known: 1"* ]]
	run rules --unused 90d --service web
	[ "$status" -eq 0 ]
	[ "$output" = "rules: 1; used: 1, unused: 0, not yet known: 0, expired: 0" ]
	run rules --scope cde --json
	[ "$status" -eq 0 ]
	[ "$(jq -r '.rule // empty' <<<"$output")" = "$OUT" ]
	jq -es '.[-1] | .rules == 1 and .used == 1 and .history' <<<"$output"
}

# Both ends of 9187 as well, which nobody but a segmentation test speaks to.
with_scrape() {
	sed -i 's/^    ports: \[8432\/tcp\]\n    reason/&/; /ticket: NET-7/{n;a\
  - to: [{service: db}]\
    ports: [9187/tcp]\
    name: scrape
}; /accept:/d' "$NET_DIR/policies/shop.yaml"
}
probed() { # OPTION...
	bulkhead probe --socket "$NET_DIR/control" "$@" >"$NET_DIR/probed" 2>&1 || fail "$(cat "$NET_DIR/probed")"
}
SCRAPE_OUT=web.out.scrape SCRAPE_IN=db.in.scrape

@test "what only segmentation tests hit is unused, over restarts; what is used as well is used" {
	local i n=0 rule
	with_scrape
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	for i in 1 2; do
		n=$(kernel web "$OUT")
		probed
		[ "$(kernel web "$OUT")" -gt "$n" ] # it has hit all of them
		for rule in "$SCRAPE_OUT" "$SCRAPE_IN"; do
			[ "$(of "$rule" '[.packets, .last_hit] | join(" ")')" = "0 " ]
		done
		[ "$(of "$SCRAPE_OUT" .probe_packets)" = "$(kernel web "$SCRAPE_OUT")" ]
		[ "$(of "$SCRAPE_IN" .probe_packets)" = "$(kernel db "$SCRAPE_IN")" ]
		[ "$(of "$SCRAPE_IN" .probe_packets)" -ge "$((2 * i))" ]
		[ "$(of "$SCRAPE_IN" .last_probe)" != null ]
		# what was used before the test counts, and what is used after it
		[ "$(of "$OUT" '.packets + .probe_packets')" = "$(kernel web "$OUT")" ]
		[ "$(packets "$OUT")" -gt 0 ]
		n=$(packets "$OUT")
		[ "$(ask web db 8432/tcp)" = "open open" ]
		long eval "[ \$(packets $OUT) -gt $n ]"
		[ "$(of "$OUT" '.packets + .probe_packets')" = "$(kernel web "$OUT")" ]
		daemon_stop
		[ "$i" = 2 ] || daemon_up
	done
	edit 'update rule set watched = watched + 100 * 86400000000'
	edit "update rule set idle_from = watched where last_hit"
	run rules --unused 90d
	[ "$status" -eq 1 ]
	[[ ${lines[0]} = "unused        $SCRAPE_IN "*" 0 never "*"  (hit by segmentation tests alone: "*" packets, last 20"*")" ]] ||
		[[ ${lines[1]} = "unused        $SCRAPE_IN "*" 0 never "*"  (hit by segmentation tests alone: "*" packets, last 20"*")" ]]
	[ "${lines[2]}" = "rules: 4; used: 2, unused: 2, not yet known: 0, expired: 0" ]
	run rules
	[[ $output = *"used          $OUT "*"  (segmentation tests: "*" packets, last 20"* ]]
}

reported() { # FILTER
	bulkhead report --scope cde --store "$NET_DIR/store" --format json --output "$NET_DIR/report.json" \
		>/dev/null 2>"$NET_DIR/said" || [ $? -eq 1 ] || fail "$(cat "$NET_DIR/said")"
	jq -r "$1" "$NET_DIR/report.json"
}

@test "a report knows by the counts what only tests have hit, also where a test ran at the last hit" {
	with_scrape
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	probed # in whose time the hit is read
	daemon_stop
	[ "$(of "$OUT" .apart)" = true ]
	edit 'update rule set watched = watched + 100 * 86400000000'
	edit "update rule set idle_from = watched where last_hit"
	[ "$(reported '.report.rules | [.n, .young, .tested, (.unused | length), .unused[0].rule] | join(" ")')" = \
		"2 0 0 1 $SCRAPE_OUT" ]
	reported '.report.requirements[] | select(.id == "1.2.7") | .findings[]' |
		grep -q "^nothing but segmentation tests has hit the rule $SCRAPE_OUT of web for "
	# a hit of before they were told apart
	edit "update state set value = value + 86400000000 where name = 'apart'"
	[ "$(of "$OUT" .apart)" = false ]
	[ "$(rules --json | jq -r 'select(.rules) | .not_apart')" = 2 ]
	[ "$(reported '.report.rules.tested')" = 1 ]
}

@test "a test that is killed, a daemon and a logger that are, a container that ends: none makes a rule used" {
	local n who
	with_scrape
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	probed --to db
	n=$(kernel db "$SCRAPE_IN")
	for who in probe daemon logger member; do
		bulkhead probe --socket "$NET_DIR/control" --to db --port 9187/tcp --rate 1 >/dev/null 2>&1 3>&- &
		probing=$!
		await eval "[ \$(kernel db $SCRAPE_IN) -gt $n ]" # it runs, and waits with what is left
		case $who in
		probe)
			kill -KILL "$probing"
			wait "$probing" || true
			;;
		daemon)
			daemon_kill
			daemon_up
			;;
		logger) kill -9 "$(pgrep -P "$daemon" -x bulkhead-logger)" ;;
		member)
			member_gone web
			ctl apply
			;;
		esac
		n=$(kernel db "$SCRAPE_IN")
		long eval "[ \$(of $SCRAPE_IN .probe_packets) = $n ]"
		kill "$probing" 2>/dev/null || true
		wait "$probing" 2>/dev/null || true
		probing=''
	done
	[ "$(of "$SCRAPE_IN" '[.packets, .last_hit] | join(" ")')" = "0 " ]
	[ "$(of "$SCRAPE_OUT" '[.packets, .last_hit] | join(" ")')" = "0 " ]
	# the next hit is somebody's
	member web
	ctl apply
	ns web python3 -c 'import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: socket.create_connection(("10.77.0.2", 9187), 2)
except OSError: pass'
	long eval "[ \$(packets $SCRAPE_IN) -gt 0 ]"
}

@test "a test while no daemon runs, and one whose file is not seen" {
	local n
	with_scrape
	printf 'control: {socket: %s}\n' "$NET_DIR/control" >>"$NET_DIR/bulkhead.yaml"
	daemon_up
	[ "$(ask web db 8432/tcp)" = "open open" ]
	long counts "$OUT" "$(kernel web "$OUT")"
	n=$(packets "$OUT")
	daemon_stop
	bulkhead probe >/dev/null # the tables stand
	[ "$(kernel web "$SCRAPE_OUT")" -gt 0 ]
	daemon_up
	long eval "[ \$(of $SCRAPE_OUT .probe_packets) = $(kernel web "$SCRAPE_OUT") ]"
	long eval "[ \$(of $SCRAPE_IN .probe_packets) = $(kernel db "$SCRAPE_IN") ]"
	[ "$(of "$SCRAPE_IN" '[.packets, .last_hit] | join(" ")')" = "0 " ]
	[ "$(packets "$OUT")" = "$n" ]
	# of policies of its own, beside a daemon
	bulkhead probe >/dev/null
	[ "$(of "$SCRAPE_IN" .probe_packets)" = "$(kernel db "$SCRAPE_IN")" ]
	# by another way to the same socket: its file is another
	n=$(kernel web "$OUT")
	mkdir "$NET_DIR/other"
	ln -s ../control "$NET_DIR/other/control"
	run bulkhead probe --socket "$NET_DIR/other/control"
	[ "$status" -eq 3 ]
	[[ $output = *"it does not hold the file that counts segmentation tests"* ]]
	[ "$(kernel web "$OUT")" -eq "$n" ]
	# and one that is not ours is not believed
	daemon_stop
	rm "$NET_DIR.probes"
	ln -s /etc/passwd "$NET_DIR.probes"
	daemon_up
	run bulkhead probe --socket "$NET_DIR/control"
	[ "$status" -eq 3 ]
	[[ $output = *"net.probes: "* ]]
	await in_log "whether a segmentation test runs is not known:"
}

@test "what cannot be judged is said and never passed" {
	# no history
	run rules --unused 90d
	[ "$status" -eq 1 ]
	[[ $output = *"there is no history: only a bulkheadd keeps what rules let pass"* ]]
	[[ $output = *"rules: 3; used: 0, unused: 0, not yet known: 3, expired: 0"* ]]
	# names that are nobody's, times that are none
	run rules --scope nobody
	[ "$status" -eq 2 ]
	[[ $output = *"there is no scope 'nobody'"* ]]
	run rules --service $'x\033[31m'
	[ "$status" -eq 2 ]
	[[ $output != *$'\033'* ]]
	run rules --unused yesterday
	[ "$status" -eq 2 ]
	run rules --unused 2999-01-01
	[ "$status" -eq 2 ]
	[[ $output = *"is not in the past"* ]]
	# a damaged one
	mkdir -p "$NET_DIR/store/flows"
	echo 'this is no database, and long enough to be looked at' >"$NET_DIR/store/flows/flows.db"
	run rules --unused 90d
	[ "$status" -eq 3 ]
	[[ $output = *"the history cannot be read"* ]]
	# no rule
	printf 'service: web\nselect: {labels: {app: web}}\n' >"$NET_DIR/policies/shop.yaml"
	rm -r "$NET_DIR/store"
	run rules
	[ "$status" -eq 1 ]
	[[ $output = *"there is no rule, and nothing was judged"* ]]
}
