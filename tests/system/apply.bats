#!/usr/bin/env bats
# apply, status and apply --clean as a person uses them: what is ours is put right, what is not
# ours is not touched.

load lib/net

setup() {
	net_up web db
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp]
	Y
}
teardown() { net_down; }

# Rule sets, one of each family, with names as near to ours as can be, and some of what containers
# and engines have.
neighbours() { # NAME
	ns "$1" nft -f - <<-'N'
		table inet bulkhead2 { counter denied.egress { }; chain about { }; }
		table ip bulkhead { chain output { type filter hook output priority 10; policy accept; counter; }; }
		table ip6 bulkhead { set known6 { type ipv6_addr; elements = { fd00::1 }; }; }
		table arp bulkhead { chain input { type filter hook input priority 0; policy accept; }; }
		table netdev bulkhead2 { chain guard { type filter hook egress device "eth0" priority 0; policy accept; }; }
		table inet Bulkhead { chain output { type filter hook output priority 0; policy accept; }; }
	N
	ns "$1" iptables -t nat -N DOCKER_OUTPUT
	ns "$1" iptables -t nat -A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
	ns "$1" iptables -t nat -A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:41641
}

everything() { ns "$1" nft -a list ruleset; } # handles too: made anew would show
others() { ns "$1" nft -sa list ruleset | sed -E '/^table (inet|netdev) bulkhead \{/,/^}/d'; }

@test "apply makes it so, says so, and a second one changes nothing" {
	run bulkhead apply
	[ "$status" -eq 0 ]
	[ "$output" = "applied: 2 created, 0 updated, 0 unchanged, 0 removed" ]
	before=$(everything web)
	run bulkhead apply
	[ "$output" = "applied: 0 created, 0 updated, 2 unchanged, 0 removed" ]
	[ "$(everything web)" = "$before" ]
	run bulkhead status --strict
	[ "$status" -eq 0 ]
	[[ $output == *"2 endpoints, 2 protected, 0 findings"* ]]
}

@test "foreign tables stay as they were, to the byte and the handle" {
	neighbours web
	before=$(others web)
	[ "$(grep -c '^table' <<<"$before")" -ge 7 ]
	bulkhead apply
	[ "$(others web)" = "$before" ]
	sed -i 's/5432/5433/' "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	[ "$(others web)" = "$before" ]
	ns web nft delete chain inet bulkhead about
	bulkhead apply
	bulkhead apply --clean
	[ "$(others web)" = "$before" ]
	[ "$(ns web nft -sa list ruleset)" = "$before" ]
}

@test "apply --clean takes every trace away, twice is no mistake" {
	empty=$(ns web nft list ruleset)
	bulkhead apply
	run bulkhead apply --clean
	[ "$output" = "cleaned: 2 removed" ]
	[ "$(ns web nft list ruleset)" = "$empty" ]
	[ "$(ns db nft list ruleset)" = "$empty" ]
	run bulkhead apply --clean
	[ "$status" -eq 0 ]
	[ "$output" = "cleaned: 0 removed" ]
	run bulkhead status
	[ "$status" -eq 1 ]
	[[ $output == *"no table of Bulkhead is in its namespace"* ]]
}

@test "what somebody did to the table is seen, said, and put right" {
	while read -r what command; do
		bulkhead apply >/dev/null
		ns web nft "$command"
		run bulkhead status
		[ "$status" -eq 1 ] || fail "not seen: $what"
		[[ $output =~ (drift|unprotected)\ +shop/web ]] || fail "$what: $output"
		run bulkhead apply
		[ "$status" -eq 0 ]
		[[ $output == *"applied: "*"1 unchanged"* ]]
		run bulkhead status --strict
		[ "$status" -eq 0 ] || fail "not put right: $what: $output"
	done <<-'T'
		accept   insert rule inet bulkhead output accept
		opened   add element inet bulkhead egress4 { 192.0.2.1 . tcp . 443 : "web.out.to-db.5432-tcp" }
		closed   flush map inet bulkhead egress4
		policy   chain inet bulkhead output { policy accept; }
		flushed  flush chain inet bulkhead record
		emptied  flush table inet bulkhead
		chain    add chain inet bulkhead mine
		hook     add chain inet bulkhead mine { type filter hook output priority -500; policy accept; }
		set      add set inet bulkhead mine { type ipv4_addr; }
		counter  add counter inet bulkhead mine
		dormant  add table inet bulkhead { flags dormant; }
		gone     delete table inet bulkhead
		about    flush chain inet bulkhead about
		frames   insert rule netdev bulkhead frames accept
		passed   flush chain netdev bulkhead raw
		unheld   delete table netdev bulkhead
		dozing   add table netdev bulkhead { flags dormant; }
		beside   add chain netdev bulkhead mine
		hooked   add chain netdev bulkhead mine { type filter hook egress device "eth0" priority 0; policy accept; }
		counts   add counter netdev bulkhead mine
		another  delete table netdev bulkhead; table netdev bulkhead { chain egress { type filter hook egress device "eth0" priority 0; policy accept; }; }
	T
}

