#!/usr/bin/env bats
# Guardrails and scopes with real packets: what they deny is denied whatever services allow, what
# they do not deny is none of their business, and all of it is told.

load lib/net
load lib/talk

metadata4=169.254.169.254 metadata6=fd00:ec2::254

setup() {
	net_up web db stray
	outsider visitor
	outsider cloud 201 # the metadata service
	outsider site 202  # a place in the world
	also cloud $metadata4 $metadata6
	also site 192.0.2.1 2001:db8::1
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress:
		  - to: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]
		ingress:
		  - from: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]
		---
		service: db
		select: {labels: {app: db}}
		scope: cde
		owner: team-db
		ingress:
		  - name: all
		    from: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]
		---
		scope: cde
	Y
}
teardown() { net_down; }

# More addresses of an end point, which it answers from; everybody finds them on the link.
also() { # NAME ADDRESS4 ADDRESS6
	local name
	ns "$1" ip addr add "$2/32" dev eth0
	ns "$1" ip addr add "$3/128" dev eth0 nodad
	ns "$1" ip route change 10.77.0.0/24 dev eth0 src "$2"
	ns "$1" ip -6 route add fd00:77::/64 dev eth0 metric 1 src "$3"
	for name in web stray visitor; do
		ns $name ip route add "$2" dev eth0
		ns $name ip -6 route add "$3" dev eth0
	done
}

no_metadata() {
	policy guardrails <<-'Y'
		guardrail: no-metadata
		select: {all: true}
		deny:
		  - name: credentials
		    to: [{cidr: 169.254.0.0/16}, {cidr: 'fd00:ec2::254'}]
	Y
}

boundary() {
	policy guardrails <<-'Y'
		guardrail: cde-boundary
		select: {scope: cde}
		deny:
		  - from: [{not-scope: cde}]
		    unless: [{service: web, ports: [5432/tcp, icmp/echo-request]}]
	Y
}

# Two words for any two addresses and a port.
reach() { # FROM ADDRESS4 ADDRESS6 PORT
	printf '%s\n' "$2 $4" "$3 $4" | ns "$1" "$probe_program" ask | xargs
}
metadata() { reach "$1" $metadata4 $metadata6 "$2"; }
world() { reach "$1" 192.0.2.1 2001:db8::1 "$2"; }
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

@test "a guardrail overrides what a service allows, and nothing else" {
	serve cloud 80/tcp 80/udp
	serve site 80/tcp 80/udp
	bulkhead apply
	is "$(metadata web 80/tcp)" "open open"
	is "$(metadata web 80/udp)" "open open"
	no_metadata
	bulkhead apply
	for port in 80/tcp 80/udp icmp; do
		is "$(metadata web $port)" "timeout timeout"
	done
	is "$(world web 80/tcp)" "open open"
	is "$(world web icmp)" "open open"
	run bulkhead explain --from web --to $metadata4 --port 80/tcp
	[ "$status" -eq 1 ]
	[[ $output == *"guardrails.yaml:4): guardrail no-metadata denies"* ]]
	# it counts under its own name
	[ "$(ns web nft -j list counters table inet bulkhead | jq '[.nftables[].counter
		| select(.name == "guardrail_no-metadata.out.credentials")] | .[0].packets')" -ge 6 ]
}

@test "a container that only guardrails select stays as open as it was, and status says so" {
	serve cloud 80/tcp 80/udp
	serve site 80/tcp 80/udp
	serve stray 22/tcp 53/udp
	serve visitor 80/tcp
	no_metadata
	bulkhead apply
	for port in 80/tcp 80/udp icmp; do
		is "$(metadata stray $port)" "timeout timeout"
		is "$(world stray $port)" "open open"
	done
	for port in 22/tcp 53/udp icmp; do
		is "$(ask visitor stray $port)" "open open"
		is "$(ask web stray $port)" "open open"
	done
	is "$(ask stray visitor 80/tcp)" "open open"
	is "$(ask stray visitor 81/tcp)" "refused refused"
	run bulkhead status
	[ "$status" -eq 0 ]
	[[ $output =~ guarded\ +shop/stray\ .*"what they do not deny passes" ]]
	[[ $output == *"3 endpoints, 2 protected, 0 findings"* ]]
	run bulkhead status --strict
	[ "$status" -eq 1 ]
	[ "$(bulkhead status --json 2>/dev/null | jq -r 'select(.scope == "cde").endpoint')" = shop/db ]
}

@test "a guardrail of one service leaves the others without a table" {
	policy guardrails <<-'Y'
		guardrail: g
		select: {services: [web]}
		deny: [{to: [{entity: world}], ports: [80/tcp]}]
	Y
	bulkhead apply
	[ -z "$(ns stray nft list ruleset)" ]
	serve cloud 80/tcp 81/tcp
	serve site 80/tcp 81/tcp
	is "$(world web 80/tcp)" "timeout timeout"
	is "$(world web 81/tcp)" "open open"
	is "$(world stray 80/tcp)" "open open"
}

