# shellcheck shell=bash disable=SC2034,SC2119,SC2154
# How long a container takes from the call that starts it to its first instruction, with the hook and
# without; and how long before that instruction everything is denied where there is no hook.

start_margins=40 # starts, at rest and under load each
read -ra start_runtimes <<<"${START_RUNTIMES:-runc podman docker}"

# The host of the system tests, with Docker, Podman and plain runc. In a shell of its own: its functions
# have the names of some of ours.
start_host() {
	BATS_FILE_TMPDIR=$(mktemp -d "$tmp/host.XXXXXX")
	export BATS_FILE_TMPDIR
	export BULKHEAD=$PWD/$bulkhead PROBE=$PWD/$build/tests/system/probe
	# shellcheck source=tests/system/lib/docker.bash
	. tests/system/lib/docker.bash
	# shellcheck source=tests/system/lib/starts.bash
	. tests/system/lib/starts.bash
	trap 'starts_down; docker_down' EXIT
	set +e
	starts_up || exit 3
}

# --- the margin ------------------------------------------------------------------------------

# start_margin FILE NAME...: adds a line each, the microseconds between the table of its namespace and
# its first instruction
start_margin() {
	local name began at netns rest
	for name in "${@:2}"; do
		began=${EPOCHREALTIME/./}000
		docker_start "$name"
		read -r at netns rest < <(docker_said "$name")
		"$build/tests/bench/commits" "$NET_DIR/commits" | awk -v netns="$netns" -v at="$at" \
			-v began="$began" '$1 == netns && $2 > began { printf "%.0f\n", (at - $2) / 1e3; exit }' >>"$tmp/$1"
	done
}

start_margins() (
	start_host
	starts_under=(env "LD_PRELOAD=$PWD/$build/tests/bench/record.so" "RECORD=$NET_DIR/commits")
	starts_daemon
	HOOK='' FIRST_ARGS=''
	names=()
	for ((i = 0; i < start_margins; i++)); do names+=("margin-$i"); done
	in_parallel 2 docker_make "${names[@]}" warm
	start_margin margin-warm warm
	start_margin margin-idle "${names[@]}"
	loaded start_margin margin-loaded "${names[@]}"
)

# least FILE
least() { sort -n "$tmp/$1" | head -n 1; }

start_report_margin() { # idle|loaded TEXT
	local n
	n=$(wc -l <"$tmp/margin-$1")
	[ "$n" -eq $start_margins ] || die "$n of $start_margins starts have a margin"
	emit "Docker without the hook: denied before its first instruction, $2, median" \
		"$(in_ms "$(median "margin-$1" 1)")" '' ms '' "$n"
	emit "the same, the least" "$(in_ms "$(least "margin-$1")")" '' ms '' "$n"
}

# --- with the hook and without ---------------------------------------------------------------

start_more=10 # ms: what the hook may add

# start_one RUNTIME VARIANT: adds the microseconds from the call to the first instruction
start_one() {
	local began at rest HOOK=yes
	[ "$2" -eq 1 ] || HOOK=
	began=${EPOCHREALTIME/./}
	"$1_start" "$1-$2"
	read -r at rest < <("$1_said" "$1-$2")
	[ "$((at / 1000))" -gt "$began" ] || return # it did not start
	echo $((at / 1000 - began)) >>"$tmp/start-$1-$2"
}

# Without the hook the daemon is there all the same, and denies first where it sees what starts; with
# neither, it is stopped.
start_times() (
	start_host
	FIRST_ARGS=''
	for runtime in "${start_runtimes[@]}"; do
		"${runtime}_make" "$runtime-1"
		HOOK='' "${runtime}_make" "$runtime-2" "$runtime-3"
	done
	HOOK_COST="$PWD/$build/tests/bench/cost $tmp/start-hook" runc_make runc-4
	starts_daemon
	for ((run = 0; run < 4 * runs; run++)); do
		for runtime in "${start_runtimes[@]}"; do
			for variant in $((1 + run % 2)) $((2 - run % 2)); do
				start_one $runtime $variant
			done
		done
		runc_start runc-4
	done
	daemon_dies
	for ((run = 0; run < 4 * runs; run++)); do
		for runtime in "${start_runtimes[@]}"; do start_one $runtime 3; done
	done
)

# start_added RUNTIME: the two of a run are a pair, one right after the other; what slows the machine down
# for a while slows down both.
start_added() {
	[ "$(wc -l <"$tmp/start-$1-1")" -eq "$(wc -l <"$tmp/start-$1-2")" ] || die "$1: not all have started"
	paste "$tmp/start-$1-1" "$tmp/start-$1-2" | awk '{ print $1 - $2 }' >"$tmp/start-$1-added"
	median "start-$1-added" 1
}

start_report() {
	local runtime with without n
	for runtime in "${start_runtimes[@]}"; do
		with=$(median "start-$runtime-1" 1) without=$(median "start-$runtime-2" 1)
		n=$(wc -l <"$tmp/start-$runtime-1")
		emit "$runtime: to the first instruction, with the hook and without" "$(in_ms "$with")" \
			"$(in_ms "$without")" ms '' "$n"
		emit "$runtime: what the hook adds, median of pairs" "$(in_ms "$(start_added "$runtime")")" \
			$start_more ms 1 "$n"
		emit "$runtime: with the hook, and without Bulkhead" "$(in_ms "$with")" \
			"$(in_ms "$(median "start-$runtime-3" 1)")" ms '' "$n"
	done
	emit "the hook itself, CPU" "$(in_ms "$(median start-hook 1)")" 5 ms 1 "$n"
	emit "the hook itself, with what it waits for" "$(in_ms "$(median start-hook 2)")" '' ms '' "$n"
}

bench_start() {
	say "start: ${start_runtimes[*]}"
	start_times || die "the starts cannot be measured"
	start_report
}

bench_margin() {
	say "margin: Docker without the hook"
	start_margins || die "the margins cannot be measured"
	start_report_margin idle "at rest"
	start_report_margin loaded "under load"
}
