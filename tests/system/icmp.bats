#!/usr/bin/env bats
# What a network needs to work at all passes under every policy: loopback, neighbour discovery,
# multicast listener reports, router advertisements, path-MTU and unreachable errors. A ping does
# not, unless it is allowed, and each family has its own.

load lib/net

setup() {
	dir=$BATS_TEST_TMPDIR
	net_up a b
	for name in a b; do
		policy $name <<-YAML
			service: $name
			select: {labels: {app: $name}}
		YAML
	done
}

teardown() { net_down; }

# Count what comes out of a, before any other end point sees it.
watch_wire() {
	ns switch nft -f - <<-'NFT'
		table netdev wire {
			chain from_a {
				type filter hook ingress device port1 priority 0
				icmp type echo-request counter comment "ping4"
				icmpv6 type echo-request counter comment "ping6"
				icmpv6 type nd-neighbor-solicit counter comment "solicit"
				icmpv6 type nd-neighbor-advert counter comment "advert"
				icmpv6 type nd-router-solicit counter comment "router"
				icmpv6 type mld2-listener-report counter comment "mld"
				udp dport 9999 counter comment "udp"
			}
		}
	NFT
}

seen() { # COMMENT: at least one
	ns switch nft list chain netdev wire from_a | grep "comment \"$1\"" | grep -vq "packets 0 "
}

allow_ping() { # ICMP-PORT
	policy a <<-YAML
		service: a
		select: {labels: {app: a}}
		egress:
		  - to: [{service: b}]
		    ports: [7001, 7001/udp${1:+, $1}]
	YAML
	policy b <<-YAML
		service: b
		select: {labels: {app: b}}
		ingress:
		  - from: [{service: a}]
		    ports: [7001, 7001/udp${1:+, $1}]
	YAML
}

@test "loopback and the own addresses work though nothing is allowed" {
	bulkhead apply
	serve a 7001/tcp 7001/udp
	for address in 127.0.0.1 ::1 "$(v4 a)" "$(v6 a)"; do
		printf "$address %s\n" 7001/tcp 7001/udp icmp
	done >"$dir/questions"
	run ns a "$probe_program" ask <"$dir/questions"
	[ "$(sort -u <<<"$output")" = open ]
	[ "${#lines[@]}" -eq 12 ]
}

@test "a ping is denied unless allowed, each family by itself, and leaves nothing on the wire" {
	watch_wire
	bulkhead apply
	[ "$(ask a b icmp)" = "timeout timeout" ]
	! seen ping4 || fail "an IPv4 ping came out"
	! seen ping6 || fail "an IPv6 ping came out"
	allow_ping icmp/echo-request
	bulkhead apply
	[ "$(ask a b icmp)" = "open timeout" ]
	! seen ping6 || fail "an IPv6 ping came out"
	allow_ping icmpv6/echo-request
	bulkhead apply
	[ "$(ask a b icmp)" = "timeout open" ]
	[ "$(ask b a icmp)" = "timeout timeout" ]
	seen ping4
	seen ping6
}

@test "a reset and an unreachable port are told for what is allowed" {
	allow_ping
	bulkhead apply
	[ "$(ask a b 7001/tcp)" = "refused refused" ]
	[ "$(ask a b 7001/udp)" = "refused refused" ]
}

@test "neighbour discovery works from both sides, with link-layer addresses forgotten" {
	allow_ping
	bulkhead apply
	watch_wire
	serve b 7001/tcp
	for name in a b; do
		ns $name ip -6 neigh flush dev eth0
		ns $name ip -4 neigh flush dev eth0
	done
	[ "$(ask a b 7001/tcp)" = "open open" ]
	seen solicit
	# b asks for a as well, for a is asked by b's unicast probe or solicitation.
	ns b ip -6 neigh flush dev eth0
	[ "$(ask a b 7001/tcp)" = "open open" ]
	seen advert
}

