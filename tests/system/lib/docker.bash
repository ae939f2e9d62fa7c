# shellcheck shell=bash
# A host of its own with a Docker daemon, for one file of tests: own mounts, own network, own
# process numbers. The machine's network, its /run and its Docker are never seen, and everything
# that runs there ends with the host.
#
#     load lib/docker
#     setup_file() {
#             docker_up
#             image box:1
#             container web --label app=web
#     }
#     teardown_file() { docker_down; }
#     @test "..." { bulkhead apply; fetch web "$(v4 db)" 5432; }
#
#   docker_up [OPTION...]     the host, with dockerd on its default socket; the default bridge is
#                             172.17.0.0/16, $RESOLVER is its name server's address, on the host.
#                             OPTION is dockerd's
#   host_up                   the host alone, until docker_down
#   docker_down               ends and removes everything; silent when there is nothing
#   dockerd_stop              ends dockerd as a restart of its service does; containers stay with
#                             --live-restore
#   dockerd_start [OPTION...] starts it again; returns when it answers
#   on_host COMMAND...        runs a command on that host
#   start_on_host COMMAND...  the same in the background, until docker_down; output to $NET_DIR/log
#   docker ...                its client
#   image NAME [CHANGE...]    busybox with a web server; CHANGE as in `docker import --change`
#   container NAME [OPTION..] one that serves on ports 5432 and 9999; IMAGE=NAME takes another image
#   v4 NAME, v6 NAME          its address in its first network
#   outsider NAME HOST ADDRESS  a machine beside the host that nobody knows, wired to it: both
#                             addresses with their prefix length
#   inside NAME COMMAND...    runs a command of the host in the network namespace of a container or
#                             an outsider; `host` is the host itself
#   serve NAME PORT/PROTO...  servers there that answer (probe listen); returns when they listen.
#                             Who came is in $NET_DIR/NAME.log
#   questions NAME [OPTION...]  `probe ask` there of what standard input asks
#   fetch NAME ADDRESS PORT   does a page arrive that the container itself asks for?
#   refused COMMAND...        fails when the command succeeds (`!` alone fails no test)
#   table_of NAME             the container's nftables without ours, counters left out
#   podman_up [LOGGER [cni]]  Podman's service beside it, on its default socket; it tells of events
#                             only with LOGGER "file". Its networks are netavark's, or chains of CNI
#   podman ...                its client, with which containers are made
#   bulkhead VERB ...         the program on that host, with the policies that `policy` wrote
#   follow [OPTION...]        `denied --follow` there, records to $NET_DIR/records, messages to
#                             $NET_DIR/messages; returns when it follows
#   followed                  ends that; returns when the last record is written
#
# Beside these, `policy`, `await` and `fail` of net.bash.

# shellcheck source=tests/system/lib/net.bash
source "${BASH_SOURCE[0]%/*}/net.bash"

RESOLVER=192.0.2.53

on_host() { nsenter --mount --net --pid --target "$DOCKER_HOST_PID" -- "$@"; }

docker() { on_host env -u DOCKER_HOST -u DOCKER_CONTEXT docker "$@"; }

bulkhead() { # VERB ...
	# shellcheck disable=SC2154
	on_host "$(realpath "$bulkhead_program")" "$1" --policies "$NET_DIR/policies" "${@:2}"
}

refused() { if "$@"; then fail "this should not succeed: $*"; fi; }

# --- up and down -----------------------------------------------------------------------------

# Process 1 of the host. What the machine has configured for Docker does not count there.
# shellcheck disable=SC2016
host_script='
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
for dir in /etc/docker /etc/bulkhead /etc/containers/networks /var/lib/containers; do
	[ ! -d "$dir" ] || mount -t tmpfs tmpfs "$dir"
done
conf=$(readlink -m /etc/resolv.conf)
mkdir -p "${conf%/*}"
[ -e "$conf" ] || : >"$conf"
echo "nameserver $2" >"$1/resolv.conf"
mount --bind "$1/resolv.conf" "$conf"
ip link set lo up
ip addr add "$2/32" dev lo
: >"$1/ready"
sleep infinity &
wait'

docker_up() { # [OPTION-OF-DOCKERD...]
	host_up && dockerd_start "$@"
}

host_up() {
	local unshared
	export NET_DIR=$BATS_FILE_TMPDIR/docker DOCKER_HOST_PID='' DOCKER_CGROUP=bulkhead-test-$$
	mkdir -p "$NET_DIR/data" "$NET_DIR/policies" "$NET_DIR/root"
	unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
		bash -c "$host_script" bash "$NET_DIR" "$RESOLVER" \
		>"$NET_DIR/log" 2>&1 </dev/null 3>&- &
	unshared=$!
	await eval "[ -e '$NET_DIR/ready' ] || ! kill -0 $unshared"
	DOCKER_HOST_PID=$(pgrep --parent $unshared) || fail "$(cat "$NET_DIR/log")" || return
	echo 1 >"$NET_DIR/host.pid"
}

dockerd_start() { # [OPTION...]
	start_on_host dockerd --storage-driver=vfs --data-root="$NET_DIR/data" \
		--cgroup-parent="/$DOCKER_CGROUP" --log-level=warn "$@"
	await docker version || fail "$(tail -n 20 "$NET_DIR/log")"
}

dockerd_stop() {
	local pid
	pid=$(on_host cat /run/docker.pid)
	on_host kill "$pid"
	await eval "! on_host kill -0 $pid"
}

start_on_host() { (on_host "$@" >>"$NET_DIR/log" 2>&1 </dev/null 3>&-) & }

