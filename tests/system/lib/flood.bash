# shellcheck shell=bash disable=SC2034
# Numbered datagrams between two ends (tests/system/flood.c), counted to the packet, for tests of what
# passes while something changes. A sender or receiver has a board, $dir/BOARD, and is called after it.
#
#     load lib/net
#     load lib/flood
#     setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
#     @test "..." { swap_up; version 0 ...; apply; flood_swap; ...; nothing_lost 1000; nothing_leaked 1000; }
#
#   flood NAME:BOARD OPTION... runs it in that namespace; returns when it runs. $nice is its niceness
#   ends BOARD..., hush BOARD...  it ends; it sends no more, and still listens
#   board BOARD [SENDER-ID]   sets $sent $refused $received $highest (a stream's: $retransmitted $error)
#   heard BOARD N, said BOARD N  at least so many
#   settled BOARD [SENDER-ID] waits until nothing moves there
#   lost_between FROM TO      sets $lost, of what a sender, hushed or gone, has sent
#   both_to NAME PORT         options for both addresses of an end point
#
#   swap_up                   a and b, which are held, and the stranger u; sets $single $wide $near
#   version V PEERS PORTS NAME  policies aV and bV: a may send to PEERS, b receive from them
#   flood_swap                four senders between them, two of which every version denies
#   apply POLICIES [INVENTORY]  those of $NET_DIR/policies/POLICIES, to the end points of INVENTORY
#   replace_both TIMES VERSIONS  a and b at once, so many times, each time the next version
#   world_of NAME             the stranger's addresses are the world's, no network of the host
#   crowd N, disperse         busy loops beside it all; end them in teardown
#   nothing_lost N [M], nothing_leaked N  ends them: all that is allowed came (but M), nothing that is
#                             denied; and at least so many were sent

