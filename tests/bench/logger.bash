# shellcheck shell=bash disable=SC2034,SC2154
# What a record costs its reader at a given rate, beside ulogd2; what is lost at a high one; and what a
# flood of few flows costs the daemon.

logger_rates=(10000 50000)
logger_seconds=2
logger_share=0.3333    # of what ulogd2 takes for a record
logger_high=150000     # a second, of which none may be lost
logger_flood=300000    # packets a second
logger_flood_seconds=5
logger_core=5          # per cent of a core

# The packets of one flow, each a message of its own on our group, as if each belonged to a connection
# that was ended: that makes a record of each.
logger_table() {
	nsenter --net="/run/netns/$prefix-000" nft -f - <<END
table inet bench {
	chain output {
		type filter hook output priority -300
		udp dport 7000 log prefix "bulkhead:revoked" group 48 drop
	}
}
END
}

# With the same buffers and batches as ours: at its own, one message a wake-up, it takes far more.
logger_ulogd() {
	local dir name
	dir=$(dirname "$(dpkg -L ulogd2 | grep 'ulogd_inppkt_NFLOG.so$')")
	echo '[global]'
	for name in inppkt_NFLOG raw2packet_BASE filter_IFINDEX filter_IP2STR output_JSON; do
		echo "plugin=\"$dir/ulogd_$name.so\""
	done
	cat <<END
logfile="$tmp/ulogd.log"
stack=log:NFLOG,base:BASE,ifi:IFINDEX,ip:IP2STR,json:JSON
[log]
group=48
netlink_socket_buffer_size=8388608
netlink_socket_buffer_maxsize=8388608
netlink_qthreshold=100
netlink_qtimeout=10
[json]
file="$tmp/ram/ulogd"
sync=0
END
}

# logger_start ours|ulogd [COMMAND...]: reads the group by COMMAND; $reader is its process
logger_start() {
	rm -f "$tmp/ram/$1"
	if [ "$1" = ours ]; then
		"${@:2}" "$bulkhead" denied --follow --json --policies "$tmp/packets-0/policies" \
			--inventory "$tmp/packets-0/inventory.json" >"$tmp/ram/ours" 2>"$tmp/read.err" &
	else
		"${@:2}" nsenter --net="/run/netns/$prefix-000" ulogd -c "$tmp/ulogd.conf" \
			>"$tmp/read.err" 2>&1 &
	fi
	reader=$!
	started+=("$reader")
	denied_await denied_group_is_read
}

logger_stop() { # ours|ulogd
	denied_await denied_read_all
	sleep 0.2 # what the kernel held back is read by then
	drops=$(nsenter --net="/run/netns/$prefix-000" awk '$2 == 12 { n += $9 } END { print n + 0 }' \
		/proc/self/net/netlink)
	used=$(($(logger_cpu "$reader") - began))
	kill -INT "$reader"
	wait "$reader" || die "$1: $(tail -n 3 "$tmp/read.err")"
	lines=$(wc -l <"$tmp/ram/$1")
	rm "$tmp/ram/$1"
}

# user and system time until now, in nanoseconds
logger_cpu() {
	cut -d' ' -f1 "/proc/$1/schedstat"
}

# logger_send FIRST ADDRESSES PACKETS RATE: $sent packets in $usec
logger_send() {
	nsenter --net="/run/netns/$prefix-000" "$build/tests/system/deny" "$1" "$2" 7000 1 "$3" "$4" \
		>"$tmp/said" || die "deny: $(cat "$tmp/said")"
	read -r _ _ _ sent _ usec <"$tmp/said"
	[ "$sent" -eq "$3" ] || die "deny: $(cat "$tmp/said")"
}

# logger_read ours|ulogd RATE SECONDS [COMMAND...]: a reader's life
logger_read() {
	local packets=$(($2 * $3))
	logger_start "$1" "${@:4}"
	began=$(logger_cpu "$reader")
	logger_send 10.80.0.2 1 $packets "$2"
	logger_stop "$1"
	lost=$((packets - lines))
	echo "$((sent * 1000000 / usec))" >>"$tmp/logger-sent-$2"
}

# Only what was read to the last is compared.
logger_round() {
	local rate each
	for rate in "${logger_rates[@]}"; do
		for each in ours ulogd; do
			logger_read $each "$rate" $logger_seconds "${fifo[@]}"
			[ $lost -eq 0 ] || die "$each lost $lost at $rate a second"
			awk -v ns=$used -v n="$lines" 'BEGIN { print ns / n / 1000 }' >>"$tmp/logger-$each-$rate"
		done
	done
}

