#!/usr/bin/env bats
# verify: what is declared is what the kernels hold. Each finding is brought about once.
# shellcheck disable=SC2030,SC2031

bats_require_minimum_version 1.5.0
load lib/net
load lib/daemon

setup() {
	net_up web db
	policy shop <<-'Y'
		scope: cde
		title: Card data
		---
		service: web
		scope: cde
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [8432/tcp]
		    reason: orders
		---
		service: db
		scope: cde
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [8432/tcp]
		    reason: orders
	Y
	bulkhead apply
}
teardown() { daemon_gone; net_down; }

verify() { bulkhead verify "$@"; }                          # [OPTION...]
verify_up() { verify --socket "$NET_DIR/control" "$@"; }    # [OPTION...]: with the daemon
found() { jq -er "select(.finding == \"$1\") | .text"; }    # ID: of standard input
finds() { # ID TEXT [OPTION...]: it is found, with a sentence like TEXT, and is no pass
	local out
	out=$(verify --json "${@:3}") && fail "passed: $out"
	[[ $(found "$1" <<<"$out") = *"$2"* ]] || fail "$out"
}
notes() { # ID TEXT [OPTION...]: the same of a note, which passes
	local out
	out=$(verify --json "${@:3}") || fail "$out"
	[[ $(found "$1" <<<"$out") = *"$2"* ]] || fail "$out"
}
unlisted() { # INODE: of $output
	jq -r --argjson ino "$1" 'select(.finding == "unlisted-namespace" and .netns == $ino).text' <<<"$output"
}
obstacle() { # NAME WORD
	jq --arg name "$1" --arg word "$2" '(.endpoints[] | select(.name == $name)).obstacle = $word' \
		"$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
}

@test "all is well: with a daemon and without, of all and of a scope" {
	run verify
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "endpoints: 2, namespaces read back: 2, protected: 2; errors: 0, warnings: 0, notes: 1" ]
	[[ $output = *"note     no-daemon "* ]]
	daemon_up
	run verify_up --scope cde
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "cde: endpoints: 2, namespaces read back: 2, protected: 2; errors: 0, warnings: 0, notes: 0" ]
	run verify_up --scope cde --json
	[ "$status" -eq 0 ]
	[ "$(jq -rs 'map(.state // empty) | join(" ")' <<<"$output")" = "protected protected" ]
	jq -es '.[-1] | .passed and .scope == "cde" and .daemon and .namespaces == 2 and .errors == 0' <<<"$output"
}

@test "drift and missing tables" {
	ns web nft add rule inet bulkhead output accept
	finds drift "the table was altered"
	ns db nft delete table inet bulkhead
	finds not-enforced "no table of Bulkhead is in its namespace"
	bulkhead apply
	run verify
	[ "$status" -eq 0 ]
}

@test "chains of others: a note, and an error when they make another packet of one" {
	ns web nft add table ip docker
	ns web nft add chain ip docker out '{ type nat hook output priority -100; }'
	ns web nft add rule ip docker out ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:5353
	notes foreign-chain "chain out of table ip docker (nat, hook output, priority -100) translates addresses"
	ns web nft add table inet evil
	ns web nft add chain inet evil late '{ type route hook output priority 300; }'
	notes foreign-chain "chain late of table inet evil (route, hook output, priority 300)"
	ns web nft add rule inet evil late ip daddr 10.77.0.9 ip daddr set 10.77.0.2
	finds foreign-rewrites "chain late of table inet evil (route, hook output, priority 300) comes to rules that change or redirect packets (payload)"
	ns web nft delete table inet evil
	ns db nft add table netdev evil
	ns db nft add chain netdev evil in '{ type filter hook ingress device eth0 priority 0; }'
	ns db nft add rule netdev evil in dup to eth0
	finds foreign-rewrites "(filter, hook ingress, priority 0) comes to rules that change or redirect packets (dup)"
	# the same by iptables, as Docker does it for its name server
	ns db nft delete table netdev evil
	ns web iptables-nft -t nat -A OUTPUT -d 127.0.0.11/32 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:5353
	notes foreign-chain "chain OUTPUT of table ip nat (nat, hook output, priority -100) translates addresses"
	ns web iptables-nft -t mangle -A POSTROUTING -j TTL --ttl-set 64
	finds foreign-rewrites "chain POSTROUTING of table ip mangle (filter, hook postrouting, priority -150) comes to rules that change or redirect packets (TTL)"
	ns web nft delete table ip mangle
	ns db nft add table netdev evil
	ns db nft add chain netdev evil in '{ type filter hook ingress device eth0 priority 0; }'
	# more than are looked at: those that are not may be any
	for i in {1..260}; do echo "add table ip t$i; add chain ip t$i c { type filter hook input priority 5; }"; done | ns db nft -f -
	finds unreachable "chains of others cannot be listed: "
	for i in {1..260}; do echo "delete table ip t$i"; done | ns db nft -f -
	# what is only looked at is none
	ns db nft add rule netdev evil in ip ttl 1 drop
	notes foreign-chain "table netdev evil"
}

