# shellcheck shell=bash disable=SC2034,SC2154
# TCP bulk data through our tables against no firewall, on wires as the reference's.

bulk_rounds=51

# bulk_run WAY: figures to $tmp/bulk-WAY, columns: ours, none
bulk_run() {
	"${fifo[@]}" "$build/tests/bench/bulk" "$1" $bulk_rounds \
		"/run/netns/$prefix-000" "/run/netns/$prefix-010" \
		"/run/netns/$prefix-001" "/run/netns/$prefix-011" >"$tmp/bulk-$1" ||
		die "bulk $1"
}

# Time a GiB, so that the ratio is throughput without a firewall to throughput with ours.
bulk_report() {
	local ours none
	ours=$(median "bulk-$1" 1) none=$(median "bulk-$1" 2)
	emit "$2, a GiB, against no firewall" "$ours" "$none" ms 1.05 $bulk_rounds
	say "$(awk -v a="$ours" -v b="$none" 'BEGIN {
		printf "that is %.1f Gbit/s through ours, %.1f without", 8589.93 / a, 8589.93 / b }')"
}

bench_bulk() {
	local i
	say "bulk: TCP through $((2 * reference_half)) flows"
	for i in 0 1; do
		reference_wire $i
		ip -n "$prefix-01$i" route add local 10.88.0.0/16 dev lo # the clients call from here
	done
	reference_load 0 tcp
	bulk_run out
	bulk_run in
	remove_namespaces
	bulk_report out "TCP bulk data sent"
	bulk_report in "TCP bulk data received"
}
