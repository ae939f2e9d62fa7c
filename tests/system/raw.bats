#!/usr/bin/env bats
# What may leave as a frame: what a container's own stack has made, with an address of its own, and
# nothing else. All frames of these tests carry a token; who catches one says so.
# shellcheck disable=SC2016,SC2154 # `await eval` expands later; probe_program, started: net.bash

load lib/net

rawsend_program=${probe_program%/*}/rawsend

setup() {
	net_up web db
	outsider stranger
	policy web <<-'Y'
		service: web
		owner: team-web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [9000/udp, 9000/tcp, icmp/echo-request, icmpv6/echo-request]
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}]
	Y
	for name in switch db stranger; do catch $name; done
	fences=0
}
teardown() { net_down; }

mac() { ns "$1" cat "/sys/class/net/${2:-eth0}/address"; } # NAME [DEVICE]
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

catch() { # NAME
	start "$1" "$rawsend_program" catch "$NET_DIR/$1.catches"
	await test -e "$NET_DIR/$1.catches"
}

send() { # DEVICE VIA TOKEN KEY=VALUE...: sets $sent
	sent=$(ns "${sender:-web}" "$rawsend_program" send "$@") || fail "rawsend: $sent"
}

# Where frames with this token came in, and how often.
seen_at() { grep -cF " $2 " "$NET_DIR/$1.log" 2>/dev/null; } # NAME TOKEN
came() { await eval "[ \$(seen_at $1 $2) -gt 0 ]"; }         # NAME TOKEN

# Frames of one device stay in order: when this one has come, so have all before it.
fence() {
	((++fences))
	ns web "$rawsend_program" send eth0 freebind "fence$fences" from="$(v4 web)" to="$(v4 db)" \
		dport=9000 >/dev/null
	came switch "fence$fences" && came db "fence$fences"
}

nowhere() { # TOKEN
	local name
	for name in switch db stranger; do
		[ "$(seen_at $name "$1")" = 0 ] || fail "$1 came to $name"
	done
}

# Refused, recorded and gone. $frames counts what the records must add up to.
held() { # DEVICE VIA TOKEN KEY=VALUE...
	send "$@"
	is "$sent" "sent 0 refused 1 ENOBUFS"
	((++frames))
	await recorded "$frames"
	fence
	nowhere "$3"
}
recorded() { is "$(packets raw-socket)" "$1"; } # PACKETS
packets() { # RULE-KIND: in how many packets of records
	jq -s --arg kind "$1" 'map(select(.rule.kind == $kind).packets) | add // 0' "$NET_DIR/records"
}
last_record() { jq -s ".[-1] | $1" "$NET_DIR/records"; }

# --- packet sockets ----------------------------------------------------------------------------

# To where it may send, and to where it may not.
each_frame() { # COMMAND VIA
	local to family what
	for to in db stranger; do
		for family in 4 6; do
			for what in udp tcp ping; do
				"$1" eth0 "$2" "$2.$to.$family.$what" what=$what dport=9000 uid=1000 \
					from="$(v$family web)" to="$(v$family $to)" dmac="$(mac $to)"
			done
		done
	done
}
each_token() { # VIA
	printf '%s\n' "$1".{db,stranger}.{4,6}.{udp,tcp,ping}
}

packet_socket() { # VIA
	local token
	each_frame send "$1"
	for token in $(each_token "$1"); do
		local to=${token#*.}
		came "${to%%.*}" "$token"
		came switch "$token"
	done
	truncate -s 0 "$NET_DIR"/{switch,db,stranger}.log
	bulkhead apply
	follow
	frames=0
	each_frame held "$1"
	finish
	is "$frames $(packets raw-socket)" "12 12"
	jq -es --arg from4 "$(v4 web)" --arg from6 "$(v6 web)" --arg smac "$(mac web)" \
		--arg db "$(mac db)" --arg stranger "$(mac stranger)" '
		length == 12 and all(.verdict == "deny" and .direction == "egress" and .packets == 1
			and .rule == {kind: "raw-socket", name: "raw-socket"} and .uid == 1000
			and .service == "web" and .owner == "team-web" and .interface == "eth0"
			and (.source.address | . == $from4 or . == $from6)
			and .source.endpoint == "shop/web" and .frame.source == $smac
			and (.reason | contains("a frame that was made by hand (a packet socket)")))
		and (map([.protocol, .destination.address, .frame.destination]) | unique | length == 12)
		and (map(.frame.destination) | unique == ([$db, $stranger] | sort))
		and (map(.frame.type) | unique == ["0x0800", "0x86dd"])
		and all(.protocol == "tcp" or .protocol == "udp" or has("icmp"))' "$NET_DIR/records"
}

@test "AF_PACKET, SOCK_RAW: nothing leaves, all is recorded" { packet_socket raw; }
@test "AF_PACKET, SOCK_DGRAM: nothing leaves, all is recorded" { packet_socket dgram; }
@test "AF_PACKET past the queues: nothing leaves, all is recorded" { packet_socket bypass; }
@test "AF_PACKET by a ring: nothing leaves, all is recorded" { packet_socket ring; }

@test "a flood of frames: aggregated, exact" {
	bulkhead apply
	follow
	send eth0 raw flood what=udp from="$(v4 web)" to="$(v4 db)" dport=9000 count=20000
	is "$sent" "sent 0 refused 20000 ENOBUFS"
	send eth0 bypass flood what=tcp from="$(v6 web)" to="$(v6 stranger)" count=10000
	is "$sent" "sent 0 refused 10000 ENOBUFS"
	send eth0 raw flood what=nothing count=500
	finish
	grep -q "denied 30500 = recorded 30500 " "$NET_DIR/messages"
	is "$(packets raw-socket)" 30500
	jq -es 'length < 200 and any(.aggregated and .packets > 100
		and (.reason | startswith("frames that web sent, made by hand")))' "$NET_DIR/records"
	fence
	nowhere flood
}

# --- other addresses than one's own --------------------------------------------------------------

# What the stack takes is dropped silently behind it: the sender hears of nothing.
dropped() { # DEVICE VIA TOKEN KEY=VALUE...
	send "$@"
	((++frames))
	await recorded "$frames"
	fence
	nowhere "$3"
}
# The same before any table is there.
leaves() { # DEVICE VIA TOKEN KEY=VALUE...
	send "$@"
	is "$sent" "sent 1 refused 0 -"
	came switch "$3"
}

spoofed() { # COMMAND
	local to4 to6
	to4="to=$(v4 db) dport=9000 what=udp"
	to6="to=$(v6 db) dport=9000 what=udp"
	# shellcheck disable=SC2086
	{
		"$1" eth0 hdrincl spoof4 from=10.77.0.77 $to4
		"$1" eth0 hdrincl spoof6 from=fd00:77::77 $to6
		"$1" eth0 hdrincl spoof-tcp4 from=10.77.0.77 $to4 what=tcp
		"$1" eth0 hdrincl spoof-db4 from="$(v4 stranger)" $to4
		"$1" eth0 freebind free6 uid=1000 from=fd00:77::77 $to6
		"$1" eth0 freebind free-db6 uid=1000 from="$(v6 stranger)" $to6
		"$1" eth0 hdrincl loopback4 from=127.0.0.1 $to4
		"$1" eth0 hdrincl loopback6 from=::1 $to6
	}
}

@test "a source that is not one's own never leaves, whoever asks for it" {
	spoofed leaves
	truncate -s 0 "$NET_DIR"/{switch,db,stranger}.log
	bulkhead apply
	follow
	frames=0
	spoofed dropped
	jq -es 'length == 8 and all(.rule.kind == "raw-socket" and .verdict == "deny"
		and .destination.service == "db" and .destination.port == 9000
		and (.source.address as $from
			| .reason | contains(" from \($from), which is none of its addresses")))
		and (map(select(.uid == 1000).source.address)
			| index("fd00:77::77") != null)' "$NET_DIR/records"
	# another address of its own is, wherever it belongs
	ns web ip addr add 192.0.2.7/32 dev lo
	ns web ip addr add 2001:db8::7/128 dev lo nodad
	leaves eth0 hdrincl own4 what=udp from=192.0.2.7 to="$(v4 db)" dport=9000
	leaves eth0 hdrincl own6 what=udp from=2001:db8::7 to="$(v6 db)" dport=9000
	leaves eth0 freebind own-free6 uid=1000 from=2001:db8::7 to="$(v6 db)" dport=9000
	# IPv4 has no such freedom
	send eth0 freebind free4 uid=1000 from=10.77.0.77 to="$(v4 db)" dport=9000
	[[ $sent == "sent 0 refused 1 "* ]]
	finish
	is "$(packets raw-socket)" 8
}

# The frame says this, the kernel is told that.
lies() { # COMMAND
	local via with
	with="dport=9000 from=$(v4 web) to=$(v4 db) dmac=$(mac db)"
	for via in raw bypass ring; do
		# shellcheck disable=SC2086
		{
			"$1" eth0 $via $via-ip-as-arp what=udp sll=0x0806 $with
			"$1" eth0 $via $via-arp-as-ip what=arp-tell sll=0x0800 $with
			"$1" eth0 $via $via-arp-as-ip6 what=arp-ask sll=0x86dd $with
			"$1" eth0 $via $via-ip-as-ip6 what=udp sll=0x86dd $with
			"$1" eth0 $via $via-ip-as-vlan what=udp sll=0x8100 $with
			"$1" eth0 $via $via-ip-as-none what=tcp sll=0x88b5 $with
			"$1" eth0 $via $via-vlan what=udp vlan=0x8100 $with
			"$1" eth0 $via $via-vlan-as-arp what=udp vlan=0x8100 sll=0x0806 $with
			"$1" eth0 $via $via-vlan-as-ip what=udp vlan=0x8100 sll=0x0800 $with
			"$1" eth0 $via $via-provider what=udp vlan=0x88a8 $with
			"$1" eth0 $via $via-qinq what=udp vlan=0x88a8 vlan2=0x8100 $with
			"$1" eth0 $via $via-mac what=udp smac=02:00:00:00:00:99 $with
			"$1" eth0 $via $via-other-type what=nothing dmac="$(mac db)"
		}
	done
}

@test "what a sender tells the kernel of a frame does not count, nor do tags" {
	lies leaves
	truncate -s 0 "$NET_DIR"/{switch,db,stranger}.log
	bulkhead apply
	follow
	frames=0
	lies held
	finish
	is "$frames $(packets raw-socket)" "39 39"
	# a packet within a tag is read, what is no packet is shown as a frame
	jq -es --arg db "$(v4 db)" 'any(.frame.type == "0x88b5" and (has("protocol") | not))
		and any(.frame.source == "02:00:00:00:00:99")
		and (map(select(.destination.address == $db)) | length >= 27)' "$NET_DIR/records"
}

# --- what the link needs -------------------------------------------------------------------------

forgotten() { ns "$1" ip "-$2" neigh flush dev eth0; } # NAME FAMILY
knows() { # NAME ADDRESS MAC
	ns "$1" ip neigh show "$2" dev eth0 | grep -q "lladdr $3"
}
raw_count() { # NAME
	ns "$1" nft -j list counter netdev bulkhead raw |
		jq '.nftables[] | select(.counter).counter.packets'
}

@test "neighbours find each other, and nobody is told lies" {
	local via who
	bulkhead apply
	serve db 9000/tcp
	follow
	for family in 4 6; do
		forgotten web $family
		forgotten db $family
	done
	is "$(ask web db 9000/tcp)" "open open"
	for family in 4 6; do
		knows web "$(v$family db)" "$(mac db)"
		# and asked from outside the container's kernel answers
		forgotten stranger $family
		printf '%s icmp\n' "$(v$family web)" | ns stranger "$probe_program" ask --timeout 100
		await knows stranger "$(v$family web)" "$(mac web)"
	done
	is "$(raw_count web)" 0
	frames=0
	for via in raw dgram bypass ring; do
		for who in web db; do
			held eth0 $via $via-ask-$who what=arp-ask from="$(v4 $who)" to="$(v4 stranger)"
			held eth0 $via $via-tell-$who what=arp-tell from="$(v4 $who)" \
				to="$(v4 stranger)" dmac="$(mac stranger)"
			held eth0 $via $via-advert-$who what=advert from="$(v6 $who)" \
				to="$(v6 stranger)" dmac="$(mac stranger)"
		done
	done
	held eth0 raw other-mac what=arp-tell from="$(v4 db)" to="$(v4 stranger)" smac="$(mac db)"
	for family in 4 6; do
		knows stranger "$(v$family web)" "$(mac web)"
		is "$(ns stranger ip neigh show "$(v$family db)" | grep -c "$(mac web)")" 0
	done
	jq -es --arg broadcast ff:ff:ff:ff:ff:ff --arg web "$(mac web)" '
		map(select(.rule.kind == "raw-socket" and .frame.type == "0x0806"))
		| length == 17 and all((has("protocol") | not) and (.source | has("address") | not)
			and (.reason | contains("which no policy can judge")))
		and any(.frame == {source: $web, destination: $broadcast, type: "0x0806"})' \
		"$NET_DIR/records"
	finish
	is "$(packets raw-socket)" 25
}

settled() { # NAME ADDRESS [STATE]: no longer tentative
	local state
	state=$(ns "$1" ip -6 addr show dev eth0 to "$2")
	[[ $state == *"$2"* && $state != *tentative* || $state == *dadfailed* ]] &&
		[[ ${3:-ok} == ok && $state != *dadfailed* || $state == *"${3:-ok}"* ]]
}

@test "an address is tried first: by whom nobody has it, and by whom another has it" {
	bulkhead apply
	follow
	ns web sysctl -qw net.ipv6.conf.eth0.accept_dad=1
	ns web ip addr add fd00:77::d/64 dev eth0
	await settled web fd00:77::d
	ns web ip addr add "$(v6 db)/64" dev eth0 # an answer comes only when the question left
	await settled web "$(v6 db)" dadfailed
	finish
	is "$(raw_count web) $(packets raw-socket)" "0 0"
	jq -es 'all(.direction == "ingress")' "$NET_DIR/records" # what others ask in between
}

# --- addresses that come later -------------------------------------------------------------------

router() { # ARGUMENT...: dnsmasq at the stranger's
	start stranger dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 \
		--bind-dynamic --user=root --log-dhcp --log-facility=- --pid-file= \
		--dhcp-leasefile="$NET_DIR/leases" "$@"
}

temporary() { ns web ip -6 -o addr show dev eth0 scope global temporary -tentative; }

@test "a temporary address is used as soon as it is there, and is no other's" {
	ns stranger ip addr add fd00:99::1/64 dev eth0 nodad
	ns web ip addr del "$(v6 web)/64" dev eth0
	ns web sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2 net.ipv6.conf.eth0.accept_ra=2
	sed -i 's/^egress:/&\n  - {to: [{cidr: "fd00:99::\/64"}], ports: [9000\/udp]}/' \
		"$NET_DIR/policies/web.yaml"
	bulkhead apply
	follow
	serve stranger 9000/udp
	[ -z "$(temporary)" ]
	router --enable-ra --dhcp-range=fd00:99::,ra-only
	await eval '[ -n "$(temporary)" ]'
	is "$(echo "fd00:99::1 9000/udp" | ns web "$probe_program" ask)" open
	address=$(temporary | sed -n '1s/.* inet6 \([^/]*\).*/\1/p')
	grep -qx "udp 9000 $address" "$NET_DIR/stranger.log"
	# a router is asked for, too
	ns web ip link set eth0 down
	ns web ip link set eth0 up
	await eval '[ -n "$(temporary)" ]'
	finish
	is "$(raw_count web) $(packets raw-socket)" "0 0"
}

