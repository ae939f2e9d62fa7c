#!/usr/bin/env bats
# bulkhead probe: real packets from every namespace to every other say what the policies say; when the
# kernel is told otherwise behind our back each difference is found, and no server ever hears of it.

bats_require_minimum_version 1.5.0

load lib/net
load lib/daemon

setup() {
	dir=$BATS_TEST_TMPDIR
	net_up web db cache
	site
	serve db 5432/tcp 53/udp 23/tcp 161/udp
	serve web 80/tcp
	serve cache 23/tcp 161/udp
	bulkhead apply
}

teardown() {
	[ -z "${probing:-}" ] || kill "$probing" 2>/dev/null || true
	daemon_gone
	net_down
}

# web may call db; cache sends to everybody, and only ping is let in by db.
site() {
	policy web <<-'Y'
		service: web
		select: {labels: {app: web}}
		ingress:
		  - from: [{entity: world}]
		    ports: [80/tcp, icmp/echo-request, icmpv6/echo-request]
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp, 53/udp]
		  - to: [{cidr: 192.0.2.0/24}]
		    ports: [443/tcp]
	Y
	policy db <<-'Y'
		service: db
		select: {labels: {app: db}}
		ingress:
		  - name: app
		    from: [{service: web}]
		    ports: [5432/tcp, 53/udp]
		  - name: ping
		    from: [{service: cache}]
		    ports: [icmp/echo-request, icmpv6/echo-request, 7000-7009/tcp, 9/sctp]
	Y
	policy cache <<-'Y'
		service: cache
		select: {labels: {app: cache}}
		egress:
		  - to: [{entity: managed}, {entity: host}]
		    ports: [any]
	Y
}

# Runs it with --json into $dir/out; sets $status. The sums must close whatever it found.
probe() { # [OPTION...]
	status=0
	bulkhead probe --json "$@" >"$dir/out" 2>"$dir/said" || status=$?
	[ "$status" -le 1 ] || return 0
	summary '.packets == .agree + .findings + .not_probed and .agree == .passed + .denied'
	jq -se '(map(select(.kind == "summary")) | .[0]) as $s | map(select(.kind == "pair"))
		| (map(.packets) | add) == $s.packets and (map(.agree) | add) == $s.agree
		and (map(.passed) | add) == $s.passed and (map(.denied) | add) == $s.denied
		and (map(.findings) | add) == $s.findings and (map(.not_probed) | add) == $s.not_probed' \
		"$dir/out" >/dev/null || fail "the sums of the pairs are others: $(tail -n 1 "$dir/out")"
	[ "$(jq -s 'map(select(.kind == "finding")) | length' "$dir/out")" = "$(value .findings)" ]
	[ "$(jq -s 'map(select(.kind == "not-probed") | .packets) | add // 0' "$dir/out")" = "$(value .not_probed)" ]
	jq -se 'all(.schema == "bulkhead.probe/1")' "$dir/out" >/dev/null
}

value() { jq -c "select(.kind == \"summary\") | $1" "$dir/out"; }
summary() { # CONDITION
	jq -e "select(.kind == \"summary\") | $1" "$dir/out" >/dev/null ||
		fail "not so: $1: $(cat "$dir/out" "$dir/said" | tail -n 5)"
}

# Each finding as `FAULT FROM TO PROTOCOL PORT WAY`, once for both families, sorted.
findings() {
	jq -r 'select(.kind == "finding") | "\(.fault) \(.from[5:]) \(.to | sub("shop/"; "")) \(.protocol) \(.port) \(.way)"' \
		"$dir/out" | sort -u
}
tables() { jq -r 'select(.kind == "table") | "\(.endpoint): \(.text)"' "$dir/out"; }

# A chain of somebody else's, before ours.
theirs() { # NAME HOOK RULE
	printf 'table inet theirs {\n chain c {\n type filter hook %s priority -10;\n %s\n }\n}\n' "$2" "$3" |
		ns "$1" nft -f -
}

# Not one thing came to a server but what the policies let come: empty datagrams from web.
heard_nothing() {
	[ -z "$(cat "$NET_DIR"/{db,web,cache}.log | grep -v '^udp 53 ')" ] || fail "$(cat "$NET_DIR"/{db,web,cache}.log)"
	[ -z "$(grep '^udp 53 ' "$NET_DIR/db.log" | grep -vE ' (10\.77\.0\.1|fd00:77::1)$')" ]
}

