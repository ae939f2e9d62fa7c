#!/usr/bin/env bats
# The daemon owns the tables: nobody inside can change them while it runs, its death leaves them, and
# it takes them over again without a gap.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

bats_require_minimum_version 1.5.0
load lib/net
load lib/flood
load lib/daemon

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	[ -z "${traced:-}" ] || traced_gone
	[ -z "${second:-}" ] || kill "$second" 2>/dev/null || true
	daemon_gone
	net_down
}

# a may send 7001/udp to b, and nothing else passes.
pair_up() {
	net_up a b
	outsider u
	policy ab <<-'Y'
		service: a
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [7001/udp]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [7001/udp]}]
	Y
	serve b 7001/udp 7002/udp
	serve u 7001/udp
}

# What stands in a namespace of ours, handles included; without whose it is, and without what packets
# change. Not as JSON: of a table without an owner nft 1.0.6 says what happens to be in its memory.
tables() { # NAME
	local family
	for family in inet netdev; do
		ns "$1" nft -s -nn -a list table $family bulkhead
	done | sed -e '/^\tflags/d' -e 's/ progname bulkheadd$//' |
		awk '/^\tset denied/ { d = 1 } /^\t}/ { d = 0 } d && /elements/ { s = 1 } !s; s && /}$/ { s = 0 }'
}
counter() { # NAME COUNTER
	ns "$1" nft list counter inet bulkhead "$2" | awk '$1 == "packets" { print $2 }'
}
flags() { # NAME: of both tables
	local family
	for family in inet netdev; do
		ns "$1" nft list table $family bulkhead 2>/dev/null | sed -n 's/^\t\(flags.*\)/\1/p'
	done | xargs
}
owned() { [ "$(flags "$1")" = "flags owner flags owner" ]; }
orphan() { [ "$(flags "$1")" = "flags flags" ]; } # it persists: nft 1.0.6 has no word for that
filters() {
	[ "$(ask a b 7001/udp)" = "open open" ] && [ "$(ask a b 7002/udp)" = "timeout timeout" ] &&
		[ "$(ask a u 7001/udp)" = "timeout timeout" ]
}

# --- while it runs ---------------------------------------------------------------------------

@test "root inside can change neither table, by no command of nft" {
	local family chain handle command tried=0
	pair_up
	daemon_up
	owned a
	owned b
	tables a >"$dir/before"
	for family in inet netdev; do
		chain=output
		[ $family = inet ] || chain=$(ns a nft -j list table netdev bulkhead |
			jq -r '[.nftables[].chain? // empty | select(.hook)][0].name')
		handle=$(ns a nft -j list chain $family bulkhead "$chain" |
			jq '[.nftables[].rule? // empty | .handle][0]')
		[ "$handle" -gt 0 ]
		while read -r command; do
			run ns a nft "$command"
			[ "$status" -ne 0 ] || fail "this went through: nft $command"
			[[ $output == *"Operation not permitted"* ]] || fail "nft $command: $output"
			[ "$(tables a)" = "$(cat "$dir/before")" ] || fail "this changed it: nft $command"
			tried=$((tried + 1))
		done <<-N
			delete table $family bulkhead
			flush table $family bulkhead
			flush chain $family bulkhead $chain
			delete chain $family bulkhead $chain
			add rule $family bulkhead $chain accept
			insert rule $family bulkhead $chain accept
			replace rule $family bulkhead $chain handle $handle accept
			delete rule $family bulkhead $chain handle $handle
			add chain $family bulkhead mine
			add counter $family bulkhead mine
			add set $family bulkhead mine { type ipv4_addr; }
			add table $family bulkhead { flags dormant; }
			add table $family bulkhead
		N
	done
	for command in "add element inet bulkhead egress4 { $(v4 b) . udp . 7002 : \"a.out.1\" }" \
		"delete element inet bulkhead egress4 { $(v4 b) . udp . 7001 }" \
		"flush map inet bulkhead egress4" "delete map inet bulkhead egress4" \
		"delete counter inet bulkhead denied.egress"; do
		run ns a nft "$command"
		[ "$status" -ne 0 ] || fail "this went through: nft $command"
		[ "$(tables a)" = "$(cat "$dir/before")" ] || fail "this changed it: nft $command"
		tried=$((tried + 1))
	done
	[ "$tried" -eq 31 ]
	# What it can: look, and set what is counted to nothing.
	[ "$(ask a u 7001/udp)" = "timeout timeout" ]
	[ "$(counter a denied.egress)" -gt 0 ]
	ns a nft reset counters table inet bulkhead
	[ "$(counter a denied.egress)" -eq 0 ]
	filters
	ctl status
}

