#!/usr/bin/env bats
# shellcheck disable=SC2154 # probe_program is of net.bash
# What `entity: world`, `host` and `managed` are, address by address, over IPv4 and IPv6: one
# outsider has all the addresses that a cloud, a link or the internet may have, and the host routes
# to it.

load lib/net

calls_program=${probe_program%/*}/calls

# Never the world, whoever has them: this network and this link, what the clouds answer credentials
# on, reserved space.
not_world4="169.254.0.1 169.254.169.254 169.254.255.254 100.100.100.200 168.63.129.16
	192.0.0.192 240.0.0.1"
not_world6="fd00:ec2::254 fd20:ce::254 64:ff9b::a9fe:a9fe"
# The world, right beside and far away.
world4="192.0.2.1 1.1.1.1 169.253.255.254 169.255.0.1 100.100.100.201 192.0.0.193 223.255.255.254"
world6="2001:db8::1 fd00:ec2::253 fd20:ce::255 64:ff9b::aa00:1"
link6=fe80::200

setup_file() {
	local address on
	net_up a db stray
	outsider cloud
	ns switch ip addr add 10.99.0.1/24 dev br0
	ns switch ip addr add fd00:99::1/64 dev br0 nodad
	for on in net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.br0.send_redirects=0; do
		ns switch sysctl -qw $on
	done
	for address in $not_world4 $world4; do
		ns cloud ip addr add "$address/32" dev eth0
		ns switch ip route add "$address" via "$(v4 cloud)"
	done
	for address in $not_world6 $world6; do
		ns cloud ip addr add "$address/128" dev eth0 nodad
		ns switch ip -6 route add "$address" via "$(v6 cloud)"
	done
	ns cloud ip addr add $link6/64 dev eth0 nodad
	# A neighbour could not answer these addresses' solicitations; the host, which has routes, can.
	ns cloud ip -6 route add "$(v6 switch)" dev eth0
	ns cloud ip -6 route add fd00:77::/64 via "$(v6 switch)" metric 1
	for name in cloud switch db stray a; do
		serve $name 80/tcp 80/udp
	done
	await settled # a router asks for neighbours by its link-local address
}
settled() { [ -z "$(ns switch ip -6 addr show dev br0 tentative)" ]; }
teardown_file() { net_down; }

setup() {
	local name
	rm -f "$NET_DIR"/policies/*
	for name in cloud switch db stray a; do
		: >"$NET_DIR/$name.log"
	done
	policy rest <<-'Y'
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]
	Y
}

allow() { # what a may reach, and who may reach it
	policy a <<-Y
		service: a
		select: {labels: {app: a}}
		egress:
		  - to: [$1]
		ingress:
		  - from: [$1]
	Y
	bulkhead apply
}
everywhere='{cidr: 0.0.0.0/0}, {cidr: "::/0"}'

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

# The verdicts on all these addresses; one word when they are all the same.
reach() { # PORT ADDRESS...
	local port=$1
	shift
	printf "%s $port\n" "$@" | ns a "$probe_program" ask | sort -u | xargs
}
ping_all() { # ADDRESS...
	local address
	for address in "$@"; do
		[[ $address == *:* ]] && echo "$address icmpv6" || echo "$address icmp"
	done | ns a "$probe_program" ask | sort -u | xargs
}
all_are() { # VERDICT ADDRESS...: TCP, UDP and pings
	is "$(reach 80/tcp "${@:2}")" "$1"
	is "$(reach 80/udp "${@:2}")" "$1"
	is "$(ping_all "${@:2}")" "$1"
}
link_local() { # the calls of one datagram to the neighbour's link-local address
	ns a "$calls_program" --device eth0 $link6 80/udp | sed 's/ ms=.*//'
}

datagrams() { # ADDRESS...: what sending one to each gives
	local address
	for address in "$@"; do
		ns a "$calls_program" --timeout 1 "$address" 80/udp | sed 's/.* send=\([^ ]*\).*/\1/'
	done | sort -u | xargs
}

# The sources of datagrams that a's server saw, when the cloud has sent one from each address.
heard_from() { # ADDRESS...; the last is one that a hears
	local address to
	for address in "$@"; do
		to=$(v4 a)
		[[ $address != *:* ]] || to="[$(v6 a)]" address="[$address]"
		echo x | ns cloud socat -u - "UDP:$to:80,bind=$address"
	done
	await grep -qw "${!#}" "$NET_DIR/a.log"
	awk '{ print $3 }' "$NET_DIR/a.log" | sort -u | xargs
}
sorted() { printf '%s\n' "$@" | sort -u | xargs; }

# --- tests -----------------------------------------------------------------------------------

