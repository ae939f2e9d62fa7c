#!/usr/bin/env bats
# Denied connections: what the records say, and that their packets add up to the packets denied.

load lib/net

setup() {
	net_up web db
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
	Y
	outsider stranger
}
teardown() {
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null
	net_down
}

follow() { # OPTIONS: records to $NET_DIR/records, messages to $NET_DIR/messages
	rm -f "$NET_DIR/messages" # what an earlier one said
	bulkhead_exec denied --follow "$@" >"$NET_DIR/records" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
}
bulkhead_exec() {
	exec "$bulkhead_program" "$1" --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json" --config "$NET_DIR/bulkhead.yaml" "${@:2}"
}

finish() { # sets $denied $recorded $lost from the closing sum
	kill -INT "$follower"
	wait "$follower"
	follower=
	read -r denied recorded lost < <(sed -n \
		's/.*denied \([0-9]*\) = recorded \([0-9]*\) + not recorded \([0-9]*\)$/\1 \2 \3/p' \
		"$NET_DIR/messages")
	[ "$denied" -eq $((recorded + lost)) ]
}

# Datagrams from NAME to each of PORTS ports of ADDRESS, ROUNDS times; denied ones fail to be sent.
burst() { # NAME ADDRESS PORTS ROUNDS
	ns "$1" python3 -c '
import socket, sys
address, ports, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 4000))
for _ in range(rounds):
    for port in range(1, ports + 1):
        try:
            s.sendto(b"x", (address, port))
        except PermissionError:
            pass
' "${@:2}"
}

kernel_count() { # NAME COUNTER
	ns "$1" nft -j list counter inet bulkhead "$2" |
		jq '.nftables[] | select(.counter).counter.packets'
}

remembered() { # NAME SET: packets that the elements of the set count
	ns "$1" nft -j list set inet bulkhead "$2" |
		jq '[.nftables[].set?.elem[]?.elem.counter.packets] | add // 0'
}

recorded_packets() { jq -s 'map(select('"${1:-true}"') | .packets) | add // 0' "$NET_DIR/records"; }

@test "a denied connection: who, where to, which line, and what would be allowed" {
	bulkhead apply
	follow --json
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	finish
	[ "$lost" -eq 0 ]
	jq -es --arg from "$(v4 web)" --arg to "$(v4 db)" '
		[.[] | select(.source.address == $from)] | length >= 1 and all(
			.schema == "bulkhead.flow/1" and .verdict == "deny" and .direction == "egress"
			and .protocol == "tcp" and .destination == {address: $to, port: 6379, name: "db",
				endpoint: "shop/db", service: "db"}
			and .source.endpoint == "shop/web" and .service == "web" and .owner == "team-web"
			and .endpoint.id == "shop/web" and .rule.kind == "default-deny"
			and (.rule.file | endswith("policies/shop.yaml")) and .rule.line == 4 and (.other_side | startswith("db denies it too"))
			and (.reason | contains("web may reach db on 5432/tcp, not 6379/tcp"))
				and (.near_miss | contains("shop.yaml:5")))' "$NET_DIR/records"
	jq -es --arg to "$(v6 db)" 'any(.destination.address == $to)' "$NET_DIR/records"
	jq -es 'map(select(.tcp_flags)) | all(.uid == 0 and .tcp_flags == 2)' "$NET_DIR/records"
}

@test "the same for people: one line a flow, nothing a terminal would obey" {
	bulkhead apply
	follow
	ask web db 6379/tcp
	ask stranger db 5432/tcp
	finish
	grep -Eq "DENY  egress  web \(shop/web\) $(v4 web) -> db \(shop/db\) $(v4 db):6379/tcp  uid 0 .*shop.yaml:4" "$NET_DIR/records"
	grep -Eq "DENY  ingress +$(v4 stranger) -> db \(shop/db\) $(v4 db):5432/tcp .*shop.yaml:10" "$NET_DIR/records"
	[ -z "$(LC_ALL=C tr -d '\n -~' <"$NET_DIR/records")" ]
}

@test "a record is written at once, to a file and to a pipe, though nothing comes after it" {
	bulkhead apply
	follow --json
	ask web db 6379/tcp
	await grep -q '"port":6379' "$NET_DIR/records"
	finish
	mkfifo "$NET_DIR/pipe"
	cat "$NET_DIR/pipe" >"$NET_DIR/piped" 3>&- &
	rm "$NET_DIR/messages"
	bulkhead_exec denied --follow --json >"$NET_DIR/pipe" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
	ask web db 6380/tcp
	await grep -q '"port":6380' "$NET_DIR/piped"
	finish
}

@test "an accepted packet makes no record" {
	bulkhead apply
	serve db 5432/tcp
	follow --json
	[ "$(ask web db 5432/tcp)" = "open open" ]
	finish
	[ "$denied" -eq 0 ]
	[ ! -s "$NET_DIR/records" ]
}

@test "a burst of many packets of few flows: exact" {
	bulkhead apply
	follow --json
	burst web "$(v4 db)" 10 2000
	burst web "$(v6 db)" 10 2000
	finish
	[ "$denied" -eq 40000 ]
	[ "$lost" -eq 0 ]
	[ "$(kernel_count web denied.egress)" -eq 40000 ]
	[ "$(recorded_packets)" -eq 40000 ]
	# one record when it begins, one that counts the rest
	[ "$(jq -s length "$NET_DIR/records")" -le 60 ]
}