# --- DHCP ----------------------------------------------------------------------------------------

lease_script() { # its addresses end, as leases do
	cat >"$NET_DIR/lease" <<-'S'
		#!/bin/sh
		[ -n "$ip" ] || exit 0
		ip addr replace "$ip/$mask" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
		echo "$1 $ip" >>"$leases"
	S
	chmod +x "$NET_DIR/lease"
	export leases=$NET_DIR/leased
}
discover() { # COMMAND TOKEN KEY=VALUE...
	"$1" eth0 raw "$2" what=dhcp from=0.0.0.0 to=255.255.255.255 sport=68 dport=67 "${@:3}"
}

@test "DHCP: a lease is got and kept while the tables stand" {
	ns web ip -4 addr flush dev eth0
	bulkhead apply
	follow
	lease_script
	router --dhcp-range=10.77.0.100,10.77.0.110,255.255.255.0,2m
	start web busybox udhcpc -i eth0 -f -t 20 -T 1 -s "$NET_DIR/lease"
	await grep -q bound "$leases"
	# to the server alone it may not, as its policy does not say so; then it asks everybody
	kill -USR1 "$started"
	await grep -q renew "$leases"
	grep -q "broadcasting renew" "$NET_DIR/web.log"
	bulkhead apply # an address that is leased is no reason to forbid it
	kill -USR1 "$started"
	await eval '[ "$(grep -c renew "$leases")" -eq 2 ]'
	# now it does
	sed -i "s|^egress:|&\n  - {to: [{cidr: $(v4 stranger)}], ports: [67/udp]}|" \
		"$NET_DIR/policies/web.yaml"
	bulkhead apply
	kill -USR1 "$started"
	await eval '[ "$(grep -c renew "$leases")" -eq 3 ]'
	is "$(grep -c "sending renew" "$NET_DIR/web.log")" 3
	is "$(grep -c "Operation not permitted" "$NET_DIR/web.log")" 2
	finish
	is "$(raw_count web) $(packets raw-socket)" "0 0"
}

