#!/usr/bin/env bats
# What attackers may try, and what comes of it: the lines of docs/threat-model.md that no other file
# shows. Where Bulkhead does not help, the test shows that, too: it goes red when that changes.
# shellcheck disable=SC2154,SC2016 # probe_program is of net.bash; await evaluates what it is given

load lib/net

forge=$BATS_TEST_DIRNAME/lib/forge.py

setup() {
	net_up a b
	outsider stray
	policy shop <<-Y
		service: a
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [7001/tcp, 7001/udp, 21/tcp]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress:
		  - from: [{service: a}, {cidr: $(v4 stray)}, {cidr: "$(v6 stray)"}]
		    ports: [7001/tcp, 7001/udp, 21/tcp]
	Y
	serve b 7001/udp
}
teardown() { net_down; }

# As a container without capabilities: root, but nothing that root may.
bare() { ns "$1" setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "${@:2}"; }

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }
mac() { ns "$1" cat /sys/class/net/eth0/address; }
call() { bare a "$forge" call "$@"; }                        # WHAT KEY=VALUE...
frame() { ns stray "$forge" frame eth0 "$(mac "$1")" "${@:2}"; } # TO SHAPE KEY=VALUE...
raw() { ns a "$forge" raw "$@"; }                            # SHAPE KEY=VALUE...
hear() { # NAME TEXT: in $NET_DIR/NAME.log
	rm -f "$NET_DIR/$1.hears"
	start "$1" "$forge" hear eth0 "$2" "$NET_DIR/$1.hears"
	await test -e "$NET_DIR/$1.hears"
}
heard() { grep -c "^heard $2$" "$NET_DIR/$1.log" 2>/dev/null || true; } # NAME TEXT
comes() { await eval "[ \$(heard $1 $2) -gt 0 ]"; }
arrived() { grep -c "^$2 $3 " "$NET_DIR/$1.log" 2>/dev/null || true; } # NAME PROTO PORT
denied() { # NAME COUNTER
	ns "$1" nft -j list counter inet bulkhead "$2" | jq '.nftables[] | .counter // empty | .packets'
}

# Every IP packet that leaves NAME and is not for b's 7001, but for what IPv6 needs on its link.
watch_wire() { # NAME
	number_of "$1"
	ns switch nft -f - <<-N
		table netdev wire {
			chain from {
				type filter hook ingress device port$number priority 0
				ip daddr $(v4 b) th dport 7001 ip saddr $(v4 "$1") accept
				ip6 daddr $(v6 b) th dport 7001 ip6 saddr $(v6 "$1") accept
				icmpv6 type { 133, 135, 136, 143 } accept
				ether type { ip, ip6 } counter comment "escaped"
			}
		}
	N
}
escaped() { ns switch nft list chain netdev wire from | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }

# What was sent before is through when this is answered.
fence() { is "$(ask a b 7001/udp)" "open open"; }

# --- without capabilities ------------------------------------------------------------------------

@test "no capability: the tables are neither read nor changed, no raw socket, no mark, no device" {
	bulkhead apply
	before=$(ns a nft -s list ruleset)
	for attempt in 'nft list ruleset' 'nft flush ruleset' 'nft delete table inet bulkhead' \
		'nft delete table netdev bulkhead' 'nft insert rule inet bulkhead output accept' \
		'nft add table inet own' 'conntrack -F' 'ip link add x0 type dummy' \
		'ip link set eth0 down' 'ip addr add 10.77.0.9/24 dev eth0' \
		'ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:01 dev eth0' 'ip route add 192.0.2.0/24 dev eth0'; do
		run bare a sh -c "$attempt"
		[ "$status" -ne 0 ] || fail "this was possible: $attempt"
		[[ $output == *"not permitted"* || $output == *CAP_NET_ADMIN* ]] || fail "$attempt: $output"
	done
	for what in raw packet xdp mark transparent; do
		is "$what $(call $what to="$(v4 b)")" "$what EPERM"
	done
	is "$(ns a nft -s list ruleset)" "$before"
	bulkhead status | grep -Eq '^protected +shop/a'
}