@test "devices: one that came after apply, and more than can be held" {
	ns db ip link add tun9 type bridge
	finds device-unhooked "shop/db: no chain of the table netdev is at its device tun9"
	bulkhead apply
	run verify
	[ "$status" -eq 0 ]
	for i in {1..240}; do echo "link add more$i type bridge"; done | ns db ip -batch -
	finds devices-too-many "shop/db: frames made by hand pass the devices beyond the first 239"
	finds device-unhooked " and "
}

@test "capabilities that void it" {
	obstacle web privileged
	finds privileged "shop/web"
	obstacle web net-admin
	finds net-admin "shop/web"
	obstacle web own-stack
	finds own-stack "shop/web"
	obstacle web host-network
	jq 'del(.endpoints[] | select(.name == "web").netns)' "$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	finds host-network "shop/web"
	finds host-network "shop/web" --scope cde
}

@test "raw sockets: a finding unless a daemon holds the queues" {
	obstacle web raw-sockets
	finds raw-sockets "queue 0 of its device eth0 is free"
	daemon_up
	run verify_up
	[ "$status" -eq 0 ]
	# what is held against them says nothing of what is enforced
	member tools app=tools
	obstacle tools raw-sockets
	policy none <<<'{guardrail: none, select: {all: true}, deny: [{to: [{cidr: 169.254.0.0/16}]}]}'
	daemon_stop
	daemon_up
	finds guardrails-only "shop/tools: " --socket "$NET_DIR/control"
	# taken by somebody, and no daemon says that it is its own
	finds raw-sockets "no daemon says that it holds them"
}

@test "modes that do not enforce, and guardrails alone" {
	sed -i 's/^select: {labels: {app: web}}/&\nmode: audit/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	finds audit-mode "shop/web: what its policy denies is recorded, and passes"
	sed -i 's/^mode: audit/mode: off/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	finds mode-off "mode: off"
	printf -- '---\nguardrail: none\nselect: {all: true}\ndeny:\n  - to: [{cidr: 169.254.0.0/16}]\n' >>"$NET_DIR/policies/shop.yaml"
	bulkhead apply
	finds guardrails-only "only guardrails hold it"
}

@test "neighbours that nothing holds, in the scope's networks" {
	member tools app=tools
	finds neighbour-unheld "shop/tools (unmanaged) is on network 10.77.0.0/24 with shop/db"
	finds neighbour-unheld "shop/tools (unmanaged) is on network 10.77.0.0/24 with shop/db of scope cde" --scope cde
	# on more networks than are looked at
	for i in {1..70}; do echo "addr add 10.79.$i.1/24 dev eth0"; done | ns tools ip -batch -
	finds unreachable "shop/tools: who is beside it is not known to the end: it is on more than 64 networks"
	# in a part of it, or with all of it in a part of its own
	ns tools ip addr flush dev eth0
	ns tools ip addr add 10.77.0.200/25 dev eth0
	finds neighbour-unheld "shop/tools (unmanaged) is on network 10.77.0.128/25 with shop/db"
	ns tools ip addr flush dev eth0
	ns tools ip addr add 10.77.9.1/16 dev eth0
	finds neighbour-unheld "shop/tools (unmanaged) is on network 10.77.0.0/16 with shop/db"
	# selected by a service that is off
	policy tools <<<'{service: tools, mode: off, select: {labels: {app: tools}}}'
	bulkhead apply
	finds neighbour-unheld "shop/tools (off) is on network 10.77.0.0/16 with shop/db"
	rm "$NET_DIR/policies/tools.yaml"
	bulkhead apply
	# on a network of its own it is no neighbour
	ns tools ip addr flush dev eth0
	ns tools ip addr add 10.78.0.1/24 dev eth0
	notes unmanaged "shop/tools"
	# and in the namespace of one that is protected it has the same table
	jq --arg netns "/run/netns/$NET-db" '(.endpoints[] | select(.name == "tools")).netns = $netns' \
		"$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	bulkhead apply
	run verify --json
	[ -z "$(found neighbour-unheld <<<"$output")" ] || fail "$output"
}