@test "what the policies say is what packets find, over both families and every way" {
	ns switch nft -f - <<-'N'
		table inet see {
			counter near { }
			counter far { }
			chain c {
				type filter hook prerouting priority 0;
				ip daddr 192.0.2.1 ip ttl 1 counter name near
				ip daddr 192.0.2.1 ip ttl != 1 counter name far
			}
		}
	N
	probe
	[ "$status" -eq 0 ] || fail "$(tail -n 5 "$dir/out")"
	summary '.result == "clean" and .findings == 0 and .not_probed == 0 and .tables == 3 and .complete'
	summary '.passed > 20 and .denied > 200 and .clock_jump == 0 and .policies[0:16] == .generation'
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/web" and .to == "shop/db") | .passed' "$dir/out")" -eq 4 ]
	# ping, 7000, 7004, 7009 and SCTP; 6999 and 7010 are not let in
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/cache" and .to == "shop/db") | .passed' "$dir/out")" -eq 10 ]
	ns db nft list table inet bulkhead >"$dir/table"
	grep -qE '10.77.0.3 . 10.77.0.2 . tcp . 6999 ' "$dir/table" || fail "$(grep 7009 "$dir/table")"
	grep -qE '10.77.0.3 . 10.77.0.2 . tcp . 7010 ' "$dir/table"
	# an address of the network that web's egress names; a hop limit of 1 keeps it from going on
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/web" and .to == "192.0.2.1") | .passed' "$dir/out")" -eq 1 ]
	ns switch nft list counter inet see near | grep -q 'packets 1 '
	ns switch nft list counter inet see far | grep -q 'packets 0 '
	heard_nothing
	await eval '[ "$(grep -c "^udp 53 " "$NET_DIR/db.log")" -eq 2 ]'
	# no connection is left half open, and nothing else is left either
	[ -z "$(ns db ss -Htn)" ]
	[ -z "$(ns web ip neigh show nud reachable)" ]
}

@test "a second run agrees, though every flow is in the denied sets already" {
	probe
	probe
	[ "$status" -eq 0 ] || fail "$(tail -n 5 "$dir/out")"
	bulkhead status
}

@test "a rule that lets more in is found, at its end, with the policy's line" {
	ns db nft insert rule inet bulkhead input tcp dport 23 accept
	ns db nft insert rule inet bulkhead input udp dport 161 accept
	probe
	[ "$status" -eq 1 ]
	[ "$(findings)" = "let-in cache db tcp 23 stack
let-in cache db udp 161 stack" ] || fail "$(findings)"
	summary '.findings == 4 and .tables_bad == 1 and .result == "findings"'
	jq -se 'map(select(.kind == "finding")) | all(.end == "ingress" and .endpoint == "shop/db"
		and .expected == "deny" and (.where | test("policies/db.yaml:[0-9]+$"))
		and (.explain | startswith("deny at db")) and .facts == ["sent", "out", "seen", "in"])' "$dir/out" >/dev/null ||
		fail "$(cat "$dir/out")"
	[[ $(tables) == "shop/db: the table was altered:"* ]]
	# of TCP nothing came to the server although the hole lets it
	[ -z "$(grep '^tcp' "$NET_DIR/db.log")" ]
	run bulkhead probe --from cache --to db
	[ "$status" -eq 1 ]
	[[ $output == *"finding  shop/cache -> shop/db 23/tcp (10.77.0.3 -> 10.77.0.2): the policy of the destination denies it, and it was let in"* ]]
	[[ $output == *"decided by "*"policies/db.yaml:"* ]]
}

@test "a table deleted, and somebody's in its place that accepts" {
	ns db nft delete table inet bulkhead
	theirs db input 'policy accept'
	probe
	[ "$status" -eq 1 ]
	[[ $(findings) == *"let-in cache db tcp 443 stack"* ]]
	# it also sends what it may not now
	[[ $(findings) == *"left db host tcp 23 stack"* && $(findings) == *"left db 203.0.113.113 "* ]]
	[[ $(tables) == "shop/db: no table of Bulkhead is in its namespace"* ]]
	[ -z "$(cat "$NET_DIR"/{db,web}.log | grep '^tcp')" ] # a server's accept() returns nothing all the same
	bulkhead apply
	probe
	[ "$status" -eq 0 ]
}

@test "an element more and one less in a set of ours: let in, and kept out" {
	rule=$(ns db nft list counters table inet bulkhead | grep -o 'db\.in\.app[^ ]*' | head -n 1)
	ns db nft add element inet bulkhead ingress4 "{ 10.77.0.3 . tcp . 3389 : \"$rule\" }"
	ns db nft delete element inet bulkhead ingress4 '{ 10.77.0.1 . tcp . 5432 }'
	ns web nft delete element inet bulkhead egress4 '{ 10.77.0.2 . udp . 53 }'
	probe
	[ "$status" -eq 1 ]
	[ "$(findings)" = "held-back web db udp 53 stack
kept-out web db tcp 5432 stack
let-in cache db tcp 3389 stack" ] || fail "$(findings)"
	summary '.findings == 3 and .tables_bad == 2'
	jq -se 'map(select(.kind == "finding" and .fault != "let-in")) | all(.expected == "allow"
		and .where != null and (.explain | startswith("allow: ")))' "$dir/out" >/dev/null || fail "$(cat "$dir/out")"
	jq -se 'map(select(.fault == "kept-out")) | .[0].facts == ["sent", "out", "seen", "counted-ingress"]' "$dir/out" >/dev/null
}

@test "somebody else's chain that drops: found where it is allowed, not counted as ours where it is not" {
	theirs db input 'tcp dport { 23, 5432 } drop'
	probe
	[ "$status" -eq 1 ]
	[ "$(findings)" = "foreign-drop web db tcp 5432 stack" ] || fail "$(findings)"
	summary '.reasons == {"uncounted": 4} and .tables_bad == 0' # both ports, of cache
	ns db nft delete table inet theirs
	theirs web output 'udp dport 53 drop'
	probe --from web --to db
	[ "$(findings)" = "held-back web db udp 53 stack" ] || fail "$(findings)"
	summary '.complete | not'
}