@test "a user namespace of its own: root there, the table outside out of reach" {
	bulkhead apply
	before=$(ns a nft -s list ruleset)
	nobody() {
		ns a setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all \
			--no-new-privs unshare --user --map-root-user "$@"
	}
	run nobody --net sh -c 'exec 2>/dev/null
		nft add table inet own && echo "root in here"
		ip -o link | grep -q eth0 && echo "has the device"
		nft list tables | grep -q bulkhead && echo "sees the table"
		nsenter --net=/proc/$0/ns/net nft flush ruleset && echo "came back as root"
		ip link add v0 type veth peer name v1 netns $0 && echo "a device outside"
		exit 0' "$BASHPID"
	is "$output" "root in here"
	# in the network that it came from it is root over nothing
	run nobody nft flush ruleset
	[[ $output == *"not permitted"* ]]
	run nobody ip link add x0 type dummy
	[[ $output == *"not permitted"* ]]
	is "$(ns a nft -s list ruleset)" "$before"
}

@test "no capability: whatever a socket can be told, nothing denied leaves" {
	serve stray 9000/udp 9000/tcp 7001/udp 7001/tcp
	serve b 9000/udp
	bulkhead apply
	watch_wire a
	for v in v4 v6; do
		to=$($v stray)
		call udp to="$to"
		call udp to="$to" sport=7001       # from a port that is allowed
		call udp to="$to" dport=7001       # to one, elsewhere
		call udp to="$($v b)" sport=7001
		call tcp to="$to" sport=7001
		call tcp to="$to" dport=7001
		call device to="$to"               # past the routes
		call ttl to="$to"                  # a TTL of 1: an answer by ICMP would tell
		call udp to="$to" dport=0
		call udp to="$($v b)" dport=0
		call udplite to="$($v b)" dport=7001
		call sctp to="$($v b)"
		call route to="$($v b)" via="$to" dport=7001 # by way of a denied one
	done
	call udp to=10.77.0.255 dport=7001
	call udp to=255.255.255.255 dport=7001
	call udp to=224.0.0.251 dport=5353
	call udp to=ff02::fb%eth0 dport=5353
	fence
	is "$(escaped)" 0
	[ ! -s "$NET_DIR/stray.log" ]
	is "$(arrived b udp 9000)" 0
	[ "$(denied a denied.egress)" -ge 20 ]
	# the attempts are real ones
	bulkhead apply --clean
	call udp to="$(v4 stray)" sport=7001
	call device to="$(v6 stray)"
	await eval '[ "$(arrived stray udp 9000)" = 2 ]'
	[ "$(escaped)" -gt 0 ]
}

@test "IPV6_FREEBIND: no capability is needed, and no frame leaves with a source of others" {
	bulkhead apply
	hear b freely
	call freebind from="$(v6 stray)" to="$(v6 b)" dport=7001 text=freely
	is "$(call freebind from=10.77.0.200 to="$(v4 b)" dport=7001 text=freely)" ENETUNREACH
	fence
	is "$(heard b freely)" 0
	bulkhead apply --clean
	is "$(call freebind from="$(v6 stray)" to="$(v6 b)" dport=7001 text=freely)" ok
	comes b freely
}

@test "a source route through a peer: a managed peer routes nothing on" {
	ns b sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.accept_source_route=1 \
		net.ipv4.conf.eth0.accept_source_route=1 net.ipv4.conf.all.rp_filter=0 \
		net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.seg6_enabled=1 net.ipv6.conf.eth0.seg6_enabled=1
	ns stray sysctl -qw net.ipv4.conf.all.accept_source_route=1 net.ipv4.conf.eth0.accept_source_route=1
	hear stray by-b
	route() { # by way of b, whose 7001 is allowed. For IPv4 that takes CAP_NET_RAW
		is "$(call route to="$(v4 stray)" via="$(v4 b)")" EPERM
		ns a "$forge" call route to="$(v4 stray)" via="$(v4 b)" dport=7001 text=by-b
		call route to="$(v6 stray)" via="$(v6 b)" dport=7001 text=by-b
	}
	route
	await eval '[ $(heard stray by-b) = 2 ]'
	truncate -s 0 "$NET_DIR/stray.log"
	bulkhead apply
	route
	await eval '[ "$(denied b forwarded)" = 1 ]'
	# the checksum of such a datagram is that of its last hop: conntrack does not know it
	await eval '[ "$(denied b denied.ingress)" -gt 0 ]'
	is "$(heard stray by-b)" 0
}

# --- conntrack -------------------------------------------------------------------------------------

@test "simultaneous open: two who both call are strangers all the same" {
	# a reset would end the one that calls first
	ns switch nft -f - <<-'N'
		table bridge wire {
			chain forward { type filter hook forward priority 0; tcp flags & rst == rst drop; }
		}
	N
	both_call() { # what a's connect() gives
		ns stray "$forge" call tcp from="$(v4 stray)" sport=7001 to="$(v4 a)" dport=7001 wait=3 &
		await eval 'ns stray ss -Htn state syn-sent | grep -q :7001' >&2
		call tcp from="$(v4 a)" sport=7001 to="$(v4 stray)" dport=7001 wait=3
		wait
	}
	is "$(both_call | sort | xargs)" "ok ok"
	bulkhead apply
	is "$(both_call | sort | xargs)" "timeout timeout"
}

