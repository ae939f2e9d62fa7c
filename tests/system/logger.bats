#!/usr/bin/env bats
# The logger: what it may do, that its sums are the kernel's to the packet, and what its death costs.
# shellcheck disable=SC2030,SC2031

load lib/net
load lib/daemon

setup() {
	net_up web db calm
	ns web ip route add unreachable 10.99.0.0/16 table 1 # nothing that is sent there leaves
	policy shop <<-'Y'
		service: web
		owner: team-web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp]
		---
		service: calm
		select: {labels: {app: calm}}
	Y
}
teardown() { daemon_gone; net_down; }

logger() { # its process id
	pgrep -P "$daemon" -x bulkhead-logger
}
runs() { [ -n "$(logger)" ]; }

history() { "$bulkhead_program" denied --store "$NET_DIR/store" --json "$@"; } # OPTION...
has() { # FILTER [OPTION...]: a record fits it
	history "${@:2}" | jq -es "map(select($1)) | length > 0" >/dev/null
}

deny() { # NAME FIRST ADDRESSES PORT PORTS PACKETS
	ns "$1" "${probe_program%/*}/deny" "${@:2}" >>"$NET_DIR/deny"
}

# Of a namespace and direction: "denied recorded not-recorded", as published.
sums() { # NAME DIRECTION
	"$bulkhead_program" denied --store "$NET_DIR/store" --summary --json |
		jq -r --arg name "$1" --arg d "$2" '[.endpoints[] | select(.name == $name and
			.direction == $d) | [.denied, .recorded, .not_recorded]] | transpose |
			map(add) | join(" ")'
}
kernel() { # NAME DIRECTION
	ns "$1" nft -j list counter inet bulkhead "denied.$2" |
		jq '.nftables[] | select(.counter).counter.packets'
}
adds_up() { # NAME DIRECTION: denied is what the kernel says, and recorded with what was not
	local denied recorded lost
	read -r denied recorded lost < <(sums "$1" "$2")
	[ "$denied" -eq "$(kernel "$1" "$2")" ] && [ "$denied" -eq $((recorded + lost)) ]
}
all_recorded() { # NAME DIRECTION: and nothing was not
	[ "$(sums "$1" "$2")" = "$(kernel "$1" "$2") $(kernel "$1" "$2") 0" ]
}

@test "it is nobody, may do nothing, and has nothing but its namespaces" {
	local pid status
	daemon_up
	await runs
	pid=$(logger)
	status=/proc/$pid/status
	await grep -q '^Seccomp:.*2' "$status"
	grep -q '^NoNewPrivs:.*1' "$status"
	[ "$(awk '/^Cap/ { n += $2 !~ /^0+$/ } END { print n + 0 }' "$status")" -eq 0 ]
	[ "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "$status")" = "60923 60923 60923 60923" ]
	[ "$(awk '/^Groups/ { print NF }' "$status")" -eq 1 ]
	[ "$(stat -c %u "$NET_DIR/store/flows")" -eq 60923 ]
	[ -z "$(tr -d '\0' <"/proc/$pid/environ")" ]
	# 0 to 2, the line, the loop and its timer, the history and its files, two of each of three
	await eval "[ \$(ls /proc/$pid/fd | wc -l) -ge 12 ]"
	[ "$(find "/proc/$pid/fd" -type l | wc -l)" -le 24 ]
	[ -z "$(find "/proc/$pid/fd" -type l -lname '*/control*')" ]
}

@test "a denied connection is in the history, explained, with the process behind it" {
	daemon_up
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	await has '.verdict == "deny" and .direction == "egress" and .service == "web" and
		.owner == "team-web" and .endpoint.name == "web" and .destination.port == 6379 and
		.destination.service == "db" and .rule.kind == "default-deny" and .rule.line == 4 and
		.near_miss != "" and .reason == "web may reach db on 5432/tcp, not 6379/tcp: '"$NET_DIR"'/policies/shop.yaml:5" and
		.process.comm == "probe" and .uid == 0'
	await all_recorded web egress
}

@test "two processors flood 100,000 flows: denied = recorded + not recorded, to the packet, and all is recorded" {
	local i pids=()
	daemon_up
	for i in 1 2; do
		deny web 10.88.0.0 1000 2000 100 400000 &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(kernel web egress)" -eq 800000 ]
	await_long all_recorded web egress
	# one flood, and few records of it
	[ "$(history | wc -l)" -lt 2000 ]
	has '.aggregated and .flows > 1000 and (.sample | length) == 8'
}
await_long() { await "$@" || await "$@" || await "$@"; } 2>/dev/null

@test "IPv6 is counted as well, and what comes in" {
	daemon_up
	deny web fd00:88::1 50 9000 10 5000
	deny db "$(v4 web)" 1 9000 100 1000 # denied at db
	deny calm "$(v6 web)" 1 9000 10 100
	await all_recorded web egress
	await all_recorded db egress
	await all_recorded calm egress
	adds_up web ingress
}