@test "duplicate address detection finds a duplicate and lets a good address through" {
	bulkhead apply
	ns a sysctl -qw net.ipv6.conf.eth0.accept_dad=1
	ns a ip addr add fd00:77::99/64 dev eth0
	ns a ip addr add "$(v6 b)/64" dev eth0
	await eval 'ns a ip -6 addr show dev eth0 dadfailed | grep -q "$(v6 b)/"'
	await eval 'ns a ip -6 addr show dev eth0 -tentative | grep -q fd00:77::99/'
	[ -z "$(ns a ip -6 addr show dev eth0 dadfailed to fd00:77::99)" ]
}

@test "multicast listener reports and router solicitations leave" {
	bulkhead apply
	watch_wire
	ns a sysctl -qw net.ipv6.conf.eth0.accept_ra=2 net.ipv6.conf.eth0.router_solicitation_delay=0
	ns a ip link set eth0 down
	ns a ip link set eth0 up
	await seen mld
	await seen router
}

@test "a router advertisement comes in" {
	bulkhead apply
	ns a sysctl -qw net.ipv6.conf.eth0.accept_ra=2
	ns switch ip addr add fd00:99::fe/64 dev br0 nodad
	start switch dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root \
		--pid-file="$dir/dnsmasq.pid" --leasefile-ro --interface=br0 --bind-interfaces \
		--enable-ra --dhcp-range=fd00:99::,ra-only
	await eval 'ns a ip -6 addr show dev eth0 dynamic | grep -q fd00:99:'
}

# --- path MTU --------------------------------------------------------------------------------

# The switch routes to far, over a link that takes 1280 bytes where both ends believe in 1500.
far_away() {
	echo "far 201 -" >>"$NET_DIR/members"
	ip netns add "$NET-far"
	ip link add eth0 netns "$NET-far" type veth peer name far netns "$NET-switch"
	ns far ip link set lo up
	ns far ip link set eth0 up
	ns switch ip link set far mtu 1280 up
	ns far ip addr add 10.88.0.2/24 dev eth0
	ns far ip addr add fd00:88::2/64 dev eth0 nodad
	ns switch ip addr add 10.88.0.1/24 dev far
	ns switch ip addr add fd00:88::1/64 dev far nodad
	ns far ip route add default via 10.88.0.1
	ns far ip -6 route add default via fd00:88::1
	ns switch sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	head -c 300000 /dev/urandom >"$dir/sent"
}

# A file goes from a to far, and a has learnt on the way what the path takes.
transfer() { # LISTENER CALLER ADDRESS of the listener
	local -A end=([a]="-u OPEN:$dir/sent" [far]="-U CREATE:$dir/received")
	local address=$3 server towards=10.88.0.2
	[[ $3 != *:* ]] || address="[$3]" towards=fd00:88::2
	# shellcheck disable=SC2086 # two words
	start "$1" socat ${end[$1]} TCP6-LISTEN:9000,ipv6only=0,reuseaddr
	server=$started
	await eval "ns $1 ss -Hltn 'sport = :9000' | grep -q ."
	# shellcheck disable=SC2086
	timeout 10 ip netns exec "$NET-$2" socat ${end[$2]} "TCP:$address:9000"
	await eval "! kill -0 $server"
	cmp "$dir/sent" "$dir/received"
	ns a ip route get $towards | grep -q "mtu 1280"
}

@test "a long upload finishes: packet-too-big comes in, IPv4 and IPv6" {
	far_away
	policy a <<-'YAML'
		service: a
		select: {labels: {app: a}}
		egress:
		  - to: [{cidr: 10.88.0.0/24}, {cidr: "fd00:88::/64"}]
		    ports: [9000/tcp]
	YAML
	bulkhead apply
	transfer far a 10.88.0.2
	transfer far a fd00:88::2
}

