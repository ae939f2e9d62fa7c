#!/usr/bin/env bats
# Policies change while packets flow: what two versions deny never passes in between, what both
# allow is never lost, and what a newer one ends is over when the command returns.

load lib/net

flood_program=${PROBE%/*}/flood
talk_program=${PROBE%/*}/talk

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
	net_down
}

# --- senders and receivers -------------------------------------------------------------------

# In namespace NAME; the board is called like it unless BOARD says otherwise. Sets $started.
flood() { # NAME[:BOARD] OPTIONS...
	local board=$dir/${1#*:}
	start "${1%%:*}" nice -n "${nice:-0}" "$flood_program" run "$board" "${@:2}"
	await test -s "$board"
}

# $sent $refused $received $highest of a board.
board() { # BOARD [SENDER-ID]
	read -r _ sent _ refused _ received _ highest _ < <("$flood_program" look "$dir/$1" "${2:-0}")
}

heard() { board "$1" && [ "$received" -ge "$2" ]; }
said() { board "$1" && [ "$sent" -ge "$2" ]; }

# Waits until a receiver hears nothing any more. Sets $received $highest.
settled() { # BOARD [SENDER-ID]
	local before=-1
	board "$@"
	while [ "$received" -ne "$before" ]; do
		before=$received
		read -r -t 0.1 <> <(:) || true
		board "$@"
	done
}

# Nobody's datagrams but one sender's, who has ended, and all of his. Sets $lost.
lost_between() { # FROM-BOARD TO-BOARD
	local all
	board "$1"
	all=$sent
	settled "$2"
	lost=$((all - received))
}

apply() { # POLICIES [INVENTORY]
	"$bulkhead_program" apply --policies "$NET_DIR/policies/$1" \
		--inventory "$NET_DIR/${2:-inventory}.json" --config "$NET_DIR/bulkhead.yaml"
}

# --- swap ------------------------------------------------------------------------------------

# a is held when it sends, b when it receives; the stranger u at the other end is not. All versions
# allow 7001/udp and deny 7009/udp. They differ in how: the PEERS, PORTS and NAME of their rule.
version() { # VERSION PEERS PORTS NAME
	mkdir -p "$NET_DIR/policies/a$1" "$NET_DIR/policies/b$1"
	policy "a$1/a" <<<"{service: a, select: {labels: {app: a}}, egress: [{name: $4, to: [$2], ports: [$3]}]}"
	policy "b$1/b" <<<"{service: b, select: {labels: {app: b}}, ingress: [{name: $4, from: [$2], ports: [$3]}]}"
}

# Each of a and b is replaced by a loop of its own, from here to there.
alone() { # NAME: an inventory of it alone
	jq --arg id "shop/$1" '.endpoints |= map(select(.id == $id))' "$NET_DIR/inventory.json" \
		>"$NET_DIR/$1.json"
}

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

# Four senders, two of them denied; their boards are called after who sends what.
flood_swap() {
	local to_u to_b
	to_u=(--to "$(v4 u)" 7001 --to "$(v6 u)" 7001)
	to_b=(--to "$(v4 b)" 7001 --to "$(v6 b)" 7001)
	flood u:at-u --at 7001
	flood b:at-b --at 7001
	flood u:denied-at-u --at 7009
	flood b:denied-at-b --at 7009
	senders=()
	flood a:from-a --at 40000+15 --rate 10000 "${to_u[@]}"
	senders+=("$started")
	flood u:from-u --at 40000+15 --rate 10000 "${to_b[@]}"
	senders+=("$started")
	nice=19 flood a:denied-from-a --at 41000+15 "${to_u[@]//7001/7009}"
	senders+=("$started")
	nice=19 flood u:denied-from-u --at 41000+15 --rate 20000 "${to_b[@]//7001/7009}"
	senders+=("$started")
}

nothing_lost() { # DATAGRAMS-AT-LEAST
	local end
	stop "${senders[@]}"
	for end in "a u" "u b"; do
		lost_between "from-${end% *}" "at-${end#* }"
		[ "$lost" -eq 0 ] || fail "lost $lost of $sent on the way from ${end% *} to ${end#* }" || return
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

@test "300 replacements under four senders: nothing denied passes, nothing allowed is lost" {
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$single" "7001/udp, 7002/udp" two
	version 2 "$single" "7001/udp, icmp, icmpv6" one
	apply a0 a
	apply b0 b
	flood_swap
	replace_both 150 3
	nothing_lost 50000
	nothing_leaked 50000
}

@test "the counting above sees a single datagram that is lost, and a gap that lets some out" {
	swap_up
	version 0 "$single" 7001/udp one
	apply a0 a
	apply b0 b
	flood_swap
	ns u nft -f - <<-'N'
		table inet mine {
			chain in {
				type filter hook input priority 0; policy accept;
				udp dport 7001 ip version 4 quota over 4000 bytes jump once
			}
			chain once { quota until 45 bytes drop; }
		}
	N
	await said from-a 5000
	run nothing_lost 1
	[[ $output == "lost 1 of "*" from a to u" ]] || fail "$output"
	run nothing_leaked 1
	[ "$status" -eq 0 ]

	nice=19 flood a:late --at 42000 --to "$(v4 u)" 7009 --id 1
	await said late 1000
	ns a nft delete table inet bulkhead
	apply a0 a
	stop "$started"
	settled denied-at-u 1
	[ "$received" -ge 1 ]
}
