#!/usr/bin/env bats
# Where a service says `log: {allowed: true}` the first packet of each connection that its policy
# allows is recorded, at each end that says so, once; and nothing else changes.

load lib/net
load lib/flood
load lib/daemon

# shellcheck disable=SC2154 # of net.bash
talk_program=${probe_program%/*}/talk

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	finish_anyway
	daemon_gone
	disperse
	net_down
}

# Both ends allow the same; ENDS are those that log what they allow.
shop() { # [ENDS]
	local web='' db=''
	[[ " $* " != *" web "* ]] || web='log: {allowed: true}'
	[[ " $* " != *" db "* ]] || db='log: {denied: false, allowed: true}'
	policy shop <<-Y
		service: web
		owner: team-web
		select: {labels: {app: web}}
		egress:
		  - name: store
		    to: [{service: db}]
		    ports: [5432/tcp, 5353/udp, icmp/echo-request, icmpv6/echo-request]
		$web
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp, 5353/udp, icmp/echo-request, icmpv6/echo-request]
		$db
	Y
	bulkhead apply
}

# All that is recorded, what is allowed as well.
follow_all() { follow --verdict deny,audit,allow; }

allowed() { # [FILTER]: how many such records
	jq -s "map(select(.verdict == \"allow\" and (${1:-true}))) | length" "$NET_DIR/records"
}

# The kernel's own count of both directions.
counted() { # NAME
	ns "$1" nft -j list table inet bulkhead |
		jq '[.nftables[].counter? | select(.name? // "" | startswith("allowed.")) | .packets] | add'
}

sums() { # sets $connections $in_records $unrecorded from the closing sum
	read -r connections in_records unrecorded < <(sed -n \
		's/.*allowed connections \([0-9]*\) = recorded \([0-9]*\) + not recorded \([0-9]*\)$/\1 \2 \3/p' \
		"$NET_DIR/messages")
	[ "$connections" -eq $((in_records + unrecorded)) ]
}

@test "TCP, UDP and pings, IPv4 and IPv6, at both ends: a record each, with the rule that allows it" {
	local port from to
	net_up web db
	shop web db
	serve db 5432/tcp 5353/udp
	follow_all
	for port in 5432/tcp 5353/udp icmp; do
		[ "$(ask web db $port)" = "open open" ]
	done
	finish
	sums
	[ "$connections $unrecorded" = "12 0" ]
	[ "$(counted web) $(counted db)" = "6 6" ]
	[ "$(allowed) $(jq -s length "$NET_DIR/records")" = "12 12" ]
	for from in "$(v4 web) $(v4 db) icmp" "$(v6 web) $(v6 db) icmpv6"; do
		read -r from to ping <<<"$from"
		for port in tcp udp $ping; do
			for direction in egress ingress; do
				[ "$(allowed ".source.address == \"$from\" and .destination.address == \"$to\"
					and .protocol == \"$port\" and .direction == \"$direction\"")" -eq 1 ] ||
					fail "$direction $from $port: $(cat "$NET_DIR/records")"
			done
		done
	done
	jq -es 'all(.schema == "bulkhead.flow/1" and .packets == 1 and .bytes > 0
		and .source.service == "web" and .destination.service == "db" and .rule.kind == "allow"
		and (has("near_miss") | not) and (has("process") | not))' "$NET_DIR/records"
	jq -es 'map(select(.direction == "egress")) | all(.endpoint.id == "shop/web"
		and .owner == "team-web" and .uid == 0 and .rule.name == "web.out.store"
		and .rule.line == 5 and (.rule.file | endswith("policies/shop.yaml"))
		and (.other_side | startswith("db allows it")))' "$NET_DIR/records"
	jq -es 'map(select(.direction == "ingress")) | all(.endpoint.id == "shop/db"
		and .rule.line == 13 and (has("uid") | not))' "$NET_DIR/records"
	jq -es 'any(.reason | test("^web may reach db on 5432/tcp: .*shop.yaml:5$"))' "$NET_DIR/records"
	jq -es 'any(.reason | test("^db lets web in on 5353/udp: .*shop.yaml:13$"))' "$NET_DIR/records"
}

@test "only where a service says so, and never what is denied" {
	net_up web db
	shop web
	serve db 5432/tcp
	follow_all
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	finish
	sums
	[ "$connections $unrecorded" = "2 0" ]
	[ "$(allowed '.endpoint.id == "shop/web"') $(allowed)" = "2 2" ]
	jq -es 'map(select(.destination.port == 6379)) | length > 0 and all(.verdict == "deny")' \
		"$NET_DIR/records"
	[ "$(counted db)" = null ]
}

@test "what nobody answers is one connection, however many packets it has" {
	net_up web db
	shop web db
	flood db:silent --at 5353
	follow_all
	flood web:asks --at 4000 --rate 2000 --to "$(v4 db)" 5353 --to "$(v6 db)" 5353
	await said asks 1000
	ends asks
	finish
	sums
	[ "$connections $unrecorded $(allowed)" = "4 0 4" ]
}

@test "a connection that goes on is one record at each end" {
	net_up web db
	shop web db
	start db "$talk_program" "$dir/db" listen "$(v4 db)" 5432/tcp
	await test -s "$dir/db"
	follow_all
	start web "$talk_program" "$dir/web" call "$(v4 db)" 5432/tcp
	await eval 'read -r _ _ _ _ _ n _ <"$dir/web" && [ "$n" -ge 200 ]'
	finish
	sums
	[ "$connections $unrecorded $(allowed)" = "2 0 2" ]
	[ "$(counted web) $(counted db)" = "1 1" ]
}

@test "what is audited is no access that was allowed; loopback and neighbours are none either" {
	net_up web db
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		mode: audit
		egress: [{to: [{labels: {app: db}}], ports: [5432/tcp]}]
		log: {allowed: true}
		---
		service: db
		select: {labels: {app: db}}
		mode: audit
	Y
	bulkhead apply
	serve db 5432/tcp 6379/tcp
	serve web 7001/tcp
	follow_all
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ask web db 6379/tcp)" = "open open" ]
	[ "$(ask web web 7001/tcp)" = "open open" ]
	finish
	sums
	[ "$connections $unrecorded $(allowed)" = "2 0 2" ]
	[ "$(allowed '.destination.port == 5432')" -eq 2 ]
	jq -es 'map(select(.endpoint.id == "shop/web" and .destination.port == 6379)) |
		length > 0 and all(.verdict == "audit")' "$NET_DIR/records"
}

@test "the world, networks, whole hosts, temporary rules: whatever map has it, it is recorded" {
	net_up web db
	outsider u
	jq 'del(.host)' "$NET_DIR/inventory.json" >"$dir/i" && mv "$dir/i" "$NET_DIR/inventory.json"
	policy shop <<-Y
		service: web
		select: {labels: {app: web}}
		egress:
		  - {name: world, to: [{entity: world}], ports: [7001/tcp, icmp, icmpv6]}
		  - {name: range, to: [{cidr: 10.77.0.0/24}, {cidr: 'fd00:77::/64'}], ports: [7002-7003/udp]}
		  - {name: whole, to: [{service: db}]}
		  - {name: brief, to: [{cidr: $(v4 u)}], ports: [7004/tcp], expires: 2100-01-01T00:00:00Z}
		log: {allowed: true}
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}]}]
	Y
	bulkhead apply
	serve db 7003/udp 7005/tcp
	serve u 7001/tcp 7003/udp 7004/tcp
	follow_all
	for question in "u 7001/tcp" "u icmp" "u 7003/udp" "db 7005/tcp" "u 7004/tcp"; do
		read -r to port <<<"$question"
		answer=$(ask web "$to" "$port")
		[ "$answer" = "open open" ] || [ "$answer $port" = "open timeout 7004/tcp" ] ||
			fail "$question: $answer"
	done
	finish
	sums
	[ "$connections $unrecorded $(allowed)" = "9 0 9" ]
	jq -rs 'map(select(.verdict == "allow") | .rule.name) | sort | join(" ")' "$NET_DIR/records"
	[ "$(jq -rs 'map(select(.verdict == "allow") | .rule.name) | group_by(.)
		| map("\(.[0]) \(length)") | join(", ")' "$NET_DIR/records")" = \
		"web.out.brief 1, web.out.range 2, web.out.whole 2, web.out.world 4" ]
}

@test "what a guardrail denies is not allowed, though a service allows it" {
	net_up web db
	shop web
	policy guard <<-'Y'
		guardrail: g
		select: {labels: {app: web}}
		deny: [{to: [{service: db}], ports: [5432/tcp]}]
	Y
	bulkhead apply
	serve db 5353/udp
	follow_all
	[ "$(ask web db 5432/tcp)" = "timeout timeout" ]
	[ "$(ask web db 5353/udp)" = "open open" ]
	finish
	[ "$(allowed) $(allowed '.destination.port == 5353')" = "2 2" ]
	jq -es 'any(.rule.kind == "guardrail" and .verdict == "deny")' "$NET_DIR/records"
}

# One datagram from each of so many ports, which nobody answers.
connections() { # FROM TO PORT N
	ns "$1" python3 -c '
import socket, sys
address, port, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for i in range(n):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 10000 + i))
    s.sendto(b"x", (address, port))
    s.close()
' "$(v4 "$2")" "$3" "$4"
}

@test "a flood of connections is capped, counted to the last one, and hides no denial" {
	net_up web db
	shop web
	follow_all
	connections web db 5353 20000
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	finish # every denied packet is in a record
	sums
	[ "$connections $(counted web)" = "20000 20000" ]
	[ "$in_records" -ge 1000 ] && [ "$in_records" -le 15000 ] || fail "$in_records of 20000 recorded"
	[ "$(allowed)" -eq "$in_records" ]
	jq -es 'any(.verdict == "deny" and .destination.port == 6379)' "$NET_DIR/records"
}

# --- on and off ------------------------------------------------------------------------------

# Versions of a and b that differ in whether they log what they allow.
logging() { # VERSION true|false [PORTS]
	local rest="log: {allowed: $2}"
	mkdir -p "$NET_DIR/policies/a$1" "$NET_DIR/policies/b$1"
	policy "a$1/a" <<<"{service: a, select: {labels: {app: a}}, $rest, egress: [{name: one, to: [$single], ports: [${3:-7001/udp, 7001/tcp}]}]}"
	policy "b$1/b" <<<"{service: b, select: {labels: {app: b}}, $rest, ingress: [{name: one, from: [$single], ports: [${3:-7001/udp, 7001/tcp}]}]}"
}

# One connection after the other until FILE appears; then it says how many, and how many times a SYN
# or its answer was lost (the next would come after a second).
calling() { # FROM TO FILE
	start "$1" python3 -c '
import os, socket, sys
made = failed = 0
while not os.path.exists(sys.argv[2]):
    try:
        s = socket.create_connection((sys.argv[1], 7001), 0.9)
        s.settimeout(10)
        s.sendall(b"x") # an answer says that it was accepted: the queue never overflows
        s.recv(1)
        s.close()
        made += 1
    except OSError:
        failed += 1
print("made", made, "failed", failed)
' "$(v4 "$2")" "$3"
	callers+=("$started")
}

@test "on and off 200 times under four senders: nothing denied passes, nothing allowed is lost" {
	local callers=() caller
	swap_up
	logging 0 false
	logging 1 true
	logging 2 false "6901-7001/udp, 7001/tcp"
	logging 3 true "7001/udp, 7002/udp, 7001/tcp"
	apply a0 a
	apply b0 b
	serve u 7001/tcp
	serve b 7001/tcp
	calling a u "$dir/enough"
	calling u b "$dir/enough"
	flood_swap
	crowd 2
	replace_both 100 4
	nothing_lost 5000
	nothing_leaked 5000
	: >"$dir/enough"
	for caller in "${callers[@]}"; do
		wait "$caller"
	done
	grep -hE '^made [0-9]{3,} failed 0$' "$NET_DIR/a.log" "$NET_DIR/u.log" | wc -l | grep -qx 2 ||
		fail "$(grep -h made "$NET_DIR/a.log" "$NET_DIR/u.log")"
	apply a1 a
	"$bulkhead_program" status --strict --policies "$NET_DIR/policies/a1" --inventory "$NET_DIR/a.json" \
		--config "$NET_DIR/bulkhead.yaml"
}

@test "a connection from before it was switched on makes no record, and goes on" {
	swap_up
	logging 0 false
	logging 1 true
	apply a0 a
	apply b0 b
	flood u:at-u --at 7001
	flood a:old --at 40000 --rate 1000 --to "$(v4 u)" 7001
	await heard at-u 100
	apply a1 a
	cp "$NET_DIR/policies/a1/a.yaml" "$NET_DIR/policies/"
	follow_all
	flood a:new --at 40001 --id 1 --rate 1000 --to "$(v4 u)" 7001
	board old
	await said old $((sent + 500))
	ends old new
	finish
	sums
	[ "$connections $unrecorded" = "1 0" ]
	jq -es 'length == 1 and .[0].verdict == "allow" and .[0].source.port == 40001' "$NET_DIR/records"
	settled at-u
	[ "$received" -ge 600 ]
}

# --- the daemon's logger ---------------------------------------------------------------------

past() { "$bulkhead_program" denied --store "$NET_DIR/store" --json "$@"; } # OPTION...
kept() { # N FILTER [OPTION...]: so many records of the history fit it
	[ "$(past "${@:3}" | jq -s "map(select($2)) | length")" -eq "$1" ]
}
logger_says() { # KEY: of all namespaces
	ctl status --json | jq -s "map(.logger? // empty | .$1 // 0) | add"
}

@test "the daemon keeps them with all others, apart from what is denied, and says how many there are" {
	local out
	net_up web db
	out=$NET_DIR/out
	let_through
	shop web db
	printf '%s\n' "outputs: [{file: $out/records.json}]" >>"$NET_DIR/bulkhead.yaml"
	serve db 5432/tcp
	daemon_up
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	await kept 4 '.verdict == "allow" and .packets == 1 and .rule.kind == "allow" and .rule.line > 0
		and .destination.port == 5432' --verdict allow
	await kept 1 '.direction == "egress" and .destination.address == "'"$(v6 db)"'" and .uid == 0
		and .reason == "web may reach db on 5432/tcp: '"$NET_DIR"'/policies/shop.yaml:5"
		and .owner == "team-web" and .rule.name == "web.out.store"' --verdict allow
	await eval 'past | jq -es "length > 0 and all(.verdict == \"deny\")"' # without it: denials
	await eval '[ "$(jq -s "map(select(.verdict == \"allow\")) | length" "$out/records.json")" -eq 4 ]'
	await eval '[ "$(logger_says allowed) $(logger_says allowed_recorded)" = "4 4" ]'
	past --by rule --verdict allow | jq -es 'any(.rule == "web.out.store")'
}

@test "the daemon: a flood of connections becomes few records, and each packet of what is denied is in one" {
	net_up web db
	shop web
	daemon_up
	connections web db 5353 20000
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	await eval '[ "$(logger_says allowed)" -eq 20000 ]'
	[ "$(counted web)" -eq 20000 ]
	# what the kernel logged is in records, most of it aggregated
	await kept 1 '.aggregated and .verdict == "allow" and .packets > 100 and .sample[0].port == 5353
		and (.reason | startswith("connections that web opened, which its policy allows"))' --verdict allow
	[ "$(past --verdict allow | wc -l)" -lt 2000 ]
	await eval '[ "$(past --verdict allow | jq -s "map(.packets) | add")" -eq "$(logger_says allowed_recorded)" ]'
	[ "$(logger_says allowed_recorded)" -ge 1000 ]
	await eval '"$bulkhead_program" denied --store "$NET_DIR/store" --summary --json |
		jq -e "[.endpoints[] | select(.name == \"web\" and .direction == \"egress\")] |
			map(.denied) == map(.recorded) and .[0].denied > 0"'
}
