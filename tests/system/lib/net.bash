# shellcheck shell=bash
# A small network of namespaces for one test or one file of tests. Every end point hangs on one
# bridge in a namespace of its own, which plays the host; nothing else of the machine is touched.
#
#     load lib/net
#     setup() {
#             net_up web db                       # 10.77.0.1 and 2, fd00:77::1 and 2, label app=NAME
#             policy web <<<'...'; policy db <<<'...'
#             serve db 5432/tcp
#             bulkhead apply
#     }
#     teardown() { net_down; }
#     @test "..." { [ "$(ask web db 5432/tcp)" = "open open" ]; }      # over IPv4 and IPv6
#
# In setup_file and teardown_file the same functions make one network for all tests of a file.
#
#   net_up NAME...            the switch and end points; `NAME:app=x,tier=y` gives other labels
#   member NAME [LABELS]      one more end point, later; it is in the inventory from then on
#   member_bare NAME [LABELS] the same without an interface, until `wire NAME NUMBER`
#   outsider NAME [NUMBER]    one that no inventory knows: the world
#   member_gone NAME          takes one away, its processes too
#   net_down                  ends and removes everything; silent when there is nothing
#   ns NAME COMMAND...        runs a command in a namespace (`switch` is the host, number 254)
#   v4 NAME, v6 NAME          its address
#   (the host file says that a daemon reads policies when it is told to, not when they change)
#   policy FILE               standard input becomes $NET_DIR/policies/FILE.yaml
#   bulkhead VERB ...         the program, on this network's policies and end points only; options
#                             after VERB are passed on
#   start NAME COMMAND...     runs in the background until net_down, output to $NET_DIR/NAME.log;
#                             $started is its process id
#   stop PID...               ends what start started and waits for it
#   serve NAME PORT/PROTO...  servers that answer (probe listen); returns when they listen
#   ask FROM TO PORT/PROTO    `probe ask` over IPv4 and IPv6: two words of open, half, refused,
#                             timeout, unreachable; `icmp` in place of the port is a ping
#   follow [OPTION...]        `denied --follow --json` in the background, until `finish`; returns when
#                             it listens. Records go to $NET_DIR/records, messages beside them
#   finish                    ends it; fails unless every denied packet is in a record
#   finish_anyway             ends it when it runs, for teardown
#   await COMMAND...          until it succeeds; fails after 10 seconds
#   fail TEXT...              says so and fails
#
# NET is the prefix of all namespaces, NET_DIR holds policies/, inventory.json and the logs.

bulkhead_program=${BULKHEAD:-build/release/bulkhead}
probe_program=${PROBE:-build/release/tests/system/probe}

fail() {
	echo "$*" >&2
	return 1
}

ns() { ip netns exec "${NET:?net_up comes first}-$1" "${@:2}"; }

number_of() { # NAME: sets $number
	local name labels
	while read -r name number labels; do
		[ "$name" != "$1" ] || return 0
	done <"$NET_DIR/members"
	fail "no end point is called $1"
}
v4() { number_of "$1" && echo "10.77.0.$number"; }
v6() { number_of "$1" && printf 'fd00:77::%x\n' "$number"; }

await() {
	local tries=400
	until "$@" >/dev/null 2>&1; do
		((--tries)) || fail "waited in vain for: $*" || return
		read -r -t 0.025 <> <(:) || true
	done
}

# --- the network -----------------------------------------------------------------------------

net_up() {
	local spec
	export NET=bht$$ NET_DIR=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/net
	mkdir -p "$NET_DIR/policies" || return
	printf 'switch 254 -\n' >"$NET_DIR/members"
	: >"$NET_DIR/pids"
	printf 'unmanaged: ignore\npolicies: {watch: false}\n' >"$NET_DIR/bulkhead.yaml"
	ip netns add "$NET-switch" || return
	ns switch ip link set lo up
	ns switch ip link add br0 type bridge mcast_snooping 0
	ns switch ip addr add 10.77.0.254/24 dev br0
	ns switch ip addr add fd00:77::fe/64 dev br0 nodad
	ns switch ip link set br0 up || return
	for spec in "$@"; do
		member "${spec%%:*}" "${spec#"${spec%%:*}"}" || return
	done
	write_inventory
}

wire() { # NAME NUMBER: the namespace's interface
	ns "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 || return
	ip link add eth0 netns "$NET-$1" type veth peer name "port$2" netns "$NET-switch" || return
	ns switch ip link set "port$2" master br0 up
	ns "$1" ip link set lo up
	ns "$1" ip addr add "10.77.0.$2/24" dev eth0
	ns "$1" ip addr add "$(printf 'fd00:77::%x' "$2")/64" dev eth0 nodad
	ns "$1" ip link set eth0 up
	ns "$1" ip route add default via 10.77.0.254
	ns "$1" ip -6 route add default via fd00:77::fe
}