@test "a repair drops nothing that is allowed: the stream goes on" {
	serve db 5432/tcp
	bulkhead apply
	[ "$(ask web db 5432/tcp)" = "open open" ]
	ns web nft insert rule inet bulkhead output accept
	run bulkhead apply
	[[ $output == *"repaired: "* ]]
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ask web db 5433/tcp)" = "timeout timeout" ]
}

@test "expires: ends in the kernel, though nothing of ours runs" {
	serve db 5432/tcp
	sed -i "s|^    ports: .*|&\n    expires: $(date -u -d '+4 seconds' +%FT%TZ)|" "$NET_DIR/policies/shop.yaml"
	bulkhead apply
	[ "$(ask web db 5432/tcp)" = "open open" ]
	closed() { [ "$(ask web db 5432/tcp)" = "timeout timeout" ]; }
	await closed
	run bulkhead status
	[[ $output != *altered* ]]
}

@test "mode: off and no longer selected: the table goes" {
	bulkhead apply
	sed -i '0,/^service: .*/s//&\nmode: off/' "$NET_DIR/policies/shop.yaml"
	run bulkhead apply
	[[ $output == *"1 removed"* ]]
	[ -z "$(ns web nft list ruleset)" ]
	run bulkhead status
	[[ $output =~ off\ +shop/web.*nothing\ is\ enforced ]]
}

@test "two endpoints in one namespace get the union, and neither takes it from the other" {
	jq '.endpoints += [.endpoints[0] | .id = "shop/sidecar" | .name = "sidecar" | .labels = {app: "sidecar"}]' \
		"$NET_DIR/inventory.json" >"$NET_DIR/i" && mv "$NET_DIR/i" "$NET_DIR/inventory.json"
	policy sidecar <<-'Y'
		service: sidecar
		select: {labels: {app: sidecar}}
		egress:
		  - to: [{cidr: 10.77.0.254/32}]
		    ports: [9000/udp]
	Y
	run bulkhead apply
	[ "$output" = "applied: 2 created, 0 updated, 0 unchanged, 0 removed" ]
	run bulkhead apply
	[ "$output" = "applied: 0 created, 0 updated, 2 unchanged, 0 removed" ]
	ns web nft list map inet bulkhead egress4 | grep -q '10.77.0.254 . udp . 9000'
	ns web nft list map inet bulkhead egress4 | grep -q 'tcp . 5432'
	run bulkhead status
	[ "$status" -eq 1 ] # each of them may what the other may
	[ "$(grep -c '^shared ' <<<"$output")" -eq 2 ]
}

@test "nft list table tells a person what is what" {
	bulkhead apply
	run ns web nft list table inet bulkhead
	for words in 'comment "endpoint shop/web"' 'comment "services web"' 'shop.yaml:4"' \
		'counter web.out.to-db.5432-tcp' '10.77.0.2 . tcp . 5432 : "web.out.to-db.5432-tcp"'; do
		[[ $output == *"$words"* ]] || fail "no $words in: $output"
	done
}

@test "two applies at once: both end well and the table is whole" {
	for i in 1 2 3 4 5; do
		sed "s/5432/$((6000 + i))/" "$NET_DIR/policies/shop.yaml" >"$NET_DIR/other.yaml"
		"$bulkhead_program" apply --policies "$NET_DIR/other.yaml" --inventory "$NET_DIR/inventory.json" \
			>"$NET_DIR/out" 2>&1 3>&- &
		bulkhead apply >"$NET_DIR/out2" 2>&1 || grep -q 'run the command again\|another' "$NET_DIR/out2"
		wait $! || grep -q 'run the command again\|another' "$NET_DIR/out"
	done
	bulkhead apply
	run bulkhead status --strict
	[ "$status" -eq 0 ]
}