@test "no helpers: what FTP announces on an allowed connection opens nothing" {
	bulkhead apply
	serve b 21/tcp
	serve a 9000/tcp
	start a bash -c 'exec 3<>"/dev/tcp/$0/21"; printf "PORT 10,77,0,1,35,40\r\n" >&3; exec sleep 20' "$(v4 b)"
	await eval '[ "$(arrived b tcp 21)" = 1 ]'
	is "$(ns a conntrack -L expect 2>/dev/null)" ""
	[ "$(ns b "$forge" call tcp from="$(v4 b)" sport=20 to="$(v4 a)" dport=9000)" = timeout ]
	is "$(arrived a tcp 9000)" 0
}

@test "scans with odd flags: no answer, neither open nor closed" {
	serve a 9000/tcp
	bulkhead apply
	watch_wire a
	for v in v4 v6; do
		for flags in syn ack synack fin null xmas rst; do
			for port in 9000 9001; do
				frame a plain from="$($v stray)" to="$($v a)" proto=tcp flags=$flags dport=$port sport=7001
			done
		done
	done
	await eval '[ "$(denied a denied.ingress)" -ge 28 ]'
	fence
	is "$(escaped)" 0
}

@test "a segment outside the window, forged by a neighbour: denied, the connection goes on" {
	serve b 7001/tcp
	bulkhead apply
	start a bash -c 'exec 3<>"/dev/tcp/$0/7001"; while read -r line <&3; do echo "$line"; done' "$(v4 b)"
	caller=$started
	await eval 'ns a ss -Htn state established | grep -q :7001'
	port=$(ns a ss -Htn state established dport = 7001 | awk '{ sub(".*:", "", $3); print $3 }')
	for flags in rst ack synack fin; do
		# Half of all numbers count as old ones: from each quarter one.
		for seq in 1000 1073742824 2147484648 3221226472; do
			frame a plain from="$(v4 b)" to="$(v4 a)" proto=tcp sport=7001 dport="$port" \
				flags=$flags seq=$seq
		done
	done
	await eval '[ "$(denied a denied.ingress)" -ge 3 ]'
	fence
	kill -0 "$caller"
	ns a ss -Htn state established | grep -q ":7001"
}

@test "an ICMP error about what was denied, or about nothing, is not related" {
	bulkhead apply
	call udp to="$(v4 stray)" sport=5000 # denied: conntrack forgets it
	for v in v4 v6; do
		frame a error from="$($v stray)" to="$($v a)" about="$($v stray)" sport=5000 dport=9000
		frame a error from="$($v stray)" to="$($v a)" about="$($v b)" sport=5001 dport=7001
	done
	await eval '[ "$(denied a denied.ingress)" -ge 4 ]'
	is "$(denied a denied.ingress)" 4
}

@test "an ICMP error goes on after its connection was revoked: not held" {
	bulkhead apply
	hear b covert
	hear a covert
	call udp to="$(v4 b)" sport=6000 dport=7001
	call udp to="$(v6 b)" sport=6000 dport=7001
	policy shop <<-'Y'
		service: a
		select: {labels: {app: a}}
		---
		service: b
		select: {labels: {app: b}}
	Y
	bulkhead apply
	is "$(call udp to="$(v4 b)" sport=6000 dport=7001)" EPERM
	is "$(denied b denied.ingress)" 0
	for v in v4 v6; do
		raw error from="$($v a)" to="$($v b)" about="$($v a)" sport=7001 dport=6000 text=covert
		# to nobody but whom the connection was with
		run raw error from="$($v a)" to="$($v stray)" about="$($v a)" sport=7001 dport=6000 text=covert
		[[ $output == *"not permitted"* ]] || fail "$output"
	done
	await eval '[ $(heard b covert) = 2 ]'
	is "$(denied b denied.ingress)" 0
}

