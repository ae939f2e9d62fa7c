#!/usr/bin/env bats
# No unprotected instant: containers whose first instructions send what is denied and what is allowed,
# by Docker, Podman and plain runc, some hundred times each. Nothing that is denied is ever on a wire,
# nothing that is allowed is refused, and each start is recorded, whatever the daemon does meanwhile.
# FIRST_STARTS: another number than 300.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # `await eval` expands later; names of the helpers

bats_require_minimum_version 1.5.0
load lib/docker
load lib/starts

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	starts_up
	starts_daemon
	await db_is_heard
	what_is_held >"$NET_DIR/held"
}
db_is_heard() { ctl status --json | jq 'select(.daemon) | .logger.listening' | grep -qx 1; }
teardown_file() {
	starts_down
	docker_down
}
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	began=$(date -u +%FT%T.%3NZ)
	began_us=$EPOCHREALTIME
	rm -f "$NET_DIR"/*.codes "$NET_DIR"/*.errors
}

# What a test that failed has left.
teardown() {
	[ -s "$NET_DIR/manager/main" ] || daemon_again
	daemon_signal CONT
	of_each discard >/dev/null 2>&1 || true
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
		fail "codes: $(awk '{ print $2 }' "$NET_DIR/$1.codes" | sort | uniq -c | xargs); $(tail -n 5 "$NET_DIR/$1.errors")
			$(recorded | jq -c 'select(.endpoint.name == "db" or .destination.port == 5432)' | tail -n 5)"
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
	await none_lacks "$@" && return
	fail "$(lacking "$@" | head -n 12)
		all records, by whom they are said to be of: $(recorded | jq -rs --arg names "${*:3}" '
			map(select(.endpoint.name as $n | $names | split(" ") | index($n) | not)) |
			group_by([.endpoint.name, .service, .rule.kind])[] |
			"\(length) \(.[0].endpoint.name) \(.[0].service) \(.[0].rule.kind)"')
		$(ctl status --json | jq -c 'select(.daemon).logger')"
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
	local starts=${FIRST_STARTS:-300} each=3 made
	names "$1" $((starts / each))
	in_parallel 2 "$1_make" "${all[@]}"
	made=$(ms_since "$began_us")
	captured_begin
	for ((i = 0; i < each; i++)); do
		loaded in_parallel 4 "$1_start" "${all[@]}"
	done
	captured_end
	all_answered "$1" "$starts"
	none_on_the_wire
	all_on_the_wire "$1" "$starts"
	all_recorded "$1" $each "${all[@]}"
	none_refused
	echo "# $1: $starts starts, $(denied_frames | wc -l) denied frames of $(captured '' | wc -l)," \
		"$(recorded | wc -l) records, 0 refused; made in $((made / 1000)) s, all in" \
		"$(($(ms_since "$began_us") / 1000)) s" >&3
	"$1_discard" "${all[@]}"
	await nothing_left || fail "$(diff "$NET_DIR/held" <(what_is_held))"
}

# --- nothing is left -------------------------------------------------------------------------

# What a daemon has of containers: rows of its status, what it keeps open, what is kept for it.
what_is_held() {
	ctl status --json | jq -rc 'select(.endpoint) | .name | sub(" \\(.*"; "")' | sort
	ctl status --json | jq -rc 'select(.daemon) | "held \(.namespaces_held), listened to \(.logger.listening)"'
	echo "parked $(sed 's/-.*//' "$NET_DIR/manager/store" | sort | uniq -c | xargs)"
	echo "namespaces open $(on_host find "/proc/$(daemon_pid)/fd" -lname 'net:*' -printf '%l\n' |
		grep -vxF -e "$(on_host readlink /proc/1/ns/net)" \
			-e "net:[$(on_host stat --format %i /run/netns/db)]" | sort -u | wc -l)"
}
nothing_left() { [ "$(what_is_held)" = "$(cat "$NET_DIR/held")" ]; }

# --- a daemon in trouble ---------------------------------------------------------------------

# Frames of containers that are to send nothing at all, allowed or not.
any_frames() { captured 'not port 9996'; }
nothing_on_the_wire() {
	local n
	n=$(any_frames | wc -l)
	[ "$n" -eq 0 ] || fail "$n frames: $(any_frames | head -n 5)"
}

