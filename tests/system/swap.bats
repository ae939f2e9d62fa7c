#!/usr/bin/env bats
# Policies change while packets flow: what two versions deny never passes in between, what both
# allow is never lost, and what a newer one ends is over when the command returns.

load lib/net
load lib/flood

talk_program=${probe_program%/*}/talk

setup() { dir=$BATS_TEST_TMPDIR/boards && mkdir "$dir"; }
teardown() {
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
	disperse
	net_down
}

# --- swap ------------------------------------------------------------------------------------

@test "300 replacements under four senders: nothing denied passes, nothing allowed is lost" {
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$single" "7001/udp, 7002/udp" two
	version 2 "$single" "7001/udp, icmp, icmpv6" one
	apply a0 a
	apply b0 b
	flood_swap
	replace_both 150 3
	nothing_lost 10000
	nothing_leaked 50000
}

# Each version allows the flow by another kind of map, and back. The busy loops take the processor
# from whoever commits, so that whatever is half done is so for long.
@test "a flow moves between exact addresses, networks and port ranges, under load: nothing is lost" {
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$wide" 7001/udp one
	version 2 "$single" 6001-7001/udp one
	version 3 "$near" "7001/udp, 7002/udp" two
	version 4 "$single" "7001/udp, icmp, icmpv6" one
	version 5 "$wide" 6901-7001/udp two
	apply a0 a
	apply b0 b
	flood_swap
	crowd 4
	replace_both 60 6
	nothing_lost 2000
	nothing_leaked 1000
}

@test "a flow moves between the world, networks and addresses, under load: nothing is lost" {
	swap_up
	world_of u
	version 0 "{entity: world}" 7001/udp one
	version 1 "$wide" 7001/udp one
	version 2 "{entity: world}" "7001/udp, 7003/udp" one
	version 3 "$single" 7001/udp one
	apply a0 a
	apply b0 b
	flood_swap
	crowd 4
	replace_both 60 4
	nothing_lost 2000
	nothing_leaked 1000
}

# 45 networks whose port is another one in each version, beside what the flow is in.
crowded() { # VERSION PEERS PORTS
	local i many='' rules
	for i in {1..45}; do
		many+="{cidr: 172.16.$((2 * i)).0/24}, "
	done
	mkdir -p "$NET_DIR/policies/a$1" "$NET_DIR/policies/b$1"
	rules="[{name: many, to: [$many], ports: [$((7100 + $1))/udp]}, {name: one, to: [$2], ports: [$3]}]"
	policy "a$1/a" <<<"{service: a, select: {labels: {app: a}}, egress: $rules}"
	policy "b$1/b" <<<"{service: b, select: {labels: {app: b}}, ingress: ${rules//to: [/from: [}}"
}

@test "46 networks change at once, under load: nothing is lost of a flow that all allow" {
	swap_up
	crowded 0 "$wide" 7001/udp
	crowded 1 "$near" 7001/udp
	crowded 2 "$single" 6001-7001/udp
	crowded 3 "$single" 7001/udp
	apply a0 a
	apply b0 b
	flood_swap
	crowd 4
	replace_both 60 4
	nothing_lost 2000
	nothing_leaked 1000
}

# Versions that do not allow the denied flow, and versions that allow it and deny it by a guardrail.
guarded() { # VERSION PEERS PORTS DENIED-PORTS
	version "$1" "$2" "$3" one
	policy "a$1/g" <<<"{guardrail: g, select: {labels: {app: a}}, deny: [{name: it, to: [$2], ports: [$4]}]}"
	policy "b$1/g" <<<"{guardrail: g, select: {labels: {app: b}}, deny: [{name: it, from: [$2], ports: [$4]}]}"
}

@test "a flow is denied by a guardrail, or by not being allowed, under load: it never passes" {
	local more
	more=$(printf '%s/udp, ' {7100..7180})7001/udp # what makes a commit long
	swap_up
	version 0 "$single" 7001/udp one
	guarded 1 "$single" "7009/udp, $more" 7009/udp
	version 2 "$wide" 7001/udp one
	guarded 3 "$wide" 7001-7009/udp 7002-7019/udp
	guarded 4 "$single" 7001/udp 7010/udp
	guarded 5 "$single" "7009/udp, $more" 7003-7009/udp
	apply a0 a
	apply b0 b
	denied_nice=0 flood_swap
	crowd 4
	replace_both 90 6
	nothing_leaked 1000
	nothing_lost 2000
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
	ends late
	settled denied-at-u 1
	[ "$received" -ge 1 ]
}

# --- tighten ---------------------------------------------------------------------------------

# What a may send to b, and what b takes from a: PORTS each.
tightened() { # VERSION PORTS-OUT PORTS-IN
	mkdir -p "$NET_DIR/policies/$1"
	policy "$1/ab" <<-Y
		service: a
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [$2]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [$3]}]
	Y
}

# Ports of both kinds: those that only 7001 to 7004 cover end.
#   7001, 7005   datagrams both ways        7002, 7006   only b sends, what a asked for once
#   7003, 7007   a stream, both talk        7004, 7008   a stream, only b talks and b begins
ended="7001 7002 7003 7004"
kept="7005 7006 7007 7008"

chat() { # PORT
	local to_a to_b
	read -ra to_a < <(both_to a "1$1")
	read -ra to_b < <(both_to b "$1")
	flood "b:$1-b" --answer --at "$1" --rate 4000 "${to_a[@]}"
	flood "a:$1-a" --at "1$1" --rate 4000 "${to_b[@]}"
	await eval "heard $1-a 100 && heard $1-b 100"
}

lecture() { # PORT
	local to_a to_b
	read -ra to_a < <(both_to a "1$1")
	read -ra to_b < <(both_to b "$1")
	flood "b:$1-asked" --at "$1"
	flood "a:$1-asks" --at "1$1" --rate 1000 "${to_b[@]}"
	await heard "$1-asked" 2
	ends "$1-asks" "$1-asked"
	flood "a:$1-a" --at "1$1"
	flood "b:$1-b" --at "$1" --rate 4000 "${to_a[@]}"
	await heard "$1-a" 100
}

stream() { # PORT FAMILY call|hear
	is_stream[$1-a]=1 is_stream[$1-b]=1
	start b "$talk_program" "$dir/$1-b" listen "$(v"$2" b)" "$1/tcp"
	pid_of[$1-b]=$started
	await test -s "$dir/$1-b"
	start a "$talk_program" "$dir/$1-a" "$3" "$(v"$2" b)" "$1/tcp"
	pid_of[$1-a]=$started
	await heard "$1-a" 10
}

begin_all() {
	local port
	for port in 7001 7005; do
		chat $port && lecture $((port + 1)) || return
	done
	stream 7003 4 call && stream 7004 6 hear && stream 7007 6 call && stream 7008 4 hear || return
	# b's first datagrams may have left before a's had made them replies.
	for port in $ended $kept; do
		refused=0
		board "$port-b"
		early[$port]=$refused
	done
}
declare -gA early marked

end_all() {
	local port
	for port in $ended $kept; do
		ends "$port-a" "$port-b"
		rm -f "$dir/$port"-*
	done
}

mark() { # what had been said until now: nothing later may be heard
	local port end
	for port in $ended; do
		for end in a b; do
			board "$port-$end"
			marked[$port-$end]=$sent
		done
	done
}

# Whoever talked goes on, and it is in vain.
nothing_after_mark() {
	local port from to more
	for port in $ended; do
		for from in a b; do
			[ "${marked[$port-$from]}" -gt 0 ] || continue
			to=b && [ "$from" = a ] || to=a
			more=2000 && [ -z "${is_stream[$port-$from]:-}" ] || more=50
			await said "$port-$from" $((marked[$port-$from] + more)) || return
			board "$port-$to"
			[ "$highest" -le "${marked[$port-$from]}" ] ||
				fail "$port from $from: heard $highest, said ${marked[$port-$from]} when told to stop" || return
		done
	done
}

nothing_lost_of_kept() {
	local port
	for port in 7007 7008; do
		for end in a b; do
			board "$port-$end"
			[ "$highest $retransmitted $error" = "$received 0 0" ] ||
				fail "stream $port: $(cat "$dir/$port-$end")" || return
		done
		[ "$received" -gt 100 ] || [ $port = 7008 ] || fail "stream $port stands still" || return
	done
	for port in 7005 7006; do
		hush "$port-a" "$port-b"
		lost_between "$port-b" "$port-a"
		[ "$lost" -eq "${early[$port]}" ] || fail "$port: lost $lost from b, ${early[$port]} at first" || return
		lost_between "$port-a" "$port-b"
		[ "$lost" -eq 0 ] || [ $port = 7006 ] || fail "$port: lost $lost from a" || return
	done
}

@test "tightened under flood: nothing passes once the command is back, what stays loses nothing" {
	local who name
	net_up a b
	outsider u
	for name in a b; do
		ns $name sysctl -qw net.ipv4.tcp_early_retrans=0 # sent twice is then lost once
	done
	all=7001-7008/udp,7001-7008/tcp some=7005-7008/udp,7005-7008/tcp
	tightened open "$all" "$all"
	tightened sender "$some" "$all"
	tightened receiver "$all" "$some"
	apply open
	read -ra to_b < <(both_to b 7009)
	read -ra to_u < <(both_to u 7009)
	flood b:denied-at-b --at 7009
	nice=19 flood u:denied-from-u --at 41000+15 --rate 20000 "${to_b[@]}"
	nice=19 flood a:denied-from-a --at 41000+15 "${to_u[@]}"
	for who in sender receiver; do
		begin_all
		apply $who
		mark
		nothing_after_mark
		nothing_lost_of_kept
		end_all
		apply open
	done
	board denied-at-b
	[ "$received" -eq 0 ]
}

# --- addresses that move ---------------------------------------------------------------------

# Numbers 101 and 102 pass between b and c; c would let anybody in, but a may send to b alone.
moving_up() {
	net_up a b c
	policy all <<-'Y'
		service: a
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [7001/udp]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [7001/udp]}]
		---
		service: c
		select: {labels: {app: c}}
		ingress: [{from: [{cidr: 10.77.0.0/24}, {cidr: 'fd00:77::/64'}], ports: [7001/udp]}]
	Y
}

addresses() { # add|del NAME NUMBER
	printf 'addr %s %s dev eth0%s\n' "$1" "10.77.0.$3/24" '' \
		"$1" "$(printf 'fd00:77::%x/64' "$3")" ' nodad' | ns "$2" ip -batch -
}

declared() { # NAME NUMBER: in the inventory it has this address alone
	jq --arg id "shop/$1" --arg v4 "10.77.0.$2" --arg v6 "$(printf 'fd00:77::%x' "$2")" \
		'(.endpoints[] | select(.id == $id)).addresses |= [$v4, $v6]' \
		"$NET_DIR/inventory.json" >"$dir/inventory" && mv "$dir/inventory" "$NET_DIR/inventory.json"
}

swap_addresses() { # B'S C'S [true]: both lose theirs, then both have the other's; true: no apply
	addresses del b "$2"
	addresses del c "$1"
	declared b "$1"
	declared c "$2"
	"${3:-apply}" .
	addresses add b "$1"
	addresses add c "$2"
	ns a ip -force -batch - >/dev/null 2>&1 <<-N || true
		neigh del 10.77.0.101 dev eth0
		neigh del 10.77.0.102 dev eth0
		neigh del fd00:77::65 dev eth0
		neigh del fd00:77::66 dev eth0
	N
}

@test "addresses pass from b to c twenty times at full speed: a, allowed to b, never reaches c" {
	local mine=101 its=102 swap i was=0
	moving_up
	addresses add b $mine
	addresses add c $its
	declared b $mine
	declared c $its
	apply .
	flood b:at-b --at 7001
	flood c:at-c --at 7001
	for i in 101 102; do
		nice=19 flood "a:to-$i" --at "40$i" --to "10.77.0.$i" 7001 --to "$(printf 'fd00:77::%x' $i)" 7001
	done
	for i in {1..20}; do
		swap=$mine mine=$its its=$swap
		swap_addresses $mine $its
		board at-b
		was=$received
		await heard at-b $((was + 100)) # who has the address now is reached at it
		board at-c
		[ "$received" -eq 0 ] || fail "move $i: a reached c $received times"
	done
	# Were it not for the apply in between, c would be reached at once.
	swap_addresses $its $mine true
	await heard at-c 1
}

@test "an address that two claim is denied to all, and both are named" {
	moving_up
	bulkhead apply
	flood b:at-b --at 7001
	flood c:at-c --at 7001
	jq --arg v4 "$(v4 b)" '(.endpoints[] | select(.id == "shop/c")).addresses += [$v4]' \
		"$NET_DIR/inventory.json" >"$dir/inventory" && mv "$dir/inventory" "$NET_DIR/inventory.json"
	flood a:to-b --rate 1000 --to "$(v4 b)" 7001
	await heard at-b 100
	run bulkhead apply
	echo "$output"
	[ "$status" -eq 0 ]
	grep "warning.*$(v4 b) " <<<"$output" | grep shop/b | grep -q shop/c
	board to-b
	was=$sent
	await said to-b $((was + 500))
	board at-b
	[ "$highest" -le "$was" ]
	# its other address is its own
	flood a:to-b6 --rate 1000 --id 1 --to "$(v6 b)" 7001
	await eval 'board at-b 1 && [ "$received" -gt 100 ]'
	# the claim withdrawn, all is as before
	write_inventory
	bulkhead apply
	board at-b
	await heard at-b $((received + 100))
}

# --- the first packet ------------------------------------------------------------------------

# What left the namespace: all but what IPv6 itself says (neighbour discovery and the like).
capture() { # NUMBER
	start switch tcpdump --immediate-mode -nlQ in -i "port$1" \
		'arp or ip or (ip6 proto not 0 and (not icmp6 or icmp6[icmp6type] == icmp6-echo))'
	await grep -q 'listening on' "$NET_DIR/switch.log"
}
frames() { grep -E '^[0-9:.]+ (ARP|IP|IP6)' "$NET_DIR/switch.log"; }
captured() { [ "$(frames | wc -l)" -ge "$1" ]; }

@test "a table before the interface and the first process: its first packets stay inside, recorded" {
	local number to
	net_up b
	member_bare late
	policy all <<-'Y'
		service: late
		select: {labels: {app: late}}
		egress: [{to: [{service: b}], ports: [7001/udp]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: late}]}]
	Y
	bulkhead apply
	follow
	wire late "$number"
	capture "$number"
	serve b 7001/udp 7002/udp 7002/tcp
	ns late "$probe_program" ask --tries 1 <<-Q
		$(v4 b) 7002/tcp
		$(v6 b) 7002/tcp
		$(v4 b) 7002/udp
		$(v6 b) 7002/udp
		$(v4 b) icmp
		$(v6 b) icmp
		192.0.2.1 7001/udp
		2001:db8::1 7001/udp
	Q
	[ "$(ask late b 7001/udp)" = "open open" ]
	# The first frames that left are those of the allowed flow: IPv4's begins with asking who has it.
	await captured 3
	frames
	frames | sed -n 1p | grep -q "ARP, Request who-has $(v4 b) "
	[ -z "$(frames | grep -vE 'ARP,|\.7001: ')" ]
	kill -INT "$follower"
	wait "$follower"
	follower=
	grep -q ' + not recorded 0$' "$NET_DIR/messages"
	for to in "$(v4 b) tcp" "$(v6 b) tcp" "$(v4 b) udp" "$(v6 b) udp" "$(v4 b) icmp" \
		"$(v6 b) icmpv6" "192.0.2.1 udp" "2001:db8::1 udp"; do
		jq -es --arg to "${to% *}" --arg proto "${to#* }" 'any(.endpoint.id == "shop/late"
			and .destination.address == $to and .protocol == $proto and .packets >= 1
			and .verdict == "deny" and .direction == "egress")' "$NET_DIR/records" ||
			fail "no record of $to: $(cat "$NET_DIR/records")"
	done
}

# --- death -----------------------------------------------------------------------------------

# The table without what packets change; only rules have an order.
listing() { # NAME
	ns "$1" nft -nn -s -j list table inet bulkhead | jq -S '
		def settled:
			del(.metainfo, .[]?.handle?, .counter.packets?, .counter.bytes?)
			| if .set.name? // "" | startswith("denied") then del(.set.elem) else . end
			| if .map.elem? then .map.elem |= sort_by(tostring) else . end
			| if .set.elem? then .set.elem |= sort_by(tostring) else . end;
		.nftables | map(settled)
		| (map(select(.rule)) | group_by(.rule.chain)), (map(select(.rule | not)) | sort_by(tostring))'
}

# Lets a command run for so long, then kills it. Sets $killed: was it still there?
killed_after() { # MILLISECONDS COMMAND...
	local pid
	killed=
	(exec "${@:2}" >/dev/null 2>&1 3>&-) &
	pid=$!
	read -r -t "$(printf '0.%03d' "$1")" <> <(:) || true
	kill -KILL $pid 2>/dev/null || true
	wait $pid || [ $? -ne 137 ] || killed=yes
}

@test "50 kills at random moments under flood: always one policy or the other, never in between" {
	local i name other now before=0 after=0
	swap_up
	version 0 "$single" 7001/udp one
	version 1 "$single" "7001/udp, 7002/udp" two
	for i in 1 0; do
		for name in a b; do
			apply "$name$i" $name
			listing $name >"$dir/$name$i.listing"
		done
	done
	[ -n "$(diff "$dir/a0.listing" "$dir/a1.listing")" ]
	flood_swap
	for ((i = 1; i <= 50; i++)); do
		for name in a b; do
			killed_after $((RANDOM % 30)) "$bulkhead_program" denied --follow --json \
				--policies "$NET_DIR/policies/${name}0" --inventory "$NET_DIR/$name.json" \
				--config "$NET_DIR/bulkhead.yaml" &
			other=$!
			killed_after $((RANDOM % 10)) "$bulkhead_program" apply \
				--policies "$NET_DIR/policies/$name$((i % 2))" --inventory "$NET_DIR/$name.json" \
				--config "$NET_DIR/bulkhead.yaml"
			wait $other
			listing $name >"$dir/now"
			if cmp -s "$dir/now" "$dir/$name$((i % 2)).listing"; then
				[ -z "$killed" ] || after=$((after + 1))
			else
				cmp -s "$dir/now" "$dir/$name$(((i + 1) % 2)).listing" ||
					fail "kill $i of $name left $(cat "$dir/now")"
				before=$((before + 1))
			fi
		done
	done
	# Some died before they had written, some after it.
	[ "$before" -ge 5 ] && [ "$after" -ge 5 ] || fail "$before and $after are not both enough"
	for name in a b; do
		apply "${name}0" $name
		"$bulkhead_program" status --strict --policies "$NET_DIR/policies/${name}0" \
			--inventory "$NET_DIR/$name.json" --config "$NET_DIR/bulkhead.yaml"
		[ "$(listing $name)" = "$(cat "$dir/${name}0.listing")" ]
	done
	nothing_lost 1000
	nothing_leaked 1000
}