inode() { ns "$1" readlink /proc/self/ns/net | tr -dc 0-9; }                     # NAME
told() { grep -c "nf_tables of namespace $(inode "$1") were changed by $2 (" "$NET_DIR/daemon.log"; } # NAME WHO
ports() { # PORT...: what b lets in
	sed -i "s|ports: .*|ports: [$(tr ' ' , <<<"$*")]}]|" "$NET_DIR/policies/ab.yaml"
	ctl apply
}

@test "what another writes between two changes of ours is heard, where it was and by whom; ours are not" {
	pair_up
	daemon_up
	ports 7001/udp 7002/udp
	ns a nft add table ip mine
	ports 7001/udp
	await told a nft >/dev/null
	[ "$(told b nft)" -eq 0 ]
	ns b nft add table ip mine
	await told b nft >/dev/null
	[ "$(told a nft)" -eq 1 ]
	ns a nft 'add chain ip mine c'
	ports 7001/udp 7002/udp
	ports 7001/udp
	await eval '[ "$(told a nft)" -eq 2 ]'
	[ "$(told a bulkheadd)" -eq 0 ]
	[ "$(told b bulkheadd)" -eq 0 ]
	filters
	ctl status
}

@test "without CAP_NET_BROADCAST it says what it does not hear, and what it is to write it writes" {
	pair_up
	daemon_under setpriv --bounding-set -net_broadcast
	daemon_up
	in_log "changes of nf_tables by others are found late, and not by whom: listening for changes of nf_tables: Operation not permitted"
	ns a nft add table ip mine
	ports 7001/udp 7002/udp
	[ "$(ask a b 7002/udp)" = "open open" ]
	ns a nft add chain ip mine c
	ports 7001/udp
	filters
	[ "$(told a nft)" -eq 0 ]
	ctl status
}

@test "nft flush ruleset ends all tables but ours, and reports success" {
	pair_up
	daemon_up
	ns a nft 'add table ip mine'
	tables a >"$dir/before"
	run ns a nft flush ruleset
	[ "$status" -eq 0 ]
	[ "$(ns a nft list tables | sort | xargs)" = "table inet bulkhead table netdev bulkhead" ]
	[ "$(tables a)" = "$(cat "$dir/before")" ]
	filters
}

# CAP_NET_ADMIN stays a finding: its own tables come before and after ours.
@test "a foreign table cannot let pass what ours drops; it can drop, and rewrite behind us" {
	pair_up
	daemon_up
	ns a nft -f - <<-'N'
		table inet mine {
			chain early { type filter hook output priority -400; policy accept; accept; }
			chain same { type filter hook output priority 0; policy accept; accept; }
			chain late { type filter hook output priority 400; policy accept; accept; }
		}
	N
	filters
	# Where it goes is judged after its own NAT of what goes out ...
	ns a nft "table ip nat { chain out { type nat hook output priority -100; ip daddr $(v4 b) dnat to $(v4 u); }; }"
	[ "$(ask a b 7001/udp)" = "timeout open" ]
	[ ! -s "$NET_DIR/u.log" ]
	ns a nft delete table ip nat
	# ... but a later chain may write another destination into what ours has let pass.
	ns a nft "table ip behind { chain out { type filter hook output priority 300; ip daddr $(v4 b) udp dport 7001 ip daddr set $(v4 u); }; }"
	printf '%s 7001/udp\n' "$(v4 b)" | ns a "$probe_program" ask --tries 1 --timeout 300
	await grep -qx "udp 7001 $(v4 a)" "$NET_DIR/u.log"
	ns a nft delete table ip behind
	ns a nft 'flush chain inet mine late; add rule inet mine late drop'
	[ "$(ask a b 7001/udp)" = "timeout timeout" ]
	ctl status # none of it is in our table
}

# --- death and adoption ----------------------------------------------------------------------

@test "kill -9: the tables stand, filter and belong to nobody; a restart takes them over in place" {
	local before
	pair_up
	daemon_up
	filters
	tables a >"$dir/tables"
	before=$(counter a denied.egress)
	[ "$before" -ge 4 ]
	daemon_kill
	orphan a
	orphan b
	diff "$dir/tables" <(tables a)
	filters
	[ "$(counter a denied.egress)" -gt "$before" ]
	before=$(counter a denied.egress)
	daemon_up
	in_log "shop/a: updated"
	owned a
	owned b
	[ "$(tables a)" = "$(cat "$dir/tables")" ]
	[ "$(counter a denied.egress)" -eq "$before" ]
	run ns a nft delete table inet bulkhead
	[ "$status" -ne 0 ]
	filters
	[ "$(counter a denied.egress)" -gt "$before" ]
	ctl status
}

