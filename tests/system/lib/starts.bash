# shellcheck shell=bash disable=SC2119,SC2120,SC2154
# Containers whose first instructions send (tests/system/first.c), started many times by Docker, Podman
# and plain runc, and what of that comes by on the host's side of their wires.
#
#     load lib/docker
#     load lib/starts
#     setup_file() { starts_up; starts_daemon; }
#     teardown_file() { starts_down; docker_down; }
#     @test "..." { captured_begin; docker_make c-1 c-2; docker_start c-1 c-2; captured_end; }
#
#   starts_up                 docker_up, with bulkhead-runc; Podman, a bridge for plain runc, and on each of the three
#                             networks db, which `first` may call at 5432, and stranger, which it may not
#   starts_daemon [OPTION...] bulkheadd there; returns when it is ready. daemon_signal SIGNAL; daemon_dies
#                             (kill -9), and stays away until daemon_starts, or daemon_again, which
#                             returns when it is ready
#   starts_down               ends what these started
#   ctl VERB ...              the program through the daemon's socket
#   RUNTIME_make NAME...      RUNTIME is docker, podman or runc; SERVICE= makes them of no service. With
#                             HOOK= they get no hook
#   RUNTIME_start NAME...     one after the other; returns when all have ended. A line "NAME CODE" each
#                             to $NET_DIR/RUNTIME.codes; what cannot be started has the code "not".
#                             What they said of it is in $NET_DIR/RUNTIME.errors
#   RUNTIME_said NAME         what it printed when it ran last
#   RUNTIME_discard NAME...
#   in_parallel N COMMAND NAME...  the names shared among N times COMMAND
#   loaded COMMAND...         while as many processes as there are processors do nothing but run
#   captured_begin            what goes to or from db or stranger, on every device, from now on
#   captured_end              until now; fails when any of it was missed. It is in $NET_DIR/frames
#   captured FILTER           lines of it, as tcpdump prints them
#   denied_frames             those that none of them may send
#   allowed_starts            connections to db that were begun, told apart: a line each

declare -gA starts_net=([docker]=66 [podman]=67 [runc]=68)
declare -gA starts_bridge=([docker]=shop0 [podman]=podman1 [runc]=runc0)
db4() { echo "10.${starts_net[$1]}.0.252"; }         # RUNTIME
db6() { echo "fd00:${starts_net[$1]}::fc"; }
stranger4() { echo "10.${starts_net[$1]}.0.253"; }
stranger6() { echo "fd00:${starts_net[$1]}::fd"; }
starts_lib=$(realpath "${BASH_SOURCE[0]%/*}")
starts_under=() # by what bulkheadd is run
starts_programs=$(realpath "${bulkhead_program%/*}")
starts_hook=$starts_programs/bulkhead-oci-hook
SERVICE=first HOOK=yes
# HOOK_COST, "cost FILE" with the whole path: what runc's hook takes goes to that file.

# What `first` is told: the digits of both addresses of stranger and db. FIRST_ARGS= tells it nothing.
first_args() { # RUNTIME
	[ -z "${FIRST_ARGS+set}" ] || return 0
	printf '%02x' 10 "${starts_net[$1]}" 0 253
	printf ' '
	printf '%02x' 10 "${starts_net[$1]}" 0 252
	printf ' fd0000%s%020x%04x' "${starts_net[$1]}" 0 0xfd
	printf ' fd0000%s%020x%04x' "${starts_net[$1]}" 0 0xfc
}

# --- the networks ----------------------------------------------------------------------------

# eth NAME NUMBER: a device in a namespace, wired to the bridge of a runtime
wire_to() { # NAMESPACE RUNTIME NUMBER
	local bridge=${starts_bridge[$2]}
	on_host ip link add "$1-$2" master "$bridge" type veth peer name "$2" netns "$1"
	on_host ip link set "$1-$2" up
	on_host ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.accept_dad=0"
	on_host ip -n "$1" -batch - <<-I
		addr add 10.${starts_net[$2]}.0.$3/24 dev $2
		addr add $(printf 'fd00:%s::%x/64' "${starts_net[$2]}" "$3") dev $2 nodad
		link set $2 up
	I
}

starts_runc_bridge() {
	on_host sysctl -qw net.ipv6.conf.all.forwarding=1
	on_host ip link add runc0 type bridge mcast_snooping 0
	on_host ip -batch - <<-I
		addr add 10.68.0.254/24 dev runc0
		addr add fd00:68::fe/64 dev runc0 nodad
		link set runc0 up
	I
	on_host iptables -I FORWARD -i runc0 -o runc0 -j ACCEPT # Docker has it drop what is bridged, too
}