@test "a long download from a server finishes: packet-too-big comes in for replies, too" {
	far_away
	policy a <<-'YAML'
		service: a
		select: {labels: {app: a}}
		ingress:
		  - from: [{entity: world}]
		    ports: [9000/tcp]
	YAML
	bulkhead apply
	transfer a far "$(v4 a)"
	transfer a far "$(v6 a)"
}

@test "fragments of an allowed datagram pass, of a denied one they do not" {
	allow_ping
	bulkhead apply
	head -c 5000 /dev/urandom >"$dir/sent"
	for port in 7001 7002; do
		for address in "$(v4 b)" "[$(v6 b)]"; do
			rm -f "$dir/received"
			start b socat -u UDP6-RECV:$port,ipv6only=0 "CREATE:$dir/received"
			await eval "ns b ss -Hlun 'sport = :$port' | grep -q ."
			ns a socat -u -b 5000 "OPEN:$dir/sent" "UDP:$address:$port" || [ $port = 7002 ]
			if [ $port = 7001 ]; then
				await cmp "$dir/sent" "$dir/received"
			fi
			stop "$started"
			[ $port = 7001 ] || [ ! -s "$dir/received" ]
		done
	done
}

@test "what looks like neighbour or listener discovery never leaves the link" {
	bulkhead apply
	raw() { # TYPE HOPLIMIT ADDRESS: a message with words of its own
		ns a python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, int(sys.argv[2]))
try:
    s.sendto(bytes([int(sys.argv[1]), 0, 0, 0]) + b"card 4111 1111 1111 1111", (sys.argv[3], 0))
except PermissionError:
    sys.exit(1)
' "$@"
	}
	# what only others say, and what a router would pass on
	while read -r type limit; do
		run raw "$type" "$limit" "$(v6 b)"
		[ "$status" -eq 1 ] || fail "type $type with hop limit $limit left"
	done < <(for type in 130 134 137; do printf "$type %d\n" 1 64 255; done
		for type in 131 132 143; do printf "$type %d\n" 64 255; done
		for type in 133 135 136; do printf "$type %d\n" 1 64; done)
	raw 135 255 "$(v6 b)"    # neighbour discovery does
}

@test "a redirect is no error: nobody diverts an allowed connection" {
	allow_ping
	bulkhead apply
	outsider stranger
	serve b 7001/udp
	ask a b 7001/udp
	redirects() { # TYPE: an ICMP message about a's datagram to b, from the stranger
		ns stranger python3 -c '
import socket, struct, sys
def total(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
a, b, gateway = (socket.inet_aton(x) for x in sys.argv[2:5])
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, a, b)
inner = ip + struct.pack("!HHHH", int(sys.argv[5]), 7001, 8, 0)
head = struct.pack("!BBH4s", int(sys.argv[1]), 1, 0, gateway if sys.argv[1] == "5" else b"\0" * 4)
head = struct.pack("!BBH4s", head[0], 1, total(head + inner), head[4:])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.sendto(head + inner, (sys.argv[2], 0))
' "$1" "$(v4 a)" "$(v4 b)" "$(v4 stranger)" "$port"
	}
	port=$(ns a conntrack -L -p udp --dport 7001 2>/dev/null | sed -n 's/.* src=10.77[^ ]* .*sport=\([0-9]*\) dport=7001 .*\[.*/\1/p;s/.*src=10.77[^ ]* dst=[^ ]* sport=\([0-9]*\) dport=7001 .*/\1/p' | head -n 1)
	[ -n "$port" ]
	denied_in() { ns a nft -j list counter inet bulkhead denied.ingress | jq '.nftables[] | select(.counter).counter.packets'; }
	before=$(denied_in)
	redirects 3    # an error of this connection comes in
	redirects 5
	one_more() { [ "$(denied_in)" -eq $((before + 1)) ]; }
	await one_more
	[[ $(ns a ip route get "$(v4 b)") != *redirected* ]]
}