@test "however a datagram is cut or wrapped: its own port counts" {
	serve b 9000/udp
	hear b the-last
	each() { # DPORT SHAPE...: sets $came, how many of them b's server got
		local v shape
		truncate -s 0 "$NET_DIR/b.log"
		for v in v4 v6; do
			for shape in "${@:2}"; do
				[ "$shape.$v" != atomic.v4 ] || continue
				frame b "$shape" from="$($v stray)" to="$($v b)" dport="$1" text="forged-$shape"
			done
		done
		frame b plain from="$(v4 stray)" to="$(v4 b)" dport=9002 text=the-last
		comes b the-last
		fence # what came before is served before
		came=$(awk -v port="$1" -v from4="$(v4 stray)" -v from6="$(v6 stray)" \
			'$2 == port && ($3 == from4 || $3 == from6)' "$NET_DIR/b.log" | wc -l)
	}
	good="plain pieces backwards options atomic"
	# shellcheck disable=SC2086
	each 9000 $good
	is "$came" 9
	bulkhead apply
	# shellcheck disable=SC2086
	each 9000 $good hidden overlap overlap_late
	is "$came" 0
	# shellcheck disable=SC2086
	each 7001 $good
	is "$came" 9
}

@test "other protocols, with an allowed port where UDP has its own: denied and counted" {
	bulkhead apply
	for v in v4 v6; do
		for proto in 4 41 47 50 132 136 255; do # IPIP, IPv6, GRE, ESP, SCTP INIT, UDP-Lite, none
			frame b plain from="$($v stray)" to="$($v b)" proto=$proto sport=4000 dport=7001
		done
	done
	await eval '[ "$(denied b denied.ingress)" -ge 14 ]'
	# the same out, by raw sockets
	before=$(denied a denied.egress)
	for proto in 4 41 47 50 132 136; do
		run raw plain from="$(v4 a)" to="$(v4 b)" proto=$proto dport=7001
		run raw plain from="$(v6 a)" to="$(v6 b)" proto=$proto dport=7001
	done
	is $(($(denied a denied.egress) - before)) 12
}

# --- CAP_NET_RAW -----------------------------------------------------------------------------------

@test "CAP_NET_RAW: frames of packet sockets and invented sources stay in" {
	bulkhead apply
	watch_wire a
	for v in v4 v6; do
		for to in b stray; do
			run ns a "$forge" frame eth0 "$(mac $to)" plain from="$($v a)" to="$($v $to)" dport=9000
			[[ $output == *ENOBUFS* || $output == *"No buffer space"* ]] || fail "$output"
			run ns a "$forge" frame eth0 "$(mac $to)" neighbour from="$($v b)" to="$($v $to)" smac="$(mac a)"
			[[ $output == *"No buffer space"* ]] || fail "$output"
		done
		run raw plain from="$($v stray)" to="$($v b)" dport=7001
	done
	fence
	is "$(escaped)" 0
}

@test "CAP_NET_RAW: bytes of its own in what the link needs, to hosts of the link: not held" {
	bulkhead apply
	hear stray bytes
	raw plain from="$(v4 a)" to="$(v4 stray)" proto=2 ttl=1 text=bytes # IGMP
	run raw plain from="$(v4 a)" to="$(v4 stray)" proto=2 ttl=2 text=bytes
	[[ $output == *"not permitted"* ]]
	raw neighbour from="$(v6 a)" to="$(v6 stray)" smac="$(mac a)" text=bytes
	await eval '[ "$(heard stray bytes)" = 2 ]'
}

@test "CAP_NET_RAW: it sees what comes to its own device, denied or not" {
	bulkhead apply
	hear a overheard
	frame a plain from="$(v4 stray)" to="$(v4 a)" dport=9000 text=overheard
	comes a overheard
	is "$(denied a denied.ingress)" 1
}

# --- CAP_NET_ADMIN ---------------------------------------------------------------------------------

@test "CAP_NET_ADMIN: an earlier table cannot make a denied packet pass" {
	serve stray 9000/udp 9000/tcp
	bulkhead apply
	watch_wire a
	ns a nft -f - <<-'N'
		table inet own {
			chain early { type filter hook output priority -500; policy accept; accept; }
			chain same { type filter hook output priority filter; policy accept; accept; }
			chain late { type filter hook output priority 500; policy accept; accept; }
			chain in_early { type filter hook input priority -500; policy accept; accept; }
			chain untracked { type filter hook output priority raw; notrack; }
		}
	N
	is "$(ask a stray 9000/udp)" "timeout timeout"
	is "$(ask a stray 9000/tcp)" "timeout timeout"
	is "$(escaped)" 0
}

