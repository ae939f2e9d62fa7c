#!/usr/bin/env bats
# A shop of real servers in Docker, and the daemon beside it: containers start and stop 200 times, and
# all that is denied is tried all the time, from the first instruction of each on.
# shellcheck disable=SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0
load lib/docker
load lib/flood
load lib/shop

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up --live-restore
	shop_up
	daemon_start
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"
}
teardown() {
	rm -f "$dir"/{open,pause}
	[ ${#jobs[@]} -eq 0 ] || wait "${jobs[@]}" || true
	[ ${#pid_of[@]} -eq 0 ] || ends "${!pid_of[@]}"
}

daemon_start() {
	start_on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--config "$NET_DIR/bulkhead.yaml" --store "$NET_DIR/store"
	await grep -q '^bulkheadd: ready' "$NET_DIR/log"
}
ctl() { on_host "$(realpath "$bulkhead_program")" "$@"; }
even() { ctl status && ctl plan; }
ms_since() { echo "$((${EPOCHREALTIME/./} / 1000 - ${1/./} / 1000))"; } # EPOCHREALTIME

# --- in the background -----------------------------------------------------------------------

# In a container's network, but a process of the test: flood.bash ends it by its number.
in_network() { # NAME COMMAND...
	exec nsenter --net="/proc/$DOCKER_HOST_PID/root/proc/$(<"$NET_DIR/$1.pid")/ns/net" -- "${@:2}"
}
start() { # NAME COMMAND...
	(in_network "$@" >>"$NET_DIR/$1.log" 2>&1 </dev/null 3>&-) &
	started=$!
}
stop() { kill "$@"; } # PID...

# Until the shop closes.
jobs=()
meanwhile() { # COMMAND...
	local log
	log=$dir/log.${#jobs[@]}
	{ "$@" || echo "$* failed: ${log##*/}" >"$dir/failed"; } >"$log" 2>&1 </dev/null 3>&- &
	jobs+=($!)
}

# --- what stays ------------------------------------------------------------------------------

# Counted to the packet by datagrams, and to the order by who buys.
traffic() {
	flood api-1:at-api --at 7001
	flood cache-1:at-cache --at 7001
	flood web-1:from-web --at 40000+7 --rate 1000 --to "$(at4 12)" 7001 --to "$(at6 12)" 7001
	flood api-1:from-api --at 40000+7 --rate 1000 --to "$(at4 13)" 7001 --to "$(at6 13)" 7001
	# shellcheck disable=SC2016
	start api-1 sh -c 'exec redis-cli -h "$1" -r -1 -i 0.02 INCR ticks >"$2"' sh "$(at4 13)" \
		"$dir/ticks"
	ticker=$started
	meanwhile customer
}

customer() {
	while [ -e "$dir/open" ]; do
		if [ ! -e "$dir/pause" ]; then
			order >>"$dir/orders" || echo "no order at $EPOCHREALTIME" >>"$dir/orders"
		fi
		read -r -t 0.1 <> <(:) || true
	done
}

nothing_lost() {
	local way orders
	ends from-web from-api
	for way in "web api" "api cache"; do
		lost_between "from-${way% *}" "at-${way#* }"
		[ "$lost" -eq 0 ] || fail "lost $lost of $((lost + received)) from ${way% *} to ${way#* }" || return
		[ "$received" -ge 10000 ] || fail "${way% *} sent only $received" || return
	done
	kill "$ticker"
	wait "$ticker" || true
	diff <(seq "$(wc -l <"$dir/ticks")") "$dir/ticks" >"$dir/differ" || fail "ticks: $(head -n 5 "$dir/differ")" || return
	[ "$(wc -l <"$dir/ticks")" -ge 500 ] || return
	! grep -v '^order ' "$dir/orders" || fail "orders that were not served" || return
	orders=$(grep -c '^order ' "$dir/orders")
	[ "$orders" -ge 50 ] || fail "only $orders orders" || return
	[ "$(sql db-1 'SELECT count(*) - min(n) + 1 FROM orders')" = "$(tail -n 1 "$dir/orders" | cut -d' ' -f2)" ]
	echo "# $orders orders, $(wc -l <"$dir/ticks") ticks and $((received * 2)) datagrams, none lost" >&3
}

# --- who tries -------------------------------------------------------------------------------

strangers_at() { (cd "$shop" && printf '%s\n' stranger.* | cut -d. -f2); }

# Everything is asked by NAME of everybody else; what should not be answered goes to $dir/violations.
tries() { # NAME
	local number=none before
	[ -e "$NET_DIR/$1.pid" ] || return 0
	[ "$1" = host ] || number=$(<"$shop/number.$1")
	read -r -d '' -a before < <(strangers_at) || true
	grep -vF -e "$(at4 "$number") " -e "$(at6 "$number") " "$shop/asks" >"$dir/asks.$1"
	(in_network "$1" "$probe_program" ask --tries 1 --timeout 250) <"$dir/asks.$1" \
		>"$dir/answers.$1" 2>/dev/null || return 0 # it has ended
	wc -l <"$dir/answers.$1" >>"$dir/tried"
	# shellcheck disable=SC2046
	paste -d ' ' "$dir/asks.$1" "$dir/answers.$1" | may_not "${1%-*}" "${before[@]}" $(strangers_at) |
		sed "s/^/$EPOCHREALTIME $1 -> /" >>"$dir/violations"
}

prober() {
	local file trying
	while [ -e "$dir/open" ]; do
		trying=()
		for file in "$NET_DIR"/*.pid; do
			[[ $file != */customer.pid ]] || continue
			file=${file##*/}
			tries "${file%.pid}" &
			trying+=($!)
		done
		wait "${trying[@]}"
		echo >>"$dir/rounds"
	done
}

# Of all that was asked, by the prober and by the containers in their first second.
nothing_denied_passed() {
	local file name
	: >>"$dir/violations"
	for file in "$shop"/answers.*; do
		name=${file##*.}
		grep -q '^asked 1[0-9][0-9]$' "$file" || fail "$name did not ask" || return
		may_not "${name%-*}" 15 <"$file" | sed "s/^/first second of $name -> /" >>"$dir/violations"
	done
	# Nobody may send to an intruder, nor anybody of the shop to a stranger.
	for file in "$shop"/arrivals.*; do
		name=${file##*.}
		if [[ $name = intruder-* ]]; then
			sed "s/^/came to $name: /" "$file"
		else
			grep -E " ($(at4 '1[12346]')|$(at6 '1[12346]'))$" "$file" | sed "s/^/came to $name: /"
		fi
	done >>"$dir/violations"
	[ ! -s "$dir/violations" ] ||
		fail "$(wc -l <"$dir/violations") violations: $(sed 30q "$dir/violations")
the log: $(grep -v '^time=' "$NET_DIR/log" | tail -n 150)"
}

# --- who comes and goes ----------------------------------------------------------------------

# Served in the end; how soon is printed, and depends on what else the machine does.
cycled() { # NAME
	local began=$EPOCHREALTIME
	await served "$1" && echo "$(ms_since "$began") $1" >>"$dir/cycles"
}

again() { # NAME DOCKER-COMMAND...
	stopped "$1"
	docker "${@:2}" "$1" >/dev/null && docker start "$1" >/dev/null && started "$1" && cycled "$1"
}

# Both are made anew, each at the other's address.
swapped() { # NAME NAME
	local first second
	first=$(<"$shop/number.$1") second=$(<"$shop/number.$2")
	goes_down "$1" && goes_down "$2" && comes_up "$1" "$second" && comes_up "$2" "$first" &&
		cycled "$1" && cycled "$2"
}

couple() { # NAME NAME
	local pair=("$@") i
	RANDOM=$BASHPID
	while [ -e "$dir/open" ]; do
		if [ -e "$dir/pause" ]; then
			: >"$dir/paused.$1"
			await test ! -e "$dir/pause"
			rm -f "$dir/paused.$1"
		fi
		i=$((RANDOM % 2))
		case $((RANDOM % 4)) in
		0) again "${pair[i]}" stop --time 0 ;;
		1) again "${pair[i]}" restart --time 0 ;;
		2) again "${pair[i]}" kill ;;
		3) swapped "$@" ;;
		esac || return
	done
}

cycled_times() { [ "$(wc -l <"$dir/cycles")" -ge "$1" ] || [ -e "$dir/failed" ]; }
all_went_well() {
	[ ! -e "$dir/failed" ] || fail "$(cat "$dir/failed" "$dir"/log.*; sort -n "$dir/cycles" | tail -n 20)"
}

await_cycles() { # N
	local until=$((SECONDS + 400)) # on a busy machine; else a minute
	until await cycled_times "$1" 2>/dev/null; do
		[ $SECONDS -lt $until ] || fail "only $(wc -l <"$dir/cycles") cycles" || return
	done
	all_went_well
}

all_pause() {
	: >"$dir/pause"
	await eval "[ \$(ls '$dir'/paused.* | wc -l) -eq 3 ]"
}

# Its containers run on, and so does what is asked; it is the engine's restart of an upgrade.
docker_restarts() {
	local rounds
	all_pause
	dockerd_stop
	rounds=$(wc -l <"$dir/rounds")
	run inside api-1 nft delete table inet bulkhead
	[[ $output == *"Operation not permitted"* ]]
	await eval "[ \$(wc -l <'$dir/rounds') -ge $((rounds + 3)) ]"
	dockerd_start --live-restore
	await order
	await even || fail "$(even)"
	rm "$dir/pause"
}

# --- tests -----------------------------------------------------------------------------------

@test "an order passes through all of the shop, and nobody else gets anything" {
	local name
	for name in web-1 api-1 cache-1 db-1 stranger-1; do
		await served $name
	done
	even
	order
	for name in web-1 api-1 cache-1 db-1 intruder-1 stranger-1 host; do
		tries $name
	done
	[ "$(wc -l <"$dir/tried")" -eq 7 ]
	[ ! -s "$dir/violations" ] || fail "$(cat "$dir/violations")"
}

@test "200 starts and stops, addresses pass from one to the other: nothing denied passes, nothing is lost" {
	local began took
	rm -f "$shop"/answers.* "$shop"/arrivals.*
	: >"$dir/open"
	traffic
	meanwhile prober
	comes_up cache-2 21 && comes_up intruder-2 22 && comes_up api-2 23 && comes_up stranger-2 24 &&
		comes_up db-2 25 && comes_up web-2 26
	began=$EPOCHREALTIME
	: >"$dir/cycles"
	meanwhile couple cache-2 intruder-2
	meanwhile couple api-2 stranger-2
	meanwhile couple db-2 web-2
	await_cycles 100
	docker_restarts
	await_cycles 200
	all_pause
	took=$(ms_since "$began")
	await even || fail "$(even)"
	rm "$dir/open" "$dir/pause"
	wait "${jobs[@]}"
	jobs=()
	all_went_well
	echo "# $(wc -l <"$dir/cycles") starts in $((took / 1000)) s;" \
		"served after $(sort -n "$dir/cycles" | awk '{ a[NR] = $1 } END { print a[int(NR / 2)], "ms, at most", a[NR] }') ms;" \
		"$(awk '{ n += $1 } END { print n }' "$dir/tried") questions in $(wc -l <"$dir/rounds") rounds" >&3
	nothing_denied_passed
	nothing_lost
}

# --- who may change what ---------------------------------------------------------------------

trail() { ctl history --store "$NET_DIR/store" "$@"; }
last_refusal() { # the members of it that JQ names
	trail --json | jq -sc "[.[] | select(.outcome == \"refused\")][-1] | $1"
}
to_web() { sed -i "s|\[80/tcp[^]]*\]|[$1]|" "$NET_DIR/policies/web.yaml"; }       # PORTS
to_cache() { sed -i "s|63[78]./tcp|$1/tcp|" "$NET_DIR/policies/cache.yaml"; } # PORT
not_changed() { await passes api-1 13 6379 && refused passes stranger-1 11 9999; }

@test "a team changes what is its own; more than that, and a stranger's push, is refused and on the trail" {
	await even
	not_changed
	to_cache 6380
	as "$shop_team" apply
	refused passes api-1 13 6379
	to_cache 6379
	as "$shop_team" apply
	not_changed
	order
	even

	to_web 80/tcp,9999/tcp
	run as "$shop_team" apply
	[ "$status" -eq 3 ] || fail "$status: $output"
	[[ $output == *"service web"*team-front* ]] || fail "$output"
	not_changed
	last_refusal . | jq -e ".action == \"apply\" and .who.uid == $shop_team and (.objects | index(\"service/web\"))"
	to_cache 6380 # beside what is its own: nothing of it
	run as "$shop_team" apply
	[ "$status" -eq 3 ]
	not_changed
	to_cache 6379

	run as "$shop_stranger" apply
	[ "$status" -eq 3 ] || fail "$status: $output"
	last_refusal . | jq -e ".action == \"connect\" and .who.uid == $shop_stranger"
	not_changed
	trail --verify

	ctl apply # who may everything
	await passes stranger-1 11 9999
	to_web 80/tcp
	ctl apply
	not_changed
	await even
}
