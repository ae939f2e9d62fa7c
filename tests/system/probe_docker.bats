#!/usr/bin/env bats
# bulkhead probe on containers of Docker, in several of its networks, and the host's firewall between them.
# shellcheck disable=SC2154 # names of lib/docker

load lib/docker

setup_file() {
	docker_up
	image box:1
	docker network create --subnet 10.66.0.0/24 front >/dev/null
	docker network create --subnet 10.67.0.0/24 --internal back >/dev/null
	container web --network front --label app=web
	container api --network front --label app=api
	docker network connect back api
	container db --network back --label app=db
	policy web <<-'Y'
		service: web
		select: {labels: {app: web}}
		ingress: [{from: [{entity: world}], ports: [9999/tcp]}]
		egress: [{to: [{service: api}], ports: [9999/tcp, 7000/udp]}]
		dns: allow
	Y
	policy api <<-'Y'
		service: api
		select: {labels: {app: api}}
		ingress: [{from: [{service: web}], ports: [9999/tcp, 7000/udp]}]
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		dns: allow
	Y
	policy db <<-'Y'
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: api}], ports: [5432/tcp]}]
	Y
	bulkhead apply
}
teardown_file() { docker_down; }

summary() { jq -e "select(.kind == \"summary\") | $1" >/dev/null <<<"$output" || fail "not so: $1: $output"; }

@test "containers in two networks: all is judged but what the host drops between them" {
	run bulkhead probe --json
	[ "$status" -eq 0 ] || fail "$output"
	summary '.findings == 0 and .tables_bad == 0 and .endpoints == 3'
	# web may call api, by either of its addresses; to that of the other network nothing gets through
	summary '(.reasons | del(.["no-way"])) == {"other-way": 2} and .result == "clean"'
	run bulkhead probe
	[[ $output == *"not probed  web ("*") -> api ("*"), 2 packets: it did not get to that address"* ]] || fail "$output"
	run bulkhead probe --from api --to db --json
	[ "$status" -eq 0 ] || fail "$output"
	summary '.passed == 1 and .not_probed == 0'
}

@test "what is allowed and gets to none of its addresses is lost" {
	docker network disconnect front api
	bulkhead apply
	run bulkhead probe --from web --to api --json
	[ "$status" -eq 1 ]
	summary '.reasons.lost == 2 and .findings == 0 and .result == "incomplete"'
	docker network connect front api
	bulkhead apply
}

@test "a container's own firewall that is opened: found" {
	local pid
	pid=$(docker inspect --format '{{.State.Pid}}' db)
	on_host nsenter --net="/proc/$pid/ns/net" nft insert rule inet bulkhead output udp dport 53 accept
	run bulkhead probe --json --from db --to api
	[ "$status" -eq 1 ]
	[ "$(jq -r 'select(.kind == "finding") | "\(.fault) \(.from_name) \(.to_name) \(.protocol) \(.port)"' <<<"$output" | sort -u)" = "left db api udp 53" ] || fail "$output"
	bulkhead apply
}
