# shellcheck shell=bash disable=SC2034,SC2154
# The daemon's start over 500 namespaces, against sending what it sends and nothing else. Both as
# real-time tasks: they wait for the kernel often, and must not wait for what else the machine does.

controller_services=50
controller_each=10
controller_times=3      # of the replay
controller_resident=150 # MiB

# controller_site NAME SERVICES: $tmp/NAME, with the namespaces (netns/), the policies and the host
# file of as many services. Each sends to the three after it, on two ports, and lets the three before
# it in: 60 flows out and 60 in for each of its endpoints.
controller_site() {
	local dir=$tmp/$1
	mkdir -p "$dir/policies" "$dir/netns" "$dir/store"
	printf 'runtimes: {docker: false, podman: false, netns: true}\n' >"$dir/bulkhead.yaml"
	awk -v n="$2" -v dir="$dir" '
	function name(i) { return sprintf("s%02d", (i + n) % n) }
	function three(i, step,   k, s) {
		for (k = 1; k <= 3; k++)
			s = s (k > 1 ? ", " : "") "{service: " name(i + k * step) "}"
		return s
	}
	BEGIN {
		for (i = 0; i < n; i++) {
			file = dir "/policies/" name(i) ".yaml"
			printf "service: %s\nselect: {name: \"%s-*\"}\n", name(i), name(i) > file
			printf "ingress:\n  - {name: clients, from: [%s], ports: [8080/tcp, 9090/tcp]}\n", three(i, -1) > file
			printf "egress:\n  - {name: servers, to: [%s], ports: [8080/tcp, 9090/tcp]}\n", three(i, 1) > file
			close(file)
		}
	}'
	crowds+=("$dir/netns")
	controller_names "$2" | "$build/tests/bench/crowd" "$dir/netns" || die "namespaces cannot be made"
}

controller_names() {
	awk -v n="$1" -v each=$controller_each 'BEGIN {
		for (i = 0; i < n; i++)
			for (k = 1; k <= each; k++)
				printf "s%02d-%d 10.77.%d.%d\n", i, k, i, 2 * k
	}'
}

# controller_verb VERB SITE [OPTION...]: a one-shot command over all of a site
controller_verb() {
	"$bulkhead" "$1" --policies "$tmp/$2/policies" --config "$tmp/$2/bulkhead.yaml" \
		--netns-dir "$tmp/$2/netns" "${@:3}"
}

controller_clean() {
	controller_verb apply "$1" --clean >"$tmp/said" 2>&1 || die "cleaning: $(tail -n 1 "$tmp/said")"
}

# Every namespace has to hold what the policies want.
controller_check() {
	controller_verb status "$1" >"$tmp/said" 2>&1 || die "$2: $(tail -n 1 "$tmp/said")"
	tail -n 1 "$tmp/said" | grep -q " $3 protected, 0 findings" || die "$2: $(tail -n 1 "$tmp/said")"
}

# controller_start SITE FILE [COMMAND...]: the daemon of this site, run by COMMAND; $pid is it. Adds
# "cpu wall" in microseconds and the most that was resident, in KiB, to FILE. When it says that it is
# ready it is stopped until all it has done has been looked at.
controller_start() {
	local dir=$tmp/$1 wall cpu
	exec {said}< <(exec "${@:3}" "$build/tests/bench/start" "$build/bulkheadd" --policies "$dir/policies" \
		--config "$dir/bulkhead.yaml" --netns-dir "$dir/netns" --store "$dir/store" \
		--socket "$dir/control" 2>"$dir/log")
	starter=$!
	started+=("$starter")
	read -r pid wall cpu <&"$said" || die "the daemon: $(tail -n 1 "$dir/log")"
	exec {said}<&-
	echo "$cpu $wall $(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status")" >>"$tmp/$2"
	controller_check "$1" "the daemon is ready, but" "$(find "$dir/netns" -name 's*' | wc -l)"
	kill -CONT "$pid"
}

controller_stop() {
	kill "$pid"
	wait "$starter" || die "the daemon: $(tail -n 1 "$tmp/$1/log")"
}

controller_replay() {
	"${fifo[@]}" "$build/tests/bench/replay" "$tmp/batches" "$tmp/$1/netns" >"$tmp/said" ||
		die "replay: the recorded bytes cannot be sent"
	awk '{ print $2, $1, $3, $4, $5 }' "$tmp/said" >>"$tmp/$2"
	controller_check "$1" "the replay" "$(find "$tmp/$1/netns" -name 's*' | wc -l)"
}

# Not counted: namespaces remember their first table.
controller_record() {
	controller_start "$1" recorded env "LD_PRELOAD=$build/tests/bench/record.so" "RECORD=$tmp/batches"
	controller_stop "$1"
	controller_clean "$1"
}

bench_controller() {
	local run n=$((controller_services * controller_each))
	say "controller: $n namespaces, $controller_services services"
	controller_site all $controller_services
	controller_record all
	for ((run = 0; run < runs; run++)); do
		controller_start all controller-start "${fifo[@]}"
		controller_stop all
		controller_clean all
		controller_replay all controller-replay
		controller_clean all
	done
	controller_report
	remove_namespaces
}

controller_report() {
	local resident
	compare "cold start of 500, against a replay," controller-start controller-replay '' $controller_times
	resident=$(awk -v kib="$(median controller-start 3)" 'BEGIN { printf "%.1f", kib / 1024 }')
	emit "cold start of 500, resident at most" "$resident" $controller_resident MiB 1 "$runs"
	say "the replay: $(tail -n 1 "$tmp/controller-replay" |
		awk '{ print $3 " namespaces, " $4 " batches, " $5 " bytes" }')"
}
