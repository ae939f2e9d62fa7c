# shellcheck shell=bash disable=SC2034,SC2154
# What a record costs its reader at a given rate, beside ulogd2; what is lost at a high one; and what a
# flood of few flows costs the daemon.

logger_rates=(10000 50000)
logger_flows=(1 1000) # packets of one flow, or each of another
logger_seconds=2
logger_share=0.3333    # of what ulogd2 takes for a record
logger_high=150000     # a second, of which none may be lost
logger_flood=300000    # packets a second
logger_flood_seconds=5
logger_core=5          # per cent of a core

# Packets, each a message of its own on our group, as if each belonged to a connection
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
file="/dev/null"
sync=0
END
}

# logger_start ours|ulogd [COMMAND...]: reads the group, run by COMMAND; $reader is its process. Lines go
# to /dev/null: what a file system takes for them swings by more than what is compared.
logger_start() {
	if [ "$1" = ours ]; then
		"${@:2}" "$bulkhead" denied --follow --json --policies "$tmp/packets-0/policies" \
			--inventory "$tmp/packets-0/inventory.json" >/dev/null 2>"$tmp/read.err" &
	else
		"${@:2}" nsenter --net="/run/netns/$prefix-000" ulogd -c "$tmp/ulogd.conf" \
			>"$tmp/read.err" 2>&1 &
	fi
	reader=$!
	started+=("$reader")
	denied_await denied_group_is_read
}

# It ends when nothing waits for it. $used: nanoseconds since $began; $drops: messages, of a hundred
# records at most, that the kernel could not hand over.
logger_stop() { # ours|ulogd
	denied_await denied_read_all
	sleep 0.2 # what the kernel held back is read by then
	# shellcheck disable=SC2016
	drops=$(nsenter --net="/run/netns/$prefix-000" awk '$2 == 12 { n += $9 } END { print n + 0 }' \
		/proc/self/net/netlink)
	used=$(($(logger_cpu "$reader") - began))
	kill -INT "$reader"
	wait "$reader" || die "$1: $(tail -n 3 "$tmp/read.err")"
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

# logger_read ours|ulogd FLOWS RATE SECONDS [COMMAND...]: a reader's life, and how many packets were in
# no record. What ours says of itself has to be so.
logger_read() {
	local packets=$(($3 * $4)) recorded
	logger_start "$1" "${@:5}"
	began=$(logger_cpu "$reader")
	logger_send 10.80.0.2 "$2" $packets "$3"
	logger_stop "$1"
	echo "$((sent * 1000000 / usec))" >>"$tmp/logger-sent-$3"
	lost=$drops
	[ "$1" = ours ] || return 0
	recorded=$(sed -n 's/.* = recorded \([0-9]*\) + .*/\1/p' "$tmp/read.err")
	lost=$((packets - recorded))
	[ $((lost > 0)) -eq $((drops > 0)) ] || die "$lost lost, $drops drops: $(cat "$tmp/read.err")"
}

# Only what was read to the last is compared: on a machine that does other work ulogd2 is late now and
# then, and loses some; then it is asked again.
logger_read_all() { # ours|ulogd FLOWS RATE
	local i
	for ((i = 0; i < 5; i++)); do
		logger_read "$@" $logger_seconds "${fifo[@]}"
		[ "$lost" -gt 0 ] || break
		[ "$1" != ours ] || die "ours lost $lost at $3 a second"
	done
	[ "$lost" -eq 0 ] || die "ulogd2 loses some at $3 a second, whatever"
	awk -v ns="$used" -v n="$sent" 'BEGIN { print ns / n / 1000 }' >>"$tmp/logger-$1-$3-$2"
}

logger_round() {
	local rate flows each
	for rate in "${logger_rates[@]}"; do
		for flows in "${logger_flows[@]}"; do
			for each in ours ulogd; do
				logger_read_all $each "$flows" "$rate"
			done
		done
	done
}

# As any user runs it.
logger_loss() {
	local each
	for each in ours ulogd; do
		logger_read $each 1 $logger_high $logger_seconds
		echo "$lost" >>"$tmp/logger-lost-$each"
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

# Each packet of each flood is in a record.
logger_has_all() {
	"$bulkhead" denied --store "$tmp/packets-0/store" --summary --json |
		jq -e --argjson n "$flooded" '.endpoints | map(select(.direction == "egress")) |
			(map(.recorded) | add) == $n and (map(.not_recorded) | add) == 0' >/dev/null
}

# All that a flood causes, until it is written down, as a share of the time that it takes.
logger_flooded() {
	local before=("$(logger_cpu "$pid")" "$(logger_cpu "$child")")
	logger_send 10.80.0.2 1000 $((logger_flood * logger_flood_seconds)) $logger_flood
	denied_await logger_is_quiet
	flooded=$((flooded + sent))
	denied_await logger_has_all
	echo "$((sent * 1000000 / usec))" >>"$tmp/logger-sent-$logger_flood"
	awk -v controller=$(($(logger_cpu "$pid") - before[0])) -v logger=$(($(logger_cpu "$child") - before[1])) \
		-v us="$usec" 'BEGIN { print controller / us / 10, logger / us / 10 }' >>"$tmp/logger-flood"
}

# --- all of it ---------------------------------------------------------------------------------------

bench_logger() {
	local run reader child began used lost drops sent usec flooded=0
	command -v ulogd >/dev/null || die "ulogd is missing; tests/install-deps test installs it"
	say "logger: records at ${logger_rates[*]} and $logger_high a second; $logger_flood packets a second"
	packets_wire 0
	packets_load 0 10
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
	local rate flows
	for rate in "${logger_rates[@]}"; do
		for flows in "${logger_flows[@]}"; do
			emit "a record, $rate a second of $flows flows, CPU" \
				"$(median "logger-ours-$rate-$flows" 1)" \
				"$(median "logger-ulogd-$rate-$flows" 1)" us $logger_share "$runs"
		done
	done
	for rate in "${logger_rates[@]}" $logger_high $logger_flood; do
		emit "$rate a second, reached" "$(median "logger-sent-$rate" 1)" "$rate" /s '' "$runs"
	done
	emit "records lost at $logger_high a second" "$(logger_most ours)" 1 '' 0 "$runs"
	emit "log messages lost by ulogd2 at $logger_high a second" "$(logger_most ulogd)" '' '' '' "$runs"
	emit "1000 flows, $logger_flood packets a second, logger" "$(median logger-flood 2)" \
		$logger_core % 1 "$runs"
	emit "1000 flows, $logger_flood packets a second, controller" "$(median logger-flood 1)" \
		$logger_core % 1 "$runs"
}

# in the worst of all rounds
logger_most() {
	sort -n "$tmp/logger-lost-$1" | tail -n 1
}