@test "frames made by hand and invented sources, once the table that holds them is gone" {
	ns web nft delete table netdev bulkhead
	probe
	[ "$status" -eq 1 ]
	[[ $(findings) == *"left web db udp 53 frame"* && $(findings) == *"left web db udp 53 spoof"* ]] || fail "$(findings)"
	[ -z "$(findings | grep -v '^left web ')" ] || fail "$(findings)"
	[[ $(tables) == "shop/web: "* ]] || fail "$(tables)"
	heard_nothing # the frame is for nobody, and db lets no stranger in
}

@test "audit, reject, no log, guardrails and an open table are judged by the same counters" {
	sed -i '1a mode: audit' "$NET_DIR/policies/db.yaml"
	sed -i '1a on-deny: reject' "$NET_DIR/policies/web.yaml"
	sed -i '1a log: {denied: false}' "$NET_DIR/policies/cache.yaml"
	member open
	policy guard <<-'Y'
		guardrail: no-telnet
		select: {all: true}
		deny:
		  - to: [{cidr: 0.0.0.0/0}, {cidr: "::/0"}]
		    ports: [23/tcp, 8443/tcp]
	Y
	bulkhead check || true
	bulkhead apply
	probe
	[ "$status" -eq 0 ] || fail "$(cat "$dir/out" "$dir/said" | grep -v pair | tail -n 8)"
	summary '.tables == 4'
	ns open nft insert rule inet bulkhead output tcp dport '{ 23, 8443 }' accept
	probe --from open
	[[ $(findings) == *"left open db tcp 8443 stack"* && $(findings) == *"left open db tcp 23 stack"* ]] || fail "$(findings)"
}

@test "--listen-only: no server is touched, and that is said" {
	probe --listen-only
	[ "$status" -eq 1 ]
	summary '.findings == 0 and (.reasons | keys) == ["listening"] and .listen_only and .result == "incomplete"'
	[ -z "$(cat "$NET_DIR"/{db,web,cache}.log)" ]
	# web to db: 5432, 53, 23 and 161, twice
	[ "$(jq -c 'select(.kind == "not-probed" and .from == "shop/web" and .to == "shop/db") | .packets' "$dir/out")" -eq 8 ]
}

@test "--listen-only: a server of both families by one socket, one of one address, one that is bound and no more" {
	cat >"$dir/server.py" <<-'P'
		import socket, sys, threading
		def server(family, kind, address, port):
		    s = socket.socket(family, kind)
		    if family == socket.AF_INET6:
		        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
		    s.bind((address, port))
		    return s
		tcp, udp, four, six = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_INET, socket.AF_INET6
		all = [server(six, tcp, "::", 443), server(six, udp, "::ffff:10.77.0.1", 161), server(four, tcp, "127.0.0.1", 23),
		       server(four, tcp, "0.0.0.0", 53)]  # by TCP, which is not asked for
		bound = server(four, tcp, "0.0.0.0", 3389)  # and it does not listen
		all[0].listen(), all[2].listen(), all[3].listen()
		open(sys.argv[1], "w").close()
		all[1].recvfrom(1)
		print("heard", flush=True)
		threading.Event().wait()
	P
	start web python3 "$dir/server.py" "$dir/listening"
	await test -e "$dir/listening"
	probe --listen-only --from db --to web
	# 80 and 443 over both families, 161 over IPv4
	[ "$(value .reasons)" = '{"listening":5}' ] || fail "$(tail -n 2 "$dir/out")"
	[ ! -s "$NET_DIR/web.log" ] || fail "$(cat "$NET_DIR/web.log")"
}

# Starts a run so slow that something can be done in its middle, and returns when it has begun.
begin_slowly() { # [OPTION...]
	before=$(ns db nft list counter inet bulkhead denied.ingress)
	bulkhead probe --json --rate 100 "$@" >"$dir/out" 2>"$dir/said" &
	probing=$!
	await eval '[ "$(ns db nft list counter inet bulkhead denied.ingress)" != "$before" ]'
	kill -0 "$probing"
}
end_slowly() { # sets $status
	kill -0 "$probing" || fail "it was done before"
	status=0
	wait "$probing" || status=$?
	probing=
}

@test "the rate that was asked for is kept" {
	probe --rate 400 --from cache --to db
	[ "$status" -eq 0 ]
	summary '.packets >= 30 and .seconds > (.packets - 64) / 400'
	probe --rate 50 --port 3389/tcp
	summary '.packets >= 10'
	bulkhead probe --rate 200 --json --from web >"$dir/out"
	summary '.packets > 128 and .seconds >= (.packets - 64) / 200 and .seconds < .packets / 200 + 5' || fail "$(tail -n 1 "$dir/out")"
	for rate in 0 -1 x 1000001 ''; do
		run bulkhead probe --rate "$rate"
		[ "$status" -eq 2 ] || fail "$rate: $status"
	done
}

@test "a namespace that is replaced by another of its name in the middle proves nothing" {
	begin_slowly
	stop_in db
	ip netns del "$NET-db"
	ip netns add "$NET-db"
	end_slowly
	[ "$status" -eq 1 ]
	summary '(.reasons.vanished > 50) and .result == "incomplete"'
	[ -z "$(jq -c 'select(.kind == "pair" and (.from == "shop/db" or .to == "shop/db") and .agree > 0)' "$dir/out")" ]
}