@test "unless: whom and what it names, and nobody and nothing else" {
	serve db 5432/tcp 5433/tcp
	boundary
	bulkhead apply
	is "$(ask web db 5432/tcp)" "open open"
	is "$(ask web db 5433/tcp)" "timeout timeout"
	is "$(ask web db icmp)" "open timeout" # the exception names ICMP, not ICMPv6
	for from in stray visitor switch; do
		is "$(ask $from db 5432/tcp)" "timeout timeout"
		is "$(ask $from db icmp)" "timeout timeout"
	done
}

@test "who is in a scope is known anew with every apply" {
	serve db 5432/tcp
	boundary
	member second app=db
	sed -i 's/^ingress:$/egress: [{to: [{service: db}]}]\n&/' "$NET_DIR/policies/shop.yaml"
	sed -i '0,/^egress: \[/{/^egress: \[/d}' "$NET_DIR/policies/shop.yaml" # of db only
	bulkhead apply
	is "$(ask second db 5432/tcp)" "open open"
	member_gone second
	outsider heir 4 # the very addresses that second had
	bulkhead apply
	is "$(ask heir db 5432/tcp)" "timeout timeout"
}

@test "outside of an empty scope is everything; a service without containers is nobody" {
	serve cloud 80/tcp
	serve site 80/tcp
	policy guardrails <<-'Y'
		guardrail: g
		select: {labels: {app: stray}}
		deny:
		  - to: [{service: nobody}]
		---
		service: nobody
		scope: empty
		select: {labels: {app: nobody}}
		---
		scope: empty
	Y
	bulkhead apply
	is "$(world stray 80/tcp)" "open open"
	sed -i 's/{service: nobody}/{not-scope: empty}/' "$NET_DIR/policies/guardrails.yaml"
	bulkhead apply
	is "$(world stray 80/tcp)" "timeout timeout"
	is "$(metadata stray 80/tcp)" "timeout timeout"
	# loopback is never guarded
	serve stray 99/tcp
	is "$(reach stray 127.0.0.1 ::1 99/tcp)" "open open"
	is "$(reach stray "$(v4 stray)" "$(v6 stray)" 99/tcp)" "open open"
}

@test "what IPv6 itself needs passes, though everything around is denied" {
	serve db 5432/tcp
	policy guardrails <<-'Y'
		guardrail: lonely
		select: {labels: {app: stray}}
		deny:
		  - to: [{cidr: '::/0'}, {cidr: 0.0.0.0/0}]
		    unless: [{service: db, ports: [5432/tcp]}]
		  - from: [{cidr: '::/0'}, {cidr: 0.0.0.0/0}]
	Y
	bulkhead apply
	ns stray ip neigh flush all
	ns db ip neigh flush all
	is "$(ask stray db 5432/tcp)" "open open"
	is "$(ask stray visitor icmp)" "timeout timeout"
}

@test "neither audit mode, mode: off nor log: {denied: false} is a way round" {
	serve cloud 80/tcp
	serve site 80/tcp
	no_metadata
	for line in 'mode: audit' 'mode: off' 'log: {denied: false}'; do
		sed "0,/^service: web/s//&\n$line/" "$NET_DIR/policies/shop.yaml" >"$NET_DIR/shop"
		"$bulkhead_program" apply --policies "$NET_DIR/shop" \
			--policies "$NET_DIR/policies/guardrails.yaml" \
			--inventory "$NET_DIR/inventory.json" --config "$NET_DIR/bulkhead.yaml"
		is "$(metadata web 80/tcp)" "timeout timeout"
		is "$(world web 80/tcp)" "open open"
		ns web nft list chain inet bulkhead guard_record | grep -q '"bulkhead:guard"'
	done
}

@test "on-deny: reject holds for guardrails, too" {
	no_metadata
	sed -i '0,/^service: web/s//&\non-deny: reject/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	serve cloud 80/tcp
	serve site 80/tcp
	is "$(metadata web 80/tcp)" "refused refused"
	is "$(metadata web 80/udp)" "unreachable unreachable"
}

@test "a packet that conntrack does not know is denied where all else passes" {
	serve cloud 80/udp
	serve site 80/udp
	no_metadata
	bulkhead apply
	ns stray nft -f - <<-'N'
		table inet other { chain out { type filter hook output priority raw; notrack; }; }
	N
	is "$(world stray 80/udp)" "open open"
	is "$(metadata stray 80/udp)" "timeout timeout"
}

@test "what is routed through an open container may not go where its own packets may not" {
	serve cloud 80/udp
	serve site 80/udp
	for on in net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0; do
		ns stray sysctl -qw $on
	done
	for to in $metadata4 192.0.2.1; do
		ns visitor ip route replace "$to" via "$(v4 stray)"
	done
	for to in $metadata6 2001:db8::1; do
		ns visitor ip -6 route replace "$to" via "$(v6 stray)"
	done
	is "$(metadata visitor 80/udp)" "open open"
	no_metadata
	bulkhead apply
	is "$(metadata visitor 80/udp)" "timeout timeout"
	is "$(world visitor 80/udp)" "open open"
}