@test "DHCP: nothing but a client's question to everybody" {
	local lease=10.77.0.99
	ns web ip -4 addr flush dev eth0
	ns web ip addr add fd00:77::99/64 dev eth0 nodad
	bulkhead apply
	follow
	discover leaves first
	# it may ask anew from what it has leased
	ns web ip addr add $lease/24 dev eth0 valid_lft 600 preferred_lft 600
	discover leaves again from=$lease
	frames=0
	fence() { # the address is another now
		((++fences))
		discover leaves "fence$fences"
	}
	discover held other-source from=10.77.0.98
	discover held other-mac smac=02:00:00:00:00:99 chaddr="$(mac web)"
	discover held other-client chaddr=02:00:00:00:00:99
	discover held to-one dmac="$(mac stranger)"
	discover held to-one-address to="$(v4 stranger)"
	discover held from-port sport=1068
	discover held to-port dport=53
	discover held tagged vlan=0x8100
	discover held as-arp sll=0x0806
	discover held as-ip6 sll=0x86dd
	held eth0 raw no-client what=udp from=0.0.0.0 to=255.255.255.255 sport=68 dport=67
	finish
	is "$frames $(packets raw-socket)" "11 11"
}

@test "DHCP: not where an address is there for good, and not without limit" {
	ns web ip -4 addr flush dev eth0
	discover leaves before
	sender=db discover leaves before-db
	bulkhead apply
	follow
	local passed refused began=${EPOCHREALTIME/./}
	discover send many count=200
	read -r _ passed _ refused _ <<<"$sent"
	is $((passed + refused)) 200
	[ "$passed" -ge 10 ]
	# BH_DHCP_BURST, and what the time brought that it took, BH_DHCP_PER_S
	[ "$passed" -le $((10 + 2 * (1 + (${EPOCHREALTIME/./} - began) / 1000000))) ]
	sender=db
	discover send permanent
	is "$sent" "sent 0 refused 1 ENOBUFS"
	finish
	is "$(packets raw-socket)" $((refused + 1))
	is "$(grep -c "^port1 many " "$NET_DIR/switch.log")" "$passed"
	nowhere permanent
}