docker_down() {
	[ -n "${DOCKER_HOST_PID:-}" ] || return 0
	[ ! -e "$NET_DIR/containers.conf" ] || podman rm --all --force --time 0 >/dev/null 2>&1
	# shellcheck disable=SC2046
	[ ! -e "$NET_DIR/data/containers" ] || docker rm -f $(docker ps -aq) >/dev/null 2>&1
	kill -KILL "$DOCKER_HOST_PID"
	await eval "! kill -0 $DOCKER_HOST_PID"
	find /sys/fs/cgroup -depth -type d \( -path "*/$DOCKER_CGROUP*" -o -path "*/libpod_parent*" \) \
		-exec rmdir {} + 2>/dev/null
	rm -rf "${NET_DIR:?}/data" "$NET_DIR/podman"
}

# --- containers ------------------------------------------------------------------------------

pack() { # a root of busybox, as tar
	local root=$NET_DIR/root name
	if [ ! -e "$root/ok" ]; then
		mkdir -p "$root/bin" "$root/etc"
		cp "$(command -v busybox)" "$root/bin/busybox" || return
		for name in sh httpd nc nslookup sleep; do
			ln -s busybox "$root/bin/$name"
		done
		echo "here you are" >"$root/ok"
	fi
	tar -C "$root" -c .
}

image() { # NAME [CHANGE...]
	local change changes=()
	for change in "${@:2}"; do changes+=(--change "$change"); done
	pack | docker import "${changes[@]}" - "$1" >/dev/null
}

container() { # NAME [OPTION...]
	docker run --detach --name "$1" "${@:2}" "${IMAGE:-box:1}" \
		sh -c 'httpd -p 9999; exec httpd -f -p 5432' >/dev/null
}

address_of() { # NAME FIELD
	docker inspect --format "{{range .NetworkSettings.Networks}}{{.$2}} {{end}}" "$1" |
		cut -d' ' -f1
}
v4() { address_of "$1" IPAddress; }
v6() { address_of "$1" GlobalIPv6Address; }

# The host and outsiders have a file; so may containers that a test asks often.
pid_of() { # NAME
	cat "$NET_DIR/$1.pid" 2>/dev/null || docker inspect --format '{{.State.Pid}}' "$1"
}

inside() { on_host nsenter --net --target "$(pid_of "$1")" -- "${@:2}"; } # NAME COMMAND...

# Its namespace has no name: named ones are endpoints.
outsider() { # NAME HOST-ADDRESS ADDRESS
	# shellcheck disable=SC2016
	start_on_host unshare --net sh -c 'echo $$ >"$0" && exec sleep infinity' "$NET_DIR/$1.pid"
	await test -s "$NET_DIR/$1.pid"
	on_host ip link add "$1" type veth peer name eth0 netns "$(pid_of "$1")"
	on_host ip addr add "$2" dev "$1"
	on_host ip link set "$1" up
	inside "$1" ip addr add "$3" dev eth0
	inside "$1" ip link set lo up
	inside "$1" ip link set eth0 up
	inside "$1" ip route add default via "${2%/*}"
}

# shellcheck disable=SC2154
probe() { inside "$1" "$(realpath "$probe_program")" "${@:2}"; } # NAME COMMAND OPTION...

questions() { probe "$1" ask "${@:2}"; }

serve() { # NAME PORT/PROTO...
	(probe "$1" listen --ready "$NET_DIR/$1.ready" "${@:2}" \
		>>"$NET_DIR/$1.log" 2>&1 </dev/null 3>&-) &
	await test -e "$NET_DIR/$1.ready" || fail "$(tail -n 3 "$NET_DIR/$1.log")"
}

# Not by wget: a static one crashes where it looks for name services.
fetch() { # NAME ADDRESS PORT
	docker exec "$1" sh -c "printf 'GET /ok HTTP/1.0\r\n\r\n' | nc -w 1 $2 $3" 2>/dev/null |
		grep -q 'here you are'
}

table_of() {
	inside "$1" nft --stateless --handle list ruleset | sed '/^table [a-z]* bulkhead /,/^}/d'
}

# --- denied connections ------------------------------------------------------------------------

follow() { # [OPTION...]
	rm -f "$NET_DIR/messages" # what an earlier one said
	bulkhead denied --follow "$@" >"$NET_DIR/records" 2>"$NET_DIR/messages" </dev/null 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages" || fail "$(cat "$NET_DIR/messages")"
}

followed() {
	on_host kill -INT "$(on_host pgrep -x bulkhead)"
	wait "$follower"
}

# --- Podman ----------------------------------------------------------------------------------

podman() {
	on_host env CONTAINERS_CONF="$NET_DIR/containers.conf" \
		CONTAINERS_STORAGE_CONF="$NET_DIR/storage.conf" podman "$@"
}

# Raising limits may be refused to a virtual machine's root: take what every shell has.
podman_up() { # [LOGGER-OF-EVENTS [BACKEND]]
	mkdir -p "$NET_DIR/podman/networks" "$NET_DIR/cni"
	cat >"$NET_DIR/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "${1:-none}"
		[network]
		network_backend = "${2:-netavark}"
		cni_plugin_dirs = ["$NET_DIR/cni"]
		network_config_dir = "$NET_DIR/podman/networks"
	END
	cat >"$NET_DIR/storage.conf" <<-END
		[storage]
		driver = "vfs"
		graphroot = "$NET_DIR/podman/root"
		runroot = "/run/containers"
	END
	on_host mkdir -p /run/podman
	(podman system service --time 0 unix:///run/podman/podman.sock >>"$NET_DIR/log" 2>&1 \
		</dev/null 3>&-) &
	await on_host test -S /run/podman/podman.sock
}