# shellcheck disable=SC2154 # of net.bash and of the test
flood_program=${probe_program%/*}/flood

# In namespace NAME, with a board of that name.
declare -gA pid_of
flood() { # NAME:BOARD OPTIONS...
	local board=${1#*:}
	start "${1%%:*}" nice -n "${nice:-0}" "$flood_program" run "$dir/$board" "${@:2}"
	pid_of[$board]=$started
	await test -s "$dir/$board"
}

ends() { # BOARD...
	local board
	for board in "$@"; do
		stop "${pid_of[$board]}"
		wait "${pid_of[$board]}" || true # its sockets are closed by then
	done
}

hush() { # BOARD...: they send no more, and still listen
	local board
	for board in "$@"; do
		kill -USR1 "${pid_of[$board]}"
	done
}

# $sent $refused $received $highest of a board; talk's boards are text: $retransmitted $error.
board() { # BOARD [SENDER-ID]
	if [ -n "${is_stream[$1]:-}" ]; then
		read -r _ sent _ highest _ received _ retransmitted _ error <"$dir/$1"
	else
		read -r _ sent _ refused _ received _ highest _ < <("$flood_program" look "$dir/$1" "${2:-0}")
	fi
}
declare -gA is_stream

heard() { board "$1" && [ "$received" -ge "$2" ]; }
said() { board "$1" && [ "$sent" -ge "$2" ]; }

# Waits until a board stands still.
settled() { # BOARD [SENDER-ID]
	local before=-1
	board "$@"
	while [ "$sent $received" != "$before" ]; do
		before="$sent $received"
		read -r -t 0.1 <> <(:) || true
		board "$@"
	done
}

# Of what a sender, hushed or gone, has sent. Sets $lost.
lost_between() { # FROM-BOARD TO-BOARD
	local all
	settled "$1"
	all=$sent
	settled "$2"
	lost=$((all - received))
}

both_to() { echo "--to $(v4 "$1") $2 --to $(v6 "$1") $2"; } # NAME PORT

# --- two that are held, and a stranger ----------------------------------------------------------

# a is held when it sends, b when it receives; the stranger u at the other end is not. All versions
# allow 7001/udp and deny 7009/udp. They differ in how: the PEERS, PORTS and NAME of their rule.
version() { # VERSION PEERS PORTS NAME
	mkdir -p "$NET_DIR/policies/a$1" "$NET_DIR/policies/b$1"
	policy "a$1/a" <<<"{service: a, select: {labels: {app: a}}, egress: [{name: $4, to: [$2], ports: [$3]}]}"
	policy "b$1/b" <<<"{service: b, select: {labels: {app: b}}, ingress: [{name: $4, from: [$2], ports: [$3]}]}"
}

alone() { # NAME: an inventory of it alone
	jq --arg id "shop/$1" '.endpoints |= map(select(.id == $id))' "$NET_DIR/inventory.json" \
		>"$NET_DIR/$1.json"
}

# Four senders, two of them denied; their boards are called after who sends what.
flood_swap() {
	local to_u to_b
	read -ra to_u < <(both_to u 7001)
	read -ra to_b < <(both_to b 7001)
	flood u:at-u --at 7001
	flood b:at-b --at 7001
	flood u:denied-at-u --at 7009
	flood b:denied-at-b --at 7009
	flood a:from-a --at 40000+15 --rate 10000 "${to_u[@]}"
	flood u:from-u --at 40000+15 --rate 10000 "${to_b[@]}"
	nice=${denied_nice:-19} flood a:denied-from-a --at 41000+15 --rate 20000 "${to_u[@]//7001/7009}"
	nice=${denied_nice:-19} flood u:denied-from-u --at 41000+15 --rate 20000 "${to_b[@]//7001/7009}"
}

nothing_lost() { # DATAGRAMS-AT-LEAST [LOST-AT-MOST]
	local end
	ends from-a from-u denied-from-a denied-from-u
	for end in "a u" "u b"; do
		lost_between "from-${end% *}" "at-${end#* }"
		[ "$lost" -le "${2:-0}" ] || fail "lost $lost of $((lost + received)) on the way from ${end% *} to ${end#* }" || return
		[ "$received" -ge "$1" ] || fail "${end% *} sent only $received" || return
	done
}

nothing_leaked() { # DATAGRAMS-AT-LEAST
	local end
	for end in "a u" "u b"; do
		settled "denied-at-${end#* }"
		[ "$received" -eq 0 ] || fail "$received denied ones came from ${end% *} to ${end#* }" || return
		board "denied-from-${end% *}"
		[ "$sent" -ge "$1" ] || fail "${end% *} sent only $sent" || return
	done
}

swap_up() {
	net_up a b
	outsider u
	alone a
	alone b
	single="{cidr: $(v4 u)}, {cidr: '$(v6 u)'}"
	wide="{cidr: 10.77.0.0/16}, {cidr: 'fd00:77::/48'}"
	near="{cidr: 10.77.0.0/24}, {cidr: 'fd00:77::/64'}"
}

world_of() { # NAME
	local name
	for name in a b; do
		jq 'del(.host)' "$NET_DIR/$name.json" >"$dir/inventory" && mv "$dir/inventory" "$NET_DIR/$name.json"
	done
}

# --- one policy after the other ---------------------------------------------------------------

apply() { # POLICIES [INVENTORY]
	"$bulkhead_program" apply --policies "$NET_DIR/policies/$1" \
		--inventory "$NET_DIR/${2:-inventory}.json" --config "$NET_DIR/bulkhead.yaml"
}

# Each of a and b is replaced by a loop of its own, from here to there.
replace() { # NAME TIMES VERSIONS
	local i
	for ((i = 1; i <= $2; i++)); do
		apply "$1$((i % $3))" "$1" >"$dir/replace-$1" 2>&1 3>&- || break
		grep -q ' 1 updated' "$dir/replace-$1" || break
	done
	[ "$i" -gt "$2" ] || echo "replacement $i: $(cat "$dir/replace-$1")" >"$dir/failed-$1"
}

replace_both() { # TIMES VERSIONS
	local other
	replace a "$@" &
	other=$!
	replace b "$@"
	wait $other
	[ ! -e "$dir/failed-a" ] && [ ! -e "$dir/failed-b" ] || fail "$(cat "$dir"/failed-*)"
}

# --- a machine that has more to do -------------------------------------------------------------

crowd() { # N
	local i
	for ((i = 0; i < $1; i++)); do
		(exec bash -c 'while :; do :; done' 3>&-) &
		crowd_pids+=($!)
	done
}
disperse() {
	[ ${#crowd_pids[@]} -eq 0 ] || kill "${crowd_pids[@]}" 2>/dev/null || true
	crowd_pids=()
}
crowd_pids=()