@test "one that floods does not delay another's first record by a second" {
	local i pids=() began seen
	daemon_up
	for i in 1 2; do
		deny web 10.88.0.0 1000 2000 100 3000000 &
		pids+=($!)
	done
	await eval "[ \"\$(kernel web egress)\" -gt 100000 ]"
	deny calm "$(v4 db)" 1 7777 1 1
	began=$(date +%s%N)
	await has '.endpoint.name == "calm"'
	seen=$((($(date +%s%N) - began) / 1000000))
	echo "# in the history after $seen ms" >&3
	has '.endpoint.name == "calm" and .destination.port == 7777 and .packets == 1'
	kill "${pids[@]}" 2>/dev/null || true
	wait "${pids[@]}" || true
	[ "$seen" -lt 2000 ] # the question itself takes its time, on a machine at full load
}

@test "killed under a flood: enforced, started again, and what it did not see is counted" {
	local pid denied recorded lost flood
	daemon_up
	deny web 10.88.0.0 100 2000 10 2000000 &
	flood=$!
	await eval "[ \"\$(kernel web egress)\" -gt 100000 ]"
	await has 'true'
	pid=$(logger)
	kill -KILL "$pid"
	await eval "runs && [ \"\$(logger)\" != $pid ]"
	in_log "the logger has ended (signal 9)"
	wait "$flood"
	await_long adds_up web egress
	await_long eval '[ "$(sums web egress | cut -d" " -f2)" -gt 0 ]'
	read -r denied recorded lost < <(sums web egress)
	echo "# denied $denied = recorded $recorded + not recorded $lost" >&3
	deny web 10.88.0.1 1 3000 1 7
	await_long has '.destination.port == 3000'
	await eval "ctl status"
}

@test "one that hangs is ended and started again; the controller does not wait for it" {
	local pid
	daemon_up
	# one that still begins would be given ten minutes for it
	await eval "ctl status --json | jq -es 'any(.. | .logger?; .state? == \"runs\")'"
	pid=$(logger)
	kill -STOP "$pid"
	policy extra <<<'{service: extra, select: {labels: {app: none}}}'
	ctl apply >/dev/null # while it hangs
	deny web "$(v4 db)" 1 6000 1 3
	await_long eval "runs && [ \"\$(logger)\" != $pid ]"
	in_log "the logger hangs"
	await_long has '.destination.port == 6000'
	# were the sums kept before it hung, then what was counted meanwhile is not recorded
	await_long adds_up web egress
}

@test "a container that ends: its last packets are counted, and its namespace goes" {
	local before
	daemon_up
	deny calm "$(v4 db)" 1 5000 3 999
	before=$(kernel calm egress)
	[ "$before" -eq 999 ]
	member_gone calm
	kill -HUP "$daemon"
	await_long eval '[ "$(sums calm egress)" = "999 999 0" ]'
	await eval "[ -z \"\$(find /proc/$daemon/fd /proc/$(logger)/fd -type l -lname '*-calm')\" ]"
}

@test "the sums go on over a restart of the daemon; what came meanwhile is not recorded, and counted" {
	daemon_up
	deny web "$(v4 db)" 1 5000 1 100
	await all_recorded web egress
	daemon_stop
	deny web "$(v4 db)" 1 5000 1 50
	daemon_up
	await eval '[ "$(sums web egress)" = "150 100 50" ]'
	deny web "$(v4 db)" 1 5001 1 10
	await eval '[ "$(sums web egress)" = "160 110 50" ]'
	adds_up web egress
}

@test "who was denied for the first time is told once, over restarts too" {
	signals() { "$bulkhead_program" denied --store "$NET_DIR/store" --json --signals |
		jq -s 'map(select(.signal == "first-denied")) | length'; }
	daemon_up
	deny web "$(v4 db)" 1 5000 1 3
	await eval '[ "$(signals)" -eq 1 ]'
	daemon_stop
	daemon_up
	await eval "ctl status --json | jq -es 'any(.logger.listening? == 3)'" # what came before is counted only
	deny web "$(v4 db)" 1 5000 1 3
	deny web "$(v4 db)" 1 5001 1 3
	await eval '[ "$(signals)" -eq 2 ]'
	[ "$(stat -c %a "$NET_DIR/store/flows/known-pairs")" = 640 ]
}

@test "what was denied before the first logger came is recorded from its counts" {
	bulkhead apply
	deny web "$(v4 db)" 1 5000 1 20
	daemon_up
	await all_recorded web egress
	has '.packets == 20' # together: plain tables that become the daemon's forget the flows
}

@test "without the program: everything is enforced, and status says that nothing is recorded" {
	mkdir "$NET_DIR/bin"
	cp "$daemon_program" "$NET_DIR/bin/bulkheadd"
	daemon_program=$NET_DIR/bin/bulkheadd
	daemon_up
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	await eval 'ctl status | grep -q "the logger does not run"'
	run ctl status
	[ "$status" -ne 0 ]
	cp "${bulkhead_program%/*}/bulkhead-logger" "$NET_DIR/bin/"
	await_long eval "ctl status"
	await has '.destination.port == 6379'
}