@test "a table that is another only before, or only after, its packets" {
	begin_slowly
	ns web nft insert rule inet bulkhead output ip daddr 127.9.9.9 accept
	end_slowly
	[ "$status" -eq 1 ]
	[[ $(tables) == "shop/web: the table was altered:"* ]] || fail "$(tables)"
	summary '.findings == 0 and .tables_bad == 1 and .result == "findings"'
	begin_slowly
	bulkhead apply
	end_slowly
	[ "$status" -eq 1 ]
	[[ $(tables) == "shop/web: the table was altered:"* ]] || fail "$(tables)"
	probe
	[ "$status" -eq 0 ]
}

@test "what is in the denied sets from before proves nothing of now" {
	probe
	[ "$status" -eq 0 ]
	theirs db input 'tcp dport 3389 drop'
	theirs web output 'tcp dport 3389 drop'
	probe --port 3389/tcp
	[ "$status" -eq 1 ]
	# from cache to db over both families, and all that web sends
	summary '.findings == 0 and (.reasons | keys) == ["uncounted"] and .reasons.uncounted > 4' || fail "$(value .reasons)"
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/web") | .agree' "$dir/out" | sort -u)" = 0 ]
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/cache" and .to == "shop/db") | .agree' "$dir/out")" = 0 ]
}

@test "somebody else's chain that accepts before ours lets nothing in" {
	theirs db input 'accept'
	theirs web output 'accept'
	probe
	[ "$status" -eq 0 ] || fail "$(grep -v '"pair"' "$dir/out")"
	summary '.findings == 0 and .denied > 200'
	# one that takes it from our hook to another address is found
	ns web nft delete table inet theirs
	printf 'table inet theirs {\n chain c {\n type filter hook output priority 10;\n tcp dport 5432 drop\n }\n}\n' | ns web nft -f -
	probe --from web --to db
	[ "$(findings)" = "held-back web db tcp 5432 stack" ] || fail "$(findings)"
}

@test "what was dropped once on its way is sent again; neighbours that were known stay so" {
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ns web ip neigh show | grep -c "$(v4 db) .*lladdr")" -eq 1 ]
	ns switch nft -f - <<-'N'
		table bridge once {
			chain c {
				type filter hook forward priority 0;
				ip daddr 10.77.0.2 tcp dport 5432 quota until 50 bytes counter drop
			}
		}
	N
	probe --from web --to db
	[ "$status" -eq 0 ] || fail "$(grep -v '"pair"' "$dir/out")"
	summary '.sent > .passed and .not_probed == 0'
	ns switch nft list table bridge once | grep -q 'counter packets [1-9]' || fail "nothing was dropped"
	[ "$(ns web ip neigh show | grep -c "$(v4 db) .*lladdr")" -eq 1 ] || fail "$(ns web ip neigh show)"
	[ "$(ns web ip -6 neigh show | grep -c "$(v6 db) .*lladdr")" -eq 1 ] || fail "$(ns web ip neigh show)"
}

@test "an endpoint that vanishes in the middle proves nothing" {
	begin_slowly
	stop_in db
	ip netns del "$NET-db"
	end_slowly
	[ "$status" -eq 1 ]
	summary '.findings == 0 and (.reasons.vanished > 50) and .result == "incomplete"'
	[ -z "$(jq -c 'select(.kind == "pair" and (.from == "shop/db" or .to == "shop/db") and .agree > 0)' "$dir/out")" ]
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/cache" and .to == "shop/web") | .not_probed' "$dir/out")" -eq 0 ]
}

@test "a clock that is set back meanwhile: said, and not clean" {
	LD_PRELOAD=$(realpath "${probe_program%/*}/clock.so") CLOCK_SET=$dir/set \
		"$bulkhead_program" probe --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --json --rate 200 >"$dir/out" 2>"$dir/said" &
	probing=$!
	await eval 'ns db nft list counter inet bulkhead denied.ingress | grep -qE "packets [1-9]"'
	touch "$dir/set"
	kill -0 "$probing"
	status=0
	wait "$probing" || status=$?
	probing=
	[ "$status" -eq 1 ] || fail "$(cat "$dir/said")"
	summary '.clock_jump < -3590 and .end < .start and .seconds > 0 and .findings == 0 and .not_probed == 0 and .result == "incomplete"'
}

@test "no namespace, the host's own, none that can be opened, no policy: each is said and none counts" {
	member stray
	jq '.endpoints |= map(if .name == "db" then del(.netns)
		elif .name == "cache" then .netns = "/proc/self/ns/net"
		else . end) + [{id: "shop/gone", name: "gone", labels: {app: "db"}, addresses: ["10.77.0.77"], netns: "/run/netns/none"}]' \
		"$NET_DIR/inventory.json" >"$dir/inventory.json"
	bulkhead apply --inventory "$dir/inventory.json" || true # not of all
	probe --inventory "$dir/inventory.json"
	[ "$status" -eq 1 ] || fail "$(cat "$dir/said")"
	summary '(.reasons | keys) == ["host-network", "no-netns", "not-protected", "unreachable"] and .result == "incomplete"' ||
		fail "$(grep -v pair "$dir/out")"
	run bulkhead probe --inventory "$dir/inventory.json" --from gone
	[ "$status" -eq 1 ]
	[[ $output == *"not probed  shop/gone -> shop/web, "*": network namespace /run/netns/none:"* ]] || fail "$output"
	# nobody listens there to what is sent to it: none of that agrees
	probe --inventory "$dir/inventory.json" --from web --to gone
	[ "$status" -eq 1 ]
	summary '.packets > 0 and .agree == 0 and (.reasons | keys) == ["unreachable"]'
}

