# shellcheck shell=bash
# Containers of plain runc on the host of docker.bash, which the hook holds, and a daemon there.
#
#     load lib/oci
#     setup_file() { oci_up; policy web <<<'...'; }
#     teardown_file() { docker_down; }
#     setup() { guard_up; }
#     teardown() { oci_gone; guard_gone; }
#     @test "..." { bundle web app=web; oci run web web; }
#
#   oci_up                    the host, with a bridge 10.88.0.254/24 and the outsider `far` on it,
#                             10.88.0.2, which answers on 5432/tcp and 9999/tcp
#   bundle NAME [LABEL...] [-- COMMAND...]  a bundle with the hook at createRuntime and poststop;
#                             LABEL is an annotation. Its own network namespace is wired to the bridge
#                             before the hook of $HOOK_OPTIONS is asked. COMMAND's default is `first`
#   config NAME FILTER        changes its config.json by jq
#   first                     in it: prints "open shut" when 10.88.0.2 answers on 5432 and not on 9999
#   oci COMMAND...            runc; `oci run BUNDLE ID` takes a bundle by its name
#   oci_gone                  ends all containers
#   guard_up [OPTION...]      bulkheadd there; $guard is its process, $NET_DIR/guard.log what it says
#   guard_start [OPTION...]   the same, without waiting for it
#   guard_stop, guard_kill    SIGTERM, SIGKILL; guard_signal SIGNAL: any other
#   guard_gone                ends it when it runs
#   states                    what it says of the endpoints: "ID RUNTIME-LESS-STATE" a line each
#   ctl VERB ...              the program, through its socket

# shellcheck source=tests/system/lib/docker.bash
source "${BASH_SOURCE[0]%/*}/docker.bash"

guard=''
hook_program=$(realpath "${bulkhead_program%/*}/bulkhead-oci-hook")

oci_up() {
	host_up || return
	on_host ip link add br0 type bridge
	on_host ip addr add 10.88.0.254/24 dev br0
	on_host ip link set br0 up
	# shellcheck disable=SC2016
	start_on_host unshare --net sh -c 'echo $$ >"$0" && exec sleep infinity' "$NET_DIR/far.pid"
	await test -s "$NET_DIR/far.pid"
	on_host "$BASH" -c "$wire_script" wire 2 "$(cat "$NET_DIR/far.pid")" || return
	serve far 5432/tcp 9999/tcp
	printf '%s\n' 'runtimes: {docker: false, podman: false, netns: false}' \
		'policies: {watch: false}' >"$NET_DIR/bulkhead.yaml"
	mkdir -p "$NET_DIR/bundles"
	printf '#!/bin/bash\n%s\n' "$wire_hook" >"$NET_DIR/wire"
	chmod +x "$NET_DIR/wire"
}

# NUMBER PID: the network of a namespace.
# shellcheck disable=SC2016
wire_script='
set -e
ip link add eth0 netns "/proc/$2/ns/net" type veth peer name "port$1"
ip link set "port$1" master br0 up
nsenter --net="/proc/$2/ns/net" sh -ec "
	ip link set lo up
	ip addr add 10.88.0.$1/24 dev eth0
	ip link set eth0 up"'

# A hook that does the same with the state on its standard input, as who makes networks does.
# shellcheck disable=SC2016
wire_hook='
set -e
pid=$(jq .pid)
exec 9>"${0%/*}/number.lock"
flock 9
number=$(($(cat "${0%/*}/number" 2>/dev/null || echo 9) % 240 + 1))
[ "$number" -gt 9 ] || number=10
echo "$number" >"${0%/*}/number"
set -- "$number" "$pid"
'"${wire_script}"

# --- bundles ---------------------------------------------------------------------------------

# shellcheck disable=SC2016
first_script='
nc -w 2 10.88.0.2 5432 </dev/null >/dev/null 2>&1 && a=open || a=shut
nc -w 1 10.88.0.2 9999 </dev/null >/dev/null 2>&1 && b=open || b=shut
echo $a $b'