# Half of them die at a random moment of their start, the others when they are ready.
@test "300 times kill -9 and restart under four senders: nothing denied passes, nothing allowed is lost" {
	local i began=$EPOCHREALTIME early=0 took
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$single" "7001/udp, 7002/udp" two
	daemon_up --policies "$NET_DIR/policies/a0" --policies "$NET_DIR/policies/b0"
	flood_swap
	for ((i = 1; i <= 300; i++)); do
		daemon_kill
		daemon_start --policies "$NET_DIR/policies/a$((i / 2 % 2))" \
			--policies "$NET_DIR/policies/b$((i / 2 % 2))"
		if ((i % 2)); then
			await daemon_ready || fail "start $i: $(cat "$NET_DIR/daemon.log")"
			((i % 20 != 1)) || { owned a && owned b; } || fail "start $i: $(flags a) $(flags b)"
		else
			read -r -t "$(printf '0.%03d' $((RANDOM % 20)))" <> <(:) || true
			daemon_ready || early=$((early + 1))
		fi
		! grep -v -e ': updated$' -e ': ready' "$NET_DIR/daemon.log" || fail "start $i says that"
	done
	took=$(bc <<<"($EPOCHREALTIME - $began) / 1")
	echo "# 300 restarts in $took s, $early of them killed before they were ready" >&3
	[ "$early" -ge 10 ]
	[ "$took" -le 300 ]
	nothing_lost 10000
	nothing_leaked 10000
}

