# shellcheck shell=bash disable=SC2034,SC2154
# How long a container takes from the call that starts it to its first instruction, with the hook and
# without; and how long before that instruction everything is denied where there is no hook.

start_margins=40 # starts, at rest and under load each

# The host of the system tests, with Docker, Podman and plain runc. In a shell of its own: its functions
# have the names of some of ours.
start_host() {
	export BATS_FILE_TMPDIR=$tmp/start
	export BULKHEAD=$PWD/$bulkhead PROBE=$PWD/$build/tests/system/probe
	mkdir -p "$BATS_FILE_TMPDIR"
	# shellcheck source=tests/system/lib/docker.bash
	. tests/system/lib/docker.bash
	# shellcheck source=tests/system/lib/starts.bash
	. tests/system/lib/starts.bash
	trap 'starts_down; docker_down' EXIT
	set +e
	starts_up
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

bench_start() {
	say "start: Docker, Podman, runc; the margin without the hook"
	start_margins
	start_report_margin idle "at rest"
	start_report_margin loaded "under load"
}