@test "more networks outside than are asked: those that are left over are said" {
	sed -i 's|- to: \[{cidr: 192.0.2.0/24}\]|- to: [{cidr: 192.0.2.0/24}'"$(printf ', {cidr: 100.64.%d.0/24}' {1..132}; printf ', {cidr: 100.65.%d.0/24}' {1..132})"']|' \
		"$NET_DIR/policies/web.yaml"
	bulkhead apply
	probe --from web
	[ "$status" -eq 1 ] || fail "$status: $(tail -n 3 "$dir/out"; cat "$dir/said")"
	summary '.reasons["too-many"] == 9 and .result == "incomplete"'
	[ "$(jq -r 'select(.reason == "too-many") | .text' "$dir/out")" = \
		"not covered: policies name more ports or networks than are asked" ]
}

# What web asks of addresses outside, of one protocol and port: `ADDRESS passed` or `ADDRESS denied`.
asked_outside() { # FROM
	jq -r --arg from "shop/$1" 'select(.kind == "pair" and .from == $from and (.to | test("^[0-9a-f:.]+$")))
		| "\(.to) \(if .passed == 1 then "passed" elif .passed == 0 and .agree == .packets then "denied" else "else" end)"' "$dir/out"
}
asks() { # FROM "ADDRESS VERDICT"...
	local all one
	all=$(asked_outside "$1")
	for one in "${@:2}"; do
		grep -qFx "$one" <<<"$all" || fail "$1 did not get: $one of: $all"
	done
}

@test "more ports than are asked: those that are left over are said, and nothing else is lost" {
	some() { echo "{from: [{service: web}], ports: [$(seq -s ', ' -f '%g/tcp' "$1" 3 "$(($1 + 599))")]}"; }
	policy db <<<"{service: db, select: {labels: {app: db}}, ingress: [$(some 10000), $(some 10600), $(some 11200)]}"
	bulkhead apply
	probe
	[ "$status" -eq 1 ]
	summary '(.reasons | keys - ["no-way", "other-way"]) == ["too-many"] and .findings == 0'
}

