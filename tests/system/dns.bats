#!/usr/bin/env bats
# `dns: allow` opens 53/udp and 53/tcp to the resolvers of the container, and nothing else: real
# queries to real servers. What Docker's own server does is in docker.bats.

load lib/net
load lib/dns

setup_file() {
	net_up a b plain
	outsider stray
	outsider resolver 53
	outsider other 54 # a name server as well, but not theirs
	for name in resolver other; do
		start $name dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
			--user=root --pid-file= --address=/up.example/192.0.2.7
		serve $name 80/tcp 54/udp 853/tcp 5353/udp
		await answers stray "$(v4 $name)" udp
		await answers stray "$(v6 $name)" tcp
	done
	resolvers a b
}
teardown_file() { net_down; }

setup() {
	rm -f "$NET_DIR"/policies/*
	policy dns <<-Y
		service: a
		select: {labels: {app: a}}
		dns: allow
		---
		service: b
		select: {labels: {app: b}}
		dns: deny
		egress: [{to: [{entity: world}], ports: [443/tcp]}]
		---
		service: plain
		select: {labels: {app: plain}}
	Y
	bulkhead apply
}
teardown() { finish_anyway; }

# These end points get both addresses of the resolver, the others none.
resolvers() { # NAME...
	local names="$*"
	jq --arg names "$names" --arg v4 "$(v4 resolver)" --arg v6 "$(v6 resolver)" '.endpoints |= map(
		if .name | IN($names | split(" ")[]) then .resolvers = [$v4, $v6] else del(.resolvers) end)' \
		"$NET_DIR/inventory.json" >"$NET_DIR/changed"
	mv "$NET_DIR/changed" "$NET_DIR/inventory.json"
}

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

answers() { dns_answers "$3" "$2" ns "$1"; } # FROM ADDRESS udp|tcp
# Four words: by UDP and TCP, over IPv4 and IPv6.
queries() { # FROM SERVER
	local proto address out pids=()
	for proto in udp tcp; do
		for address in "$(v4 "$2")" "$(v6 "$2")"; do
			out=$NET_DIR/answer.${#pids[@]}
			(answers "$1" "$address" $proto && echo yes || echo no) >"$out" 3>&- &
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	cat "$NET_DIR"/answer.? | xargs
}

@test "the resolver answers, by UDP and TCP, over IPv4 and IPv6; the rule counts it" {
	is "$(queries a resolver)" "yes yes yes yes"
	[ "$(ns a nft -j list counter inet bulkhead a.out.dns |
		jq '.nftables[].counter.packets? // empty')" -ge 10 ]
}

@test "another name server does not, though it would" {
	is "$(queries stray other)" "yes yes yes yes"
	is "$(queries a other)" "no no no no"
}

@test "without dns: allow nobody does, dns: deny and missing alike" {
	for name in b plain; do
		is "$(queries $name resolver)" "no no no no"
		is "$(queries $name other)" "no no no no"
	done
}

@test "nothing rides on it: no other port of the resolver, no ping, nothing from it" {
	for port in 80/tcp 54/udp 853/tcp 5353/udp icmp; do
		is "$(ask stray resolver $port)" "open open"
		is "$(ask a resolver $port)" "timeout timeout"
	done
	serve a 53/tcp 53/udp 9000/udp
	for port in 53/tcp 53/udp 9000/udp icmp; do
		is "$(ask resolver a $port)" "timeout timeout"
	done
	[ ! -s "$NET_DIR/a.log" ]
	# Not even from its port 53 to the port that has just asked: that is another flow to 9000.
	answers a "$(v4 resolver)" udp
	echo x | ns other socat -u - "UDP:$(v4 a):9000"
	is "$(ask resolver a 9000/udp)" "timeout timeout"
	[ ! -s "$NET_DIR/a.log" ]
}

@test "with dns: allow and no resolver known nothing is open" {
	resolvers b
	bulkhead apply
	is "$(queries a resolver)" "no no no no"
	resolvers a b
	bulkhead apply
	is "$(queries a resolver)" "yes yes yes yes"
}

@test "of two services one is enough; of a resolver of one family, that family" {
	policy more <<<'{service: more, select: {labels: {app: b}}, dns: allow}'
	jq --arg v6 "$(v6 resolver)" '(.endpoints[] | select(.name == "b")).resolvers = [$v6]' \
		"$NET_DIR/inventory.json" >"$NET_DIR/changed"
	mv "$NET_DIR/changed" "$NET_DIR/inventory.json"
	bulkhead apply
	is "$(queries b resolver)" "no yes no yes"
	resolvers a b
}

# The records of queries: `PROTOCOL REASON`, without the policies' folder.
told() { # NAME FAMILY
	jq -r --arg name "$1" --arg to "$2" 'select(.endpoint.name == $name
		and .destination.address == $to and .destination.port == 53 and .direction == "egress"
		and .verdict == "deny" and .rule.kind == "default-deny")
		| "\(.protocol) \(.reason)|\(.near_miss // "")"' "$NET_DIR/records" |
		sed "s|$NET_DIR/policies/||g" | sort -u
}

@test "a denied query is recorded as one, with what would be nearest" {
	follow
	is "$(queries b resolver)" "no no no no"
	is "$(queries plain resolver)" "no no no no"
	is "$(queries a other)" "no no no no"
	finish
	for family in v4 v6; do
		to=$($family resolver)
		is "$(told plain "$to")" "tcp nothing allows plain to send to $to (dns.yaml:10 denies by default)|
udp nothing allows plain to send to $to (dns.yaml:10 denies by default)|"
		is "$(told b "$to" | sed 's/|.*//')" "tcp b asks its resolver $to on 53/tcp, and its policy does not say dns: allow (dns.yaml:8 denies by default)
udp b asks its resolver $to on 53/udp, and its policy does not say dns: allow (dns.yaml:8 denies by default)"
		to=$($family other)
		told a "$to" | sed "s/, not $to.*|/|/" >"$NET_DIR/told"
		for proto in tcp udp; do
			grep -Eq "^$proto a may reach [0-9a-f.:]+ on 53/$proto\|a.out.dns allows 53/$proto to " \
				"$NET_DIR/told" || fail "$(cat "$NET_DIR/told")"
		done
	done
}