bundle() { # NAME [LABEL...] [-- COMMAND...]
	local dir=$NET_DIR/bundles/$1 labels=()
	shift
	mkdir -p "$dir/rootfs"
	pack | tar -C "$dir/rootfs" -x
	printf '#!/bin/sh\n%s\n' "$first_script" >"$dir/rootfs/bin/first"
	chmod +x "$dir/rootfs/bin/first"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		labels+=("$1")
		shift
	done
	[ "${1:-}" != -- ] || shift
	[ $# -gt 0 ] || set -- first
	(cd "$dir" && rm -f config.json && runc spec)
	config "${dir##*/}" '.process.args = $ARGS.positional | .process.terminal = false
		| .annotations = ($labels | split("\n") | map(select(. != "") | split("=") | {(.[0]): .[1]}) | add // {})' \
		--arg labels "$(printf '%s\n' "${labels[@]}")" --args -- "$@"
	hooked "${dir##*/}"
}

config() { # NAME FILTER [OPTION-OF-JQ...]
	local file=$NET_DIR/bundles/$1/config.json
	jq "$2" <"$file" "${@:3}" >"$file.new" && mv "$file.new" "$file"
}

hooked() { # NAME
	# shellcheck disable=SC2016,SC2086
	config "$1" '{path: $hook, args: (["bulkhead-oci-hook", "--socket", $socket, "--config", $config]
		+ $ARGS.positional)} as $ours
		| .hooks = {createRuntime: [{path: $wire, args: ["wire"]}, $ours], poststop: [$ours]}' \
		--arg hook "$hook_program" --arg socket "$NET_DIR/control" \
		--arg config "$NET_DIR/bulkhead.yaml" --arg wire "$NET_DIR/wire" --args -- ${HOOK_OPTIONS:-}
}

oci() { # COMMAND...
	if [ "$1" = run ]; then
		set -- run --bundle "$NET_DIR/bundles/$2" "${@:3}"
	fi
	on_host runc --root "$NET_DIR/runc" "$@"
}

oci_gone() {
	local id
	[ -d "$NET_DIR/runc" ] || return 0
	for id in $(oci list --quiet); do
		oci delete --force "$id" || true
	done
}

# --- the daemon ------------------------------------------------------------------------------

guard_start() { # [OPTION...]
	: >"$NET_DIR/guard.log"
	# shellcheck disable=SC2016
	(exec nsenter --mount --net --pid --target "$DOCKER_HOST_PID" -- \
		sh -c 'echo $$ >"$0" && exec "$@"' "$NET_DIR/guard.pid" \
		"$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/control" --store "$NET_DIR/store" "$@" \
		>/dev/null 2>>"$NET_DIR/guard.log" </dev/null 3>&-) &
	guard=$!
}

guard_ready() { grep -q '^bulkheadd: ready' "$NET_DIR/guard.log"; }

guard_up() { # [OPTION...]
	guard_start "$@"
	await eval "guard_ready || ! kill -0 $guard"
	guard_ready || fail "$(cat "$NET_DIR/guard.log")"
}

# nsenter, which waits for it outside, stops with it and must go on with it.
guard_signal() { # SIGNAL
	on_host kill "-$1" "$(cat "$NET_DIR/guard.pid")"
	[ "$1" != CONT ] || kill -CONT "$guard"
}
guard_end() { # SIGNAL
	guard_signal "$1"
	kill -CONT "$guard" 2>/dev/null || true # it may have stopped with it
	wait "$guard" 2>/dev/null || true
	guard=''
}
guard_stop() { guard_end TERM; }
guard_kill() { guard_end KILL; }
guard_gone() { [ -z "$guard" ] || guard_kill; }

ctl() { on_host "$(realpath "$bulkhead_program")" "$1" --socket "$NET_DIR/control" "${@:2}"; }

states() { ctl status --json | jq -r 'select(.endpoint != null) | "\(.endpoint) \(.state)"'; }
