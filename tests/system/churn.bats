#!/usr/bin/env bats
# Endpoints come, go and take over each other's addresses, all the time, while the daemon runs, dies
# and starts anew. What is denied never passes, what is allowed among those that stay is never lost.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

bats_require_minimum_version 1.5.0
load lib/net
load lib/flood
load lib/daemon
load lib/churn

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir" && churn_up; }
teardown() {
	churn_ends
	daemon_gone
	net_down
}

moment() { read -r -t "$(printf '0.%03d' $((RANDOM % $1)))" <> <(:) || true; } # BELOW-MS
ms_since() { echo "$((${EPOCHREALTIME/./} / 1000 - ${1/./} / 1000))"; }         # EPOCHREALTIME

# --- traffic ---------------------------------------------------------------------------------

to_numbers() { # PORT
	local number
	for number in "${churn_numbers[@]}"; do
		echo "--to $(at4 "$number") $1 --to $(at6 "$number") $1"
	done
}

# From a to b is allowed and stays so. Nothing else of this is: by the table of who sends (locked, a),
# of who is sent to (b, locked), or of both. At b the senders have numbers of their own.
# shellcheck disable=SC2046
traffic() {
	flood b:at-b --at 7001
	flood b:denied-at-b --at 7009
	flood locked:denied-at-locked --at 7001
	flood u:denied-at-u --at 7001
	flood a:from-a --at 40000+7 --rate 6000 $(both_to b 7001)
	flood a:denied-from-a --at 41000+7 --rate 3000 $(both_to b 7009) $(both_to u 7001)
	flood a:a-to-numbers --at 42000 --rate 3000 $(to_numbers 7001)
	flood locked:denied-from-locked --at 42000 --rate 3000 --id 3 $(both_to b 7001)
	flood u:denied-from-u --at 42000 --rate 3000 --id 4 $(both_to b 7001)
}

some_came() { board "$@" && [ "$received" -ge 100 ]; } # BOARD [SENDER-ID]

none_came() { # BOARD [SENDER-ID]
	settled "$@"
	[ "$received" -eq 0 ] || fail "$received datagrams came that are denied: $*"
}

traffic_was_right() { # DATAGRAMS-AT-LEAST
	local board
	for board in from-a denied-from-a a-to-numbers denied-from-locked denied-from-u; do
		board $board
		[ "$sent" -ge "$1" ] || fail "$board sent only $sent" || return
	done
	ends from-a denied-from-a a-to-numbers denied-from-locked denied-from-u
	none_came at-b 3 && none_came at-b 4 && none_came denied-at-b && none_came denied-at-locked &&
		none_came denied-at-u || return
	lost_between from-a at-b
	[ "$lost" -eq 0 ] || fail "lost $lost of $((lost + received)) on the way from a to b"
}

# --- death under churn -----------------------------------------------------------------------

# What is allowed to those that came is open to them, of the rest nothing.
newcomers_are_served() {
	local name rest clients=0
	serve b 7002/udp
	while read -r name rest; do
		[[ $name == client-* ]] || continue
		[ "$(ask "$name" b 7002/udp)" = "open open" ] || fail "$name: $(ask "$name" b 7002/udp)" || return
		[ "$(ask "$name" a 7001/udp)" = "timeout timeout" ] || return
		clients=$((clients + 1))
	done <"$NET_DIR/members"
	[ "$(ask locked b 7002/udp)$(ask u b 7002/udp)" = "timeout timeouttimeout timeout" ]
	[ "$clients" -gt 0 ] || fail "no client was there at the end"
}

# A start is killed half done every other time; every tenth start is given time to get even.
@test "50 times kill -9 at random moments, while endpoints come, go and take over addresses" {
	local i early=0 began=$EPOCHREALTIME slowest=0 paused
	churn_daemon_up
	traffic
	churn_begins
	for ((i = 1; i <= 50; i++)); do
		if ((i % 2)); then moment 20; else moment 250; fi
		daemon_ready || early=$((early + 1))
		daemon_kill
		moment 150 # they come and go without it
		churn_daemon_start
		((i % 2)) || continue
		await daemon_ready || fail "start $i: $(cat "$NET_DIR/daemon.log")"
		((i % 10 == 5)) || continue
		churn_pauses
		paused=$EPOCHREALTIME
		await converged || fail "after start $i: $(converged 2>&1)"
		paused=$(ms_since "$paused")
		((paused <= slowest)) || slowest=$paused
		churn_goes_on
	done
	await daemon_ready
	while churn_pauses && ! grep -q '^client-' "$NET_DIR/members"; do churn_goes_on; done
	await converged || fail "at the end: $(converged 2>&1)"
	echo "# 50 deaths, $early of them in a start, $(cat "$dir/steps") steps of churn," \
		"$(($(ms_since "$began") / 1000)) s; even again after $slowest ms at most" >&3
	[ "$early" -ge 10 ]
	[ "$(cat "$dir/steps")" -ge 50 ]
	newcomers_are_served
	traffic_was_right 10000
}

