#!/usr/bin/env bats
# What is worth waking somebody for, beside the records that give rise to it.

load lib/net

rawsend_program=${probe_program%/*}/rawsend

setup() {
	net_up web db vault
	outsider stranger
	policy shop <<-'Y'
		service: web
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
		scope: cde
		---
		service: vault
		scope: cde
		select: {labels: {app: vault}}
	Y
	bulkhead apply
}
teardown() { net_down; }

# Datagrams to each of PORTS ports of each ADDRESS.
scan() { # FROM PORTS ADDRESS...
	ns "$1" python3 -c '
import socket, sys
for address in sys.argv[2:]:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1, 1 + int(sys.argv[1])):
        try:
            s.sendto(b"x", (address, port))
        except OSError:
            pass
' "${@:2}"
}

signals() { jq -c "select(.schema == \"bulkhead.signal/1\" and .signal == \"$1\")" "$NET_DIR/records"; }
told() { signals "$1" | wc -l; }
told_at_least() { [ "$(told "$1")" -ge "$2" ]; }
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

@test "first denied: once for a service, another, a protocol and a port" {
	follow --signals
	ask web db 6379/tcp
	ask web db 6379/tcp
	ask web db 6380/tcp
	ask stranger web 22/tcp
	finish
	# the stranger has an address a family, a service has none
	is "$(signals first-denied | jq -r .reason | sort)" "$(sort <<-E
		web was denied db on 6379/tcp for the first time since this began
		web was denied db on 6380/tcp for the first time since this began
		$(v4 stranger) was denied web on 22/tcp for the first time since this began
		$(v6 stranger) was denied web on 22/tcp for the first time since this began
	E
	)"
	jq -es 'map(select(.schema == "bulkhead.signal/1")) | all(.record.schema == "bulkhead.flow/1"
		and .packets >= 1 and (.time | length == 24))' "$NET_DIR/records"
}

@test "scans: a container of ours, and somebody at one" {
	follow --signals
	scan web 40 "$(v4 db)"
	await told_at_least port-scan 2
	is "$(signals port-scan | jq -r .reason)" "$(
		for n in 15 30; do
			echo "web tried $n ports of db within 300 s, and was denied all of it; this looks like a port scan"
		done)"
	scan stranger 20 "$(v6 db)"
	await told_at_least port-scan 3
	finish
	signals port-scan | tail -n 1 | jq -e --arg from "$(v6 stranger)" '.ports == 15 and .peers == 1
		and .window_seconds == 300 and .record.source.address == $from
		and .record.direction == "ingress" and (.reason | startswith($from + " tried 15 ports of db"))'
	grep -q 'records gave no first-denied signal of their own' "$NET_DIR/messages"
}

@test "a few ports, again and again, are no scan" {
	follow --signals
	for _ in 1 2 3; do scan web 14 "$(v4 db)"; done
	finish
	is "$(told port-scan)" 0
	is "$(told first-denied)" 10
}

@test "raw sockets: once a minute, however many" {
	follow --signals
	for i in 1 2 3 4 5; do
		ns web "$rawsend_program" send eth0 raw "token$i" what=udp dport=9000 uid=1000 \
			from="$(v4 web)" to="$(v4 db)" dmac="$(ns db cat /sys/class/net/eth0/address)"
	done
	finish
	is "$(told raw-socket)" 1
	is "$(jq -s 'map(select(.rule.kind == "raw-socket").packets) | add' "$NET_DIR/records")" 5
	is "$(signals raw-socket | jq -r .record.uid)" 1000
}

@test "into a scope, from a container and from afar; not within it, not out of it" {
	follow --signals
	ask web vault 443/tcp
	ask stranger vault 443/tcp
	ask vault db 443/tcp
	finish
	is "$(signals into-scope | jq -r '"\(.into_scope) \(.record.direction) \(.reason)"' | sort)" "$(sort <<-E
		cde egress web, which is outside of scope cde, was denied vault in it on 443/tcp
		cde ingress $(v4 stranger), which is outside of scope cde, was denied vault in it on 443/tcp
		cde ingress $(v6 stranger), which is outside of scope cde, was denied vault in it on 443/tcp
	E
	)"
}

@test "for people: a line of its own behind the record" {
	"$bulkhead_program" denied --follow --signals --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json" --config "$NET_DIR/bulkhead.yaml" \
		>"$NET_DIR/records" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
	ask web db 6379/tcp
	await grep -q SIGNAL "$NET_DIR/records"
	finish
	grep -A1 "DENY .*:6379/tcp" "$NET_DIR/records" | grep -Eq \
		'^[0-9:.]{12} SIGNAL first-denied web was denied db on 6379/tcp for the first time since this began$'
}

@test "nobody asked: records only" {
	follow
	scan web 40 "$(v4 db)"
	finish
	jq -es 'all(.schema == "bulkhead.flow/1")' "$NET_DIR/records"
}
