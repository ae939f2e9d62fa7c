#!/usr/bin/env bats
# No unprotected instant: containers whose first instructions send what is denied and what is allowed,
# by Docker, Podman and plain runc, some hundred times each. Nothing that is denied is ever on a wire,
# nothing that is allowed is refused, and each start is recorded, whatever the daemon does meanwhile.
# FIRST_STARTS: another number than 300.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # `await eval` expands later; names of the helpers

bats_require_minimum_version 1.5.0
load lib/docker
load lib/starts

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	starts_up
	starts_daemon
}
teardown_file() {
	starts_down
	docker_down
}
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	began=$(date -u +%FT%T.%3NZ)
	starts_config 'starts: {wait: 10s}'
	rm -f "$NET_DIR"/*.codes "$NET_DIR"/*.errors
}

ms_since() { echo "$(((${EPOCHREALTIME/./} - ${1/./}) / 1000))"; } # EPOCHREALTIME

names() { # PREFIX COUNT: sets $all
	local i
	all=()
	for ((i = 1; i <= $2; i++)); do all+=("$1-$i"); done
}

# --- what is expected ------------------------------------------------------------------------

none_on_the_wire() {
	local n
	n=$(denied_frames | wc -l)
	[ "$n" -eq 0 ] || fail "$n denied frames: $(denied_frames | head -n 5)"
}

# The capture has seen them come by: a connection each, over both families.
all_on_the_wire() { # RUNTIME STARTS
	local family n
	for family in 4 6; do
		n=$(allowed_starts "$1" $family | wc -l)
		[ "$n" -ge "$2" ] || fail "the capture saw $n of $2 connections over IPv$family" || return
	done
}

# Every start had all its answers (the code is what was not answered).
all_answered() { # RUNTIME STARTS
	[ "$(awk '$2 == "0"' "$NET_DIR/$1.codes" | wc -l)" -eq "$2" ] ||
		fail "codes: $(awk '{ print $2 }' "$NET_DIR/$1.codes" | sort | uniq -c | xargs); $(tail -n 5 "$NET_DIR/$1.errors")"
}

recorded() { ctl denied --json --store "$NET_DIR/store" --since "$began"; }

# Containers whose records are not what EACH starts make, which have a namespace each: the datagram and
# the connection over each family, the packet with a header of its own, and frames.
lacking() { # RUNTIME EACH NAME...
	recorded | jq -rn --arg four "$(stranger4 "$1")" --arg six "$(stranger6 "$1")" --argjson each "$2" \
		--arg names "${*:3}" '
		def wanted: .service == "first" and .direction == "egress" and
			(.rule.kind == "raw-socket" or (.rule.kind == "default-deny" and
			 (.rule.file | endswith("/first.yaml")) and .rule.line > 0));
		def flow: if .rule.kind == "raw-socket" then "raw"
			elif .destination.address == $four then "\(.protocol) 4 \(.destination.port)"
			elif .destination.address == $six then "\(.protocol) 6 \(.destination.port)"
			else "other" end;
		(reduce (inputs | select(wanted)) as $r ({};
			.[$r.endpoint.name][$r | flow][$r.endpoint.netns | sub("^/var"; "")] = 1)) as $seen
		| $names | split(" ")[] | . as $name
		| ("tcp 4 9999", "udp 4 9999", "udp 4 9998", "tcp 6 9999", "udp 6 9999", "raw") as $flow
		| ($seen[$name][$flow] // {} | length) as $n | select($n < $each)
		| "\($name): \($n) of \($each) starts have records of \($flow)"'
}
none_lacks() { [ -z "$(lacking "$@")" ]; }
all_recorded() { # RUNTIME EACH NAME...
	await none_lacks "$@" || fail "$(lacking "$@" | head -n 5)"
}

# Neither where it left, nor where it came in. (A container's last words, FIN, may come when it is gone.)
none_refused() {
	local n
	n=$(recorded | jq -c 'select(.destination.port == 5432 and (.protocol != "tcp" or .tcp_flags == 2))' | tee "$NET_DIR/refused" | wc -l)
	[ "$n" -eq 0 ] || fail "$n records of what is allowed: $(head -n 2 "$NET_DIR/refused")"
}

# --- many starts -----------------------------------------------------------------------------

# A third are first starts, the others restarts; four at a time, while nothing else is let rest.
many_starts() { # RUNTIME
	local starts=${FIRST_STARTS:-300} began_us each=3 made
	names "$1" $((starts / each))
	began_us=$EPOCHREALTIME
	in_parallel 2 "$1_make" "${all[@]}"
	made=$(ms_since "$began_us")
	captured_begin
	for ((i = 0; i < each; i++)); do
		loaded in_parallel 4 "$1_start" "${all[@]}"
	done
	captured_end
	if [ -n "${FIRST_KEEP:-}" ]; then cp -r "$NET_DIR" "$FIRST_KEEP"; recorded >$FIRST_KEEP/recs; fi
	all_answered "$1" "$starts"
	none_on_the_wire
	all_on_the_wire "$1" "$starts"
	all_recorded "$1" $each "${all[@]}"
	none_refused
	echo "# $1: $starts starts, $(denied_frames | wc -l) denied frames of $(captured '' | wc -l)," \
		"$(recorded | wc -l) records, 0 refused; made in $((made / 1000)) s, all in" \
		"$(($(ms_since "$began_us") / 1000)) s" >&3
	"$1_discard" "${all[@]}"
}

# --- tests -----------------------------------------------------------------------------------

# Docker makes its folder with its first container: what is in it then came with it.
@test "the first namespace of an engine is denied though its folder comes with it" {
	local folder=/run/docker/netns
	on_host test ! -e $folder
	daemon_signal STOP
	on_host unshare --net sh -c "mkdir -p $folder; : >$folder/first; mount --bind /proc/self/ns/net $folder/first"
	daemon_signal CONT
	await eval "on_host nsenter --net=$folder/first nft list table inet bulkhead"
	on_host umount -l $folder/first
	on_host rm $folder/first
}

# What is looked for below can be seen.
@test "the capture sees what is denied, of each runtime, when nobody denies it" {
	local runtime filter SERVICE='' HOOK=
	daemon_dies
	captured_begin
	for runtime in docker podman runc; do
		"${runtime}_make" free-1
		"${runtime}_start" free-1
		"${runtime}_discard" free-1
	done
	captured_end
	daemon_again
	[ "$(denied_frames | wc -l)" -ge 30 ]
	for runtime in docker podman runc; do
		for filter in "tcp dst port 9999" "udp dst port 9999" "udp dst port 9998" "udp dst port 9997"; do
			[ -n "$(captured "$filter and dst host $(stranger4 $runtime)")" ] || fail "$runtime: $filter"
			[ -n "$(captured "$filter and dst host $(stranger6 $runtime)")" ] || fail "$runtime: $filter"
		done
		[ -n "$(captured "dst port 9997 and dst host $(db4 $runtime)")" ] || fail "$runtime: frame"
	done
}

@test "runc: every start is held from its first instruction" { many_starts runc; }

@test "Podman: every start is held from its first instruction" { many_starts podman; }

@test "Docker: every start is held from its first instruction" { many_starts docker; }