link_local() { # NAME
	ns "$1" ip -6 -o addr show dev eth0 scope link -tentative | sed 's/.*inet6 \([^/]*\).*/\1/'
}

@test "DHCPv6: a client goes through the stack, where two rules let it" {
	await eval '[ -n "$(link_local web)" ] && [ -n "$(link_local stranger)" ]'
	bulkhead apply
	serve web 546/udp
	local ask answer
	ask="from=$(link_local web) sport=1546 to=ff02::1:2 dport=547"
	answer="from=$(link_local stranger) sport=547 to=$(link_local web) dport=546"
	# shellcheck disable=SC2086
	{
		send eth0 freebind unasked $ask
		is "$sent" "sent 0 refused 1 EPERM"
		sender=stranger send eth0 freebind unanswered $answer
		fence
		nowhere unasked
		is "$(grep -c "^udp 546" "$NET_DIR/web.log")" 0
		sed -i -e "s|^egress:|&\n  - {to: [{cidr: 'ff02::1:2'}], ports: [547/udp]}|" \
			-e "/^---/i ingress: [{from: [{cidr: 'fe80::/10'}], ports: [546/udp]}]" \
			"$NET_DIR/policies/web.yaml"
		bulkhead apply
		leaves eth0 freebind asked $ask
		sender=stranger send eth0 freebind answered $answer
	}
	await grep -q "^udp 546 $(link_local stranger)" "$NET_DIR/web.log"
}

