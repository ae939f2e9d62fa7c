#!/usr/bin/env bats
# Where a service says `log: {allowed: true}` the first packet of each connection that its policy
# allows is recorded, at each end that says so, once; and nothing else changes.

load lib/net
load lib/flood

talk_program=${PROBE%/*}/talk

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	finish_anyway
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
	follow
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
	follow
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
	follow
	flood web:asks --at 4000 --rate 2000 --to "$(v4 db)" 5353 --to "$(v6 db)" 5353
	await said asks 1000
	ends asks
	finish
	sums
	[ "$connections $unrecorded $(allowed)" = "4 0 4" ]
}