# --- open connections ------------------------------------------------------------------------

@test "an open connection ends, both ways, when a guardrail comes; the others lose nothing" {
	local proto family kept=() ended=()
	policy guardrails <<-'Y'
		guardrail: g
		select: {labels: {app: stray}}
		deny: [{to: [{service: web}], ports: [7999/tcp]}]
	Y
	retransmit_late stray web
	bulkhead apply
	for proto in tcp udp; do
		for family in 4 6; do
			connect stray web 7001-$proto-$family
			connect stray web 7002-$proto-$family
			ended+=("7001-$proto-$family")
			kept+=("7002-$proto-$family")
		done
	done
	sed -i 's|7999/tcp|7001/tcp, 7001/udp|' "$NET_DIR/policies/guardrails.yaml"
	bulkhead apply
	mark "${ended[@]}"
	go_on 50 "${kept[@]}"
	stopped "${ended[@]}"
	unharmed "${kept[@]}"
}

# --- records ---------------------------------------------------------------------------------

@test "records name the guardrail, its line and the scope, and add up" {
	policy more <<-'Y'
		guardrail: no-metadata
		select: {all: true}
		deny:
		  - to: [{cidr: 169.254.0.0/16}, {cidr: 'fd00:ec2::254'}]
	Y
	boundary
	sed -i '0,/^service: web/s//&\nmode: audit\nlog: {denied: false}/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	follow
	metadata web 80/tcp
	metadata stray icmp
	ask visitor db 22/tcp
	finish
	jq -es 'length >= 6 and all(.verdict == "deny" and .rule.kind == "guardrail" and (.near_miss | not))' \
		"$NET_DIR/records" || fail "$(cat "$NET_DIR/records")"
	for to in $metadata4 $metadata6; do
		jq -es --arg to "$to" 'map(select(.source.name == "web" and .destination.address == $to))
			| length >= 1 and all(.rule.name == "no-metadata" and .rule.line == 4
				and (.rule.file | endswith("more.yaml")) and (.scope | not)
				and (.reason | startswith("guardrail no-metadata denies " + $to + " to web on 80/tcp: ")))' \
			"$NET_DIR/records"
	done
	jq -es 'map(select(.source.name == "stray")) | any(.protocol == "icmp") and any(.protocol == "icmpv6")' \
		"$NET_DIR/records"
	jq -es 'map(select(.destination.name == "db")) | length >= 2 and all(.direction == "ingress"
		and .rule.name == "cde-boundary" and .scope == "cde" and .owner == "team-db"
		and (.reason | contains("denies db to ")))' "$NET_DIR/records"
}

# --- the table -------------------------------------------------------------------------------

@test "what somebody did to a guardrail is seen, said, and put right" {
	no_metadata
	serve cloud 80/tcp
	serve site 80/tcp
	while read -r what command; do
		bulkhead apply >/dev/null
		ns stray nft "$command"
		run bulkhead status
		[ "$status" -eq 1 ] || fail "not seen: $what"
		[[ $output =~ drift\ +shop/stray ]] || fail "$what: $output"
		bulkhead apply >/dev/null
		run bulkhead status
		[ "$status" -eq 0 ] || fail "not put right: $what: $output"
		is "$(metadata stray 80/tcp)" "timeout timeout"
	done <<-'T'
		emptied  flush map inet bulkhead guard_egress4
		one      delete element inet bulkhead guard_egress4 { 169.254.0.0/16 . 0-255 }
		accept   insert rule inet bulkhead output accept
		chain    flush chain inet bulkhead guard_egress
		counter  add counter inet bulkhead guardrail_mine
		more     add element inet bulkhead guard_egress4 { 192.0.2.0/24 . 0-255 : "guardrail_no-metadata.out.credentials" }
	T
}

@test "the exported text loads with nft -f and reads back as ours" {
	no_metadata
	for name in stray web; do
		bulkhead export --format nft --endpoint $name >"$NET_DIR/text"
		ns $name nft -f "$NET_DIR/text"
	done
	run bulkhead status
	[[ $output =~ guarded\ +shop/stray ]]
	[[ $output =~ protected\ +shop/web ]]
}

@test "a guardrail that goes takes the table with it, and apply --clean leaves no trace" {
	empty=$(ns stray nft list ruleset)
	no_metadata
	bulkhead apply
	run bulkhead apply
	[ "${lines[-1]}" = "applied: 0 created, 0 updated, 3 unchanged, 0 removed" ]
	rm "$NET_DIR/policies/guardrails.yaml"
	run bulkhead apply
	[ "${lines[-1]}" = "applied: 0 created, 2 updated, 0 unchanged, 1 removed" ]
	[ "$(ns stray nft list ruleset)" = "$empty" ]
	[ "$(ns web nft list ruleset | grep -c guard)" -eq 0 ]
	no_metadata
	bulkhead apply
	run bulkhead apply --clean
	[ "${lines[-1]}" = "cleaned: 3 removed" ]
	for name in web db stray; do
		[ "$(ns $name nft list ruleset)" = "$empty" ]
	done
}
