# shellcheck shell=bash disable=SC2034,SC2154
# The first packet of a flow, allowed and denied, as the table grows.

packet_sizes=(10 1000 10000)

# Sender number $1 behind a veth of its own; the sink has no such addresses and drops what comes.
packets_wire() {
	local from=$prefix-00$1 to=$prefix-01$1 netns
	for netns in "$from" "$to"; do
		ip netns add "$netns"
		ip netns exec "$netns" sysctl -qw net.ipv4.ip_forward=0
		ip -n "$netns" link set lo up
	done
	ip -n "$from" link add eth0 type veth peer name eth0 netns "$to"
	ip -n "$to" link set eth0 address 02:00:00:00:00:02 up
	ip -n "$from" link set eth0 address 02:00:00:00:00:01 up
	ip -n "$from" address add 10.79.0.1/24 dev eth0
	ip -n "$from" neighbour add 10.79.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
	ip -n "$from" route add 10.80.0.0/12 via 10.79.0.2
}

# The site of part 2, with the namespace of sender $1 in it.
packets_load() {
	flows_site "packets-$1" "$2" 9000 udp
	sed -i "s|$prefix-000|$prefix-00$1|" "$tmp/packets-$1/inventory.json"
	flows_apply "packets-$1" >"$tmp/said" || die "apply: $(cat "$tmp/said")"
}

# flood SENDER FILE pass|deny ADDRESSES PORT PORTS PACKETS; adds the figure to $tmp/FILE
packets_flood() {
	"${fifo[@]}" nsenter --net="/run/netns/$prefix-00$1" "$build/tests/bench/flood" "$3" 10.79.0.1 \
		10.80.0.2 "${@:4}" >>"$tmp/$2" || die "flood: $2"
}

packets_forget_denied() {
	nsenter --net="/run/netns/$prefix-00$1" nft flush set inet bulkhead denied4
}

# --- where what is allowed is logged -----------------------------------------------------------

packets_reader=
packets_log_allowed() { # true|false
	sed -i "/^log:/d; \$ a log: {allowed: $1}" "$tmp/packets-3/policies/one.yaml"
	flows_apply packets-3 >"$tmp/said" || die "apply: $(cat "$tmp/said")"
}

packets_begin_logged() {
	packets_wire 3
	packets_load 3 10
	packets_log_allowed true
	"$bulkhead" denied --follow --json --verdict allow --policies "$tmp/packets-3/policies" \
		--inventory "$tmp/packets-3/inventory.json" >"$tmp/read" 2>"$tmp/read.err" &
	packets_reader=$!
	started+=("$packets_reader")
	denied_await grep -q following "$tmp/read.err"
}

packets_end_logged() {
	kill -INT "$packets_reader"
	wait "$packets_reader" || die "denied: $(cat "$tmp/read.err")"
	packets_reader=
	grep -q '"verdict":"allow"' "$tmp/read" || die "nothing was recorded of what was allowed"
}

# Switched on anew, so that the limit is whole: all 750 are logged. Of the 20,000, most are not.
packets_logged_round() {
	packets_log_allowed false
	packets_flood 3 "allowed, not logged-10" pass 10 9000 1 20000
	packets_log_allowed true
	packets_flood 3 "allowed and logged-10" pass 10 9000 1 750
	packets_flood 3 "allowed beyond the limit-10" pass 10 9000 1 20000
}

packets_report_logged() {
	local kind plain
	plain=$(median "allowed, not logged-10" 1)
	for kind in "allowed and logged" "allowed beyond the limit"; do
		emit "first packet $kind, 10 flows" "$(median "$kind-10" 1)" "$plain" ns '' "$1"
	done
}

# Denied again: the flow has an element already, and no record is made of it.
packets_round() {
	local i n
	packets_logged_round
	for i in "${!packet_sizes[@]}"; do
		n=${packet_sizes[i]}
		packets_flood "$i" "allowed-$n" pass "$n" 9000 1 20000
		packets_forget_denied "$i"
		packets_flood "$i" "denied-$n" deny 10 10000 3000 3000
		packets_flood "$i" "denied again-$n" deny 10 10000 1 20000
	done
}

bench_packets() {
	local run rounds=$((runs * 3)) i
	say "packets: the first of a flow at ${packet_sizes[*]} flows"
	for i in "${!packet_sizes[@]}"; do
		packets_wire "$i"
		packets_load "$i" "${packet_sizes[i]}"
	done
	packets_begin_logged
	packets_round
	rm -f "$tmp"/allowed* "$tmp"/denied-* "$tmp"/"denied again"-*
	for ((run = 0; run < rounds; run++)); do
		packets_round
	done
	packets_end_logged
	remove_namespaces
	packets_report $rounds
	packets_report_logged $rounds
}

packets_report() {
	local kind n least most cost
	for kind in allowed denied "denied again"; do
		least='' most=''
		for n in "${packet_sizes[@]}"; do
			cost=$(median "$kind-$n" 1)
			emit "first packet $kind, $n flows" "$cost" '' ns '' "$1"
			least=$(printf '%s\n' "${least:-$cost}" "$cost" | sort -n | head -n 1)
			most=$(printf '%s\n' "${most:-$cost}" "$cost" | sort -n | tail -n 1)
		done
		emit "first packet $kind, dearest to cheapest" "$most" "$least" ns 1.20 "$1"
	done
}
