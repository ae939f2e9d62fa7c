# shellcheck shell=bash disable=SC2034,SC2154
# Allowed packets through our tables against the least that holds: both with 1,000 exact flows.

reference_half=500 # flows in, and as many out; over IPv6 as many again
reference_rounds=15
reference_packets=20000
reference_sides=(ours reference none)
reference_name=

# reference_addresses COUNT 80|88: addresses of both families, none beside another
reference_addresses() {
	awk -v n="$1" -v net="$2" 'BEGIN {
		for (i = 1; i <= n; i++)
			printf "10.%d.%d.%d\n", net, int(i / 128), i * 2 % 256
		for (i = 1; i <= n; i++)
			printf "fd%d::%x\n", net, i * 2
	}'
}

reference_group() {
	printf 'group: %s\ncidrs:\n' "$1"
	reference_addresses "$reference_half" "$2" | sed 's/^/  - /'
	echo ---
}

# reference_site NAME PROTOCOL NAMESPACE: may call the servers' port 9000, may be called at its own 9100
reference_site() {
	mkdir -p "$tmp/$1/policies"
	{
		reference_group servers 80
		reference_group clients 88
		cat <<-END
			service: one
			select:
			  labels: {app: one}
			ingress:
			  - name: clients
			    from: [{group: clients}]
			    ports: [9100/$2]
			egress:
			  - name: servers
			    to: [{group: servers}]
			    ports: [9000/$2]
		END
	} >"$tmp/$1/policies/one.yaml"
	cat >"$tmp/$1/inventory.json" <<-END
		{"endpoints": [{"id": "one", "name": "one", "labels": {"app": "one"},
		  "addresses": ["10.79.0.1", "fd79::1"], "netns": "/run/netns/$3"}]}
	END
}

# Pair number $1: the sender of the packets part, with IPv6; its peer has all addresses of the servers.
reference_wire() {
	local from=$prefix-00$1 to=$prefix-01$1
	packets_wire "$1"
	ip -n "$from" address add fd79::1/64 dev eth0 nodad
	ip -n "$from" neighbour add fd79::2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
	ip -n "$from" route add fd80::/12 via fd79::2
	ip -n "$to" address add 10.79.0.2/24 dev eth0
	ip -n "$to" address add fd79::2/64 dev eth0 nodad
	ip -n "$to" neighbour add 10.79.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
	ip -n "$to" neighbour add fd79::1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
	ip -n "$to" route add local 10.80.0.0/16 dev lo
	ip -n "$to" route add local fd80::/16 dev lo
}

# reference_set NAME 4|6 80|88 PROTOCOL PORT
reference_set() {
	local pick='!/:/'
	[ "$2" = 4 ] || pick=/:/
	printf 'set %s {\n type ipv%s_addr . inet_proto . inet_service\n elements = { ' "$1" "$2"
	reference_addresses "$reference_half" "$3" | awk "$pick"' { print $1 " . '"$4 . $5"'" }' |
		paste -sd,
	printf ' }\n}\n'
}

# A table that is known to hold: what is allowed, packet by packet and direction by direction. No
# counts but of what is dropped, no records, no errors of connections.
reference_inet() {
	local known='nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report'
	echo 'table inet reference {'
	reference_set eg 4 80 "$1" 9000
	reference_set eg6 6 80 "$1" 9000
	reference_set ig 4 88 "$1" 9100
	reference_set ig6 6 88 "$1" 9100
	cat <<-END
		chain o {
			type filter hook output priority 0; policy drop;
			oif lo accept
			icmpv6 type { $known } accept
			ct direction original ip daddr . meta l4proto . th dport @eg accept
			ct direction reply ip daddr . meta l4proto . th sport @ig accept
			ct direction original ip6 daddr . meta l4proto . th dport @eg6 accept
			ct direction reply ip6 daddr . meta l4proto . th sport @ig6 accept
			counter drop
		}
		chain i {
			type filter hook input priority 0; policy drop;
			iif lo accept
			icmpv6 type { $known } accept
			ct direction original ip saddr . meta l4proto . th dport @ig accept
			ct direction reply ip saddr . meta l4proto . th sport @eg accept
			ct direction original ip6 saddr . meta l4proto . th dport @ig6 accept
			ct direction reply ip6 saddr . meta l4proto . th sport @eg6 accept
			counter drop
		}
		}
	END
}