@test "a namespace with devices that nobody lists" {
	local ino
	member_bare bare
	mkdir "$NET_DIR/names"
	touch "$NET_DIR/names/web"
	mount --bind "/run/netns/$NET-web" "$NET_DIR/names/web"
	ino=$(stat -Lc %i "/run/netns/$NET-db")
	echo 'runtimes: {docker: false, podman: false}' >>"$NET_DIR/bulkhead.yaml"
	run --separate-stderr "$bulkhead_program" verify --policies "$NET_DIR/policies" --config "$NET_DIR/bulkhead.yaml" \
		--netns-dir "$NET_DIR/names" --json
	[ "$status" -eq 1 ]
	unlisted "$ino" | grep -q "(mounted at /run/netns/$NET-db).*nobody's that is listed"
	# what is listed, and what has no device, is none
	[ -z "$(unlisted "$(stat -Lc %i "/run/netns/$NET-web")")" ]
	[ -z "$(unlisted "$(stat -Lc %i "/run/netns/$NET-bare")")" ]
	# and one that cannot be opened is said to be unknown
	run --separate-stderr strace -qq -o /dev/null -P "/run/netns/$NET-db" -e trace=openat -e inject=openat:error=EACCES \
		"$bulkhead_program" verify --policies "$NET_DIR/policies" --config "$NET_DIR/bulkhead.yaml" \
		--netns-dir "$NET_DIR/names" --scope cde --json
	[ "$status" -eq 1 ]
	unlisted "$ino" | grep -q "cannot be opened: whether it is beside one that is protected is not known" || fail "$output $stderr"
	# beside a scope, and behind more networks than are looked at
	ns db ip addr flush dev eth0
	{
		for i in {1..70}; do echo "addr add 10.79.$i.1/24 dev eth0"; done
		echo "addr add 10.77.0.2/24 dev eth0"
	} | ns db ip -batch -
	run --separate-stderr "$bulkhead_program" verify --policies "$NET_DIR/policies" --config "$NET_DIR/bulkhead.yaml" \
		--netns-dir "$NET_DIR/names" --scope cde --json
	umount "$NET_DIR/names/web"
	unlisted "$ino" | grep -q "not known to the end" || fail "$output $stderr"
}

@test "one namespace for two services" {
	jq --arg netns "/run/netns/$NET-web" '(.endpoints[] | select(.name == "db")).netns = $netns' \
		"$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	bulkhead apply
	finds shared "their services differ"
	# that a daemon holds the queues of one makes no difference
	obstacle web raw-sockets
	obstacle db raw-sockets
	daemon_up
	finds shared "their services differ" --socket "$NET_DIR/control"
}

@test "policies that are not in force, and tables that are nobody's beside a daemon" {
	daemon_up
	sed -i 's/8432/5433/' "$NET_DIR/policies/shop.yaml"
	finds not-in-force "the daemon enforces" --socket "$NET_DIR/control"
	sed -i 's/5433/8432/' "$NET_DIR/policies/shop.yaml"
	run verify_up
	[ "$status" -eq 0 ]
	cp "$NET_DIR/inventory.json" "$NET_DIR/before.json"
	daemon_stop
	member late app=db
	bulkhead apply
	daemon_up --inventory "$NET_DIR/before.json"
	finds unowned "shop/late: nobody owns the tables" --socket "$NET_DIR/control"
}

@test "what was not looked at never passes" {
	run verify --scope nobody
	[ "$status" -eq 2 ]
	[[ $output = *"there is no scope 'nobody'"* ]]
	run verify --scope $'x\033[2J'
	[ "$status" -eq 2 ]
	[[ $output != *$'\033'* ]]
	printf -- '---\nscope: empty\ntitle: Nobody has it\n' >>"$NET_DIR/policies/shop.yaml"
	finds nothing-checked "no namespace was read back of scope empty: 0 endpoints" --scope empty
	run verify --scope empty
	[ "$status" -eq 1 ]
	[[ ${lines[-1]} = "empty: endpoints: 0, namespaces read back: 0, protected: 0; errors: 1,"* ]]
	echo '{"endpoints": []}' >"$NET_DIR/inventory.json"
	finds nothing-checked "no namespace was read back: 0 endpoints"
	# the note names the services that nobody is
	[[ $(verify --json | found service-empty) = *"service db ("*"shop.yaml:12) selects nobody"* ]]
	echo 'service: [' >"$NET_DIR/policies/broken.yaml"
	run verify
	[ "$status" -eq 2 ]
}