@test "networks that touch, exceptions and a group: the edges of each as written, both families" {
	policy web <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress:
		  - to:
		      - {cidr: 192.0.2.0/25}
		      - {cidr: 192.0.2.128/25}
		      - {cidr: 198.51.100.0/24, except: [198.51.100.64/26]}
		      - {cidr: 198.18.0.7/32}
		      - {cidr: 2001:db8:5::/64}
		      - {cidr: 2001:db8:5:1::/64, except: [2001:db8:5:1:8000::/66]}
		      - {group: partners}
		    ports: [443/tcp]
		---
		group: partners
		cidrs: [100.64.0.0/31, 100.64.0.2/31]
		---
		guardrail: none
		select: {services: [web]}
		deny:
		  - to: [{cidr: 192.0.2.200/29}]
	Y
	policy db <<<'{service: db, select: {labels: {app: db}}}'
	bulkhead apply
	probe
	[ "$status" -eq 0 ] || fail "$(grep -v pair "$dir/out"; cat "$dir/said")"
	# each half: an address that stands for it, its ends, its middle
	asks web '192.0.2.1 passed' '192.0.2.0 passed' '192.0.2.64 passed' '192.0.2.127 passed' \
		'192.0.2.129 passed' '192.0.2.128 passed' '192.0.2.192 passed' '192.0.2.255 passed' \
		'192.0.1.255 denied' '192.0.3.0 denied'
	# the exception, and what is just outside of it; the network's own edges
	asks web '198.51.100.64 denied' '198.51.100.96 denied' '198.51.100.127 denied' '198.51.100.63 passed' \
		'198.51.100.128 passed' '198.51.100.0 passed' '198.51.100.255 passed' '198.51.99.255 denied' '198.51.101.0 denied'
	asks web '198.18.0.7 passed' '198.18.0.6 denied' '198.18.0.8 denied'
	asks web '100.64.0.0 passed' '100.64.0.1 passed' '100.64.0.2 passed' '100.64.0.3 passed' '100.64.0.4 denied' '100.63.255.255 denied'
	asks web '192.0.2.200 denied' '192.0.2.204 denied' '192.0.2.207 denied' '192.0.2.199 passed' '192.0.2.208 passed'
	asks web '2001:db8:5:: passed' '2001:db8:5::1 passed' '2001:db8:5:0:8000:: passed' \
		'2001:db8:5:0:ffff:ffff:ffff:ffff passed' '2001:db8:4:ffff:ffff:ffff:ffff:ffff denied' \
		'2001:db8:5:1:: passed' '2001:db8:5:1:ffff:ffff:ffff:ffff passed' '2001:db8:5:2:: denied' \
		'2001:db8:5:1:8000:: denied' '2001:db8:5:1:a000:: denied' '2001:db8:5:1:bfff:ffff:ffff:ffff denied' \
		'2001:db8:5:1:c000:: passed' '2001:db8:5:1:7fff:ffff:ffff:ffff passed'
	# whose policies do not name a network is asked for one address of it
	asks db '192.0.2.129 denied' '198.51.100.65 denied' '2001:db8:5:1::1 denied'
	[ -z "$(asked_outside db | grep -E '^(192.0.2.255|198.51.100.64|192.0.3.0) ')" ]
	# and a hole at each edge is found
	ns web nft insert rule inet bulkhead output ip daddr '{ 192.0.3.0, 198.51.100.127 }' accept
	ns web nft insert rule inet bulkhead output ip6 daddr 2001:db8:5:1:8000:: accept
	theirs web output 'ip daddr { 192.0.2.127, 192.0.2.128, 198.51.100.255 } drop'
	probe --from web
	[ "$status" -eq 1 ]
	[ "$(findings | awk '$4 == "tcp" && $5 == 443 { print $1, $3 }')" = "held-back 192.0.2.127
held-back 192.0.2.128
held-back 198.51.100.255
left 192.0.3.0
left 198.51.100.127
left 2001:db8:5:1:8000::" ] || fail "$(findings)"
}

@test "ranges of ports that touch: the edges of each as written, and beside them" {
	sed -i 's|5432/tcp, 53/udp]|5432/tcp, 53/udp, 8000-8009/tcp, 8010-8019/tcp]|' "$NET_DIR/policies/web.yaml" "$NET_DIR/policies/db.yaml"
	bulkhead apply
	probe
	[ "$status" -eq 0 ] || fail "$(grep -v pair "$dir/out"; cat "$dir/said")"
	# 5432, 53; both ends and the middle of each range
	[ "$(jq -c 'select(.kind == "pair" and .from == "shop/web" and .to == "shop/db") | .passed' "$dir/out")" -eq 16 ]
	ns db nft insert rule inet bulkhead input tcp dport '{ 7999, 8020, 7010 }' accept
	theirs db input 'tcp dport { 8004, 8009, 8010, 8014 } drop'
	probe
	[ "$(findings)" = "foreign-drop web db tcp 8004 stack
foreign-drop web db tcp 8009 stack
foreign-drop web db tcp 8010 stack
foreign-drop web db tcp 8014 stack
let-in cache db tcp 7010 stack
let-in cache db tcp 7999 stack
let-in cache db tcp 8020 stack" ] || fail "$(findings)"
}

@test "a network whose last address is a broadcast here, an address of its own that nobody lists, and multicast" {
	sed -i 's|- to: \[{cidr: 192.0.2.0/24}\]|- to: [{cidr: 10.77.0.0/24}, {cidr: 10.78.0.0/24}, {cidr: 10.78.1.1/32}, {cidr: 224.0.0.0/24}, {cidr: "ff02::/16"}]|' "$NET_DIR/policies/web.yaml"
	# which no inventory has, and one that is its own besides
	ns web ip addr add 10.78.0.9/24 broadcast + dev eth0
	ns web ip addr add 10.78.1.1/32 dev eth0
	bulkhead apply
	probe --from web
	[ "$status" -eq 0 ] || fail "$(grep -v '"pair"' "$dir/out"; cat "$dir/said")"
	asks web '10.77.0.128 passed' '10.76.255.255 denied' '10.78.0.128 passed' '10.78.1.2 denied'
	[ -z "$(asked_outside web | grep -E '^(10.7[78].0.255|10.78.1.1|224|ff0)')" ]
	[ "$(jq -r 'select(.kind == "not-covered") | "\(.endpoint) \(.reason) \(.networks)"' "$dir/out")" = "shop/web special 2" ]
	summary '.not_covered == 1 and .result == "clean"'
	run bulkhead probe --from web
	[[ $output == *"shop/web: not covered: networks of multicast,"* ]] || fail "$output"
	[[ $(bulkhead probe --from db) != *"not covered"* ]]
}

@test "who lets in the outside or the host was not tried from there, and that is listed" {
	policy db <<<'{service: db, select: {labels: {app: db}}, ingress: [{from: [{service: web}, {entity: host}], ports: [5432/tcp]},
		{from: [{cidr: 198.51.100.0/24}], ports: [53/udp]}, {from: [{service: web}], ports: [53/udp]}]}'
	bulkhead apply
	probe
	[ "$(jq -r 'select(.kind == "not-covered") | "\(.endpoint) \(.reason) \(.rules)"' "$dir/out" | sort)" = \
		"shop/db from-outside 2"$'\n'"shop/web from-outside 1" ] || fail "$(grep not-covered "$dir/out")"
	summary '.not_covered == 2'
	run bulkhead probe --to db --junit "$dir/out.xml"
	[[ $output == *"shop/db: not covered: it lets in who is outside or the host, and nothing was sent from there"* ]] || fail "$output"
	[[ $output != *"shop/web: not covered"* ]] || fail "$output"
	grep -A 1 'classname="shop/db" name="from-outside"' "$dir/out.xml" | grep -q '<skipped message="not covered: it lets in'
	[[ $(bulkhead probe --from web --to db) != *"not covered"* ]]
}