# --- devices that come later ---------------------------------------------------------------------

plug() { # NUMBER NAME: another wire to the switch, as a runtime makes it
	ns switch ip link add "plug$1" type veth peer name "temp$1"
	ns switch ip link set "plug$1" master br0 up
	ns switch ip link set "temp$1" netns "$NET-web"
	ns web ip link set "temp$1" name "$2"
	ns web ip addr add "192.0.2.$1/32" dev "$2"
	ns web ip link set "$2" up
}

by_device() { # COMMAND DEVICE TOKEN
	"$1" "$2" raw "$3" what=udp from="$(v4 web)" to="$(v4 db)" dport=9000 dmac="$(mac db)"
}

@test "a device that comes later is held from its first frame, if its name is foreseen" {
	bulkhead apply
	follow
	frames=0
	plug 1 eth1
	by_device held eth1 foreseen
	plug 2 eth15
	by_device held eth15 foreseen-too
	jq -es 'map(.interface) == ["eth1", "eth15"]' "$NET_DIR/records"
	bulkhead status
	plug 3 foo0
	by_device leaves foo0 not-foreseen
	run bulkhead status --json
	is "$status" 1
	grep '"shop/web"' <<<"$output" | jq -e '.state == "drift" and .finding
		and (.why | contains("frames are not held on device foo0"))'
	bulkhead apply
	by_device held foo0 not-foreseen-2
	ns web ip link set foo0 down
	ns web ip link set foo0 name foo1
	ns web ip link set foo1 up
	by_device leaves foo1 renamed
	finish
	bulkhead apply
	by_device send foo1 renamed-2
	is "$sent" "sent 0 refused 1 ENOBUFS"
	bulkhead status
}

