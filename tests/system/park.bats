#!/usr/bin/env bats
# What the daemon holds is parked with systemd: while it is dead, and until the next one has it, the
# tables have their owner and the queues are taken. systemd is a stand-in (lib/manager.py).
# shellcheck disable=SC2030,SC2031,SC2034,SC2154

bats_require_minimum_version 1.5.0
load lib/net
load lib/flood
load lib/daemon
load lib/manager

xdpsend=${probe_program%/*}/xdpsend

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	daemon_gone
	net_down
}

# a may send 7001/udp to b, and nothing else passes.
pair_up() { # [OPTION-OF-MANAGER...]
	net_up a b
	policy ab <<-'Y'
		service: a
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [7001/udp]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [7001/udp]}]
	Y
	managed "$@"
}

names_of() { # NAME: of what is parked of it with one device of one queue
	echo "nl-$(ino_of "$1")"
	echo "xsk-$(ino_of "$1")-$(ns "$1" cat /sys/class/net/eth0/ifindex)-0"
}
all_parked() { [ "$(parked)" = "$({ for name in "$@"; do names_of "$name"; done; } | sort)" ]; } # NAME...

# Root inside has no way at the tables, nor at the queue.
closed() { # NAME
	local command
	for command in "delete table inet bulkhead" "flush table netdev bulkhead" \
		"insert rule inet bulkhead output accept" "add table inet bulkhead { flags dormant; }"; do
		run ns "$1" nft "$command"
		[ "$status" -ne 0 ] && [[ $output == *"Operation not permitted"* ]] ||
			fail "nft $command: $status $output" || return
	done
	ns "$1" nft flush ruleset
	[ "$(ns "$1" nft list tables | sort | xargs)" = "table inet bulkhead table netdev bulkhead" ] ||
		fail "nft flush ruleset took them" || return
	run ns "$1" "$xdpsend" send eth0 0 02:00:00:00:00:09 10.0.0.1 10.0.0.2 9
	[ "$status $output" = "1 bind: EBUSY" ] || fail "AF_XDP: $status $output"
}

# Each is another netlink port, or nobody's (0).
same_owners() { # NAME FILE
	local now
	now=$(owners "$1")
	[ "$now" = "$(cat "$2")" ] && [[ $now =~ ^[1-9][0-9]*\ [1-9][0-9]*$ ]] ||
		fail "owned by $now, before by $(cat "$2")"
}
policies_digest() { ns a nft list table inet bulkhead | sed -n 's/.*generation[ =]\([0-9a-f]*\).*/\1/p' | head -n 1; }
gone_from() { [ -z "$(ns switch ip -br link show "port$1" 2>/dev/null)" ]; } # NUMBER: its namespace has ended

# --- life and death --------------------------------------------------------------------------

@test "kill -9: the tables have the same owner, root inside no way in; the next run goes on with it" {
	local commit
	pair_up
	serve b 7001/udp 7002/udp
	daemon_up
	await all_parked a b
	owners a >"$dir/a"
	owners b >"$dir/b"
	main_kill
	same_owners a "$dir/a"
	same_owners b "$dir/b"
	closed a
	closed b
	commit=$(commit_of a)
	[ "$(ask a b 7001/udp)" = "open open" ]
	[ "$(ask a b 7002/udp)" = "timeout timeout" ]
	main_start
	in_log "took over 4 descriptors of an earlier run"
	same_owners a "$dir/a"
	same_owners b "$dir/b"
	# Nothing was changed, so nothing was written: ...
	never in_log updated
	[ "$(commit_of a)" -eq "$commit" ]
	# ... and what was parked is, once.
	all_parked a b
	[ "$(grep -c 'FDSTORE=1' "$manager_dir/said")" -eq 4 ]
	never said FDSTOREREMOVE=1
	closed a
	[ "$(ask a b 7001/udp)" = "open open" ]
	[ "$(ask a b 7002/udp)" = "timeout timeout" ]
	run ctl status
	[ "$status" -eq 0 ]
}

@test "what is taken over writes: a changed policy, by the same owner" {
	pair_up
	serve b 7001/udp 7002/udp
	daemon_up
	owners a >"$dir/a"
	main_kill
	order litter
	sed -i 's|7001/udp|7001/udp, 7002/udp|' "$NET_DIR/policies/ab.yaml"
	main_start
	in_log "shop/a: updated"
	same_owners a "$dir/a"
	[ "$(ask a b 7002/udp)" = "open open" ]
	ctl status
	main_kill TERM
	same_owners a "$dir/a"
	closed a
}

@test "invalid policies at the restart: it ends, the owners stay; put right, it goes on with them" {
	pair_up
	daemon_up
	owners a >"$dir/a"
	await all_parked a b
	main_kill
	echo 'servce: x' >"$NET_DIR/policies/c.yaml"
	main_begin
	await said "ended 2"
	same_owners a "$dir/a"
	closed a
	all_parked a b
	rm "$NET_DIR/policies/c.yaml"
	main_start
	same_owners a "$dir/a"
	all_parked a b
	closed a
}

@test "without a service manager nothing is parked: after kill -9 the tables are nobody's, as ever" {
	pair_up
	under=(env -u NOTIFY_SOCKET)
	daemon_up
	[[ $(owners a) =~ ^[1-9] ]]
	daemon_kill
	[ "$(owners a)" = "0 0" ]
	daemon_up
	in_log "shop/a: updated"
	never in_log descriptor
	closed a
}

# --- namespaces that end ---------------------------------------------------------------------

@test "a container that ends is let go of by systemd, too: its namespace ends" {
	pair_up
	daemon_up
	await all_parked a b
	owners b >"$dir/b"
	member_gone a
	await gone_from 1 || fail "parked: $(parked)"
	await all_parked b
	main_kill
	same_owners b "$dir/b"
	main_start
	all_parked b
	same_owners b "$dir/b"
}

@test "a container that ended while the daemon was dead is let go of at the restart" {
	pair_up
	daemon_up
	await all_parked a b
	main_kill
	member_gone a
	never gone_from 1 # what is parked keeps it
	main_start
	await gone_from 1 || fail "parked: $(parked)"
	all_parked b
}

@test "many that come and go at once: none stays, none is forgotten" {
	local i name
	pair_up
	daemon_up
	for i in {1..15}; do
		member "c$i" app=a
		member "d$i" app=a
		echo "pad$i $((number + 1)) -" >>"$NET_DIR/members" # no number twice
		member_gone "c$i"
		member_gone "d$i"
	done
	member e app=a
	await all_parked a b e || fail "$(parked)"
	[ "$(grep -c 'FDSTORE=1' "$manager_dir/said")" -gt 6 ] # some of them were there for a moment
	await eval '[ "$(ns switch ip -br link show type veth | wc -l)" -eq 3 ]'
}

@test "a namespace that no policy selects is not parked, not even for a moment" {
	net_up a x
	policy a <<<'{service: a, select: {labels: {app: a}}}'
	managed
	daemon_up
	await all_parked a
	never grep -q "$(ino_of x)" "$manager_dir/said"
	rm "$NET_DIR/policies/a.yaml"
	policy x <<<'{service: x, select: {labels: {app: x}}}'
	kill -HUP "$(main_pid)"
	await all_parked x || fail "$(parked)"
}

# A manager that reads nothing: the daemon waits for room in its queue, in the midst of new namespaces.
waits() { grep -qE '^(46|211) ' "/proc/$1/syscall"; } # PID: in sendmsg()
killed_while_it_parks() { # NAME...
	local name pid found=0
	pid=$(main_pid)
	kill -CONT "$pid"
	await waits "$pid"
	kill -KILL "$pid"
	kill -CONT "$daemon"
	await main_ended
	for name in "$@"; do
		[ -n "$(ns "$name" nft list tables)" ] || continue
		found=$((found + 1))
		[[ $(owners "$name") =~ ^[1-9][0-9]*\ [1-9] ]] ||
			fail "$name has tables, and they are nobody's" || return
	done
	[ "$found" -gt 1 ] && [ "$found" -lt $# ] || fail "$found of $# had tables"
}
members_at_once() { # NAME...
	local name inventory
	inventory=$(cat "$NET_DIR/inventory.json")
	for name in "$@"; do
		member "$name" app=a
		echo "$inventory" >"$NET_DIR/inventory.json"
	done
	write_inventory
}

@test "no table is there before its owner is parked" {
	pair_up
	daemon_up
	await all_parked a b
	kill -STOP "$(main_pid)" "$daemon"
	members_at_once c1 c2 c3 c4 c5 c6 c7
	killed_while_it_parks c1 c2 c3 c4 c5 c6 c7
	main_start
	kill -STOP "$(main_pid)" "$daemon"
	members_at_once d1 d2 d3 d4 d5 d6 d7
	ns a ip tuntap add dev tap0 mode tap # a message more before theirs
	killed_while_it_parks d1 d2 d3 d4 d5 d6 d7
	main_start
	closed c7
	closed d7
}

# --- devices ---------------------------------------------------------------------------------

refused_with() { # ERROR DEVICE QUEUE
	run ns a "$xdpsend" send "$2" "$3" 02:00:00:00:00:09 10.0.0.1 10.0.0.2 9
	[ "$status $output" = "1 bind: $1" ] || fail "$2 queue $3: $status $output"
}

@test "every queue of a device stays taken; of one that is gone meanwhile nothing stays" {
	local queue
	pair_up
	ns a ip link add wide numtxqueues 3 numrxqueues 3 type veth peer name other numtxqueues 1 numrxqueues 1
	ns a "$xdpsend" queues wide 3
	ns a ip link add brief numtxqueues 1 numrxqueues 1 type veth peer name brief2 numtxqueues 1 numrxqueues 1
	daemon_up
	await parks 10 || fail "$(parked)" # two owners, two of eth0, three, one, and both other ends
	main_kill
	for queue in 0 1 2; do refused_with EBUSY wide $queue; done
	refused_with EBUSY brief 0
	ns a ip link del brief
	main_start
	in_log "took over 8 descriptors of an earlier run"
	[ "$(grep -c 'let go of the parked descriptor xsk-.*: its device is gone$' "$NET_DIR/daemon.log")" -eq 2 ]
	for queue in 0 1 2; do refused_with EBUSY wide $queue; done
	parks 8 || fail "$(parked)"
	[ "$(ctl status --json | jq -r 'select(.endpoint == "shop/a").state')" = protected ]
	# One that came when nobody was there.
	main_kill
	ns a ip link add late numtxqueues 1 numrxqueues 1 type veth peer name late2 numtxqueues 1 numrxqueues 1
	main_start
	refused_with EBUSY late 0
	await parks 10
}

@test "a device that left the namespace and came back meanwhile is taken again, and parked" {
	pair_up
	daemon_up
	await all_parked a b
	main_kill
	member_bare transit
	ns a ip link set eth0 netns "$NET-transit"
	ns transit ip link set eth0 netns "$NET-a"
	ns a ip link set eth0 up
	main_start
	refused_with EBUSY eth0 0
	main_kill
	refused_with EBUSY eth0 0
	all_parked a b || fail "$(parked)"
}

# --- what cannot be used ---------------------------------------------------------------------

# Of each kind how many; without those of whoever started it all.
open_in_main() {
	find "/proc/$(main_pid)/fd" -type l -printf '%l\n' | sed -n 's/^\(socket\|net\|.memfd\):.*/\1/p' | sort | uniq -c
}

@test "descriptors that are stale, foreign or not what they are called are closed and told" {
	local here
	pair_up
	outsider u
	daemon_up
	await all_parked a b
	owners a >"$dir/a"
	owners b >"$dir/b"
	main_kill
	main_start
	open_in_main >"$dir/open"
	main_kill
	here=$(printf '%x' "$(stat -Lc %i /proc/self/ns/net)")
	given stored:a file
	given "nl-$(ino_of u):u" file
	given "nl-$(ino_of u):u" udp
	given "nl-$(ino_of u):u" route
	given "nl-$(ino_of u):u" unbound
	given "nl-$(ino_of u):u" listening
	given "nl-$(ino_of u):b" netfilter
	given "nl-$(ino_of b):b" netfilter # a second one: the first stays
	given "xsk-$(ino_of a)-77-0:a" xdp
	given "xsk-$(ino_of a)-77-1:a" netns
	given "nl-0$(ino_of u):u" netfilter
	given "xsk-$(ino_of a)-2:a" xdp
	(
		python3 "$manager" give "$manager_dir" "nl-$here" netfilter
		python3 "$manager" give "$manager_dir" nl-1 netfilter
	)
	await parks 18 || fail "$(parked)"
	main_start
	all_parked a b || fail "$(parked)"
	in_log "took over 4 descriptors of an earlier run"
	[ "$(grep -c 'let go of the parked descriptor' "$NET_DIR/daemon.log")" -eq 10 ] # of 14
	in_log "; more are not told"
	in_log "stored: it is none of bulkheadd's"
	in_log "xsk-$(ino_of a)-2: it is none of bulkheadd's"
	in_log "nl-$(ino_of u): it is of another namespace"
	in_log "nl-$(ino_of u): it is not a netlink socket of ours"
	diff "$dir/open" <(open_in_main)
	same_owners a "$dir/a"
	same_owners b "$dir/b"
	closed a
	closed b
	[ -z "$(ns u nft list tables)" ]
	# And nothing of it comes back.
	main_kill
	main_start
	same_owners b "$dir/b"
	[ "$(grep -c 'let go of the parked descriptor' "$NET_DIR/daemon.log")" -eq 10 ]
}

@test "another socket in the place of the owner: it is let go of, and the tables are adopted" {
	pair_up
	daemon_up
	await all_parked a b
	main_kill
	order lose
	given "nl-$(ino_of a):b" netfilter
	[ "$(owners a)" = "0 0" ]
	main_start
	in_log "nl-$(ino_of a): it is of another namespace"
	in_log "shop/a: updated"
	[[ $(owners a) =~ ^[1-9] ]]
	closed a
	all_parked a b
}

# --- the store is full -----------------------------------------------------------------------

@test "no room for all: the owners come first, it is told once, and made good when there is room" {
	local name
	export FDSTORE=4 # what systemd says to the service
	pair_up --max 4
	daemon_up
	await all_parked a b
	never in_log "store is full"
	member c app=a
	member d app=a
	await eval 'parks_none_of xsk && parks 4' || fail "$(parked)"
	[ "$(grep -c 'the descriptor store is full with 4' "$NET_DIR/daemon.log")" -eq 1 ]
	await said "STATUS=4 namespaces held, policies $(policies_digest), 4 descriptors not in the store"
	for name in a b c d; do owners $name >"$dir/$name"; done
	main_kill
	for name in a b c d; do same_owners $name "$dir/$name"; done
	main_start
	for name in a b c d; do
		same_owners $name "$dir/$name"
		closed $name
	done
	[ "$(grep -c 'the descriptor store is full with 4' "$NET_DIR/daemon.log")" -eq 2 ]
	member_gone c
	member_gone d
	await all_parked a b || fail "$(parked)"
	await eval 'tail -n 1 "$manager_dir/said" | grep -qx "STATUS=2 namespaces held, policies [0-9a-f]*"'
	unset FDSTORE
}

@test "a store that is smaller than anybody said: what was not kept is adopted, nothing is let go of" {
	local i
	pair_up --max 1
	daemon_up
	for i in 1 2 3; do
		main_kill
		parks 1
		[ "$(owners b)" = "0 0" ]
		main_start
		[[ $(owners b) =~ ^[1-9] ]]
		closed a
		closed b
		ctl status
	done
	never in_log "let go of"
}

# --- what systemd is told --------------------------------------------------------------------

# In time, and none of an earlier reload.
reload_told() { # MICROSECONDS
	local usec
	usec=$(sed -n 's/^RELOADING=1|MONOTONIC_USEC=//p' "$manager_dir/said" | tail -n 1)
	[ "$usec" -ge "$1" ] && [ "$usec" -le "$(monotonic)" ] &&
		[ "$(sed -n '/^RELOADING/,$p' "$manager_dir/said" | sed -n 's/^READY=1|.*/READY/p')" = READY ]
}
monotonic() { python3 -c 'import time; print(time.monotonic_ns() // 1000)'; }

@test "systemd is told of the start, of what is held, of a reload and of the end" {
	local began inventory
	pair_up
	inventory=$NET_DIR/$'a\nWATCHDOG=trigger'
	cp "$NET_DIR/inventory.json" "$inventory"
	daemon_up --inventory "$inventory"
	await said "READY=1|STATUS=2 namespaces held, policies $(policies_digest)"
	member c app=a
	cp "$NET_DIR/inventory.json" "$inventory"
	await said "STATUS=3 namespaces held, policies $(policies_digest)"
	began=$(monotonic)
	sed -i 's|7001/udp|7002/udp|' "$NET_DIR/policies/ab.yaml"
	kill -HUP "$(main_pid)"
	await reload_told "$began" || fail "$(cat "$manager_dir/said")"
	await said "READY=1|STATUS=3 namespaces held, policies $(policies_digest)"
	echo 'servce: x' >"$NET_DIR/policies/x.yaml"
	kill -HUP "$(main_pid)"
	await said "policies $(policies_digest); what stands in the policy files is refused"
	rm "$NET_DIR/policies/x.yaml"
	kill -HUP "$(main_pid)"
	await eval 'tail -n 1 "$manager_dir/said" | grep -qx "READY=1|STATUS=3 namespaces held, policies [0-9a-f]*"' ||
		fail "$(tail -n 5 "$manager_dir/said")"
	# A listing that fails is trouble, and whatever its words are, they are one line.
	rm "$inventory"
	ns a ip addr add 192.0.2.9/32 dev eth0 # something happens: a look
	await grep -q '^STATUS=3 namespaces held, policies [0-9a-f]*; .*a\\x0aWATCHDOG=trigger' "$manager_dir/said" ||
		fail "$(cat "$manager_dir/said")"
	never said "|WATCHDOG"
	main_kill TERM
	said "STOPPING=1|"
	said "ended 0"
	never said FDSTOREREMOVE
}

@test "a daemon that hangs is ended and started again by the watchdog, and nothing is lost by it" {
	local first
	pair_up --watchdog 500
	daemon_up
	await all_parked a b
	owners a >"$dir/a"
	await eval '[ "$(grep -c ^WATCHDOG=1 "$manager_dir/said")" -ge 3 ]'
	never said "ended"
	touch "$manager_dir/always"
	first=$(main_pid)
	kill -STOP "$first"
	await ready_times 2 || fail "$(cat "$manager_dir/said")"
	said watchdog
	said "ended -6"
	[ "$(main_pid)" != "$first" ]
	same_owners a "$dir/a"
	closed a
	await eval '[ "$(sed "1,/^ended/d" "$manager_dir/said" | grep -c ^WATCHDOG=1)" -ge 3 ]'
}

# --- under load ------------------------------------------------------------------------------

# Root inside tries all the time, until it may, or until it is ended.
thief() { # NAME
	# shellcheck disable=SC2016
	start "$1" nice -n 19 bash -c 'until nft delete table inet bulkhead || nft delete table netdev bulkhead ||
		"$0" send eth0 0 02:00:00:00:00:09 10.0.0.1 10.0.0.2 9; do echo tried >>"$1"; done 2>/dev/null
		echo stolen >>"$1"' "$xdpsend" "$dir/thief"
}

@test "50 times kill -9 and restart under four senders and a thief: no owner changes, nothing is lost" {
	local i
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$single" "7001/udp, 7002/udp" two
	managed
	mkdir "$NET_DIR/now"
	cp "$NET_DIR/policies"/[ab]0/* "$NET_DIR/now"
	daemon_up --policies "$NET_DIR/now"
	await all_parked a b
	owners a >"$dir/owners-a"
	owners b >"$dir/owners-b"
	flood_swap
	thief a
	for ((i = 1; i <= 50; i++)); do
		if ((i % 2)); then
			cp "$NET_DIR/policies"/[ab]$((i / 2 % 2))/* "$NET_DIR/now"
			[ -n "$(main_pid)" ] || main_start
		else
			main_begin
			read -r -t "$(printf '0.%03d' $((RANDOM % 60)))" <> <(:) || true
		fi
		main_kill
		((i % 5)) || { same_owners a "$dir/owners-a" && same_owners b "$dir/owners-b"; }
	done
	main_start
	same_owners a "$dir/owners-a"
	same_owners b "$dir/owners-b"
	all_parked a b
	never in_log "let go of"
	[ "$(grep -c tried "$dir/thief")" -gt 50 ]
	never grep -q stolen "$dir/thief"
	stop "$started"
	nothing_lost 1000
	nothing_leaked 1000
}