@test "a namespace that is made anew under the same id was not tested" {
	policy scope <<<'{scope: cde, framework: pci-dss-4.0.1}'
	policy db <<<'{service: db, scope: cde, select: {labels: {app: db}}, ingress: [{from: [{service: web}], ports: [5432/tcp]}]}'
	bulkhead apply
	probe
	not_tested() { # sets $why: what 11.4.5 does not know
		bulkhead report --scope cde --format json --probe "$dir/out" --output "$dir/report" 2>"$dir/said" || [ $? -eq 1 ] # findings
		why=$(jq -r '.report.requirements[] | select(.id == "11.4.5") | .unknown[]' "$dir/report")
	}
	not_tested
	[[ $why != *"did not ask"* ]] || fail "$why"
	jq -e '.report.endpoints | any(.inside and (.namespace | test("^[0-9a-f-]{36}/[0-9]+/[0-9]+$")))' "$dir/report" >/dev/null
	stop_in db
	member_gone db
	member db
	bulkhead apply
	not_tested
	[[ $why == *"did not ask 1 of the endpoints that are in the scope now, or not in the namespaces that they have now: shop/db"* ]] ||
		fail "$why"
}

@test "who shares the host's namespace is listed, and counts only where a policy would have it held" {
	jq '.endpoints += [{id: "shop/agent", name: "agent", labels: {app: "agent"}, obstacle: "host-network"}]' \
		"$NET_DIR/inventory.json" >"$dir/inventory.json"
	probe --inventory "$dir/inventory.json"
	[ "$status" -eq 0 ] || fail "$(grep -v '"pair"' "$dir/out"; cat "$dir/said")"
	[ "$(jq -r 'select(.kind == "not-covered" and .reason != "from-outside") | "\(.endpoint) \(.name) \(.reason): \(.text)"' "$dir/out")" = \
		"shop/agent agent host-network: not covered: shares the host's namespace" ]
	summary '.not_covered == 2 and .result == "clean" and .endpoints == 4'
	[ -z "$(jq -c 'select(.kind == "pair" and .from == "shop/agent")' "$dir/out")" ]
	run bulkhead probe --inventory "$dir/inventory.json" --junit "$dir/out.xml"
	[ "$status" -eq 0 ]
	[[ $output == *"shop/agent: not covered: shares the host's namespace"* ]] || fail "$output"
	python3 - "$dir/out.xml" <<-'P'
		import sys, xml.etree.ElementTree as E
		root = E.parse(sys.argv[1]).getroot()
		packets, tables = root.findall("testsuite")
		skipped = [c for c in packets if c.get("classname") == "shop/agent"]
		assert [c.find("skipped").get("message") for c in skipped] == ["not covered: shares the host's namespace"]
		assert int(root.get("tests")) == len(packets) + len(tables) and int(packets.get("tests")) == len(packets)
	P
	# alone it is no test at all
	run bulkhead probe --inventory "$dir/inventory.json" --from agent
	[ "$status" -eq 2 ] || fail "$status $output"
	# a service that selects it has nothing enforced
	policy agent <<<'{service: agent, select: {labels: {app: agent}}}'
	bulkhead apply
	probe --inventory "$dir/inventory.json"
	[ "$status" -eq 1 ]
	summary '.not_covered == 2 and .result == "incomplete" and (.reasons | keys) == ["host-network"]'
}

@test "no way to an address: nothing is amiss unless it is allowed; lost is lost" {
	ns web ip route del default
	ns web ip -6 route del default
	probe --from web
	[ "$status" -eq 1 ]
	# 443/tcp to the network that web may call, of which four addresses are asked; everything else outside is denied
	summary '.reasons["no-route"] == 4 and .reasons["no-way"] > 20 and .not_probed == .reasons["no-route"] + .reasons["no-way"] and .findings == 0'
	probe --from web --to 203.0.113.113
	[ "$status" -eq 0 ]
	summary '.result == "clean" and .agree == 0 and .not_probed == .packets'
	# between two of the host's bridge
	ns switch ip link set port2 down
	probe --from web --to db --port 5432/tcp
	[ "$status" -eq 1 ]
	summary '.reasons == {"lost": 2} and .agree == 0'
	run bulkhead probe --from web --to db --port 5432/tcp
	[[ $output == *"not probed  shop/web -> shop/db, 2 packets: it left and did not come: "* ]]
}

@test "a terminal sees how far it is; nothing else does" {
	bulkhead probe 2>"$dir/said" >"$dir/out"
	[ ! -s "$dir/said" ]
	COMMAND="$bulkhead_program probe --policies $NET_DIR/policies --inventory $NET_DIR/inventory.json --config $NET_DIR/bulkhead.yaml --rate 500" \
		python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(os.environ["COMMAND"].split())))' \
		>"$dir/terminal" </dev/null
	grep -q $'\r\\[#*\\.*\\] *[0-9]*%  [0-9]* of [0-9]* packets' "$dir/terminal"
	grep -q '0 findings + 0 not probed' "$dir/terminal"
}