# As any user runs it. What ours says of itself has to be so.
logger_loss() {
	local each
	for each in ours ulogd; do
		logger_read $each $logger_high $logger_seconds
		echo "$lost $drops" >>"$tmp/logger-lost-$each"
		[ $each = ulogd ] || grep -q " = recorded $lines + " "$tmp/read.err" ||
			die "$lines lines, and it says: $(cat "$tmp/read.err")"
	done
}

# --- the daemon --------------------------------------------------------------------------------------

logger_daemon() {
	local dir=$tmp/packets-0
	mkdir -p "$dir/store"
	exec {said}< <(exec "${fifo[@]}" "$build/tests/bench/start" "$build/bulkheadd" \
		--policies "$dir/policies" --inventory "$dir/inventory.json" --store "$dir/store" \
		--socket "$dir/control" 2>"$dir/log")
	starter=$!
	started+=("$starter")
	read -r pid _ <&"$said" || die "the daemon: $(tail -n 1 "$dir/log")"
	exec {said}<&-
	kill -CONT "$pid"
	denied_await logger_runs
	denied_await denied_group_is_read
}

logger_runs() {
	child=$(pgrep -P "$pid" -x bulkhead-logger)
}

# All flows have ended, and are recorded.
logger_is_quiet() {
	! nsenter --net="/run/netns/$prefix-000" nft list set inet bulkhead denied4 | grep -q elements
}

# All that a flood causes, until it is written down, as a share of the time that it takes.
logger_flooded() {
	local before=("$(logger_cpu "$pid")" "$(logger_cpu "$child")")
	logger_send 10.80.0.2 1000 $((logger_flood * logger_flood_seconds)) $logger_flood
	denied_await logger_is_quiet
	echo "$((sent * 1000000 / usec))" >>"$tmp/logger-sent-$logger_flood"
	awk -v controller=$(($(logger_cpu "$pid") - before[0])) -v logger=$(($(logger_cpu "$child") - before[1])) \
		-v us="$usec" 'BEGIN { print controller / us / 10, logger / us / 10 }' >>"$tmp/logger-flood"
}

# --- all of it ---------------------------------------------------------------------------------------

bench_logger() {
	local run reader child began used lines lost drops sent usec
	command -v ulogd >/dev/null || die "ulogd is missing; tests/install-deps test installs it"
	say "logger: records at ${logger_rates[*]} and $logger_high a second; $logger_flood packets a second"
	packets_wire 0
	packets_load 0 10
	mkdir "$tmp/ram"
	mount -t tmpfs bench "$tmp/ram"
	crowds+=("$tmp/ram")
	logger_ulogd >"$tmp/ulogd.conf"
	logger_table
	for ((run = 0; run < runs; run++)); do
		logger_round
		logger_loss
	done
	nsenter --net="/run/netns/$prefix-000" nft delete table inet bench
	logger_daemon
	for ((run = 0; run < runs; run++)); do
		logger_flooded
	done
	kill "$pid"
	wait "$starter" || die "the daemon: $(tail -n 1 "$tmp/packets-0/log")"
	remove_namespaces
	logger_report
}

logger_report() {
	local rate
	for rate in "${logger_rates[@]}"; do
		emit "a record at $rate a second, against ulogd2, CPU" "$(median "logger-ours-$rate" 1)" \
			"$(median "logger-ulogd-$rate" 1)" us $logger_share "$runs"
	done
	for rate in "${logger_rates[@]}" $logger_high $logger_flood; do
		emit "$rate a second, reached" "$(median "logger-sent-$rate" 1)" "$rate" /s '' "$runs"
	done
	emit "lost at $logger_high a second" "$(logger_most ours)" 1 '' 0 "$runs"
	emit "lost at $logger_high a second by ulogd2" "$(logger_most ulogd)" '' '' '' "$runs"
	emit "$logger_flood denied packets a second of 1000 flows, logger" "$(median logger-flood 2)" \
		$logger_core % 1 "$runs"
	emit "$logger_flood denied packets a second of 1000 flows, controller" "$(median logger-flood 1)" \
		$logger_core % 1 "$runs"
}

# Of all rounds; a message that the kernel could not hand over is a hundred records.
logger_most() {
	awk '$1 > n { n = $1 } END { print n + 0 }' "$tmp/logger-lost-$1"
}
