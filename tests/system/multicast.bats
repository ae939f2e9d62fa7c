#!/usr/bin/env bats
# shellcheck disable=SC2154 # probe_program is of net.bash
# Datagrams to groups and to everybody on the link: they leave when a `cidr:` names where they go,
# come in when their source may, and nobody's answer to one is a reply.

load lib/net

calls_program=${probe_program%/*}/calls
group4=224.0.0.251 link6=ff02::fb site6=ff05::fb # the IPv6 ones by scope: this link, this site
broadcast=10.77.0.255 everybody=255.255.255.255
all="$group4 $broadcast $everybody $link6 $site6"

setup_file() {
	net_up a b
	outsider stray
	for name in a b stray; do
		serve $name --join $group4 --join $link6 --join $site6 5353/udp 7/udp
	done
}
teardown_file() { net_down; }

setup() {
	local name
	rm -f "$NET_DIR"/policies/*
	for name in a b stray; do
		: >"$NET_DIR/$name.log"
	done
	policy b <<<'{service: b, select: {labels: {app: b}}}'
}
teardown() { finish_anyway; }

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

allow() { # EGRESS-PEERS INGRESS-PEERS [PORTS]
	policy a <<-Y
		service: a
		select: {labels: {app: a}}
		egress: [{to: [$1], ports: [5353/udp]}]
		ingress: [{from: [$2], ports: [${3:-5353/udp}]}]
	Y
	bulkhead apply
}

send() { # FROM ADDRESS: what sending one gives
	ns "$1" "$calls_program" --device eth0 --timeout 1 "$2" 5353/udp | sed 's/.* send=\([^ ]*\).*/\1/'
}
link_local() { ns "$1" ip -6 -o addr show dev eth0 scope link | sed 's/.*inet6 \([^/]*\).*/\1/'; }
heard() { awk -v port="${2:-5353}" '$2 == port { print $3 }' "$NET_DIR/$1.log" | sort | xargs; } # NAME [PORT]
heard_is() { [ "$(heard "$1")" = "$2" ]; }

# Who denied what was sent to an address: `NAME DIRECTION` of each record.
recorded() { # ADDRESS
	jq -r --arg to "$1" 'select(.destination.address == $to and .destination.port == 5353
		and .protocol == "udp" and .verdict == "deny" and .rule.kind == "default-deny")
		| "\(.endpoint.name) \(.direction)"' "$NET_DIR/records" | sort -u | xargs
}

@test "before the first apply everybody on the link hears each of them" {
	bulkhead apply --clean
	for to in $all; do
		is "$(send a "$to")" ok
	done
	for name in b stray; do
		await heard_is $name "10.77.0.1 10.77.0.1 10.77.0.1 fd00:77::1 $(link_local a)"
	done
}

@test "denied and recorded unless named: a service, the world, the host, prefixes beside" {
	for peers in '{service: b}' '{entity: world}' '{entity: managed}, {entity: host}' \
		'{cidr: 10.77.0.0/25}, {cidr: 224.0.0.0/25}, {cidr: "fd00:77::/64"}, {cidr: "ff08::/16"}'; do
		allow "$peers" "$peers"
		follow
		for to in $all; do
			is "$(send a "$to")" EPERM
		done
		finish
		for to in $all; do
			is "$(recorded "$to")" "a egress"
			grep -q "a may reach [^ ]* *[^ ]* on 5353/udp, not $to: .*/a.yaml:3" "$NET_DIR/records"
		done
	done
	[ ! -s "$NET_DIR/b.log" ]
	[ ! -s "$NET_DIR/stray.log" ]
}

@test "a cidr that names one of them opens that one, to all who hear it" {
	local others own
	policy b <<<'{service: b, select: {labels: {app: b}}, mode: off}'
	for to in $all; do
		allow "{cidr: '$to'}" '{service: b}'
		: >"$NET_DIR/stray.log"
		others=${all/$to/}
		for other in $others; do
			is "$(send a "$other")" EPERM
		done
		is "$(send a "$to")" ok
		own=$(v4 a)
		[ "$to" != $link6 ] || own=$(link_local a)
		[ "$to" != $site6 ] || own=$(v6 a)
		await heard_is stray "$own"
	done
}

@test "a subnet's prefix has its broadcast address, and the whole of IPv4 has all" {
	allow '{cidr: 10.77.0.0/24}' '{service: b}'
	is "$(send a $broadcast)" ok
	is "$(send a $everybody)" EPERM
	is "$(send a $group4)" EPERM
	allow '{cidr: 0.0.0.0/0}' '{service: b}'
	for to in $broadcast $everybody $group4; do
		is "$(send a "$to")" ok
	done
}

