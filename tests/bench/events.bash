# shellcheck shell=bash disable=SC2034,SC2154
# One container among many starts, changes its address, stops: when all that it concerns is up to date,
# and what that costs the daemon, in a site of 500 and in one of 100. All as real-time tasks: what
# else the machine does is not the daemon's.

events_services=50 # of controller_site: ten namespaces each
events_few=10
# That the one talks with: of the three services before it and the three after it.
events_others=(s0{2..4}-{1..10} s0{6..8}-{1..10})
events_limit=10    # ms, after the event
events_growth=1.5  # what an event takes in the large site against the small one
events_window=1000 # ms in which all that comes of an event is counted

events_kinds=(start stop address-goes address-comes)
declare -A events_text=([start]=starts [stop]=stops [address-goes]="loses its address"
	[address-comes]="gets an address")

# events_round SITE: figures to $tmp/events-SITE-KIND
events_round() {
	"${fifo[@]}" "$build/tests/bench/react" "$pid" "$tmp/$1/netns" "$tmp/$1" s05-new 10.77.5.99 \
		$events_window "${events_others[@]}" >"$tmp/said" || die "$1: $(tail -n 1 "$tmp/$1/log")"
	awk -v file="$tmp/events-$1" '{ print $2, $3, $4, $5, $6 >>file "-" $1 }' "$tmp/said"
}

# CPU time of the daemon until now, in ticks of 10 ms
events_ticks() {
	awk '{ print $14 + $15 }' "/proc/$pid/stat"
}

# New devices tell of themselves again a second later, a hundred of them at a time: until it has done
# next to nothing for three seconds.
events_settle() {
	local before i
	for ((i = 0; i < 60; i++)); do
		before=$(events_ticks)
		read -r -t 3 <> <(:) || true
		[ $(($(events_ticks) - before)) -gt 2 ] || return 0
	done
	die "the daemon does not come to rest"
}

# events_site SITE SERVICES: by itself. What any commit costs depends on all who listen on the host, and on
# how many namespaces the host has numbers for.
events_site() {
	local run
	controller_site "$1" "$2"
	controller_start "$1" "events-$1-ready" "${fifo[@]}"
	events_settle
	for ((run = 0; run < 2 * runs; run++)); do
		events_round "$1"
	done
	controller_check "$1" "after all events" "$(find "$tmp/$1/netns" -name 's*' | wc -l)"
	controller_stop "$1"
	remove_namespaces
}

bench_events() {
	say "events: one container among $((events_services * controller_each)), and among $((events_few * controller_each))"
	events_site many $events_services
	events_site few $events_few
	events_report
}

events_report() {
	local kind text n
	n=$((2 * runs))
	for kind in "${events_kinds[@]}"; do
		text="one of 500 ${events_text[$kind]}"
		emit "$text, all up to date" "$(in_ms "$(median "events-many-$kind" 1)")" $events_limit ms 1 $n
		emit "$text, namespaces touched" "$(median "events-many-$kind" 4)" ${#events_others[@]} '' 1 $n
		emit "$text, all up to date, and of 100" "$(in_ms "$(median "events-many-$kind" 1)")" \
			"$(in_ms "$(median "events-few-$kind" 1)")" ms $events_growth $n
		emit "$text, CPU in $events_window ms, and of 100" \
			"$(in_ms "$(median "events-many-$kind" 5)")" \
			"$(in_ms "$(median "events-few-$kind" 5)")" ms $events_growth $n
	done
	emit "one of 500 starts, closed itself" "$(in_ms "$(median events-many-start 2)")" '' ms '' $n
}