codes() { cut -d' ' -f2 "$NET_DIR/$1.codes" | sort | uniq -c | xargs; } # RUNTIME
all_have_code() { # CODE NAME...
	local runtime
	for runtime in docker podman runc; do
		[ "$(codes $runtime)" = "2 $1" ] || fail "$runtime: $(codes $runtime), not 2 $1;" \
			"$(tail -n 2 "$NET_DIR/$runtime.errors")"
	done
}

# Two of each runtime, all at the same time.
start_of_each() {
	local runtime pids=()
	for runtime in docker podman runc; do
		in_parallel 2 ${runtime}_start $runtime-1 $runtime-2 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
}
of_each() { # make|discard
	local runtime
	for runtime in docker podman runc; do
		"${runtime}_$1" $runtime-1 $runtime-2
	done
}

# What starts while the daemon is like this, by what the host file says, has CODE and sends nothing.
while_daemon() { # SETTING CODE
	starts_config "starts: {without-daemon: $1, wait: 2s}"
	captured_begin
	start_of_each
	captured_end
	all_have_code "$2"
	nothing_on_the_wire
	rm -f "$NET_DIR"/*.codes "$NET_DIR"/*.errors
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

@test "a daemon that is dead: starts fail, or go on with everything denied, as the host file says" {
	of_each make
	daemon_dies
	while_daemon fail not
	while_daemon quarantine 15
	daemon_again
	of_each discard
}

@test "a daemon that hangs: starts fail, or go on with everything denied, as the host file says" {
	of_each make
	daemon_signal STOP
	while_daemon fail not
	while_daemon quarantine 15
	daemon_signal CONT
	of_each discard
}

hooks_wait() { [ "$(on_host pgrep -c -x bulkhead-oci-ho)" -ge 3 ]; } # a name has 15 characters

@test "a daemon that dies while starts wait for it: they fail" {
	local starts
	of_each make
	starts_config 'starts: {wait: 15s}'
	daemon_signal STOP
	captured_begin
	start_of_each 3>&- &
	starts=$!
	await hooks_wait
	daemon_dies
	wait $starts
	captured_end
	all_have_code not
	nothing_on_the_wire
	daemon_again
	of_each discard
	await nothing_left || fail "$(diff "$NET_DIR/held" <(what_is_held))"
}

# Of a container of Docker or Podman it may not find out what it is: its engine does not tell while it
# starts it, and a daemon that is new has not heard of its making.
@test "a daemon that is back in time: a start has waited for it, and may do all that it may" {
	local starts
	runc_make runc-1
	starts_config 'starts: {wait: 20s}'
	daemon_signal STOP
	captured_begin
	runc_start runc-1 3>&- &
	starts=$!
	await on_host pgrep -x bulkhead-oci-ho
	daemon_dies
	daemon_again
	wait $starts
	captured_end
	[ "$(codes runc)" = "1 0" ] || fail "$(codes runc): $(cat "$NET_DIR/runc.errors")"
	none_on_the_wire
	all_recorded runc 1 runc-1
	runc_discard runc-1
}

@test "a daemon that dies and comes back all the time: nothing that is denied leaves" {
	local starts i deaths=0
	starts_config 'starts: {wait: 10s}'
	names runc 20
	runc_make "${all[@]}"
	captured_begin
	{
		in_parallel 4 runc_start "${all[@]}"
		in_parallel 4 runc_start "${all[@]}"
		: >"$NET_DIR/started"
	} 3>&- &
	starts=$!
	until [ -e "$NET_DIR/started" ] || [ $deaths -eq 30 ]; do
		daemon_dies
		daemon_again
		deaths=$((deaths + 1))
	done
	wait $starts
	captured_end
	none_on_the_wire
	echo "# $deaths deaths; codes of 40 starts: $(codes runc)" >&3
	[ "$(wc -l <"$NET_DIR/runc.codes")" -eq 40 ]
	refused grep -Ev ' (0|not)$' "$NET_DIR/runc.codes"
	runc_discard "${all[@]}"
	await nothing_left || fail "$(diff "$NET_DIR/held" <(what_is_held))"
}
