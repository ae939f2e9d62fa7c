# shellcheck shell=bash disable=SC2034,SC2154
# What a record of a denied flow costs its reader: denied --follow against tcpdump on the log group.

denied_records=4000
wrapper= # process that runs the reader and takes its time

denied_group_is_read() {
	nsenter --net="/run/netns/$prefix-000" cat /proc/self/net/netfilter/nfnetlink_log |
		grep -q '^ *48 '
}

# Await COMMAND's success for ten seconds.
denied_await() {
	local i
	for ((i = 0; i < 500; i++)); do
		"$@" && return
		sleep 0.02
	done
	die "waited in vain: $*"
}

denied_has_child() {
	child=$(pgrep -P "$1") && [ -n "$child" ]
}

# denied_reader FILE PACKETS COMMAND...: COMMAND's cost from its start until it has read PACKETS
# denied packets, each the first of its flow, and was interrupted.
denied_reader() {
	local file=$1 packets=$2 child
	shift 2
	"${fifo[@]}" "$build/tests/bench/cost" "$tmp/$file" "$@" >"$tmp/read" 2>"$tmp/read.err" &
	wrapper=$!
	denied_await denied_has_child $wrapper
	denied_await denied_group_is_read
	[ "$packets" -eq 0 ] || packets_flood 0 flood deny 10 10000 "$packets" "$packets"
	denied_await denied_read_all "$packets"
	kill -INT "$child"
	wait $wrapper || die "$1: $(cat "$tmp/read.err")"
	wrapper=
}

# Nothing waits in the log any more: the third number is the length of the queue.
denied_read_all() {
	local queue
	# shellcheck disable=SC2016
	queue=$(nsenter --net="/run/netns/$prefix-000" awk '$1 == 48 { print $3 }' \
		/proc/self/net/netfilter/nfnetlink_log)
	[ "$queue" = 0 ]
}

denied_fresh_table() {
	flows_clean packets-0
	flows_apply packets-0 >"$tmp/said"
}

# Both write a line or a packet a record to a file.
denied_round() {
	local n
	for n in 0 $denied_records; do
		denied_fresh_table
		denied_reader "follow-$n" "$n" "$bulkhead" denied --follow \
			--policies "$tmp/packets-0/policies" --inventory "$tmp/packets-0/inventory.json"
		denied_check "$n" "$(grep -c ' DENY ' "$tmp/read")"
		denied_fresh_table
		denied_reader "tcpdump-$n" "$n" nsenter --net="/run/netns/$prefix-000" \
			tcpdump -q -n -B 8192 -i nflog:48 -w "$tmp/pcap"
		denied_check "$n" "$(sed -n 's/^\([0-9]*\) packets captured.*/\1/p' "$tmp/read.err")"
	done
}

denied_check() {
	[ "$1" -eq "$2" ] || die "$2 of $1 records: $(tail -n 3 "$tmp/read.err")"
}

bench_denied() {
	local run ours base
	say "denied: $denied_records records"
	packets_wire 0
	packets_load 0 10
	for ((run = 0; run < runs; run++)); do
		denied_round
	done
	remove_namespaces
	ours=$(denied_each follow) base=$(denied_each tcpdump)
	emit "denied --follow against tcpdump -w, CPU a record" "$ours" "$base" us '' "$runs"
}

denied_each() {
	awk -v all="$(median "$1-$denied_records" 1)" -v none="$(median "$1-0" 1)" \
		-v n="$denied_records" 'BEGIN { printf "%.2f", (all - none) / n }'
}
