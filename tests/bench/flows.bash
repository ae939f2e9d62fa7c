# shellcheck shell=bash disable=SC2034,SC2154
# Many exact flows in one namespace: apply against nft -f with the same elements in one set.

# flows_site NAME COUNT PORT PROTOCOL: one endpoint that may send to COUNT addresses, none beside
# another, so that each is an element of its own; $tmp/NAME.nft is the same as one set.
flows_site() {
	local dir=$tmp/$1
	mkdir -p "$dir/policies"
	flows_addresses "$2" | awk -v port="$3" -v proto="$4" '
	BEGIN { print "group: peers\ncidrs:" }
	{ print "  - " $1 "/32" }
	END {
		print "---\nservice: one\nselect:\n  labels: {app: one}\negress:\n  - name: peers"
		printf "    to: [{group: peers}]\n    ports: [%s/%s]\n", port, proto
	}' >"$dir/policies/one.yaml"
	cat >"$dir/inventory.json" <<END
{"endpoints": [{"id": "one", "name": "one", "labels": {"app": "one"}, "addresses": ["10.79.0.1"],
  "netns": "/run/netns/$prefix-000"}]}
END
}

# 10.80.0.2, 10.80.0.4, …: COUNT of them.
flows_addresses() {
	awk -v n="$1" 'BEGIN {
		for (i = 1; i <= n; i++)
			printf "10.%d.%d.%d\n", 80 + int(i / 32768), int(i / 128) % 256, i * 2 % 256
	}'
}

flows_one_set() {
	[ -z "$4" ] || printf 'table inet bulkhead\ndelete table inet bulkhead\n'
	cat <<END
table inet bulkhead {
	set flows {
		type ipv4_addr . inet_proto . inet_service
		elements = { $(flows_addresses "$1" | sed "s/\$/ . $3 . $2/" | paste -sd,) }
	}
	chain output {
		type filter hook output priority filter; policy drop;
		ip daddr . meta l4proto . th dport @flows accept
		drop
	}
}
END
}

flows_apply() {
	"${@:2}" "$bulkhead" apply --policies "$tmp/$1/policies" --inventory "$tmp/$1/inventory.json"
}

flows_clean() {
	"$bulkhead" apply --clean --inventory "$tmp/$1/inventory.json" >"$tmp/said" 2>&1 ||
		die "cleaning: $(cat "$tmp/said")"
}

# Is each flow an element? Otherwise the two sides load different things.
flows_check() {
	local n
	n=$(nsenter --net="/run/netns/$prefix-000" nft list table inet bulkhead |
		grep -oE '10\.8[0-9]\.[0-9]+\.[0-9]+ \.' | wc -l)
	[ "$n" -eq "$1" ] || die "$n elements in the table where $1 flows were asked for"
}

bench_flows() {
	local count=10000 run
	say "flows: $count in one namespace"
	namespaces 1
	flows_site many $count 8080 tcp
	flows_site moved $count 9090 tcp
	flows_one_set $count 8080 tcp '' >"$tmp/many.nft"
	flows_one_set $count 9090 tcp yes >"$tmp/moved.nft"
	flows_apply many >"$tmp/said"
	flows_check $count
	for ((run = 0; run < runs; run++)); do
		flows_clean many
		flows_apply many cost flows-first
		flows_apply moved cost flows-replace
		flows_clean many
		cost flows-first-nft nsenter --net="/run/netns/$prefix-000" nft -f "$tmp/many.nft"
		cost flows-replace-nft nsenter --net="/run/netns/$prefix-000" nft -f "$tmp/moved.nft"
	done
	remove_namespaces
	compare "$count flows first load, one set," flows-first flows-first-nft 1.0 ''
	compare "$count flows replacement, one set," flows-replace flows-replace-nft 1.0 ''
}