# --- modes ---------------------------------------------------------------------------------------

by_hand() { # COMMAND TOKEN
	"$1" eth0 raw "$2-4" what=udp dport=53 from="$(v4 web)" to="$(v4 db)" dmac="$(mac db)"
	"$1" eth0 dgram "$2-6" what=tcp dport=53 from="$(v6 web)" to="$(v6 db)" dmac="$(mac db)"
	"$1" eth0 bypass "$2-vlan" what=udp vlan=0x8100 from="$(v4 web)" to="$(v4 db)"
	"$1" eth0 raw "$2-ip-as-arp" what=udp sll=0x0806 from="$(v4 web)" to="$(v4 db)"
}
by_hand_arp() { # COMMAND TOKEN
	"$1" eth0 raw "$2-arp" what=arp-tell from="$(v4 db)" to="$(v4 stranger)" dmac="$(mac stranger)"
	"$1" eth0 raw "$2-other" what=nothing dmac="$(mac db)"
}
guard_metadata() {
	policy guardrails <<-'Y'
		guardrail: no-metadata
		select: {all: true}
		deny:
		  - to: [{cidr: 169.254.0.0/16}, {cidr: 'fd00:ec2::254'}]
	Y
}

@test "audit: frames made by hand pass, and are recorded; a guardrail ends that" {
	sed -i 's/^service: web/&\nmode: audit/' "$NET_DIR/policies/web.yaml"
	bulkhead apply
	follow
	by_hand leaves audit
	by_hand_arp leaves audit
	leaves eth0 hdrincl audit-spoof what=udp dport=53 from=10.77.0.77 to="$(v4 db)"
	await recorded 7
	jq -es 'map(select(.rule.kind == "raw-socket")) | all(.verdict == "audit"
		and (.reason | endswith("(audit mode: it passed)")))' "$NET_DIR/records"
	finish
	guard_metadata
	bulkhead apply
	follow
	frames=0
	by_hand held guarded
	by_hand_arp held guarded
	finish
	jq -es 'map(select(.rule.kind == "raw-socket")) | length == 6 and all(.verdict == "deny")' \
		"$NET_DIR/records"
}

