#!/usr/bin/env bats
# Sockets of AF_XDP send behind every hook, and CAP_NET_RAW is enough for one. The daemon keeps them
# out: it is bound to every queue first.
# shellcheck disable=SC2030,SC2031,SC2154

load lib/net
load lib/daemon

xdpsend=${probe_program%/*}/xdpsend

# a may send nothing at all, and its processes may open raw sockets; u is a stranger that listens.
setup() {
	dir=$BATS_TEST_TMPDIR
	net_up a
	outsider u
	policy a <<<'{service: a, select: {labels: {app: a}}}'
	serve u 7001/udp
	raw_sockets
}
teardown() {
	daemon_gone
	net_down
}

# write_inventory with what a may do.
raw_sockets() {
	write_inventory
	jq '(.endpoints[] | select(.name == "a")).obstacle = "raw-sockets"' "$NET_DIR/inventory.json" \
		>"$dir/raw" && mv "$dir/raw" "$NET_DIR/inventory.json"
}

raw=(setpriv "--bounding-set=-all,+net_raw" --inh-caps=-all --)

mac_of() { ns "$1" cat "/sys/class/net/${2:-eth0}/address"; } # NAME [DEVICE]
xdp() { ns a "${raw[@]}" "$xdpsend" "$@"; }
send() { # [DEVICE [QUEUE]]: to u
	xdp send "${1:-eth0}" "${2:-0}" "$(mac_of u)" "$(v4 a)" "$(v4 u)" 7001
}
arrived() { [ "$(grep -cx "udp 7001 $(v4 a)" "$NET_DIR/u.log")" -eq "$1" ]; } # TIMES
refused_with() { # ERROR DEVICE QUEUE
	run send "$2" "$3"
	[ "$status $output" = "1 bind: $1" ] || fail "$2 queue $3: $status $output"
}
state_of_a() { ctl status --json | jq -r 'select(.endpoint == "shop/a") | "\(.state) \(.obstacle // "-") \(.why // "")"'; }
is_protected() { [ "$(state_of_a)" = "protected - " ]; }
is_weak() { [[ $(state_of_a) == "weak xdp-sockets "*"$1"* ]]; } # TEXT

attacker() { # DEVICE QUEUE: sets $attacker
	: >"$NET_DIR/a.log"
	start a "${raw[@]}" "$xdpsend" hold "$1" "$2"
	attacker=$started
	await grep -q bound "$NET_DIR/a.log"
}

@test "without the daemon a frame passes the tables, and status says weak" {
	bulkhead apply
	printf '%s 7001/udp\n' "$(v4 u)" | ns a "$probe_program" ask --timeout 300 | grep -qx timeout
	arrived 0
	[ "$(send)" = sent ]
	await arrived 1
	run bulkhead status --json
	[ "$status" -eq 1 ]
	jq -se 'any(.endpoint == "shop/a" and .state == "weak" and .obstacle == "xdp-sockets"
		and (.why | contains("run bulkheadd")))' <<<"$output"
}

@test "with the daemon nobody can bind to a queue, and status says protected" {
	daemon_up
	refused_with EBUSY eth0 0
	refused_with EINVAL eth0 1
	run ctl status
	[ "$status" -eq 0 ]
	is_protected
	arrived 0
}

@test "after kill -9 the queues are free and a is weak; a restart takes them again" {
	daemon_up
	daemon_kill
	[ "$(send)" = sent ]
	await arrived 1
	run bulkhead status
	[ "$status" -eq 1 ]
	[[ $output == *"weak "*"shop/a"*"AF_XDP"* ]]
	daemon_up
	refused_with EBUSY eth0 0
	is_protected
}

@test "every queue of a device that has several, and those that it gets later" {
	ns a ip link add wide numtxqueues 4 numrxqueues 4 type veth peer name other numtxqueues 4 numrxqueues 4
	ns a "$xdpsend" queues wide 2
	daemon_up
	for queue in 0 1; do refused_with EBUSY wide $queue; done
	for queue in 2 3; do refused_with EINVAL wide $queue; done
	ns a "$xdpsend" queues wide 4
	kill -HUP "$daemon"
	for queue in 2 3; do
		await eval "[ \"\$(send wide $queue 2>&1)\" = 'bind: EBUSY' ]"
	done
	for queue in 0 1; do refused_with EBUSY wide $queue; done
	refused_with EINVAL wide 4
	is_protected
}

@test "a device that comes later, whatever it is, up or not, is taken within a second" {
	local device
	daemon_up
	ns a ip link add link eth0 name eth9 type macvlan mode bridge
	ns a ip link add down0 type veth peer name down1
	ns a ip tuntap add dev tap0 mode tap
	ns a ip link add br1 type bridge
	for device in eth9 down0 down1 tap0 br1; do
		tries=0
		until [ "$(send $device 0 2>&1)" = 'bind: EBUSY' ]; do
			tries=$((tries + 1))
			[ $tries -lt 20 ] || fail "$device: $(send $device 0 2>&1)"
			read -r -t 0.05 <> <(:) || true
		done
	done
	is_protected
}

@test "a macvlan device that was moved in is held as any other" {
	ns u ip link add link eth0 name mv0 type macvlan mode bridge
	ns u ip link set mv0 netns "$NET-a"
	ns a ip link set mv0 up
	bulkhead apply
	outsider v 201 # with the device below it, u's, it does not speak
	serve v 7001/udp
	[ "$(xdp send mv0 0 "$(mac_of v)" "$(v4 a)" "$(v4 v)" 7001)" = sent ] # the control
	await grep -qx "udp 7001 $(v4 a)" "$NET_DIR/v.log"
	daemon_up
	refused_with EBUSY mv0 0
	refused_with EINVAL mv0 1
	is_protected
}

@test "a device that leaves the namespace and comes back, with the same index, is taken again" {
	local index
	daemon_up
	index=$(ns a cat /sys/class/net/eth0/ifindex)
	member_bare transit && raw_sockets
	ns a ip link set eth0 netns "$NET-transit"
	ns transit ip link set eth0 netns "$NET-a"
	[ "$(ns a cat /sys/class/net/eth0/ifindex)" = "$index" ]
	ns a ip link set eth0 up
	await eval "[ \"\$(xdp send eth0 0 02:00:00:00:00:09 10.0.0.1 10.0.0.2 9 2>&1)\" = 'bind: EBUSY' ]"
	is_protected
}

@test "an attacker that was first: weak, and it is said on which device; when it lets go all is held" {
	attacker eth0 0
	daemon_up
	is_weak "bulkheadd could not keep them out: a socket of AF_XDP that is not ours is open on eth0"
	run ctl status
	[ "$status" -eq 1 ]
	stop "$attacker"
	kill -HUP "$daemon" # a look
	await is_protected
	refused_with EBUSY eth0 0
}

@test "strict starts where the daemon can close it, and not where an attacker was first" {
	echo 'strict: true' >>"$NET_DIR/bulkhead.yaml"
	attacker eth0 0
	daemon_start
	daemon_ends
	[ "$status" -eq 1 ]
	in_log "shop/a: weak: it may open sockets of AF_XDP"
	in_log "is open on eth0"
	[ -z "$(ns a nft list tables)" ]
	stop "$attacker"
	await comes_up # the kernel lets go of the queue some time after the process
	is_protected
}
comes_up() {
	daemon_start
	await eval "daemon_ready || ! kill -0 $daemon"
	daemon_ready || { daemon_ends && false; }
}

@test "loopback is left to all: what is sent there comes back in, and is not passed on" {
	daemon_up
	ns a sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lo.rp_filter=0
	[ "$(xdp send lo 0 00:00:00:00:00:00 192.0.2.1 "$(v4 u)" 7001)" = sent ]
	await eval 'ns a nft list counter inet bulkhead forwarded | grep -q "packets 1 "'
	[ ! -s "$NET_DIR/u.log" ]
	is_protected
}

@test "what a itself sends and receives goes on as ever" {
	local with without
	policy a <<<"{service: a, select: {labels: {app: a}}, egress: [{to: [{cidr: $(v4 u)}, {cidr: '$(v6 u)'}], ports: [7001/tcp, 7001/udp]}]}"
	serve u 7001/tcp
	bulkhead apply
	without=$(throughput)
	daemon_up
	[ "$(ask a u 7001/tcp) $(ask a u 7001/udp)" = "open open open open" ]
	with=$(throughput)
	echo "# packets in a second: $without without, $with with the daemon" >&3
	[ $((with * 2)) -gt "$without" ]
}
throughput() { # datagrams that u got within a second
	local board=$dir/board-$RANDOM before
	start a "${probe_program%/*}/flood" run "$board" --to "$(v4 u)" 7001
	await test -s "$board"
	before=$(ns u cat /sys/class/net/eth0/statistics/rx_packets)
	read -r -t 1 <> <(:) || true
	echo $(($(ns u cat /sys/class/net/eth0/statistics/rx_packets) - before))
	stop "$started" >&2
}