# An image, and a folder, with nothing but the program.
starts_image() {
	mkdir -p "$NET_DIR/first"
	cp "${probe_program%/*}/first" "$NET_DIR/first/"
	tar -C "$NET_DIR/first" -c . | docker import --change 'ENTRYPOINT ["/first"]' - first:1 >/dev/null
	tar -C "$NET_DIR/first" -c . |
		podman import --change 'ENTRYPOINT ["/first"]' - first:1 >/dev/null 2>&1
}

starts_networks() {
	docker network create --ipv6 --subnet 10.66.0.0/24 --subnet fd00:66::/64 \
		--opt com.docker.network.bridge.name=shop0 shop >/dev/null
	# It gives one address after the other: those of db and stranger are not among them.
	podman network create --ipv6 --subnet 10.67.0.0/24 --ip-range 10.67.0.0/25 \
		--subnet fd00:67::/64 --ip-range fd00:67::/121 --disable-dns pods >/dev/null
	starts_runc_bridge
	# Netavark makes its bridge with the first container, and takes it away with the last.
	podman run --detach --name keeps --network pods --entrypoint '["/bin/sleep"]' box:1 1000 >/dev/null
}

starts_peers() {
	local name number=252 runtime
	for name in db stranger; do
		on_host ip netns add $name
		on_host ip -n $name link set lo up
		for runtime in docker podman runc; do
			wire_to $name $runtime $number
		done
		number=$((number + 1))
	done
	(on_host ip netns exec db "$(realpath "$probe_program")" listen --ready "$NET_DIR/db.ready" \
		5432/tcp 5432/udp >>"$NET_DIR/db.log" 2>&1 </dev/null 3>&-) &
	await test -e "$NET_DIR/db.ready"
}

starts_config() { # [LINE...]: the host file
	printf '%s\n' 'unmanaged: ignore' "$@" >"$NET_DIR/bulkhead.yaml"
}

starts_docker() {
	NET_DIR=$BATS_FILE_TMPDIR/docker
	mkdir -p "$NET_DIR"
	starts_config
	jq -n --arg path "$starts_programs/bulkhead-runc" --arg config "$NET_DIR/bulkhead.yaml" \
		'{runtimes: {bulkhead: {path: $path, runtimeArgs: ["--bulkhead-config=\($config)"]}}}' \
		>"$NET_DIR/daemon.json"
	docker_up --config-file "$NET_DIR/daemon.json"
}

# For Podman's directory of hooks.
starts_hooks() {
	local stage
	mkdir -p "$NET_DIR/hooks"
	for stage in createRuntime poststop; do
		jq -n --arg path "$starts_hook" --arg config "$NET_DIR/bulkhead.yaml" --arg stage $stage '{
			version: "1.0.0", when: {always: true}, stages: [$stage], hook: {path: $path,
				args: ["bulkhead-oci-hook", "--runtime", "podman", "--config", $config]}}' \
			>"$NET_DIR/hooks/bulkhead-$stage.json"
	done
}

starts_up() {
	starts_docker
	podman_up file
	pack | podman import - box:1 >/dev/null 2>&1
	starts_image
	starts_networks
	starts_peers
	starts_hooks
	mkdir -p "$NET_DIR/bundles"
	policy first <<-Y
		service: first
		select: {labels: {app: first}}
		egress: [{to: [{service: db}], ports: [5432/tcp, 5432/udp]}]
		---
		service: db
		select: {name: db}
		ingress: [{from: [{service: first}], ports: [5432/tcp, 5432/udp]}]
	Y
	starts_net_hook
}

# --- the daemon ------------------------------------------------------------------------------

starts_ready() { [ "$(grep -c '^bulkheadd: ready' "$NET_DIR/daemon.log")" -ge "$1" ]; } # TIMES

# Under the stand-in for systemd of manager.py, which keeps what it parks.
starts_daemon() { # [OPTION...]
	rm -rf "$NET_DIR/manager"
	: >"$NET_DIR/daemon.log"
	(on_host "${starts_under[@]}" python3 "$starts_lib/manager.py" run "$NET_DIR/manager" -- \
		"$starts_programs/bulkheadd" --policies "$NET_DIR/policies" --store "$NET_DIR/store" \
		--config "$NET_DIR/bulkhead.yaml" "$@" >>"$NET_DIR/daemon.log" 2>&1 </dev/null 3>&-) &
	await starts_ready 1 || fail "$(cat "$NET_DIR/daemon.log")"
}
daemon_pid() { cat "$NET_DIR/manager/main"; }
daemon_signal() { on_host kill "-$1" "$(daemon_pid)"; } # SIGNAL
daemon_dies() {
	daemon_signal KILL
	await eval "[ ! -s '$NET_DIR/manager/main' ]"
}
daemon_starts() { echo start >"$NET_DIR/manager/orders"; }
daemon_again() {
	local times
	times=$(grep -c '^bulkheadd: ready' "$NET_DIR/daemon.log")
	daemon_starts
	await starts_ready $((times + 1)) || fail "$(tail "$NET_DIR/daemon.log")"
}
ctl() { on_host "$starts_programs/bulkhead" "$@"; }

