# shellcheck shell=bash disable=SC2034,SC2154
# Namespaces that come, go and take over each other's addresses, for the tests of a daemon that finds
# them by itself: named ones, with the addresses that they really have.
#
#     load lib/net
#     load lib/flood
#     load lib/daemon
#     load lib/churn
#     setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; churn_up; }
#     teardown() { churn_ends; daemon_gone; net_down; }
#     @test "..." { churn_daemon_up; churn_begins; ...; churn_pauses; await converged; }
#
#   churn_up                  a and b, which stay and are held, a may call b; locked, which is held as
#                             well and may do nothing; u, whom nobody selects. Of those that come,
#                             client-N may call b and servers, server-N may be called by a and clients
#   churn_daemon_start, churn_daemon_up  as daemon_start and daemon_up, on these
#   comes NAME NUMBER         a new namespace at the addresses of NUMBER; goes NAME: it ends
#   takes NAME NUMBER         one that is there takes these addresses over and sends from them;
#   gives NAME NUMBER         gives them back
#   churn_begins              until churn_pauses, churn_goes_on, churn_ends: one or the other of these
#                             after the other, at $churn_numbers; how many is in $dir/steps
#   names_in NAME             who is named in its tables, as the real nft reads them: a line for each,
#                             "egress4 10.77.0.2"
#   named_nowhere NUMBER...   these addresses are in no table
#   converged                 every namespace names whom the policies mean, neither more nor fewer,
#                             and the daemon says so too
#
# Ports 7001/udp and 7002/udp are those that are open.

churn_numbers=(101 102 103 104 105 106)

listed() { ln -s "/run/netns/$NET-$1" "$NET_DIR/netns/$1"; } # NAME

churn_up() {
	local name
	net_up a b locked
	outsider u
	mkdir "$NET_DIR/netns"
	for name in a b locked u; do
		listed "$name"
	done
	printf '%s\n' 'runtimes: {docker: false, podman: false}' 'new-namespaces: quarantine' \
		>"$NET_DIR/bulkhead.yaml"
	policy churn <<-'Y'
		service: a
		select: {name: a}
		egress: [{to: [{service: b}, {service: server}], ports: [7001/udp, 7002/udp]}]
		---
		service: b
		select: {name: b}
		ingress: [{from: [{service: a}, {service: client}], ports: [7001/udp, 7002/udp]}]
		---
		service: client
		select: {name: "client-*"}
		egress: [{to: [{service: b}, {service: server}], ports: [7001/udp, 7002/udp]}]
		---
		service: server
		select: {name: "server-*"}
		ingress: [{from: [{service: a}, {service: client}], ports: [7001/udp, 7002/udp]}]
		---
		service: locked
		select: {name: locked}
	Y
}

churn_daemon_start() { daemon_start --netns-dir "$NET_DIR/netns" "$@"; }
churn_daemon_up() { daemon_up --netns-dir "$NET_DIR/netns" "$@"; }

# --- steps -----------------------------------------------------------------------------------

at4() { echo "10.77.0.$1"; }               # NUMBER
at6() { printf 'fd00:77::%x\n' "$1"; }     # NUMBER
in_ns() { ip -n "$NET-$1" -batch - >&2; } # NAME: lines of ip

comes() { # NAME NUMBER
	printf '%s %s -\n' "$1" "$2" >>"$NET_DIR/members"
	ip netns add "$NET-$1" && listed "$1" || return
	ip link add eth0 netns "$NET-$1" type veth peer name "port$2" netns "$NET-switch" || return
	in_ns switch <<<"link set port$2 master br0 up" || return
	in_ns "$1" <<-I
		link set lo up
		addr add $(at4 "$2")/24 dev eth0
		addr add $(at6 "$2")/64 dev eth0 nodad
		link set eth0 up
	I
}

goes() { # NAME
	number_of "$1"
	stop_in "$1"
	rm "$NET_DIR/netns/$1"
	ip netns del "$NET-$1"
	# Its other end goes some time later: whoever comes next needs the name.
	ns switch ip link del "port$number" 2>/dev/null || true
	sed -i "/^$1 /d" "$NET_DIR/members"
}

# What a and b remember of who was there would hide whom the policy lets through.
forgotten() { # NUMBER
	local name
	for name in a b; do
		ns "$name" ip neigh flush to "$(at4 "$1")" dev eth0
		ns "$name" ip -6 neigh flush to "$(at6 "$1")" dev eth0
	done
}

claims() { # NAME NUMBER
	in_ns "$1" <<-I
		addr add $(at4 "$2")/24 dev eth0
		addr add $(at6 "$2")/64 dev eth0 nodad
	I
}