# And one that lets nothing past the IP stack: only what came through it has a route.
reference_netdev() {
	cat <<-END
		table netdev reference {
		set own6 {
			type ipv6_addr
			elements = { fd79::1, fe80::ff:fe00:1 }
		}
		chain e {
			type filter hook egress device eth0 priority 2147483647; policy drop;
			meta protocol ip ip saddr 10.79.0.1 meta rtclassid >= 0 accept
			meta protocol ip6 ip6 saddr @own6 meta rtclassid >= 0 accept
			meta protocol arp arp operation { request, reply } arp saddr ip 10.79.0.1 @nh,64,48 0x020000000001 accept
			counter drop
		}
		}
	END
}

# Like is compared with like: the reference has its second table when ours has one.
reference_write() {
	reference_inet "$1"
	if nsenter --net="/run/netns/$prefix-000" nft list tables | grep -qx 'table netdev bulkhead'; then
		reference_netdev
		reference_name='the reference'
	else
		reference_name="the reference's inet table"
	fi
}

# reference_load SIDE PROTOCOL: the rules of pair number SIDE; ours come first
reference_load() {
	local netns=$prefix-00$1
	case ${reference_sides[$1]} in
	ours)
		reference_site "$2" "$2" "$netns"
		flows_apply "$2" >"$tmp/said" || die "apply: $(cat "$tmp/said")"
		;;
	reference)
		reference_write "$2" >"$tmp/reference.nft"
		nsenter --net="/run/netns/$netns" nft -f "$tmp/reference.nft" ||
			die "the reference does not load"
		;;
	esac
	[ "${reference_sides[$1]}" = none ] || reference_check "$netns" "$2"
}

# Do both hold the same flows?
reference_check() {
	local n
	n=$(nsenter --net="/run/netns/$1" nft list ruleset |
		grep -oE "(10\.8[08]\.[0-9.]+|fd8[08]::[0-9a-f]+) \. $2 \. 9[01]00" | wc -l)
	[ "$n" -eq $((4 * reference_half)) ] || die "$n flows in $1"
}

reference_up() {
	local i
	for i in "${!reference_sides[@]}"; do
		reference_wire "$i"
		reference_load "$i" "$1"
	done
}

# reference_exchange KIND: figures to $tmp/KIND, a column a side
reference_exchange() {
	local i pairs=()
	for i in "${!reference_sides[@]}"; do
		pairs+=("/run/netns/$prefix-00$i" "/run/netns/$prefix-01$i")
	done
	"${fifo[@]}" "$build/tests/bench/exchange" "$1" $reference_rounds $reference_packets \
		$reference_half "${pairs[@]}" >"$tmp/$1" || die "exchange $1"
}

# reference_report KIND NAME
reference_report() {
	local ours
	ours=$(median "$1" 1)
	emit "$2, against $reference_name" "$ours" "$(median "$1" 2)" ns 1.15 $reference_rounds
	emit "$2, against no firewall" "$ours" "$(median "$1" 3)" ns '' $reference_rounds
}

bench_reference() {
	local kind
	say "reference: a packet through $((2 * reference_half)) flows, and as many over IPv6"
	reference_up udp
	for kind in sent asked answered first-sent first-answered sent6 asked6; do
		reference_exchange $kind
	done
	remove_namespaces
	reference_report sent "packet sent"
	reference_report asked "packet sent and its answer"
	reference_report answered "packet received and its answer"
	reference_report first-sent "first packet sent"
	reference_report first-answered "first packet received and its answer"
	reference_report sent6 "packet sent, IPv6"
	reference_report asked6 "packet sent and its answer, IPv6"
}