starts_down() {
	on_host pkill -KILL -x tcpdump || true
	podman rm --all --force --time 0 >/dev/null 2>&1 || true
}

# --- many ------------------------------------------------------------------------------------

in_parallel() { # WORKERS COMMAND NAME...
	local workers=$1 command=$2 pids=() mine i n
	shift 2
	for ((i = 0; i < workers; i++)); do
		mine=()
		for ((n = i + 1; n <= $#; n += workers)); do mine+=("${!n}"); done
		[ ${#mine[@]} -gt 0 ] || continue
		"$command" "${mine[@]}" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
}

loaded() { # COMMAND...
	local spinners=() i status=0
	for ((i = 0; i < $(nproc); i++)); do
		(while :; do :; done) 3>&- &
		spinners+=($!)
	done
	"$@" || status=$?
	kill "${spinners[@]}"
	wait "${spinners[@]}" 2>/dev/null || true
	return $status
}

# --- Docker ----------------------------------------------------------------------------------

docker_make() { # NAME...
	local name
	for name in "$@"; do
		# shellcheck disable=SC2046
		docker create --name "$name" --network shop ${SERVICE:+--label app=$SERVICE} \
			${HOOK:+--runtime bulkhead} first:1 $(first_args docker) \
			>/dev/null || return
	done
}

# What started is named; what did not has its code of the last time.
codes_of() { # RUNTIME NAME...: reads the names of those that started
	local runtime=$1 started
	started=$(mktemp "$NET_DIR/started.XXXXXX")
	shift
	sort >"$started"
	"$runtime" wait "$@" >/dev/null 2>&1 || true
	"$runtime" inspect --format '{{.Name}} {{.State.ExitCode}}' "$@" | sed 's|^/||' | sort |
		join -a 1 -o 0,1.2,2.1 -e not - "$started" |
		awk '{ print $1, $3 == "not" ? "not" : $2 }' >>"$NET_DIR/$runtime.codes"
	rm "$started"
}

docker_start() { # NAME...
	{ docker start "$@" 2>>"$NET_DIR/docker.errors" || true; } | codes_of docker "$@"
}
docker_said() { docker logs --tail 1 "$1"; }
docker_discard() { docker rm --force "$@" >/dev/null; }

# --- Podman ----------------------------------------------------------------------------------

podman_make() { # NAME...
	local name
	for name in "$@"; do
		# shellcheck disable=SC2046
		podman ${HOOK:+--hooks-dir "$NET_DIR/hooks"} create --name "$name" --network pods \
			${SERVICE:+--label app=$SERVICE} --cap-add NET_RAW --log-driver k8s-file first:1 $(first_args podman) \
			>/dev/null || return
	done
}

podman_start() { # NAME...
	{ podman ${HOOK:+--hooks-dir "$NET_DIR/hooks"} start "$@" 2>>"$NET_DIR/podman.errors" || true; } |
		codes_of podman "$@"
}
podman_said() { podman logs --tail 1 "$1"; }
podman_discard() { podman rm --force --time 0 "$@" >/dev/null; }

# --- runc ------------------------------------------------------------------------------------

# Its network is made by a hook, as nerdctl does it: nothing of ours has seen the namespace before.
starts_net_hook() {
	cat >"$NET_DIR/net-hook" <<-'END'
		#!/bin/bash
		set -e
		state=$(cat)
		pid=${state#*\"pid\":} pid=${pid%%[!0-9]*}
		number=$1
		ip link add "rc$pid" master runc0 type veth peer name eth0 netns "$pid"
		ip link set "rc$pid" up
		nsenter --net="/proc/$pid/ns/net" ip -batch - <<-I
			link set lo up
			addr add 10.68.0.$number/24 dev eth0
			addr add $(printf 'fd00:68::%x/64' "$number") dev eth0 nodad
			link set eth0 up
		I
	END
	chmod +x "$NET_DIR/net-hook"
}

runc_make() { # NAME...
	local name bundle
	for name in "$@"; do
		bundle=$NET_DIR/bundles/$name
		mkdir -p "$bundle" && rm -f "$bundle/config.json" && on_host runc spec --bundle "$bundle" || return
		runc_config "$name" <"$bundle/config.json" >"$bundle/new" &&
			mv "$bundle/new" "$bundle/config.json" || return
	done
}

runc_config() { # NAME
	jq --arg args "$(first_args runc)" --arg root "$NET_DIR/first" --arg name "$1" \
		--arg service "$SERVICE" --arg net "$NET_DIR/net-hook" --arg hook "${HOOK:+$starts_hook}" --arg cost "${HOOK_COST:-}" \
		--arg config "$NET_DIR/bulkhead.yaml" --arg number "$((${1##*-} % 250 + 1))" --arg cgroup "/$DOCKER_CGROUP/$1" '
		.process.terminal = false | .process.args = ["/first"] + ($args | split(" "))
		| .process.rlimits = [] | .root.path = $root | .linux.cgroupsPath = $cgroup
		| (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_NET_RAW"]
		| .process.capabilities.ambient = []
		| .hooks.createRuntime = [{path: $net, args: ["net-hook", $number]}]
		| if $service != "" then .annotations = {"nerdctl/name": $name, "app": $service} else . end
		| if $hook != "" then .hooks.createRuntime += [{path: $hook,
			args: ["bulkhead-oci-hook", "--runtime", "oci", "--config", $config]}]
			| .hooks.poststop = [.hooks.createRuntime[1]] else . end
		| if $cost != "" then .hooks.createRuntime[1] |= {path: ($cost | split(" ")[0]),
			args: (["cost"] + ($cost | split(" ")[1:]) + [.path] + .args[1:])} else . end'
}

runc_start() { # NAME...
	local name code
	for name in "$@"; do
		code=0
		on_host runc --root /run/first-runc run --bundle "$NET_DIR/bundles/$name" "$name" \
			>"$NET_DIR/bundles/$name/out" 2>>"$NET_DIR/runc.errors" </dev/null || code=$?
		[ -s "$NET_DIR/bundles/$name/out" ] || code=not
		echo "$name $code" >>"$NET_DIR/runc.codes"
	done
}
runc_said() { cat "$NET_DIR/bundles/$1/out"; }
runc_discard() { # NAME...
	local name
	for name in "$@"; do
		on_host runc --root /run/first-runc delete --force "$name" 2>/dev/null || true
		rm -rf "$NET_DIR/bundles/$name"
	done
}

# --- what comes by ---------------------------------------------------------------------------

captured_limit=100000 # frames, 160 bytes each at most

# All devices of the host, those to come as well: a veth's own end, the bridge, and the peers' ends.
captured_begin() {
	rm -f "$NET_DIR/frames" "$NET_DIR/captured"
	(on_host tcpdump -i any -n -U -Z root -s 160 -B 8192 -c $captured_limit -w "$NET_DIR/frames" \
		'(ip or ip6) and (udp or tcp) and (port 5432 or portrange 9996-9999)' \
		2>"$NET_DIR/captured" </dev/null 3>&-) &
	capturing=$!
	await grep -q '^tcpdump: listening' "$NET_DIR/captured" || fail "$(cat "$NET_DIR/captured")"
}

# It ends at once when it is told to, whatever it has not read by then: so it has read this first.
captured_last() {
	on_host bash -c "echo last >/dev/udp/$(db4 docker)/9996"
	[ -n "$(captured 'port 9996')" ]
}

captured_end() {
	await captured_last
	on_host pkill -INT -x tcpdump
	wait "$capturing"
	grep -qx '0 packets dropped by kernel' "$NET_DIR/captured" || fail "$(cat "$NET_DIR/captured")"
	[ "$(captured '' | wc -l)" -lt $captured_limit ]
}

captured() { tcpdump -n -S -tt -r "$NET_DIR/frames" "$1" 2>/dev/null; } # FILTER

denied_frames() {
	local runtime hosts=()
	for runtime in "${!starts_net[@]}"; do
		hosts+=(or host "$(stranger4 "$runtime")" or host "$(stranger6 "$runtime")")
	done
	captured "portrange 9997-9999 ${hosts[*]}"
}

# A frame comes by more than one device.
allowed_starts() { # RUNTIME 4|6
	local to filter='tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn'
	if [ "$2" = 4 ]; then to=$(db4 "$1"); else to=$(db6 "$1") filter='ip6[53] & 18 == 2'; fi
	captured "dst host $to and tcp dst port 5432 and $filter" |
		sed -E 's/.* ([^ ]+ > [^ ]+): .*(seq [0-9]+).*/\1 \2/' | sort -u
}