@test "a namespace that goes in the middle, and one that cannot be read" {
	local path
	path=$(realpath "/run/netns/$NET-web")
	run --separate-stderr strace -qq -o /dev/null -P "$path" -e trace=openat -e inject=openat:error=ENOENT:when=2+ \
		"$bulkhead_program" verify --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --json
	[ "$status" -eq 1 ]
	[[ $(found vanished <<<"$output") = *"shop/web: "* ]]
	jq -es '.[-1] | .passed == false and .endpoints == 2 and .namespaces == 1' <<<"$output"
	run --separate-stderr strace -qq -o /dev/null -P "$path" -e trace=openat -e inject=openat:error=EACCES:when=2+ \
		"$bulkhead_program" verify --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --json
	[ "$status" -eq 1 ]
	[[ $(found unreachable <<<"$output") = *"shop/web: "* ]]
}

@test "neighbours outside the scope that can get round their tables" {
	local word
	member tools app=tools
	policy tools <<<'{service: tools, select: {labels: {app: tools}}}'
	bulkhead apply
	run verify --scope cde
	[ "$status" -eq 0 ] || fail "$output"
	for word in privileged net-admin own-stack raw-sockets; do
		obstacle tools "$word"
		finds neighbour-unheld "shop/tools (weak) is on network 10.77.0.0/24 with shop/db of scope cde" --scope cde
	done
	# whose queues a daemon holds cannot
	daemon_up
	run verify_up --scope cde
	[ "$status" -eq 0 ] || fail "$output"
}

@test "neighbours whose namespaces cannot be opened, or have none that is known" {
	local path word id
	member tools app=tools
	bulkhead apply
	path=$(realpath "/run/netns/$NET-tools")
	for word in EACCES:unreachable ENOENT:vanished; do
		id=${word#*:}
		run --separate-stderr strace -qq -o /dev/null -P "$path" -e trace=openat -e "inject=openat:error=${word%:*}:when=2+" \
			"$bulkhead_program" verify --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
			--config "$NET_DIR/bulkhead.yaml" --scope cde --json
		[ "$status" -eq 1 ] || fail "$output $stderr"
		[[ $(found "$id" <<<"$output") = "shop/tools: whether it is on a network of what is protected is not known: "* ]] || fail "$output"
		jq -es '.[-1] | .passed == false and .protected == 2' <<<"$output"
	done
	# running, and what its engine says of its namespace cannot be read
	obstacle tools no-netns
	jq 'del(.endpoints[] | select(.name == "tools").netns)' "$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	finds unreachable "shop/tools: whether it is on a network of what is protected is not known: " --scope cde
	# on another host it is beside nobody here
	jq 'del(.endpoints[] | select(.name == "tools").obstacle)' "$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	run verify --scope cde
	[ "$status" -eq 0 ] || fail "$output"
	# one that is told of as unreachable is told once
	jq '(.endpoints[] | select(.name == "web")).netns = "/dev/null"' "$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
	run --separate-stderr verify --json
	[ "$(found unreachable <<<"$output" | wc -l)" -eq 1 ] || fail "$output"
}

@test "a kernel that does not say what it can do" {
	run --separate-stderr strace -f -qq -o /dev/null -e trace=unshare -e inject=unshare:error=ENOSPC \
		"$bulkhead_program" verify --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json" \
		--config "$NET_DIR/bulkhead.yaml" --json
	[ "$status" -eq 1 ]
	[[ $(found kernel-unsupported <<<"$output") = *"was not found out"* ]]
}

@test "the findings of the table are those of the documentation" {
	"$bulkhead_program" verify --findings --json | jq -r '"\(.id) \(.severity)"' >"$NET_DIR/table"
	sed -n 's/^| `\([a-z-]*\)` | \([a-z]*\) |.*/\1 \2/p' "$BATS_TEST_DIRNAME/../../docs/verify.md" >"$NET_DIR/documented"
	[ -s "$NET_DIR/table" ]
	diff "$NET_DIR/table" "$NET_DIR/documented"
	sort -c "$NET_DIR/table"
}