@test "filters; JUnit that a parser takes" {
	probe --from web --to db --port 5432/tcp
	[ "$status" -eq 0 ]
	summary '.packets == 2 and .passed == 2 and .filter == {from: "web", to: "db", port: "5432/tcp"}'
	# who shares a namespace is asked for by any of the names in it
	jq '.endpoints += [.endpoints[] | select(.name == "db") | .id = "shop/side" | .name = "side"]' "$NET_DIR/inventory.json" >"$dir/shared.json"
	bulkhead apply --inventory "$dir/shared.json"
	probe --inventory "$dir/shared.json" --from web --to side --port 5432/tcp
	[ "$status" -eq 0 ] || fail "$(cat "$dir/out" "$dir/said")"
	summary '.packets == 2 and .passed == 2'
	probe --inventory "$dir/shared.json" --from side --to web --port 80/tcp
	summary '.packets == 2 and .denied == 2'
	bulkhead apply
	probe --port 6379/tcp --to 198.51.100.9
	summary '.packets == 3 and .denied == 3'
	ns db nft insert rule inet bulkhead input tcp dport 23 accept
	run bulkhead probe --junit "$dir/out.xml" --from cache
	[ "$status" -eq 1 ]
	python3 - "$dir/out.xml" <<-'P'
		import sys, xml.etree.ElementTree as E
		root = E.parse(sys.argv[1]).getroot()
		packets, tables = root.findall("testsuite")
		bad = [c for c in packets if c.find("failure") is not None]
		assert [(c.get("classname"), c.get("name")) for c in bad] == [("shop/cache", "shop/db")], bad
		assert len(bad[0].findall("failure")) == 2
		assert [c.get("name") for c in tables if c.find("failure") is not None] == ["shop/db"]
		assert int(root.get("tests")) == len(packets) + len(tables) and root.get("failures") == "2"
	P
	run setpriv --bounding-set=-all "$bulkhead_program" probe --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json"
	[ "$status" -eq 3 ] || fail "$status $output"
	run bulkhead probe --junit /nonexistent/out.xml --from web --to db
	[ "$status" -eq 3 ] || fail "$status $output"
	run bulkhead probe --junit - --from cache
	[[ $output == "<?xml"* ]]
}

@test "beside a daemon that owns the tables: the same, on its trail, and told from an attack in the records" {
	bulkhead apply --clean
	daemon_up
	probe --socket "$NET_DIR/control"
	[ "$status" -eq 0 ] || fail "$(cat "$dir/said"; tail -n 3 "$dir/out")"
	port=$(value .source_port)
	"$bulkhead_program" history --store "$NET_DIR/store" --json | jq -r 'select(.action == "probe") | .detail' >"$dir/trail"
	[ "$(wc -l <"$dir/trail")" -eq 2 ]
	[[ $(head -n 1 "$dir/trail") == *" packets from source port $port, raw ones from $((port + 1)), are no attack" ]]
	[[ $(tail -n 1 "$dir/trail") == *"source port $port is done: $(value .packets) packets, 0 findings, 0 not probed" ]]
	await eval '[ "$("$bulkhead_program" denied --store "$NET_DIR/store" --port 3389/tcp --json 2>/dev/null | jq -s length)" -ge 10 ]'
	[ "$("$bulkhead_program" denied --store "$NET_DIR/store" --json --port 3389/tcp | jq .source.port | sort -u)" = "$port" ]
	run bulkhead probe --socket "$NET_DIR/nobody"
	[ "$status" -eq 3 ]
	daemon_stop
}

@test "without a daemon the trail is written where --store says, and before a packet is sent" {
	probe --store "$dir/store"
	[ "$status" -eq 0 ]
	[ "$("$bulkhead_program" history --store "$dir/store" --json | jq -r 'select(.action) | "\(.action) \(.outcome)"' | xargs)" = "probe done probe done" ]
	"$bulkhead_program" history --store "$dir/store" --verify
	before=$(ns web nft list counter inet bulkhead denied.egress)
	run bulkhead probe --store /proc/none
	[ "$status" -eq 3 ]
	[ "$(ns web nft list counter inet bulkhead denied.egress)" = "$before" ]
}

# More neighbours than the kernel has room for (1024 of a family in all namespaces): none of them stays.
@test "50 endpoints, each to each on 10 ports of their own and a sample, in seconds" {
	local i ports
	for ((i = 1; i <= 47; i++)); do
		member "e$i" app=crowd
	done
	ports=$(seq -s ', ' -f '%g/tcp' 7001 7010)
	policy crowd <<-Y
		service: crowd
		select: {labels: {app: crowd}}
		ingress:
		  - from: [{service: web}, {service: crowd}]
		    ports: [7001/tcp, 7002/tcp]
		egress:
		  - to: [{entity: managed}]
		    ports: [$ports]
	Y
	bulkhead apply
	probe --rate 100000
	[ "$status" -eq 0 ] || fail "$(tail -n 1 "$dir/out")"
	summary '.endpoints == 50 and .packets > 50 * 49 * 10 * 2 and .seconds < 30 and .passed > 47 * 46 * 2 * 2'
	echo "# $(value '"\(.packets) packets between \(.endpoints) endpoints in \(.seconds) s"')" >&3
	[ -z "$(ns e1 ip neigh show nud reachable)" ]
	heard_nothing
}