@test "CAP_NET_ADMIN: NAT of its own, whatever its priority: judged by where it really goes" {
	serve stray 9000/udp
	bulkhead apply
	watch_wire a
	for priority in -150 -100 0 100 1000; do
		ns a nft -f - <<-N
			table ip own
			delete table ip own
			table ip own {
				chain out {
					type nat hook output priority $priority
					ip daddr $(v4 b) meta l4proto udp dnat to $(v4 stray):9000
				}
			}
		N
		is "$(ask a b 7001/udp)" "timeout open"
	done
	is "$(escaped)" 0
	is "$(arrived stray udp 9000)" 0
}

@test "CAP_NET_ADMIN: a chain behind ours rewrites what is allowed: not held, and never called protected" {
	serve stray 9000/udp
	bulkhead apply
	ns a nft -f - <<-N
		table ip own {
			chain late {
				type route hook output priority 100
				ip daddr $(v4 b) udp dport 7001 ip daddr set $(v4 stray) udp dport set 9000
			}
		}
	N
	is "$(ask a b 7001/udp)" "timeout open" # the answers come from whom nothing is allowed
	[ "$(arrived stray udp 9000)" -gt 0 ]
	jq '(.endpoints[] | select(.name == "a")).obstacle = "net-admin"' "$NET_DIR/inventory.json" \
		>"$NET_DIR/with" && mv "$NET_DIR/with" "$NET_DIR/inventory.json"
	bulkhead status | grep -Eq '^weak +shop/a'
}

# --- neighbours ------------------------------------------------------------------------------------

@test "an unmanaged neighbour with CAP_NET_RAW can pretend to be an allowed source: not held" {
	bulkhead apply
	frame b plain from="$(v4 a)" to="$(v4 b)" dport=7001
	frame b plain from="$(v6 a)" to="$(v6 b)" dport=7001
	await eval '[ "$(arrived b udp 7001)" = 2 ]'
	grep -q "^udp 7001 $(v4 a)" "$NET_DIR/b.log"
}

@test "against it: every container on the bridge managed, or its ports isolated" {
	hear b pretended
	member tool
	echo 'unmanaged: quarantine' >"$NET_DIR/bulkhead.yaml"
	bulkhead apply
	pretend() { # NAME
		run ns "$1" "$forge" frame eth0 "$(mac b)" plain from="$(v4 a)" to="$(v4 b)" dport=7001 text=pretended
	}
	pretend tool
	[[ $output == *"No buffer space"* ]]
	for port in port2 port200; do
		ns switch ip link set "$port" type bridge_slave isolated on
	done
	pretend stray
	is "$output" ""
	fence # a's port is not isolated
	is "$(heard b pretended)" 0
	ns switch ip link set port200 type bridge_slave isolated off
	pretend stray
	comes b pretended
}

@test "an unmanaged neighbour can move an allowed peer's address to itself (ARP, NDP): not held" {
	bulkhead apply
	fence
	hear stray probe
	for v in v4 v6; do
		await eval "frame a neighbour from=$($v b) to=$($v a) smac=$(mac stray) &&
			ns a ip neigh show $($v b) | grep -q $(mac stray)"
	done
	ask a b 7001/udp
	comes stray probe
	# what it gets is what was to go to b; nothing else is opened
	serve stray 9000/udp
	is "$(ask a stray 9000/udp)" "timeout timeout"
}

# --- ourselves ---------------------------------------------------------------------------------------

@test "the logger and the controller run with all that root may" {
	bulkhead apply
	all=$(sed -n 's/^CapEff:\s*//p' /proc/self/status)
	rights() { sed -n 's/^CapEff:\s*//p; s/^Seccomp:\s*/seccomp /p' "/proc/$1/status" | xargs; }
	follow
	is "$(rights "$follower")" "$all seccomp 0"
	finish
	start switch "${bulkhead_program}d" --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/ctl" --store "$NET_DIR/store"
	await grep -q ready "$NET_DIR/switch.log"
	is "$(rights "$started")" "$all seccomp 0"
}

@test "while bulkheadd runs: root in the namespace cannot change the tables" {
	start switch "${bulkhead_program}d" --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/ctl" --store "$NET_DIR/store"
	await grep -q ready "$NET_DIR/switch.log"
	for attempt in 'delete table inet bulkhead' 'delete table netdev bulkhead' \
		'insert rule inet bulkhead output accept' 'flush chain inet bulkhead output' \
		'flush map inet bulkhead egress4'; do
		run ns a nft "$attempt"
		[ "$status" -ne 0 ] || fail "this was possible: $attempt"
	done
	ns a nft flush ruleset # takes all but ours
	ns a nft list table inet bulkhead | grep -q 'hook output'
	fence
}
