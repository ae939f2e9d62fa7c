#!/usr/bin/env bats
# NetworkPolicies of Kubernetes in the kernel: by real packets, over IPv4 and IPv6.

load lib/net
load lib/daemon

setup() {
	net_up web api db mon
	outsider world
	describe
}
teardown() {
	daemon_gone
	net_down
}

# mon is in a namespace of its own, and some ports have names.
describe() {
	jq '.namespaces = {ops: {team: "ops"}}
		| .endpoints |= map(if .name == "mon" then .namespace = "ops" else . end)
		| .endpoints |= map(if .name == "web" then .ports = [{name: "http", port: 8080}]
			elif .name == "api" then .ports = [{name: "http", port: 9090}] else . end)' \
		"$NET_DIR/inventory.json" >"$NET_DIR/inventory.new"
	mv "$NET_DIR/inventory.new" "$NET_DIR/inventory.json"
}

network_policy() { # NAME: standard input is its spec
	{
		printf '%s\n' 'apiVersion: networking.k8s.io/v1' 'kind: NetworkPolicy' \
			"metadata: {name: $1, namespace: shop}" spec:
		sed 's/^/  /'
	} >"$NET_DIR/policies/$1.yaml"
}

is() { [ "$1" = "$2" ] || fail "$1, not $2"; }
open="open open" closed="timeout timeout"

packets() { # NAME COUNTER
	ns "$1" nft -j list counter inet bulkhead "$2" | jq '.nftables[].counter? | select(.) | .packets'
}

@test "a policy for one direction: the other is open, and both change in place" {
	serve web 80/tcp 53/udp
	serve db 5432/tcp
	serve world 443/tcp
	network_policy web <<-'Y'
		podSelector: {matchLabels: {app: web}}
		policyTypes: [Ingress]
		ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]
	Y
	bulkhead apply
	is "$(ask web db 5432/tcp)" "$open"
	is "$(ask web world 443/tcp)" "$open"
	is "$(ask web switch icmp)" "$open"
	is "$(ask api web 80/tcp)" "$open"
	is "$(ask api web 53/udp)" "$closed"
	is "$(ask mon web 80/tcp)" "$closed"
	is "$(ask world web 80/tcp)" "$closed"
	is "$(ns web "$probe_program" ask <<<"$(v4 web) 80/tcp")" open
	run bulkhead plan
	[ "$status" -eq 0 ] # what the kernel has is what it was told
	run bulkhead status
	[[ $output == *k8s:shop/web* ]]
	run bulkhead check --endpoints
	[[ $output == *"web"*"k8s:shop/web"* && $output == *"mon"*unmanaged* ]]

	network_policy web <<-'Y'
		podSelector: {matchLabels: {app: web}}
		policyTypes: [Egress]
		egress: [{to: [{podSelector: {}}], ports: [{port: 5432}]}]
	Y
	bulkhead apply
	is "$(ask web db 5432/tcp)" "$open"
	is "$(ask web world 443/tcp)" "$closed"
	is "$(ask web switch icmp)" "$closed"
	is "$(ask mon web 80/tcp)" "$open"
	is "$(ask world web 53/udp)" "$open"
}

@test "default deny, and what a union of policies opens again" {
	serve web 80/tcp
	serve db 5432/tcp
	serve mon 9100/tcp
	network_policy deny <<<'{podSelector: {}, policyTypes: [Ingress, Egress]}'
	bulkhead apply
	is "$(ask web db 5432/tcp)" "$closed"
	is "$(ask mon web 80/tcp)" "$closed"
	is "$(ask web mon 9100/tcp)" "$closed"
	network_policy db <<-'Y'
		podSelector: {matchLabels: {app: db}}
		ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]
	Y
	network_policy web <<-'Y'
		podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}
		policyTypes: [Egress, Ingress]
		ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]
		egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]
	Y
	bulkhead apply
	is "$(ask web db 5432/tcp)" "$open"
	is "$(ask api db 5432/tcp)" "$closed"   # db does not let it in
	is "$(ask mon web 80/tcp)" "$open"
	is "$(ask mon db 5432/tcp)" "$closed"
	is "$(ask web mon 9100/tcp)" "$closed"
}

@test "a named port is another number at each end, and follows the container" {
	serve web 8080/tcp 9090/tcp
	serve api 8080/tcp 9090/tcp
	network_policy named <<-'Y'
		podSelector: {}
		policyTypes: [Ingress]
		ingress: [{ports: [{port: http}]}]
	Y
	network_policy out <<-'Y'
		podSelector: {matchLabels: {app: db}}
		policyTypes: [Egress]
		egress: [{ports: [{port: http}]}]
	Y
	bulkhead apply
	is "$(ask mon web 8080/tcp)" "$open"
	is "$(ask mon web 9090/tcp)" "$closed"
	is "$(ask mon api 9090/tcp)" "$open"
	is "$(ask mon api 8080/tcp)" "$closed"
	is "$(ask db web 8080/tcp)" "$open"
	is "$(ask db web 9090/tcp)" "$closed"
	is "$(ask db api 9090/tcp)" "$open"
	sed -i 's/"port": 8080/"port": 9090/' "$NET_DIR/inventory.json"
	bulkhead apply
	is "$(ask db web 9090/tcp)" "$open"
	is "$(ask mon web 8080/tcp)" "$closed"
}

