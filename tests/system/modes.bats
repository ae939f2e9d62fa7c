#!/usr/bin/env bats
# shellcheck disable=SC2154 # probe_program is of net.bash
# What becomes of a denied packet: in `mode: audit` it passes and is recorded as it would be when
# enforced; with `on-deny: reject` who sent it is told at once, and nobody else is; after `expires:`
# it is denied, though nothing of ours runs.

load lib/net
load lib/talk

calls_program=${probe_program%/*}/calls

setup() {
	net_up a b
	outsider stray
}
teardown() { net_down; }

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

# --- audit -----------------------------------------------------------------------------------

audited() { # LINE: a, with it, and b, which always enforces
	policy shop <<-Y
		service: a
		owner: team-a
		$1
		select: {labels: {app: a}}
		egress: [{to: [{service: b}], ports: [7001]}]
		ingress: [{from: [{cidr: 10.77.0.200/32}], ports: [7002]}]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [7001]}]
	Y
	bulkhead apply
}

# What a may not: to and from an outsider who answers all of it, each over both families.
traffic() {
	ask a stray 80/tcp
	ask a stray 80/udp
	ask a stray 81/tcp # nobody listens there
	ask a stray 81/udp
	ask a stray icmp
	ask stray a 80/tcp
	ask stray a 80/udp
	ask stray a 81/udp
	ask stray a 7002/tcp # allowed over IPv4 only
	ask stray a icmp
	echo "long enough for a port" | ns a socat -u - "IP4-SENDTO:$(v4 stray):47" 2>/dev/null || true
}

# One record a flow, with all that any record says of it but for what follows from the verdict and
# from how many packets there were.
records() {
	jq -cS -s 'map(del(.process)) | map(select(.endpoint.name == "a" and .protocol != "2")
			| del(.first_seen, .last_seen, .packets, .bytes, .verdict, .generation, .tcp_flags)
			| .source |= del(.port)
			| .reason |= sub(" [(]audit mode: it passed[)]$"; ""))
		| group_by([.direction, .source, .destination, .protocol, .icmp])[] | add' "$NET_DIR/records"
}
last_recorded() { grep -q '"protocol":"47"' "$NET_DIR/records"; } # the kernel logs in order
verdicts() { jq -r 'select(.endpoint.name == "a") | .verdict' "$NET_DIR/records" | sort -u | xargs; }
counters() { # denied packets of a
	ns a nft -j list counters table inet bulkhead | jq "[.nftables[].counter
		| select(.name? // \"\" | startswith(\"denied\")) | .packets] | add"
}

@test "audit: the same records of the same traffic as when enforced, but for the verdict" {
	serve a 80/tcp 80/udp 7002/tcp
	serve stray 80/tcp 80/udp
	audited 'mode: enforce'
	follow
	traffic | sort -u | xargs >"$NET_DIR/enforced.verdicts"
	await last_recorded
	finish
	is "$(cat "$NET_DIR/enforced.verdicts")" "open timeout timeout timeout"
	is "$(verdicts)" deny
	records >"$NET_DIR/enforced"
	is "$(wc -l <"$NET_DIR/enforced")" 20 # ten questions, but for IPv4 to 7002; and protocol 47
	bulkhead apply --clean # flows are logged once in the life of their element
	audited 'mode: audit'
	follow
	traffic | sort -u | xargs >"$NET_DIR/audited.verdicts"
	await last_recorded
	finish
	is "$(cat "$NET_DIR/audited.verdicts")" "open open refused refused" # nothing was dropped
	is "$(verdicts)" audit
	records >"$NET_DIR/audited"
	diff "$NET_DIR/enforced" "$NET_DIR/audited"
	grep -q 'audit mode: it passed' "$NET_DIR/records"
	[ "$(counters)" -ge 20 ] # counted all the same
}

@test "audit is per service: the others go on enforcing, towards it, too" {
	serve a 80/tcp
	serve b 80/tcp 7001/tcp
	serve stray 80/tcp
	audited 'mode: audit'
	follow
	is "$(ask a stray 80/tcp)" "open open"
	is "$(ask stray a 80/tcp)" "open open"
	is "$(ask a b 7001/tcp)" "open open"
	is "$(ask a b 80/tcp)" "timeout timeout"     # passes here, is denied there
	is "$(ask b a 80/tcp)" "timeout timeout"
	is "$(ask stray b 7001/tcp)" "timeout timeout"
	is "$(ask b stray 80/tcp)" "timeout timeout"
	finish
	is "$(sort -u "$NET_DIR/b.log" | xargs)" "tcp 7001 $(v4 a) tcp 7001 $(v6 a)"
	jq -es --arg b "$(v4 b)" 'map(select(.destination.address == $b and .destination.port == 80))
		| map("\(.endpoint.name) \(.direction) \(.verdict)") | unique
		== ["a egress audit", "b ingress deny"]' "$NET_DIR/records"
	run bulkhead status
	[[ $output =~ audit\ +shop/a ]]
	[[ $output =~ protected\ +shop/b ]]
}

@test "audit: from audit to enforce and back, an open connection ends and goes on" {
	policy b <<<'{service: shop-b, select: {labels: {app: b}}, mode: off}'
	policy a <<<'{service: shop-a, select: {labels: {app: a}}, mode: audit}'
	bulkhead apply
	connect a b 7001-udp-4
	connect a b 7001-udp-6
	policy a <<<'{service: shop-a, select: {labels: {app: a}}, mode: enforce}'
	bulkhead apply
	mark 7001-udp-4 7001-udp-6
	stopped 7001-udp-4 7001-udp-6
	policy a <<<'{service: shop-a, select: {labels: {app: a}}, mode: audit}'
	bulkhead apply
	go_on 20 7001-udp-4 7001-udp-6
}

# --- on-deny ---------------------------------------------------------------------------------

denying() { # drop|reject
	policy a <<-Y
		service: a
		select: {labels: {app: a}}
		on-deny: $1
		egress: [{to: [{cidr: 192.0.2.1/32}]}]
	Y
	bulkhead apply
}

# What the calls of a sender give; `slow` in place of the time when it was not at once.
calls() { # ADDRESS PORT
	ns a "$calls_program" "$1" "$2" |
		awk '{ ms = substr($NF, 4) + 0; $NF = ms < 200 ? "soon" : ms < 900 ? "late" : "slow"; print }'
}

@test "reject: connect() is refused at once, a datagram and a ping are told, in both families" {
	denying reject
	is "$(calls "$(v4 stray)" 80/tcp)" "connect=ECONNREFUSED soon"
	is "$(calls "$(v6 stray)" 80/tcp)" "connect=ECONNREFUSED soon"
	is "$(calls "$(v4 stray)" 80/udp)" "connect=ok send=EPERM recv=EHOSTUNREACH soon"
	is "$(calls "$(v6 stray)" 80/udp)" "connect=ok send=EPERM recv=EACCES soon"
	is "$(calls "$(v4 stray)" icmp)" "connect=ok send=EPERM recv=EHOSTUNREACH soon"
	is "$(calls "$(v6 stray)" icmpv6)" "connect=ok send=EPERM recv=EACCES soon"
}

@test "drop: connect() hears nothing, and nobody but send() is told" {
	denying drop
	is "$(calls "$(v4 stray)" 80/tcp)" "connect=EINPROGRESS slow" # still trying
	is "$(calls "$(v6 stray)" 80/tcp)" "connect=EINPROGRESS slow"
	is "$(calls "$(v4 stray)" 80/udp)" "connect=ok send=EPERM recv=EAGAIN slow"
	is "$(calls "$(v6 stray)" 80/udp)" "connect=ok send=EPERM recv=EAGAIN slow"
}

# All that comes from a, but for what IPv6 needs to find it.
watch_for_answers() {
	ns stray nft -f - <<-N
		table netdev heard {
			counter answers { }
			chain in {
				type filter hook ingress device eth0 priority 0
				ip saddr $(v4 a) counter name answers
				ip6 saddr $(v6 a) icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } return
				ip6 saddr $(v6 a) counter name answers
			}
		}
	N
}
answers_heard() { ns stray nft -j list counter netdev heard answers | jq '.nftables[].counter.packets? // empty'; }
knock() {
	for port in 80/tcp 80/udp icmp 9000/tcp; do
		ask stray a $port
	done
	echo x | ns stray socat -u - "IP4-SENDTO:$(v4 a):47"
	echo x | ns stray socat -u - "IP6-SENDTO:[$(v6 a)]:47"
}

@test "reject and drop alike: strangers get no answer, no reset and no ICMP" {
	serve a 9000/tcp
	watch_for_answers
	knock
	[ "$(answers_heard)" -ge 8 ] # without a table they do
	for what in reject drop; do
		denying $what
		before=$(answers_heard)
		knock
		is "$(answers_heard)" "$before"
	done
}

# --- expires ---------------------------------------------------------------------------------

# a may call b on four ports for a while, and on the even ones for good by another rule.
for_a_while() { # SECONDS
	policy shop <<-Y
		service: a
		select: {labels: {app: a}}
		egress:
		  - to: [{service: b}]
		    ports: [7001-7004/tcp, 7001-7004/udp]
		    expires: $(date -u -d "+$1 seconds" +%FT%TZ)
		  - to: [{service: b}]
		    ports: [7002/tcp, 7002/udp, 7004/tcp, 7004/udp]
		---
		service: b
		select: {labels: {app: b}}
		ingress: [{from: [{service: a}], ports: [tcp, udp]}]
	Y
	bulkhead apply
}

@test "expires: connections stop with the rule, open ones and new ones; what another allows goes on" {
	local proto family kept=() ended=()
	retransmit_late a b
	serve b 7003/tcp 7003/udp 7004/tcp 7004/udp
	for_a_while 3600
	for proto in tcp udp; do
		for family in 4 6; do
			connect a b 7001-$proto-$family
			connect a b 7002-$proto-$family
			ended+=("7001-$proto-$family")
			kept+=("7002-$proto-$family")
		done
	done
	for_a_while 5
	is "$(ask a b 7003/tcp)" "open open"
	go_on 20 "${ended[@]}" "${kept[@]}" # not yet
	unharmed "${ended[@]}" "${kept[@]}"
	[ -z "$(pgrep -f "^$bulkhead_program.*$NET_DIR/")" ] # nothing of ours runs
	over() { [ "$(ask a b 7003/udp)" = "timeout timeout" ]; }
	await over
	mark "${ended[@]}"
	is "$(ask a b 7003/tcp)" "timeout timeout"
	is "$(ask a b 7004/tcp)" "open open"
	is "$(ask a b 7004/udp)" "open open"
	stopped "${ended[@]}"
	go_on 100 "${kept[@]}"
	unharmed "${kept[@]}"
	run bulkhead status
	[[ ! $output =~ drift ]]
}
