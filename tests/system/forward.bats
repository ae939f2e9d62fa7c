#!/usr/bin/env bats
# shellcheck disable=SC2154 # probe_program is of net.bash
# A container is no router, though its kernel would be one: nothing passes between two interfaces
# of a managed container, and what was to pass is counted.

load lib/net

calls_program=${probe_program%/*}/calls
far4=10.88.0.2 far6=fd00:88::2

# near -- r -- far: r has an interface in two networks, and forwards.
setup_file() {
	local on
	net_up r
	outsider near
	echo "far 201 -" >>"$NET_DIR/members"
	ip netns add "$NET-far"
	ip link add eth1 netns "$NET-r" type veth peer name eth0 netns "$NET-far"
	for name in r far; do
		ns $name sysctl -qw net.ipv6.conf.default.accept_dad=0
	done
	ns far ip link set lo up
	ns far ip link set eth0 up
	ns r ip link set eth1 up
	ns far ip addr add $far4/24 dev eth0
	ns far ip addr add $far6/64 dev eth0 nodad
	ns r ip addr add 10.88.0.1/24 dev eth1
	ns r ip addr add fd00:88::1/64 dev eth1 nodad
	ns far ip route add default via 10.88.0.1
	ns far ip -6 route add default via fd00:88::1
	ns near ip route add 10.88.0.0/24 via "$(v4 r)"
	ns near ip -6 route add fd00:88::/64 via "$(v6 r)"
	for on in net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; do
		ns r sysctl -qw $on
	done
	# Hosts ask a router for advertisements; r says nothing to that, and would count it as denied.
	ns near sysctl -qw net.ipv6.conf.eth0.router_solicitations=0
	ns far sysctl -qw net.ipv6.conf.eth0.router_solicitations=0
	for on in br0 port1 port200; do
		ns switch sysctl -qw net.ipv6.conf.$on.router_solicitations=0
	done
	await settled # a router asks for neighbours by its link-local address
	for name in near r far; do
		serve $name 80/tcp 80/udp
	done
}
settled() { [ -z "$(ns r ip -6 addr show tentative)" ]; }
teardown_file() { net_down; }

setup() {
	rm -f "$NET_DIR"/policies/*
	bulkhead apply --clean # its counters, too
	for name in near r far; do
		: >"$NET_DIR/$name.log"
	done
}

# A service to and from which all is allowed: nothing but the forwarding itself is in question.
wide_open() { # [LINE]
	policy r <<-Y
		service: r
		${1:-}
		select: {labels: {app: r}}
		egress: [{to: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]}]
		ingress: [{from: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]}]
	Y
	bulkhead apply
}

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }
reach() { # FROM ADDRESS4 ADDRESS6: TCP, UDP and pings, one word when all are the same
	printf '%s\n' "$2 80/tcp" "$3 80/tcp" "$2 80/udp" "$3 80/udp" "$2 icmp" "$3 icmpv6" |
		ns "$1" "$probe_program" ask | sort -u | xargs
}
through() { # both ways
	is "$(reach near $far4 $far6)" "$1"
	is "$(reach far "$(v4 near)" "$(v6 near)")" "$1"
}
# `forwarded denied`, as status has them.
counted() {
	bulkhead status --json | jq -r 'select(.endpoint == "shop/r")
		| "\(.forwarded_packets) \(.denied_packets)"'
}
arrived() { [ "$(grep -c '^udp 80 10.77.0.200' "$NET_DIR/far.log")" -ge "$1" ]; }
burst() { # FROM ADDRESS N: that many datagrams
	for ((i = 0; i < $3; i++)); do
		ns "$1" "$calls_program" --timeout 1 "$2" 80/udp >"$NET_DIR/calls"
	done
}

@test "without a table it forwards, both ways" {
	through open
}

@test "enforced: nothing is routed through, though all is allowed, and each packet is counted" {
	wide_open
	is "$(counted)" "0 0"
	through timeout
	[ ! -s "$NET_DIR/far.log" ]
	[ ! -s "$NET_DIR/near.log" ]
	read -r before _ < <(counted)
	[ "$before" -ge 12 ] # six questions each way
	burst near $far4 5
	burst near $far6 4
	burst far "$(v4 near)" 3
	is "$(counted)" "$((before + 12)) 0"
	[[ $(bulkhead status) == *" 0 denied, $((before + 12)) forwarded"* ]]
	[ ! -s "$NET_DIR/far.log" ]
	# What is the container's own passes, to and from both networks.
	is "$(reach r $far4 $far6)" open
	is "$(reach r "$(v4 near)" "$(v6 near)")" open
	is "$(reach near "$(v4 r)" "$(v6 r)")" open
	is "$(reach far 10.88.0.1 fd00:88::1)" open
	is "$(counted)" "$((before + 12)) 0"
}

@test "enforced: its own address in the other network is its own, and no forwarding" {
	wide_open
	is "$(reach near 10.88.0.1 fd00:88::1)" open
	is "$(counted)" "0 0"
}

@test "audit: it forwards, and counts what enforcing would not let through" {
	wide_open 'mode: audit'
	through open
	read -r before _ < <(counted)
	[ "$before" -ge 24 ] # there and back
	burst near $far4 5
	read -r after _ < <(counted)
	[ $((after - before)) -ge 5 ]
	await arrived 6
}

@test "held by guardrails only: what they deny to it is not routed either, and counted; the rest is" {
	policy guardrails <<-Y
		guardrail: g
		select: {labels: {app: r}}
		deny: [{to: [{cidr: $far4}, {cidr: '$far6'}], ports: [80/udp]}]
	Y
	bulkhead apply
	is "$(counted)" "0 0"
	burst near $far4 5
	burst near $far6 4
	is "$(counted)" "9 0"
	[ ! -s "$NET_DIR/far.log" ]
	printf '%s\n' "$far4 80/tcp" "$far6 80/tcp" "$far4 icmp" "$far6 icmpv6" >"$NET_DIR/questions"
	is "$(ns near "$probe_program" ask <"$NET_DIR/questions" | sort -u)" open
	is "$(reach far "$(v4 near)" "$(v6 near)")" open
	is "$(counted)" "9 0" # what it lets pass is not counted
}

@test "audit with a guardrail: the guardrail's part is dropped, the rest passes" {
	policy guardrails <<-Y
		guardrail: g
		select: {all: true}
		deny: [{to: [{cidr: $far4}, {cidr: '$far6'}], ports: [80/udp]}]
	Y
	wide_open 'mode: audit'
	burst near $far4 5
	burst near $far6 4
	is "$(counted)" "9 0"
	[ ! -s "$NET_DIR/far.log" ]
	is "$(reach far "$(v4 near)" "$(v6 near)")" open
	read -r after _ < <(counted)
	[ "$after" -gt 9 ]
}

@test "unmanaged, and mode: off: a router stays one" {
	wide_open 'mode: off'
	through open
	rm "$NET_DIR/policies/r.yaml"
	policy none <<<'{service: none, select: {labels: {app: none}}}'
	bulkhead apply
	through open
}

@test "quarantined: it routes nothing" {
	policy none <<<'{service: none, select: {labels: {app: none}}}'
	echo 'unmanaged: quarantine' >"$NET_DIR/bulkhead.yaml"
	bulkhead apply
	through timeout
	read -r before _ < <(counted)
	[ "$before" -ge 12 ]
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
}
