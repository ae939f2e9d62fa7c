#!/usr/bin/env bats
# Replies pass because the flow they answer is allowed, and stop with it: a tightened policy ends
# open connections that only the removed rule covered, both ways, and leaves the others alone.

load lib/net

talk_program=${PROBE%/*}/talk

setup() {
	dir=$BATS_TEST_TMPDIR
	net_up a b
	ns a sysctl -qw net.ipv4.tcp_early_retrans=0 # a message sent twice is then a message lost
	ns b sysctl -qw net.ipv4.tcp_early_retrans=0
	allow "7001 7002 7003" "7001 7002 7003"
	bulkhead apply
}

teardown() { net_down; }

# a may send to b's ports of the first list, b lets a into those of the second.
allow() {
	local port out='' in=''
	for port in $1; do
		out+="$port/tcp, $port/udp, "
	done
	for port in $2; do
		in+="$port/tcp, $port/udp, "
	done
	policy a <<-YAML
		service: a
		select: {labels: {app: a}}
		egress:
		  - to: [{service: b}]
		    ports: [${out%, }]
	YAML
	policy b <<-YAML
		service: b
		select: {labels: {app: b}}
		ingress:
		  - from: [{service: a}]
		    ports: [${in%, }]
	YAML
}

# --- open connections ------------------------------------------------------------------------

# The names of connections: port, protocol, family. a calls b, and both ends talk from then on.
flows="7001-tcp-4 7001-tcp-6 7001-udp-4 7001-udp-6 7002-tcp-4 7002-udp-4 7002-tcp-6 7002-udp-6"

# The status of one end, read at once: $sent $highest $received $retransmitted $error.
look() { # FLOW END
	read -r _ sent _ highest _ received _ retransmitted _ error <"$NET_DIR/$1.$2"
}

heard() { # FLOW END N
	look "$1" "$2" && [ "$received" -ge "$3" ]
}

talking() { heard "$1" a "$2" && heard "$1" b "$2"; }

connect() { # FLOW
	local port proto family address
	IFS=- read -r port proto family <<<"$1"
	address=$(v"$family" b)
	start b "$talk_program" "$NET_DIR/$1.b" listen "$address" "$port/$proto"
	await test -s "$NET_DIR/$1.b"
	start a "$talk_program" "$NET_DIR/$1.a" call "$address" "$port/$proto"
	await talking "$1" 10
}

connect_all() {
	local flow
	for flow in $flows; do
		connect "$flow" || return
	done
}

# Wait until each connection of a port has said N messages more, both ways.
go_on() { # PORT N
	local flow targets=()
	for flow in $flows; do
		[[ $flow == "$1"-* ]] || continue
		look "$flow" a
		targets+=("$flow $((received + $2))")
	done
	for flow in "${targets[@]}"; do
		await talking "${flow% *}" "${flow#* }" || return
	done
}

# Each number said until now; what was said later is larger.
declare -gA said
mark() {
	local flow end
	for flow in $flows; do
		for end in a b; do
			look "$flow" $end
			said[$flow.$end]=$sent
		done
	done
}

# Nothing that FROM said after the mark was ever heard by TO, though FROM went on talking.
silent() { # FLOW FROM TO
	look "$1" "$3"
	[ "$highest" -le "${said[$1.$2]}" ] || fail "$1 goes on from $2 to $3" || return
	look "$1" "$2"
	[ "$sent" -gt "${said[$1.$2]}" ] || fail "$1: $2 says nothing any more"
}

stopped() { # PORT
	local flow
	for flow in $flows; do
		[[ $flow != "$1"-* ]] || { silent "$flow" a b && silent "$flow" b a; } || return
	done
}

# Everything that was said was heard, and at the first try.
unharmed() { # PORT
	local flow end
	for flow in $flows; do
		[[ $flow == "$1"-* ]] || continue
		for end in a b; do
			look "$flow" $end
			[ "$highest $retransmitted $error" = "$received 0 0" ] ||
				fail "$flow: $(cat "$NET_DIR/$flow.$end")" || return
		done
	done
}

# --- tests -----------------------------------------------------------------------------------

@test "replies pass; the same port the other way round does not" {
	serve a 7001/tcp 7001/udp
	serve b 7001/tcp 7001/udp
	[ "$(ask a b 7001/tcp)" = "open open" ]
	[ "$(ask a b 7001/udp)" = "open open" ]
	[ "$(ask b a 7001/tcp)" = "timeout timeout" ]
	[ "$(ask b a 7001/udp)" = "timeout timeout" ]
	[ ! -s "$NET_DIR/a.log" ] # and a heard nothing of it
}

@test "a server that speaks first is heard" {
	start b "$probe_program" listen --banner --ready "$dir/ready" 7001/tcp
	await test -e "$dir/ready"
	run ns a "$probe_program" ask --hear <<<"$(v4 b) 7001/tcp"$'\n'"$(v6 b) 7001/tcp"
	[ "$output" = $'open\nopen' ]
}

@test "what comes from an allowed port without having been asked is no reply" {
	serve a 9000/tcp 9000/udp
	for address in "$(v4 a)" "[$(v6 a)]"; do
		run ns b socat -u -T 1 OPEN:/etc/hostname "UDP:$address:9000,sourceport=7003,reuseaddr"
		run ns b timeout 1 socat -u OPEN:/etc/hostname "TCP:$address:9000,sourceport=7003,reuseaddr"
		[ "$status" -ne 0 ]
	done
	[ ! -s "$NET_DIR/a.log" ]
	# Without the program both come in: the attempt is a real one.
	bulkhead apply --clean
	for address in "$(v4 a)" "[$(v6 a)]"; do
		ns b socat -u OPEN:/etc/hostname "UDP:$address:9000,sourceport=7003,reuseaddr"
		ns b socat -u OPEN:/etc/hostname "TCP:$address:9000,sourceport=7003,reuseaddr"
	done
	await eval '[ "$(wc -l <"$NET_DIR/a.log")" -eq 4 ]'
}

# Connections to 7001 end with the next apply, those to 7002 feel nothing.
tighten_to() { # PORTS-OUT PORTS-IN
	connect_all
	go_on 7001 20
	unharmed 7001
	allow "$1" "$2"
	bulkhead apply
	mark
	go_on 7002 200
	stopped 7001
	unharmed 7002
}

@test "tightened at the sender: both directions stop, TCP and UDP, others lose nothing" {
	tighten_to "7002 7003" "7001 7002 7003"
}

@test "tightened at the receiver: both directions stop, TCP and UDP, others lose nothing" {
	tighten_to "7001 7002 7003" "7002 7003"
}

@test "tightened at both ends; once allowed again, UDP and TCP go on" {
	tighten_to "7002" "7002"
	allow "7001 7002" "7001 7002"
	bulkhead apply
	go_on 7001 20
	unharmed 7002
}

@test "twenty replacements that keep a rule take nothing from its connections" {
	connect_all
	for _ in {1..10}; do
		allow "7002 7003" "7002 7003"
		bulkhead apply
		allow "7001 7002" "7001 7002"
		bulkhead apply
	done
	go_on 7002 20
	unharmed 7002
}