@test "a policy of prefixes reaches and hears every one of these addresses" {
	allow "$everywhere"
	# shellcheck disable=SC2086
	all_are open $not_world4 $not_world6 $world4 $world6
	is "$(link_local)" "connect=ok send=ok recv=ok"
	is "$(datagrams 0.1.2.3)" ok # no kernel takes an answer from there
	# shellcheck disable=SC2086
	is "$(heard_from $not_world6 $world6 $not_world4 $world4)" \
		"$(sorted $not_world4 $not_world6 $world4 $world6)"
}

@test "the world: without this link, metadata and what is reserved, to the address" {
	for world in '{entity: world}' \
		'{entity: world, cidr: 0.0.0.0/0}, {entity: world, cidr: "::/0"}'; do
		allow "$world"
		: >"$NET_DIR/cloud.log"
		# shellcheck disable=SC2086
		all_are timeout $not_world4 $not_world6
		is "$(link_local)" "connect=ok send=EPERM recv=EAGAIN"
		is "$(datagrams 0.1.2.3)" EPERM
		[ ! -s "$NET_DIR/cloud.log" ] # and nothing arrived
		# shellcheck disable=SC2086
		all_are open $world4 $world6
	done
}

@test "from the world: the same addresses are let in, and the others are not" {
	allow '{entity: world}'
	# shellcheck disable=SC2086
	is "$(heard_from $not_world6 $not_world4 $world6 $world4)" "$(sorted $world4 $world6)"
}

@test "from the world: a link-local neighbour is not let in" {
	local own
	own=$(ns a ip -6 -o addr show dev eth0 scope link | sed 's/.*inet6 \([^/]*\).*/\1/')
	send() { echo x | ns cloud socat -u - "UDP6:[$own%eth0]:80,bind=[$link6%eth0]"; }
	allow '{entity: world}'
	send
	is "$(heard_from 192.0.2.1)" 192.0.2.1
	allow "$everywhere"
	send
	await grep -q $link6 "$NET_DIR/a.log"
}

@test "the world: an unmanaged container is in it, managed ones and the host are not" {
	allow '{entity: world}'
	all_are open "$(v4 stray)" "$(v6 stray)"
	all_are timeout "$(v4 db)" "$(v6 db)" "$(v4 switch)" "$(v6 switch)"
	[ ! -s "$NET_DIR/db.log" ]
	[ ! -s "$NET_DIR/switch.log" ]
}

@test "the world: a service with mode: off is managed all the same" {
	sed -i '1s/$/\nmode: off/' "$NET_DIR/policies/rest.yaml"
	allow '{entity: world}'
	all_are timeout "$(v4 db)" "$(v6 db)"
	allow '{entity: managed}'
	all_are open "$(v4 db)" "$(v6 db)"
}

# The addresses that are nobody's own and that the host listens to all the same.
shared="10.77.0.255 10.99.0.255 fd00:77:: fd00:99::"

arrivals() { [ "$(wc -l <"$NET_DIR/switch.log")" -eq "$1" ]; }

@test "the world: the host is not reached by what its subnets share either" {
	jq '.host.addresses += ["10.99.0.1/24", "fd00:99::1/64"]' "$NET_DIR/inventory.json" \
		>"$NET_DIR/more.json"
	cp "$NET_DIR/inventory.json" "$NET_DIR/kept.json"
	cp "$NET_DIR/more.json" "$NET_DIR/inventory.json"
	for world in '{entity: world}' '{entity: host}' \
		'{entity: world, cidr: 0.0.0.0/0}, {entity: world, cidr: "::/0"}'; do
		allow "$world"
		# shellcheck disable=SC2086
		is "$(datagrams $shared)" EPERM
	done
	[ ! -s "$NET_DIR/switch.log" ]
	allow "$everywhere"
	# shellcheck disable=SC2086
	is "$(datagrams $shared)" ok
	await arrivals 4
	cp "$NET_DIR/kept.json" "$NET_DIR/inventory.json"
}

@test "the world: the same by the host's own interfaces, without an inventory" {
	local on_host=(ns switch "$bulkhead_program" apply --policies "$NET_DIR/policies"
		--config "$NET_DIR/bulkhead.yaml" --netns-dir "$NET_DIR/namespaces")
	ns switch ip addr add 10.98.0.1/24 brd 10.98.0.77 dev br0
	mkdir "$NET_DIR/namespaces"
	ln -s "/run/netns/$NET-a" "$NET_DIR/namespaces/a"
	policy rest <<<'{service: a, select: {name: a}, egress: [{to: [{entity: world}]}]}'
	"${on_host[@]}"
	# shellcheck disable=SC2086
	is "$(datagrams $shared 10.98.0.77 10.98.0.255 "$(v4 switch)" "$(v6 switch)")" EPERM
	[ ! -s "$NET_DIR/switch.log" ]
	all_are open 192.0.2.1 2001:db8::1
	sed -i 's/entity: world/entity: host/' "$NET_DIR/policies/rest.yaml"
	"${on_host[@]}"
	# shellcheck disable=SC2086
	is "$(datagrams $shared 10.98.0.77 10.98.0.255)" EPERM
	all_are open "$(v4 switch)" "$(v6 switch)" 10.98.0.1
	bulkhead apply --clean # under another name it would not be known as the inventory's
}