@test "endPort, and blocks with exceptions, which match pods as well" {
	serve db 32000/tcp 32768/tcp 31999/tcp 32769/tcp 32100/udp
	network_policy db <<-Y
		podSelector: {matchLabels: {app: db}}
		ingress:
		  - from:
		      - ipBlock: {cidr: 10.77.0.0/24, except: [$(v4 mon)/32]}
		      - ipBlock: {cidr: "fd00:77::/64", except: ["$(v6 web)/128"]}
		    ports: [{port: 32000, endPort: 32768}]
	Y
	bulkhead apply
	is "$(ask api db 32000/tcp)" "$open"
	is "$(ask world db 32768/tcp)" "$open"
	is "$(ask api db 31999/tcp)" "$closed"
	is "$(ask api db 32769/tcp)" "$closed"
	is "$(ask api db 32100/udp)" "$closed"
	is "$(ask mon db 32000/tcp)" "timeout open"
	is "$(ask web db 32000/tcp)" "open timeout"
}

@test "SCTP, by its first packet" {
	network_policy db <<-'Y'
		podSelector: {matchLabels: {app: db}}
		ingress: [{ports: [{protocol: SCTP, port: 7777}]}]
	Y
	bulkhead apply
	rule=k8s_shop_db.in.from-all.7777-sctp
	for address in "$(v4 db)" "$(v6 db)"; do
		ns web "$BATS_TEST_DIRNAME/lib/sctp.py" "$address" 7777
	done
	await eval '[ "$(packets db $rule)" = 2 ]'
	for address in "$(v4 db)" "$(v6 db)"; do
		ns web "$BATS_TEST_DIRNAME/lib/sctp.py" "$address" 7778
	done
	await eval '[ "$(packets db denied.ingress)" = 2 ]'
	is "$(packets db $rule)" 2
}

@test "a service beside a policy: default-deny in both directions, and the union" {
	serve db 5432/tcp 5433/tcp
	serve web 80/tcp
	network_policy db <<-'Y'
		podSelector: {matchLabels: {app: db}}
		ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
	Y
	bulkhead apply
	is "$(ask db web 80/tcp)" "$open"
	policy service <<-'Y'
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{cidr: 10.77.0.0/24}, {cidr: "fd00:77::/64"}], ports: [5433/tcp]}]
	Y
	bulkhead apply
	is "$(ask db web 80/tcp)" "$closed"
	is "$(ask web db 5432/tcp)" "$open"
	is "$(ask web db 5433/tcp)" "$open"
	is "$(ask mon db 5433/tcp)" "$open"
	is "$(ask mon db 5432/tcp)" "$closed"
	run bulkhead check --endpoints
	[[ $output == *"k8s:shop/db, db (union)"* ]] || fail "$output"
}

@test "what a policy denies is recorded with its name and its place" {
	serve web 80/tcp
	network_policy web <<<'{podSelector: {matchLabels: {app: web}}}'
	bulkhead apply
	follow
	is "$(ask mon web 80/tcp)" "$closed"
	await grep -q k8s:shop/web "$NET_DIR/records"
	finish
	is "$(jq -r '[.verdict, .direction, .service, (.rule.file | split("/") | last), .rule.line,
		.near_miss] | map(tostring) | join(" ")' "$NET_DIR/records" | sort -u)" \
		"deny ingress k8s:shop/web web.yaml 4 null"
}

@test "bulkheadd: labels of namespaces from the host file, and others while it runs" {
	serve db 5432/tcp
	network_policy db <<-'Y'
		podSelector: {matchLabels: {app: db}}
		ingress: [{from: [{namespaceSelector: {matchLabels: {zone: a}}}]}]
	Y
	echo 'namespaces: {ops: {zone: a}}' >>"$NET_DIR/bulkhead.yaml"
	daemon_up
	is "$(ask mon db 5432/tcp)" "$open"
	is "$(ask web db 5432/tcp)" "$closed"
	sed -i 's/^namespaces: .*/namespaces: {shop: {zone: a}}/' "$NET_DIR/bulkhead.yaml"
	ctl apply
	is "$(ask mon db 5432/tcp)" "$closed"
	is "$(ask web db 5432/tcp)" "$open"
	run ctl status
	[[ $output == *k8s:shop/db* ]]
	daemon_stop
}