takes() { # NAME NUMBER
	claims "$@" && in_ns "$1" <<-I || return
		route replace $(v4 b)/32 dev eth0 src $(at4 "$2")
		route replace $(v6 b)/128 dev eth0 src $(at6 "$2")
	I
	forgotten "$2"
}

gives() { # NAME NUMBER
	in_ns "$1" <<-I
		addr del $(at4 "$2")/24 dev eth0
		addr del $(at6 "$2")/64 dev eth0
	I
}

# --- all the time ----------------------------------------------------------------------------

# Who is at a number is in $dir/at.NUMBER; nobody without that file.
step() { # I
	local number=${churn_numbers[RANDOM % ${#churn_numbers[@]}]} who
	if [ -e "$dir/at.$number" ]; then
		who=$(<"$dir/at.$number")
		rm "$dir/at.$number"
		case $who in
		locked) gives locked "$number" ;;
		*) goes "$who" ;;
		esac
		return
	fi
	case $((RANDOM % 3)) in
	0) who=locked && takes locked "$number" ;;
	1) who=client-$1 && comes "$who" "$number" && calls "$who" "$1" ;;
	2) who=server-$1 && comes "$who" "$number" ;;
	esac || return
	echo "$who" >"$dir/at.$number"
}

# From the port that `locked` sends from as well: b has seen their connection before.
calls() { # NAME I
	# shellcheck disable=SC2046
	flood "$1:from-$1" --at 42000 --id 5 --rate 200 $(both_to b 7001)
}

churn() {
	local i
	for ((i = 1; ; i++)); do
		if [ -e "$dir/pauses" ]; then
			: >"$dir/paused"
			await eval "[ ! -e '$dir/pauses' ] || [ ! -e '$dir/churns' ]" || return
			rm -f "$dir/paused"
		fi
		[ -e "$dir/churns" ] || return 0
		step $i || return
		echo $i >"$dir/steps"
	done
}

churn_begins() {
	: >"$dir/churns"
	{
		churn || echo "step $(cat "$dir/steps") was the last that went well" >"$dir/churn.failed"
	} >"$dir/churn.log" 2>&1 </dev/null 3>&- &
	churner=$!
}

churn_pauses() {
	: >"$dir/pauses"
	await eval "[ -e '$dir/paused' ] || [ -e '$dir/churn.failed' ]"
	[ ! -e "$dir/churn.failed" ] || fail "$(cat "$dir/churn.failed" "$dir/churn.log")"
}

churn_goes_on() {
	rm "$dir/pauses"
	await eval "[ ! -e '$dir/paused' ]"
}

churn_ends() {
	[ -n "${churner:-}" ] || return 0
	rm -f "$dir/churns" "$dir/pauses"
	wait "$churner"
	churner=
}

# --- a second reader -------------------------------------------------------------------------

names_in() { # NAME
	ns "$1" nft list table inet bulkhead | awk '
		/^\tmap / { map = $2 }
		/^\t}/ { map = "" }
		map { sub(/.*elements = \{/, ""); n = split($0, e, ","); for (i = 1; i <= n; i++)
			if (split(e[i], w, " ") >= 5 && w[2] == ".") print map, w[1] }' | sort -u
}

# The same, as the policies mean it.
names_for() { # NAME
	local peers peer number rest
	case $1 in
	a) peers='^(b|server-.*)$' rest=egress ;;
	client-*) peers='^(b|server-.*)$' rest=egress ;;
	b) peers='^(a|client-.*)$' rest=ingress ;;
	server-*) peers='^(a|client-.*)$' rest=ingress ;;
	*) return 0 ;;
	esac
	while read -r peer number _; do
		[[ ! $peer =~ $peers ]] || echo "${rest}4 $(at4 "$number")"$'\n'"${rest}6 $(at6 "$number")"
	done <"$NET_DIR/members" | sort
}

# In no namespace that is held.
named_nowhere() { # NUMBER...
	local number name rest
	while read -r name rest; do
		[[ ! $name =~ ^(switch|u)$ ]] || continue
		for number in "$@"; do
			! names_in "$name" | grep -qx -e "[a-z]*4 $(at4 "$number")" \
				-e "[a-z]*6 $(at6 "$number")" || return
		done
	done <"$NET_DIR/members"
}

converged() {
	local name rest
	while read -r name rest; do
		[[ $name =~ ^(switch|u)$ ]] || diff <(names_for "$name") <(names_in "$name") || return
	done <"$NET_DIR/members"
	ctl status && ctl plan
}