@test "what comes in is judged by its source: nobody, then whom the policy names" {
	local from
	allow '{service: b}' '{service: b}'
	follow
	for to in $all; do
		is "$(send stray "$to")" ok
	done
	[ "$(ask stray a 7/udp)" = "timeout timeout" ] # they have come in by now
	finish
	for to in $all; do
		is "$(recorded "$to")" "a ingress b ingress"
	done
	jq -es 'any(.reason | contains("a lets b in on 5353/udp, not"))' "$NET_DIR/records" ||
		fail "$(jq -r .reason "$NET_DIR/records")"
	is "$(heard a)" ""
	from='{cidr: 10.77.0.200/32}, {cidr: "fd00:77::c8/128"}'
	allow '{service: b}' "$from"
	for to in $all; do
		send stray "$to"
	done
	await heard_is a "10.77.0.200 10.77.0.200 10.77.0.200 fd00:77::c8"
	allow '{service: b}' '{entity: world}'
	for to in $all; do
		send stray "$to"
	done
	await heard_is a "10.77.0.200 10.77.0.200 10.77.0.200 10.77.0.200 10.77.0.200 10.77.0.200 fd00:77::c8 fd00:77::c8"
}

@test "ff02:: is sent from link-local addresses, which no service has: a cidr names them" {
	allow '{service: b}' '{service: b}, {entity: world}, {entity: managed}'
	sed -i 's/}$/, egress: [{to: [{cidr: "ff00::\/8"}], ports: [5353\/udp]}]}/' \
		"$NET_DIR/policies/b.yaml"
	bulkhead apply
	is "$(send b $link6)" ok
	is "$(send b $site6)" ok
	await heard_is a fd00:77::2
	allow '{service: b}' '{cidr: "fe80::/64"}'
	is "$(send b $site6)" ok
	is "$(send b $link6)" ok
	await heard_is a "fd00:77::2 $(link_local b)"
}

# What arrives at a's own port 6000 when it asks a group or everybody; stray answers.
answers() { # socat ADDRESS
	echo question | ns a socat -T 0.5 - "$1,bind=:6000"
}

@test "an answer to a multicast question is no reply: the asker lets it in, by its port" {
	allow '{cidr: "224.0.0.0/4"}, {cidr: "255.255.255.255"}, {cidr: "ff00::/8"}' '{service: b}'
	follow
	is "$(answers UDP4-DATAGRAM:$group4:5353)" ""
	is "$(answers UDP4-DATAGRAM:$everybody:5353,broadcast)" ""
	is "$(answers "UDP6-DATAGRAM:[$site6]:5353")" ""
	finish
	is "$(heard stray)" "10.77.0.1 10.77.0.1 fd00:77::1" # the questions did arrive
	jq -es --arg a4 "$(v4 a)" --arg a6 "$(v6 a)" 'map(select(.direction == "ingress"
		and .destination.port == 6000 and .source.address[0:4] != "fe80"))
		| (map(.destination.address) | unique) == [$a4, $a6]
			and all(.source.address == "10.77.0.200" or .source.address == "fd00:77::c8")' \
		"$NET_DIR/records" || fail "$(cat "$NET_DIR/records")"
	# The same with the asker's port open to whoever may answer.
	allow '{cidr: "224.0.0.0/4"}, {cidr: "255.255.255.255"}, {cidr: "ff00::/8"}' \
		'{entity: world}' 6000/udp
	is "$(answers UDP4-DATAGRAM:$group4:5353)" question
	is "$(answers UDP4-DATAGRAM:$everybody:5353,broadcast)" question
	is "$(answers "UDP6-DATAGRAM:[$site6]:5353")" question
}

@test "a managed container that answers needs leave to send, as for any flow" {
	allow "{cidr: $group4}" '{service: b}' 6000/udp
	policy b <<<'{service: b, select: {labels: {app: b}}, ingress: [{from: [{service: a}], ports: [5353/udp]}]}'
	bulkhead apply
	is "$(answers UDP4-DATAGRAM:$group4:5353)" ""
	is "$(heard b)" "$(v4 a)"
	sed -i 's/}$/, egress: [{to: [{service: a}], ports: [6000\/udp]}]}/' "$NET_DIR/policies/b.yaml"
	bulkhead apply
	is "$(answers UDP4-DATAGRAM:$group4:5353)" question
}

@test "a member hears itself only if it lets itself in" {
	allow '{cidr: 224.0.0.0/4}' '{service: b}'
	follow
	is "$(send a $group4)" ok
	await heard_is stray "$(v4 a)"
	finish
	is "$(heard a)" ""
	is "$(recorded $group4)" "a ingress b ingress"
	allow '{cidr: 224.0.0.0/4}' '{service: a}'
	is "$(send a $group4)" ok
	await heard_is a "$(v4 a)"
}
