#!/usr/bin/env bats
# Replies pass because the flow they answer is allowed, and stop with it: a tightened policy ends
# open connections that only the removed rule covered, both ways, and leaves the others alone.

load lib/net
load lib/talk

setup() {
	dir=$BATS_TEST_TMPDIR
	net_up a b
	retransmit_late a b # a message sent twice is then a message lost
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

connect_all() {
	local flow
	for flow in $flows; do
		connect a b "$flow" || return
	done
}

of_port() { tr ' ' '\n' <<<"$flows" | grep "^$1-"; }

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
	go_on 20 $(of_port 7001)
	unharmed $(of_port 7001)
	allow "$1" "$2"
	bulkhead apply
	mark $flows
	go_on 200 $(of_port 7002)
	stopped $(of_port 7001)
	unharmed $(of_port 7002)
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
	go_on 20 $(of_port 7001)
	unharmed $(of_port 7002)
}

@test "twenty replacements that keep a rule take nothing from its connections" {
	connect_all
	for _ in {1..10}; do
		allow "7002 7003" "7002 7003"
		bulkhead apply
		allow "7001 7002" "7001 7002"
		bulkhead apply
	done
	go_on 20 $(of_port 7002)
	unharmed $(of_port 7002)
}