@test "more flows than the kernel remembers one by one: counted still, to the packet" {
	bulkhead apply
	follow --json
	burst web "$(v4 db)" 6000 3
	finish
	[ "$denied" -eq 18000 ]
	[ "$(kernel_count web denied.egress)" -eq 18000 ]
	local known=$(remembered web denied4)
	[ "$known" -gt 0 ]
	[ "$known" -lt 18000 ]
	[ "$lost" -eq 0 ]
	[ "$(recorded_packets)" -eq 18000 ]
	[ "$(recorded_packets .aggregated)" -gt 0 ]
}

@test "what arrived before the following began is not claimed, what comes after is" {
	bulkhead apply
	burst web "$(v4 db)" 5 100
	follow --json
	burst web "$(v4 db)" 5 10
	finish
	[ "$denied" -eq 50 ]
	[ "$(recorded_packets)" -eq 50 ]
	[ "$lost" -eq 0 ]
}

@test "applying again while denied packets flow: the sum closes" {
	bulkhead apply
	follow --json
	burst web "$(v4 db)" 50 400 3>&- &
	local bursting=$!
	for i in 1 2 3 4 5 6; do
		policy more <<<"{service: more$i, select: {labels: {app: web}}, egress: [{to: [{cidr: 192.0.2.$i/32}], ports: [443]}]}"
		bulkhead apply
	done
	wait "$bursting"
	finish
	[ "$denied" -eq 20000 ]
	[ "$(kernel_count web denied.egress)" -eq 20000 ]
	[ "$(recorded_packets)" -eq "$recorded" ]
}

@test "without policies: every namespace that holds our table is followed" {
	bulkhead apply
	"$bulkhead_program" denied --follow --json --netns-dir /run/netns --config "$NET_DIR/bulkhead.yaml" \
		>"$NET_DIR/records" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
	ask web db 6379/tcp
	finish
	jq -es --arg web "$NET-web" --arg to "$(v4 db)" 'any(.endpoint.name == $web
		and .destination.address == $to and .destination.port == 6379
		and (.rule.file | endswith("shop.yaml")))' "$NET_DIR/records"
}

@test "audit: the same record, another verdict, and the packet passes" {
	sed -i 's/^service: .*/&\nmode: audit/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	serve db 6379/tcp
	follow --json
	[ "$(ask web db 6379/tcp)" = "open open" ]
	finish
	[ "$lost" -eq 0 ]
	jq -es 'length > 0 and all(.verdict == "audit" and .rule.kind == "default-deny")
		and (map(.direction) | unique == ["egress", "ingress"])' "$NET_DIR/records"
}

@test "on-deny: reject answers our own at once and strangers not at all" {
	sed -i 's/^service: .*/&\non-deny: reject/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	serve db 6379/tcp
	follow --json
	[ "$(ask web db 6379/tcp)" = "refused refused" ]
	[ "$(ask web db 6379/udp)" != "timeout timeout" ]
	[ "$(ask stranger db 6379/tcp)" = "timeout timeout" ]
	finish
	[ "$lost" -eq 0 ]
	jq -es 'any(.direction == "egress") and any(.direction == "ingress")' "$NET_DIR/records"
}

@test "log: {denied: false} counts and keeps silent" {
	sed -i 's/^service: .*/&\nlog: {denied: false}/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	follow --json
	burst web "$(v4 db)" 3 5
	finish
	[ "$(kernel_count web denied.egress)" -eq 15 ]
	[ ! -s "$NET_DIR/records" ]
	[ "$denied" -eq 15 ]
	[ "$lost" -eq 15 ]
}

@test "a container that ends while followed: its sum still closes" {
	bulkhead apply
	follow --json
	burst web "$(v4 db)" 5 10
	await test -s "$NET_DIR/records"
	member_gone web
	burst db "$(v4 stranger)" 5 10
	finish
	[ "$denied" -ge 50 ]
}

@test "a namespace that cannot be read any more: named, and the sum says that it was cut short" {
	bulkhead apply
	follow --json
	burst db "$(v4 stranger)" 5 10
	await test -s "$NET_DIR/records"
	strace -qq -p "$follower" -o /dev/null -e trace=recvmsg -e inject=recvmsg:error=EIO 3>&- &
	local tracer=$!
	await grep -q "bulkhead: db: .*Input/output error" "$NET_DIR/messages"
	await grep -q "bulkhead: web: .*Input/output error" "$NET_DIR/messages"
	kill "$tracer"
	wait "$tracer" || true
	kill -INT "$follower"
	local status=0
	wait "$follower" || status=$?
	follower=
	[ "$status" -eq 3 ]
	grep -q "2 namespaces could not be followed to the end" "$NET_DIR/messages"
	grep -q "denied [1-9][0-9]* = recorded" "$NET_DIR/messages"
}

forgotten() { [ "$(remembered "$@")" -eq 0 ]; } # NAME SET

@test "flows that ended leave the kernel's set, and count again when they come back" {
	bulkhead apply
	follow --json
	for round in 1 2; do
		burst web "$(v4 db)" 20 10
		[ "$(remembered web denied4)" -gt 0 ]
		await forgotten web denied4
	done
	finish
	[ "$denied" -eq 400 ]
	[ "$lost" -eq 0 ]
	[ "$(recorded_packets '.aggregated | not')" -eq 400 ]
	[ "$(grep -c . "$NET_DIR/messages")" -eq 2 ]
}
