#!/usr/bin/env bats
# verify on a host of its own, with Docker: what Docker itself puts there is no finding, and what its
# options give away is.
# shellcheck disable=SC2154 # names of lib/docker

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	docker_up
	image box:1
	docker network create --subnet 10.68.0.0/24 cde >/dev/null
	container web --network cde --label app=web
	container db --network cde --label app=db --cap-drop NET_RAW
	policy shop <<-'Y'
		scope: cde
		title: Card data
		---
		service: web
		scope: cde
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]
		    reason: orders
		---
		service: db
		scope: cde
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp]
		    reason: orders
	Y
	start_on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store"
	await grep -q '^bulkheadd: ready' "$NET_DIR/log" || fail "$(cat "$NET_DIR/log")"
}
teardown_file() { docker_down; }

verify() { bulkhead verify --json "$@"; }
found() { jq -r "select(.finding == \"$1\") | .name + \": \" + .text" <<<"$output"; } # ID

@test "Docker's default capabilities, held by the daemon: nothing but notes" {
	run --separate-stderr verify --socket /run/bulkhead/control.sock --scope cde
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	jq -es '.[-1] | .passed and .protected == 2 and .errors == 0 and .warnings == 0' <<<"$output"
	# Docker's name server, in both
	[ "$(found foreign-chain | grep -c 'table ip nat (nat, hook output, .* translates addresses')" -eq 2 ]
	# without a word of the daemon, the queues are somebody's
	run --separate-stderr verify --scope cde
	[ "$status" -eq 1 ]
	[[ $(found raw-sockets) = "web ("*"no daemon says that it holds them" ]]
}

@test "NET_ADMIN, chains behind ours, and one that nobody selects" {
	container boss --network cde --label app=db --cap-add NET_ADMIN
	container tools --network cde
	await eval '[ "$(bulkhead status --json 2>/dev/null | jq -s "map(select(.endpoint)) | length")" -ge 4 ]'
	run --separate-stderr verify --socket /run/bulkhead/control.sock --scope cde
	[ "$status" -eq 1 ]
	[[ $(found net-admin) = "boss ("* ]]
	[[ $(found neighbour-unheld) = "tools ("*"(unmanaged) is on network 10.68.0.0/24 with "*" of scope cde" ]]
	inside boss nft add table inet evil
	inside boss nft add chain inet evil late '{ type route hook output priority 300; }'
	inside boss nft add rule inet evil late meta l4proto tcp ip daddr set 10.68.0.9
	run --separate-stderr verify --socket /run/bulkhead/control.sock --scope cde
	[ "$status" -eq 1 ]
	[[ $(found foreign-rewrites) = "boss ("*"(payload)" ]]
	docker rm -f boss tools >/dev/null
	await verify --socket /run/bulkhead/control.sock --scope cde
}

@test "a namespace with a device that no engine lists" {
	start_on_host unshare --net sh -c 'ip link add br9 type bridge; exec sleep 60'
	await eval 'verify --socket /run/bulkhead/control.sock | grep -q unlisted-namespace'
	run --separate-stderr verify --socket /run/bulkhead/control.sock
	[ "$status" -eq 1 ]
	[[ $(found unlisted-namespace) = *"(sleep)), with 1 device, is nobody's that is listed" ]]
}