# What makes the test above: a table that lacks lets pass, with the daemon away, who came to an
# address that is named still.
@test "the counting above sees who takes over an address that is named, if nothing else holds it" {
	local let_in
	churn_daemon_up
	traffic
	comes client-1 101
	comes server-1 102
	await converged
	daemon_kill
	goes client-1
	goes server-1
	takes locked 102
	takes locked 101
	names_in b | grep -q "^ingress4 $(at4 101)$"
	names_in a | grep -q "^egress6 $(at6 102)$"
	board a-to-numbers
	await said a-to-numbers $((sent + 1000))
	board denied-from-locked
	await said denied-from-locked $((sent + 1000))
	none_came at-b 3
	none_came denied-at-locked
	ns locked nft delete table inet bulkhead
	await some_came at-b 3
	await heard denied-at-locked 100
	churn_daemon_up
	await named_nowhere 101 102
	settled at-b 3
	let_in=$received
	board denied-from-locked
	await said denied-from-locked $((sent + 1000))
	board at-b 3
	[ "$received" -eq "$let_in" ]
}

# --- addresses -------------------------------------------------------------------------------

@test "who ends is named in no table within 2 s; who comes to its address gets nothing" {
	local i began took times=()
	churn_daemon_up
	traffic
	comes client-0 103
	for ((i = 1; i <= 10; i++)); do
		comes client-$i 101
		calls client-$i $i
		comes server-$i 102
		await converged || fail "$(converged 2>&1)"
		goes client-$i
		goes server-$i
		began=$EPOCHREALTIME
		await named_nowhere 101 102
		took=$(ms_since "$began")
		times+=("$took")
		[ "$took" -lt 2000 ] || fail "after $took ms: $(names_in a; names_in b; names_in client-0)"
		takes u 102
		takes u 101
		board a-to-numbers
		await said a-to-numbers $((sent + 500))
		board denied-from-u
		await said denied-from-u $((sent + 500))
		gives u 101
		gives u 102
	done
	echo "# named nowhere after (ms): ${times[*]}" >&3
	traffic_was_right 5000
}

# Both families, seen where it counts: in the tables of those who may call it.
b_is_named() { names_in a | grep -qx "egress4 $(v4 b)" && names_in a | grep -qx "egress6 $(v6 b)"; }
b_is_not_named() { ! names_in a | grep -q -e " $(v4 b)$" -e " $(v6 b)$"; }

claimed_by() { # NAME
	claims "$1" "$number_of_b"
	await b_is_not_named || fail "$1 claims the address of b: $(names_in a)"
	[ "$(ask a b 7002/udp)" = "timeout timeout" ]
	gives "$1" "$number_of_b"
	await b_is_named
	forgotten "$number_of_b"
	[ "$(ask a b 7002/udp)" = "open open" ]
	await converged
}

@test "an address that two claim is denied while they do, and open again when the second lets go" {
	local number_of_b number
	number_of b
	number_of_b=$number
	churn_daemon_up
	serve b 7002/udp
	[ "$(ask a b 7002/udp)" = "open open" ]
	claimed_by locked
	comes client-1 101
	claimed_by client-1
	comes stray 102 # whom no policy selects
	claims stray "$number_of_b"
	await b_is_not_named
	goes stray
	await b_is_named
	forgotten "$number_of_b"
	[ "$(ask a b 7002/udp)" = "open open" ]
	await converged
}

@test "that two claim an address is told in the log, once" {
	local number
	number_of b
	churn_daemon_up
	claims locked "$number"
	await in_log "address $(v4 b) is claimed by both b and locked"
	in_log "address $(v6 b) is claimed by both b and locked"
	number_of b
	gives locked "$number"
	await b_is_named
	comes client-1 101
	await converged
	[ "$(grep -c 'is claimed by both' "$NET_DIR/daemon.log")" -eq 2 ]
}