@test "only guardrails: packets made by hand are denied, all else of the link passes" {
	rm "$NET_DIR/policies/web.yaml"
	guard_metadata
	by_hand leaves open
	truncate -s 0 "$NET_DIR"/{switch,db,stranger}.log
	bulkhead apply
	bulkhead status | grep -E '^guarded +shop/web '
	follow
	frames=0
	by_hand held open
	by_hand_arp leaves open
	leaves eth0 hdrincl open-spoof what=udp dport=53 from=10.77.0.77 to="$(v4 db)"
	# it is a router still, for what its guardrails do not deny
	ns web sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ns db ip addr add 192.0.2.9/32 dev eth0
	ns db ip addr add 2001:db8::9/128 dev eth0 nodad
	ns stranger ip route add 192.0.2.9 via "$(v4 web)"
	ns stranger ip route add 2001:db8::9 via "$(v6 web)"
	ns web ip route add 192.0.2.9 via "$(v4 db)"
	ns web ip route add 2001:db8::9 via "$(v6 db)"
	serve db 9000/tcp 9000/udp
	is "$(printf '%s 9000/tcp\n%s 9000/udp\n' 192.0.2.9 192.0.2.9 2001:db8::9 2001:db8::9 |
		ns stranger "$probe_program" ask | xargs)" "open open open open"
	finish
	is "$(packets raw-socket)" 4
}

@test "log: {denied: false}: dropped and counted, not recorded" {
	sed -i 's/^service: web/&\nlog: {denied: false}/' "$NET_DIR/policies/web.yaml"
	bulkhead apply
	follow
	send eth0 raw silent what=udp from="$(v4 web)" to="$(v4 db)" dport=9000 count=15
	is "$sent" "sent 0 refused 15 ENOBUFS"
	fence
	nowhere silent
	is "$(raw_count web)" 15
	kill -INT "$follower"
	wait "$follower"
	follower=
	grep -q "denied 15 = recorded 0 + not recorded 15$" "$NET_DIR/messages"
	[ ! -s "$NET_DIR/records" ]
}

# --- the loopback device -------------------------------------------------------------------------