member() { # NAME [[:]LABELS]
	member_bare "$@" && wire "$1" "$number"
}

member_bare() { # NAME [[:]LABELS]: sets $number
	local labels=${2#:}
	number=$(awk '$2 < 200 && $2 > n { n = $2 } END { print n + 1 }' "$NET_DIR/members")
	printf '%s %s %s\n' "$1" "$number" "${labels:-app=$1}" >>"$NET_DIR/members"
	ip netns add "${NET:?net_up comes first}-$1" && write_inventory
}

outsider() { # NAME [NUMBER]
	printf '%s %s -\n' "$1" "${2:-200}" >>"$NET_DIR/members"
	ip netns add "${NET:?net_up comes first}-$1" && wire "$1" "${2:-200}"
}

write_inventory() {
	jq -Rn --arg net "$NET" '
		[inputs | split(" ") | select(.[2] != "-")
		 | {id: "shop/\(.[0])", name: .[0], namespace: "shop",
		    labels: (.[2] | split(",") | map(split("=") | {(.[0]): .[1]}) | add),
		    addresses: ["10.77.0.\(.[1])", .[3]], netns: "/run/netns/\($net)-\(.[0])"}]
		| {endpoints: ., host: {addresses: ["10.77.0.254/24", "fd00:77::fe/64"]}}
	' < <(while read -r name number labels; do
		printf '%s %s %s fd00:77::%x\n' "$name" "$number" "$labels" "$number"
	done <"$NET_DIR/members") >"$NET_DIR/inventory.json"
}

member_gone() {
	stop_in "$1"
	ip netns del "$NET-$1"
	sed -i "/^$1 /d" "$NET_DIR/members"
	write_inventory
}

net_down() {
	local name rest
	finish_anyway
	[ -e "${NET_DIR:-/nonexistent}/members" ] || return 0
	while read -r name rest; do
		stop_in "$name"
		ip netns del "$NET-$name" 2>/dev/null || true
	done <"$NET_DIR/members"
	rm -f "$NET_DIR/members"
}

# --- processes -------------------------------------------------------------------------------

start() { # NAME COMMAND...
	(exec ip netns exec "$NET-$1" "${@:2}" >>"$NET_DIR/$1.log" 2>&1 </dev/null 3>&-) &
	started=$!
	echo "$1 $started" >>"$NET_DIR/pids"
	until runs_in "$1" $started || ! kill -0 $started 2>/dev/null; do :; done
}

# Only what still is where it was started, so that a number taken by another is left alone.
runs_in() { [ "/proc/$2/ns/net" -ef "/run/netns/$NET-$1" ]; }

stop_one() { # NAME PID
	local tries=200
	runs_in "$1" "$2" && kill "$2" 2>/dev/null
	while runs_in "$1" "$2"; do
		((--tries)) || kill -KILL "$2" 2>/dev/null
		[ $tries -gt -40 ] || return
		read -r -t 0.025 <> <(:) || true
	done
	return 0
}

stop() { # PID...
	local pid name known
	for pid in "$@"; do
		while read -r name known; do
			[ "$known" != "$pid" ] || stop_one "$name" "$pid"
		done <"$NET_DIR/pids"
	done
}

stop_in() { # NAME
	local name pid
	while read -r name pid; do
		[ "$name" != "$1" ] || stop_one "$name" "$pid"
	done <"$NET_DIR/pids"
}

# --- the program, and traffic ----------------------------------------------------------------

policy() { cat >"$NET_DIR/policies/$1.yaml"; }

bulkhead() { # VERB ...
	"$bulkhead_program" "$1" --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" "${@:2}"
}

serve() { # NAME PORT/PROTO...
	local ready=$NET_DIR/$1.ready.$RANDOM
	start "$1" "$probe_program" listen --ready "$ready" "${@:2}"
	await eval "[ -e '$ready' ] || ! kill -0 $started"
	[ -e "$ready" ] || fail "$(tail -n 3 "$NET_DIR/$1.log")"
}

follow() { # OPTION...
	rm -f "$NET_DIR/messages" # what an earlier one said
	(exec "$bulkhead_program" denied --follow --json --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json" --config "$NET_DIR/bulkhead.yaml" "$@" \
		>"$NET_DIR/records" 2>"$NET_DIR/messages" 3>&-) &
	follower=$!
	await grep -q following "$NET_DIR/messages"
}

finish() {
	kill -INT "$follower"
	wait "$follower"
	follower=
	grep -Eq 'denied ([0-9]+) = recorded \1 \+ not recorded 0$' "$NET_DIR/messages" ||
		fail "$(cat "$NET_DIR/messages")"
}

finish_anyway() { # for teardown
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
}

ask() { # FROM TO PORT/PROTO
	printf '%s %s\n' "$(v4 "$2")" "$3" "$(v6 "$2")" "$3" | ns "$1" "$probe_program" ask | xargs
}
