# shellcheck shell=bash disable=SC2034,SC2154
# The history of flows: what a record costs, and how long questions take of a million records.

history_records=1000000
history_limit=1000 # ms for each question

# history_line PREFIX WHAT TEXT
history_line() {
	local usec
	usec=$(awk -v what="$2" '$1 == what { print $2 }' "$tmp/history-$1")
	emit "$3" "$(in_ms "$usec")" $history_limit ms 1 1
}

# history_fill NAME FLOWS TEXT: makes one, and asks it again and again; the median of each question counts
history_fill() {
	local dir=$tmp/history-$1.d i
	say "history: $history_records records of $3"
	mkdir "$dir"
	"$build/tests/bench/history" "$dir" $history_records "$2" >"$tmp/history-$1" || die "history"
	for ((i = 1; i < runs; i++)); do
		"$build/tests/bench/history" "$dir" $history_records "$2" >>"$tmp/history-$1" ||
			die "history"
	done
	awk '{ print $1, $2 }' "$tmp/history-$1" | sort -k1,1 -k2,2n |
		awk '{ n[$1]++; v[$1, n[$1]] = $2 }
			END { for (k in n) print k, v[k, int((n[k] + 1) / 2)] }' >"$tmp/history-$1.median"
	mv "$tmp/history-$1.median" "$tmp/history-$1"
	rm -rf "$dir"
}

history_costs() {
	local cpu wall
	cpu=$(awk -v n=$history_records '$1 == "write-cpu" { printf "%.2f", $2 / n }' "$tmp/history-$1")
	wall=$(awk -v n=$history_records '$1 == "write-wall" { printf "%d", n / $2 * 1000000 }' "$tmp/history-$1")
	emit "history: CPU of a record, $2" "$cpu" "" us "" 1
	say "$wall records/s written; longest batch $(awk '$1 == "longest-batch" { printf "%d", $2 / 1000 }' \
		"$tmp/history-$1") ms; $(awk '$1 == "size" { printf "%d", $2 / 1048576 }' "$tmp/history-$1") MiB"
}

bench_history() {
	history_fill flows 20000 "20,000 flows"
	history_costs flows "20,000 flows"
	history_line flows service-and-time "history: a service in a day"
	history_line flows service-newest "history: the newest 100 of a service"
	history_line flows peer-most-packets "history: the 100 with most packets to a peer"
	history_line flows group-service-peer-port "history: by service, peer, port, all of it"
	history_line flows summary "history: summary"
	history_fill scan $history_records "as many flows"
	history_costs scan "each of its own flow"
	history_line scan service-and-time "each of its own flow: a service in a day"
}