@test "loopback: frames made by hand do no harm, and none leaves by being routed" {
	ns web sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.accept_local=1 net.ipv4.conf.all.route_localnet=1
	bulkhead apply
	serve web 9000/udp
	follow
	for from in 127.0.0.1 "$(v4 web)"; do
		send lo raw inner what=udp from="$from" to=127.0.0.1 dport=9000 dmac=00:00:00:00:00:00
		is "$sent" "sent 1 refused 0 -"
	done
	await grep -q "udp 9000 127.0.0.1" "$NET_DIR/web.log"
	# its neighbours' questions for a router, now that it is one, are denied and no matter here
	is "$(jq -s 'map(select(.interface == "lo")) | length' "$NET_DIR/records")" 0
	for from in web stranger; do
		for to in db stranger; do
			for family in 4 6; do
				send lo raw routed what=udp dport=9000 dmac=00:00:00:00:00:00 \
					from="$(v$family $from)" to="$(v$family $to)"
				is "$sent" "sent 1 refused 0 -"
			done
		done
	done
	fence
	nowhere routed
	is "$(raw_count web)" 0
	[ "$(ns web nft -j list counter inet bulkhead forwarded |
		jq '.nftables[] | select(.counter).counter.packets')" -gt 0 ]
	finish
}

# A datagram from PORT at web to the same port of the stranger, as an answer would be.
answer() { # FAMILY PORT: prints what becomes of it
	local address
	address=$(v"$1" stranger)
	send eth0 freebind "answer$1-$2" from="$(v"$1" web)" to="$address" sport=9053 dport="$2"
	echo "$sent"
}

# Others may ask it; whoever answers a question that was never asked goes where it may not.
pretend() { # COMMAND PORT
	local number=$2 via
	for family in 4 6; do
		for via in hdrincl lo freebind; do
			[ $family$via != 4freebind ] || continue # Linux does not let it
			((++number))
			pretend_once "$1" $family $via $number
		done
	done
}
pretend_once() { # COMMAND FAMILY VIA PORT
	local device=eth0 via=$3
	[ "$3" != lo ] || device=lo via=raw
	send $device "$via" "question$2-$4" what=udp uid=1000 from="$(v"$2" stranger)" sport="$4" \
		to="$(v"$2" web)" dport=9053 dmac=00:00:00:00:00:00
	"$1" "$2" "$4"
}
goes_out() { # FAMILY PORT
	is "$(answer "$@")" "sent 1 refused 0 -"
	came stranger "answer$1-$2"
}
stays_in() { # FAMILY PORT
	is "$(answer "$@")" "sent 0 refused 1 EPERM"
	nowhere "answer$1-$2"
}

stays_refused() { # FAMILY PORT
	[[ $(answer "$@") == "sent 0 refused 1 E"* ]]
	nowhere "answer$1-$2"
}

@test "loopback: who pretends to have been asked by another gets no way out to him" {
	sed -i '/^---/i ingress: [{from: [{cidr: 0.0.0.0/0}, {cidr: "::/0"}], ports: [9053/udp]}]' \
		"$NET_DIR/policies/web.yaml"
	bulkhead apply
	follow
	pretend stays_in 2000
	await eval '[ "$(grep -c "\"interface\":\"lo\"" "$NET_DIR/records")" -eq 5 ]'
	finish
	jq -es 'map(select(.interface == "lo")) | length == 5
		and all(.rule.kind == "default-deny"
			and (.reason | contains("which is none of its addresses")))' "$NET_DIR/records"
	# those whom the kernel refuses in another's name get no further either
	sed -i 's/^service: web/&\non-deny: reject/' "$NET_DIR/policies/web.yaml"
	bulkhead apply
	is "$(ask web stranger 9000/tcp)" "refused refused"
	pretend stays_refused 2050
	# asked in earnest it answers
	ns stranger "$rawsend_program" send eth0 freebind asked from="$(v4 stranger)" sport=3000 \
		to="$(v4 web)" dport=9053
	goes_out 4 3000
	# what only guardrails hold lets the same out where they deny nothing
	rm "$NET_DIR/policies/web.yaml"
	policy guardrails <<-Y
		guardrail: not-there
		select: {all: true}
		deny: [{to: [{cidr: $(v4 stranger)}, {cidr: '$(v6 stranger)'}]}]
	Y
	bulkhead apply
	pretend stays_in 2100
}
