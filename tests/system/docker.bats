#!/usr/bin/env bats
# Containers of a real Docker daemon, and of Podman beside it: what is listed, what selects, what
# passes. Every packet is real and stays on the host that the test made.
# shellcheck disable=SC2030,SC2031

load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	start_on_host dnsmasq --keep-in-foreground --no-resolv --no-hosts --user=root --pid-file= \
		--bind-interfaces --listen-address="$RESOLVER" --address=/up.example/192.0.2.7
	image box:1
	image box:baked 'LABEL app=web' 'LABEL tier=front'
	docker network create --ipv6 --subnet 10.66.0.0/24 --subnet fd00:66::/64 shop >/dev/null
	container web --network shop --label app=web
	container db --network shop --label app=db
	IMAGE=box:baked container imposter --network shop
	container legacy --label app=legacy --publish 127.0.0.1:8081:5432
	container agent --network host --label app=agent
	container admin --network shop --label app=admin --cap-add NET_ADMIN
	docker run --detach --name sidecar --network container:web --label app=sidecar box:1 \
		sleep 1000 >/dev/null
	policy shop <<-END
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		dns: allow
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
		dns: deny
		---
		service: legacy
		select: {labels: {app: legacy}}
		ingress: [{from: [{entity: host}], ports: [5432/tcp]}]
		dns: allow
		---
		service: agent
		select: {labels: {app: agent}}
		---
		service: admin
		select: {labels: {app: admin}}
	END
	echo 'image-labels: select' >"$NET_DIR/image-labels.yaml"
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

# One member of an endpoint, or of its state, by the container's name.
endpoint() { bulkhead endpoints --json | jq -c --arg name "$1" "select(.name == \$name) | $2"; }
state() {
	local id
	id=$(docker inspect --format '{{.Id}}' "$1")
	bulkhead status --json "${@:3}" | jq -cr --arg id "$id" "select(.endpoint == \$id) | $2"
}

@test "a running container is an endpoint with its name, addresses and image" {
	[ "$(endpoint web '[.runtime, .image, .addresses]')" = \
		"[\"docker\",\"box:1\",[\"$(v4 web)\",\"$(v6 web)\"]]" ]
	[ "$(endpoint web .id)" = "\"$(docker inspect --format '{{.Id}}' web)\"" ]
	[ "$(endpoint legacy .addresses)" = "[\"$(v4 legacy)\"]" ]
	[ "$(bulkhead endpoints --json | wc -l)" -eq 7 ]
}

@test "labels given at creation select, labels of the image do not" {
	[ "$(endpoint web '[.labels, .image_labels]')" = '[{"app":"web"},{}]' ]
	[ "$(endpoint imposter '[.labels, .image_labels]')" = '[{},{"app":"web","tier":"front"}]' ]
	[ "$(state imposter '[.state, .services]')" = '["unmanaged",""]' ]
}

@test "labels of the image select when the host file says so" {
	[ "$(state imposter .services --config "$NET_DIR/image-labels.yaml")" = web ]
}

@test "apply protects: what is allowed passes, over both families, and nothing else" {
	fetch imposter "$(v4 db)" 5432
	fetch web "$(v6 db)" 9999
	run bulkhead apply
	[ "$status" -eq 0 ]
	[ "$(state web .state)" = protected ]
	[ "$(state db .state)" = protected ]
	for db in "$(v4 db)" "$(v6 db)"; do
		fetch web "$db" 5432
		refused fetch web "$db" 9999
		refused fetch imposter "$db" 5432
	done
	refused fetch db "$(v4 web)" 5432
	fetch imposter "$(v6 imposter)" 5432 # that there is a server shows here
}

@test "a container in another one's namespace is held with it" {
	bulkhead apply
	[ "$(endpoint sidecar .netns_ino)" = "$(endpoint web .netns_ino)" ]
	[ "$(endpoint sidecar .addresses)" = "$(endpoint web .addresses)" ]
	[ "$(state sidecar .state)" = protected ]
	fetch sidecar "$(v4 db)" 5432
	refused fetch sidecar "$(v4 db)" 9999
}

@test "Docker's own tables in the namespace stay as they are" {
	bulkhead apply --clean
	before=$(table_of web)
	[[ $before == *"table ip nat"*"127.0.0.11"* ]]
	bulkhead apply
	inside web nft list table inet bulkhead >/dev/null
	[ "$(table_of web)" = "$before" ]
	bulkhead apply
	bulkhead apply --clean
	[ "$(table_of web)" = "$before" ]
	refused inside web nft list table inet bulkhead
}