@test "the host: all its addresses and nobody else's, out and in" {
	jq '.host.addresses += ["10.99.0.1/24", "fd00:99::1/64"]' "$NET_DIR/inventory.json" \
		>"$NET_DIR/more.json"
	cp "$NET_DIR/inventory.json" "$NET_DIR/kept.json"
	cp "$NET_DIR/more.json" "$NET_DIR/inventory.json"
	allow '{entity: host}'
	cp "$NET_DIR/kept.json" "$NET_DIR/inventory.json"
	all_are open "$(v4 switch)" "$(v6 switch)" 10.99.0.1 fd00:99::1
	# shellcheck disable=SC2086
	all_are timeout $world4 $world6 $not_world4 $not_world6 "$(v4 db)" "$(v6 db)" "$(v4 stray)"
	is "$(ask switch a 80/tcp)" "open open"
	is "$(ask stray a 80/tcp)" "timeout timeout"
	is "$(ask cloud a 80/tcp)" "timeout timeout"
}

@test "an address that the host and a container have: denied as either's while both do, and told" {
	local on_host=(ns switch "$bulkhead_program" apply --policies "$NET_DIR/policies"
		--config "$NET_DIR/bulkhead.yaml" --netns-dir "$NET_DIR/thieves")
	mkdir "$NET_DIR/thieves"
	for name in a stray; do ln -s "/run/netns/$NET-$name" "$NET_DIR/thieves/$name"; done
	rm "$NET_DIR/policies/rest.yaml"
	policy a <<<'{service: a, select: {name: a}, ingress: [{from: [{entity: host}]}], egress: [{to: [{entity: host}, {cidr: 10.0.0.0/8}]}]}'
	"${on_host[@]}"
	all_are open "$(v4 switch)" "$(v6 switch)"
	ns stray ip addr add "$(v4 switch)/32" dev lo
	run "${on_host[@]}"
	[[ $output == *"address $(v4 switch) is claimed by both stray and the host"*"[address-claimed-twice]"* ]] || fail "$output"
	all_are timeout "$(v4 switch)"
	all_are open "$(v6 switch)"
	is "$(ask switch a 80/tcp)" "timeout open"
	ns stray ip addr del "$(v4 switch)/32" dev lo
	"${on_host[@]}"
	all_are open "$(v4 switch)" "$(v6 switch)"
	bulkhead apply --clean
}

@test "the host's health check: passes on the port that is allowed, and not without" {
	policy a <<-'Y'
		service: a
		select: {labels: {app: a}}
		ingress:
		  - from: [{entity: host}]
		    ports: [80/tcp]
	Y
	bulkhead apply
	is "$(ask switch a 80/tcp)" "open open"
	is "$(ask switch a 80/udp)" "timeout timeout"
	is "$(ask switch a icmp)" "timeout timeout"
	sed -i 's/entity: host/entity: world/' "$NET_DIR/policies/a.yaml"
	bulkhead apply
	is "$(ask switch a 80/tcp)" "timeout timeout"
	is "$(ask cloud a 80/tcp)" "open open"
	sed -i 's/entity: world/entity: managed/' "$NET_DIR/policies/a.yaml"
	bulkhead apply
	is "$(ask switch a 80/tcp)" "timeout timeout"
}

@test "managed: whom a service selects, and nobody else, out and in" {
	allow '{entity: managed}'
	all_are open "$(v4 db)" "$(v6 db)"
	# shellcheck disable=SC2086
	all_are timeout "$(v4 stray)" "$(v6 stray)" "$(v4 switch)" "$(v6 switch)" $world4 $world6 \
		$not_world4 $not_world6
	is "$(ask stray a 80/tcp)" "timeout timeout"
	is "$(ask switch a 80/tcp)" "timeout timeout"
	is "$(ask cloud a 80/tcp)" "timeout timeout"
	[ ! -s "$NET_DIR/a.log" ]
	sed -i '1s/$/\negress: [{to: [{service: a}]}]/' "$NET_DIR/policies/rest.yaml"
	bulkhead apply
	is "$(ask db a 80/tcp)" "open open"
	policy stray <<<'{service: stray, select: {labels: {app: stray}}, egress: [{to: [{service: a}]}], ingress: [{from: [{service: a}]}]}'
	bulkhead apply # selected from now on
	all_are open "$(v4 stray)" "$(v6 stray)"
	is "$(ask stray a 80/tcp)" "open open"
}