# Deleting a table takes the elements from under those packets that are in its rules at that instant
# (docs/kernel.md): one or two for each CPU. A gap of a millisecond would be ten.
@test "plain tables of an apply become the daemon's in one batch: nothing denied passes meanwhile" {
	local both
	swap_up
	version 0 "$single" 7001/udp one
	both=(--policies "$NET_DIR/policies/a0" --policies "$NET_DIR/policies/b0")
	for _ in {1..4}; do
		"$bulkhead_program" apply "${both[@]}" --inventory "$NET_DIR/inventory.json"
		[ -z "$(flags a)$(flags b)" ]
		flood_swap
		daemon_up "${both[@]}"
		owned a
		owned b
		daemon_stop
		nothing_lost 100 8
		nothing_leaked 100
		ends at-u at-b denied-at-u denied-at-b
		rm -f "$dir"/*
		bulkhead apply --clean
		[ -z "$(tables a)$(tables b)" ]
	done
}

# --- commands beside it ----------------------------------------------------------------------

more() { # what a newer policy allows as well
	sed -i 's|7001/udp|7001/udp, 7002/udp|' "$NET_DIR/policies/ab.yaml"
}
unchanged() { diff "$dir/before" <(tables a && tables b); }

@test "an apply that does not ask it: exit 3, it says whose the tables are, nothing is changed" {
	pair_up
	daemon_up
	tables a >"$dir/before"
	tables b >>"$dir/before"
	bulkhead apply # nothing to change, nothing to refuse
	more
	run bulkhead apply
	[ "$status" -eq 3 ]
	[ "$(grep -c "^bulkhead: shop/[ab]: its tables belong to a running bulkheadd, which alone can change them$" <<<"$output")" -eq 2 ]
	unchanged
	run bulkhead apply --clean
	[ "$status" -eq 3 ]
	[[ $output == *"shop/a: its tables may belong to a running bulkheadd"* ]]
	unchanged
	run ctl apply
	[ "$status" -eq 0 ]
	[ "$output" = "applied: 0 created, 2 updated, 0 unchanged, 0 removed" ]
	[ "$(ask a b 7002/udp)" = "open open" ]
	ctl apply --json | jq -se 'map(select(.outcome) | [.endpoint, .outcome]) == [["shop/a", "unchanged"], ["shop/b", "unchanged"]]'
}

@test "invalid policies through the socket: exit 2, told at the client, the old ones stand" {
	pair_up
	daemon_up
	tables a >"$dir/before"
	tables b >>"$dir/before"
	echo '{service: c, select: {labels: {app: c}}, egres: []}' >"$NET_DIR/policies/c.yaml"
	run ctl apply
	[ "$status" -eq 2 ]
	[[ $output == *"policies/c.yaml:1:"*"error:"*egres*"did you mean"* ]]
	[[ $output == *"bulkhead: nothing was changed: the policies are not valid"* ]]
	unchanged
	kill -HUP "$daemon"
	await in_log "nothing was changed: the policies are not valid"
	in_log "policies/c.yaml:1:"
	unchanged
	filters
	run ctl status # who reads it must not think that what is in the files is in force
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "refused "*"policies/c.yaml:1:"* ]]
	[[ ${lines[-1]} == "2 endpoints, 2 protected, 1 finding" ]]
	rm "$NET_DIR"/policies/*
	run ctl apply # none at all is a mistake, too
	[ "$status" -eq 2 ]
	unchanged
	run ctl status
	[[ ${lines[0]} == "refused "*"there is no "* ]]
}

@test "SIGHUP reads the policies anew" {
	pair_up
	daemon_up
	more
	kill -HUP "$daemon"
	await in_log "shop/b: updated"
	[ "$(ask a b 7002/udp)" = "open open" ]
	ctl status
}

@test "strict through the socket, or by the host file: what cannot be held keeps all as it is" {
	pair_up
	daemon_up
	tables a >"$dir/before"
	tables b >>"$dir/before"
	cp "$NET_DIR/inventory.json" "$dir/inventory"
	jq '(.endpoints[] | select(.name == "b")).obstacle = "net-admin"' "$dir/inventory" \
		>"$NET_DIR/inventory.json"
	more
	run ctl apply --strict
	[ "$status" -eq 1 ]
	[[ $output == *"shop/b: weak: it has CAP_NET_ADMIN"* ]]
	[[ $output == *"bulkhead: strict: 1 finding, nothing was changed"* ]]
	unchanged
	echo 'strict: true' >>"$NET_DIR/bulkhead.yaml"
	run ctl apply
	[ "$status" -eq 1 ]
	unchanged
	daemon_stop
	daemon_start
	daemon_ends
	[ "$status" -eq 1 ]
	in_log "strict: 1 finding, nothing was changed"
	unchanged
	cp "$dir/inventory" "$NET_DIR/inventory.json"
	daemon_up
	[ "$(ask a b 7002/udp)" = "open open" ]
}

@test "SIGTERM ends it with 0, what is enforced stays, and a one-shot clean takes all away" {
	pair_up
	daemon_up
	tables a >"$dir/before"
	tables b >>"$dir/before"
	daemon_stop
	[ ! -e "$NET_DIR/control" ]
	orphan a
	orphan b
	unchanged
	filters
	bulkhead status
	bulkhead apply --clean
	[ -z "$(ns a nft list ruleset)$(ns b nft list ruleset)" ]
	[ "$(ask a u 7001/udp)" = "open open" ]
}

@test "a second one: on the same socket refused, on another told whose the tables are" {
	pair_up
	daemon_up
	run timeout 5 "$daemon_program" --policies "$NET_DIR/policies" --config "$NET_DIR/bulkhead.yaml" \
		--inventory "$NET_DIR/inventory.json" --socket "$NET_DIR/control"
	[ "$status" -eq 3 ]
	[[ $output == *"bulkheadd: another bulkheadd answers on $NET_DIR/control" ]]
	ctl status
	more
	(exec "$daemon_program" --policies "$NET_DIR/policies" --config "$NET_DIR/bulkhead.yaml" \
		--inventory "$NET_DIR/inventory.json" --socket "$NET_DIR/second" --store "$NET_DIR/store2" \
		>/dev/null 2>"$NET_DIR/second.log" </dev/null 3>&-) &
	second=$!
	await grep -q ready "$NET_DIR/second.log"
	[ "$(grep -c "shop/[ab]: failed: its tables belong to a running bulkheadd" "$NET_DIR/second.log")" -ge 2 ]
	ctl status
	filters
	daemon_stop
	kill -HUP "$second" # who is left takes over
	await grep -q 'shop/b: updated' "$NET_DIR/second.log"
	owned a
	owned b
	[ "$(ask a b 7002/udp)" = "open open" ]
	kill "$second" && wait "$second"
	second=
}

@test "policies that are not valid end its start with exit 2; no root with exit 3" {
	pair_up
	echo '{servise: x}' >"$NET_DIR/policies/x.yaml"
	daemon_start
	daemon_ends
	[ "$status" -eq 2 ]
	in_log "policies/x.yaml:1:"
	run ! daemon_ready
	rm "$NET_DIR/policies/x.yaml"
	daemon_start --socket /proc/bulkhead/control
	daemon_ends
	[ "$status" -eq 3 ]
	run ! daemon_ready
}

# --- what begins and ends --------------------------------------------------------------------

@test "a namespace that ends is let go of within 2 s: no descriptor, no device is left" {
	local began
	pair_up
	serve a 7003/udp # a socket of a process keeps it, too
	daemon_up
	descriptors | grep -q "/$NET-a$"
	[ "$(descriptors | grep -c "^/run/netns/$NET-")" -eq 2 ]
	number_of a
	began=$EPOCHREALTIME
	member_gone a
	await eval "! ns switch ip link show port$number"
	[ "$(bc <<<"$EPOCHREALTIME - $began < 2")" -eq 1 ]
	[ "$(descriptors | grep -c "^/run/netns/$NET-")" -eq 1 ]
	ctl status
	# One of the same name is another one.
	ip netns add "$NET-a"
	printf 'a %s app=a\n' "$number" >>"$NET_DIR/members"
	write_inventory
	await owned_anew
	ctl status
}
owned_anew() { ns a nft list table inet bulkhead | grep -q 'flags owner'; }

protected() { ctl status --json | jq -se --arg id "$1" 'any(.endpoint == $id and .state == "protected")'; }

@test "a namespace that comes is held without a command, an unselected one is let go of" {
	local before
	pair_up
	daemon_up
	before=$(descriptors | wc -l)
	printf '%s\n' '---' 'service: c' 'select: {labels: {app: c}}' >>"$NET_DIR/policies/ab.yaml"
	ctl apply
	member c
	member d
	await owned c
	await protected shop/c
	await eval "[ $(descriptors | wc -l) -gt $before ]"
	[ -z "$(flags d)" ]
	[[ $(descriptors) != *"/$NET-d"* ]]
	sed -i '/^---$/,$d' "$NET_DIR/policies/ab.yaml"
	printf '%s\n' 'service: b' 'select: {labels: {app: b}}' >"$NET_DIR/policies/ab.yaml"
	ctl apply
	[ "$(descriptors | grep "^/run/netns/")" = "/run/netns/$NET-b" ]
	[ -z "$(flags a)$(flags c)" ]
}

# Closer together than the time that the daemon lets pass for an event's followers.
@test "events without end do not put off what they announce" {
	pair_up
	daemon_up
	run ! grep -q late1 <(ns b nft list table netdev bulkhead)
	# Bounded: stopping the first process of a pipe does not stop the others.
	start a bash -c 'for ((i = 0; i < 1500; i++)); do
			printf "addr add 192.0.2.9/32 dev lo\naddr del 192.0.2.9/32 dev lo\n"
			read -r -t 0.004 <> <(:)
		done | ip -batch -'
	await eval "ns a ip addr show lo | grep -q 192.0.2.9"
	ns b ip link add late type veth peer name late1 # their frames are hooked at the next look
	read -r -t 1 <> <(:) || true # no polling: it would make gaps
	ns b nft list table netdev bulkhead | grep -q late1
	stop "$started"
}

# --- a kernel without owners -----------------------------------------------------------------

# Which of the messages that were sent makes an owned table: their numbers.
owner_batches() {
	grep '^sendto(' "$NET_DIR/calls" | grep -n 'x08\\x00\\x02\\x00\\x00\\x00\\x00\\x06' | cut -d: -f1
}
traced_gone() { # it ends, and with it who traces it
	kill "$traced" 2>/dev/null && daemon_ends
	traced=
}
tracing() { # [EXPRESSION]: the daemon, from no tables on
	[ -z "${traced:-}" ] || traced_gone
	bulkhead apply --clean
	daemon_under strace -x -s 400 -e trace=sendto ${1:+-e "inject=sendto:error=EOPNOTSUPP:when=$1"} \
		-o "$NET_DIR/calls"
	daemon_up
	traced=$(pgrep --parent "$daemon")
}

# Such a kernel refuses the first table, and the probe's.
@test "a kernel without owned tables: plain ones, told as a lack, and mended by themselves" {
	local first probe
	pair_up
	tracing
	first=$(owner_batches | head -n 1)
	tracing "$first"
	owned a # the probe found nothing that is missing
	owned b
	probe=$(owner_batches | sed -n 2p)
	[ "$probe" -gt "$first" ]
	tracing "$first..$probe+$((probe - first))"
	[ -z "$(flags a)$(flags b)" ]
	ns a nft list table netdev bulkhead >/dev/null
	filters
	run ctl status
	[ "$status" -eq 0 ]
	[[ $output =~ limited\ +this\ kernel.*"no tables that are owned and persist: root with CAP_NET_ADMIN in a namespace can change its tables at any time" ]]
	[ "$(grep -c '^protected ' <<<"$output")" -eq 2 ]
	ns a nft flush ruleset
	await ns a nft list table inet bulkhead # seen at once, not at the next look
	grep -q "nf_tables of namespace [0-9]* were changed by nft (process [0-9]*)" "$NET_DIR/daemon.log"
	in_log "shop/a: created"
	filters
	ctl status
}
