#!/usr/bin/env bats
# Containers of a real Docker daemon, and of Podman beside it: what is listed, what selects, what
# passes. Every packet is real and stays on the host that the test made.
# shellcheck disable=SC2030,SC2031

load lib/docker
load lib/dns

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	start_on_host dnsmasq --keep-in-foreground --no-resolv --no-hosts --user=root --pid-file= \
		--bind-interfaces --listen-address="$RESOLVER" --address=/up.example/192.0.2.7
	image box:1
	image box:baked 'LABEL app=web' 'LABEL tier=front'
	docker network create --ipv6 --subnet 10.66.0.0/24 --subnet fd00:66::/64 shop >/dev/null
	container web --network shop --label app=web --cap-drop NET_RAW
	container db --network shop --label app=db --cap-drop NET_RAW
	IMAGE=box:baked container imposter --network shop
	container legacy --label app=legacy --publish 127.0.0.1:8081:5432
	container agent --network host --label app=agent
	docker run --detach --name agent2 --network container:agent box:1 sleep 1000 >/dev/null
	container admin --network shop --label app=admin --cap-add NET_ADMIN
	docker run --detach --name sidecar --network container:web --label app=sidecar --cap-drop NET_RAW \
		box:1 sleep 1000 >/dev/null
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
	[ "$(bulkhead endpoints --json | wc -l)" -eq 8 ]
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
	await fetch imposter "$(v4 db)" 5432
	await fetch web "$(v6 db)" 9999
	run bulkhead apply
	[ "$status" -eq 0 ]
	[ "$(state web .state)" = shared ] # with sidecar
	[ "$(state db .state)" = protected ]
	for db in "$(v4 db)" "$(v6 db)"; do
		fetch web "$db" 5432
		refused fetch web "$db" 9999
		refused fetch imposter "$db" 5432
	done
	refused fetch db "$(v4 web)" 5432
	fetch imposter "$(v6 imposter)" 5432 # its server runs: what it lacked was leave to go out
}

@test "a container in another one's namespace is held with it" {
	bulkhead apply
	[ "$(endpoint sidecar .netns_ino)" = "$(endpoint web .netns_ino)" ]
	[ "$(endpoint sidecar .addresses)" = "$(endpoint web .addresses)" ]
	[ "$(state sidecar '[.state, .finding]')" = '["shared",true]' ] # no service selects it
	[ "$(state web .state)" = shared ]
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

# --- names -----------------------------------------------------------------------------------

# Docker's own server in the container, and through it the one on the host.
resolves() { docker exec "$1" nslookup -type=a "$2" "$3" | grep -q "^Address: ${4}\$"; }

@test "on a user network names resolve: Docker's server asks for the container" {
	bulkhead apply
	resolves web db 127.0.0.11 "$(v4 db)"
	resolves web up.example 127.0.0.11 192.0.2.7
	resolves db web 127.0.0.11 "$(v4 web)" # among containers nothing leaves
	refused resolves db up.example 127.0.0.11 192.0.2.7
	[ "$(endpoint web .resolvers)" = "[\"$RESOLVER\"]" ]
}

@test "on the default bridge names resolve as well" {
	bulkhead apply
	resolves legacy up.example "$RESOLVER" 192.0.2.7
	[ "$(endpoint legacy .resolvers)" = "[\"$RESOLVER\"]" ]
}

# Queries that come to the host's server from a container's own address.
count_queries() { # NAME...
	local name
	on_host nft -f - <<-N
		table ip queries {
			chain in {
				type filter hook input priority 0
				$(for name in "$@"; do
		printf 'ip saddr %s ip daddr %s th dport 53 counter comment "%s"\n' \
			"$(v4 "$name")" "$RESOLVER" "$name"
	done)
			}
		}
	N
}
queries_of() { # NAME
	on_host nft -j list chain ip queries in | jq --arg name "$1" \
		'.nftables[].rule? | select(.comment? == $name) | .expr[] | .counter?.packets? // empty'
}

@test "by TCP as by UDP, and only with dns: allow: what Docker asks for a container is the container's" {
	local proto
	bulkhead apply
	count_queries web db
	for proto in udp tcp; do
		dns_answers $proto 127.0.0.11 inside web
		dns_answers $proto "$RESOLVER" inside legacy # on the default bridge
		refused dns_answers $proto 127.0.0.11 inside db
		refused dns_answers $proto "$RESOLVER" inside db
	done
	[ "$(queries_of web)" -ge 2 ]
	[ "$(queries_of db)" -eq 0 ]
	on_host nft delete table ip queries
	# What is open to Docker's server in it is open to the container: its address, and 53 only.
	dns_answers tcp "$RESOLVER" inside web
	run inside web timeout 1 bash -c "echo >/dev/tcp/$RESOLVER/54"
	[ "$status" -eq 124 ] # not even refused
	bulkhead apply --clean
	dns_answers tcp 127.0.0.11 inside db # it was the policy
	run inside web timeout 1 bash -c "echo >/dev/tcp/$RESOLVER/54"
	[ "$status" -eq 1 ]
	bulkhead apply
}

@test "a query that Docker's server may not pass on is recorded as the container's" {
	bulkhead apply
	follow --json
	refused dns_answers udp 127.0.0.11 inside db
	await grep -q '"port":53[,}]' "$NET_DIR/records"
	followed
	[ "$(jq -rs '[.[] | select(.destination.port == 53)][0] | [.direction, .verdict, .protocol,
		.endpoint.name, .destination.address, .uid] | join(" ")' "$NET_DIR/records")" = \
		"egress deny udp db $RESOLVER 0" ]
}

@test "a resolv.conf that was changed from inside opens nothing" {
	docker exec legacy sh -c 'echo nameserver 10.66.0.99 >>/etc/resolv.conf'
	said=$(bulkhead endpoints --json 2>&1 >"$NET_DIR/endpoints")
	[[ $said == *"container legacy: its resolv.conf was changed"*"[unknown-resolver]"* ]]
	refused grep 10.66.0.99 "$NET_DIR/endpoints"
	[ "$(endpoint legacy .resolvers 2>/dev/null)" = "[\"$RESOLVER\"]" ]
}

# --- what cannot be held ---------------------------------------------------------------------

@test "a container on the host's network is shown, unprotected, and the host left alone" {
	bulkhead apply
	[ "$(state agent '[.state, .finding]')" = '["host-network",true]' ]
	[[ $(state agent .why) == *"shares the host's network namespace"* ]]
	[[ $(on_host nft list tables) != *bulkhead* ]]
	[[ $(endpoint agent .addresses) == *"$RESOLVER"* ]] # the host's
	[ "$(endpoint agent2 '[.obstacle, .addresses]')" = "$(endpoint agent '[.obstacle, .addresses]')" ]
	run bulkhead status
	[ "$status" -eq 1 ]
}

@test "a container with CAP_NET_ADMIN is enforced, but never called protected" {
	bulkhead apply
	[ "$(state admin '[.state, .finding]')" = '["weak",true]' ]
	[[ $(state admin .why) == *CAP_NET_ADMIN* ]]
	refused fetch admin "$(v4 db)" 5432
}

@test "a container with Docker's own set of capabilities is enforced, but never called protected" {
	bulkhead apply
	[ "$(state legacy '[.state, .finding]')" = '["weak",true]' ]
	[[ $(state legacy .why) == *CAP_NET_RAW*"drop the capability"* ]]
	[ "$(endpoint web .obstacle)" = null ]
	refused fetch web "$(v4 legacy)" 9999
}

# --- life ------------------------------------------------------------------------------------

@test "a published port is entity: host" {
	bulkhead apply
	on_host sh -c 'printf "GET /ok HTTP/1.0\r\n\r\n" | busybox nc -w 1 127.0.0.1 8081' |
		grep 'here you are'
	refused fetch web "$(v4 legacy)" 5432
}

@test "a restarted container is not protected until the next apply" {
	bulkhead apply
	docker restart --time 0 db >/dev/null
	[ "$(state db '[.state, .finding]')" = '["unprotected",true]' ]
	bulkhead apply
	[ "$(state db .state)" = protected ]
	await fetch web "$(v4 db)" 5432
	refused fetch web "$(v4 db)" 9999
}

@test "a paused container keeps its table" {
	bulkhead apply
	docker pause db >/dev/null
	bulkhead apply
	[ "$(state db .state)" = protected ]
	docker unpause db >/dev/null
	fetch web "$(v4 db)" 5432
	refused fetch web "$(v4 db)" 9999
}

@test "a network that is joined later counts at the next apply" {
	docker network create --subnet 10.67.0.0/24 late >/dev/null
	docker network connect late web
	docker network connect late db
	bulkhead apply
	[[ $(endpoint db .addresses) == *10.67.0.3* ]]
	fetch web 10.67.0.3 5432
	refused fetch web 10.67.0.3 9999
}

@test "denied connections name the containers" {
	bulkhead apply
	follow --json
	refused fetch db "$(v4 web)" 9999
	await grep -q '"port":9999' "$NET_DIR/records"
	followed
	[ "$(jq -rs '[.[] | select(.direction == "egress" and .destination.port == 9999)][0]
		| [.direction, .endpoint.name, .endpoint.runtime, .endpoint.image,
		   .source.name, .destination.service] | join(" ")' "$NET_DIR/records")" = \
		"egress db docker box:1 db web" ]
}

@test "a socket where nobody answers: said, exit 3, nothing changed" {
	bulkhead apply
	before=$(inside web nft --stateless --handle list ruleset)
	run bulkhead apply --docker-socket /run/nobody.sock
	[ "$status" -eq 3 ]
	[[ $output == *"Docker does not answer on /run/nobody.sock: No such file or directory"* ]]
	[ "$(inside web nft --stateless --handle list ruleset)" = "$before" ]
}

# --- Podman ----------------------------------------------------------------------------------

pfetch() { # ADDRESS PORT
	podman exec pclient sh -c "printf 'GET /ok HTTP/1.0\\r\\n\\r\\n' | nc -w 1 $1 $2" |
		grep -q 'here you are'
}

@test "Podman's containers by the same API, beside Docker's" {
	podman_up
	pack | podman import --change 'LABEL app=web' - box:baked >/dev/null
	for name in client server; do
		podman run --detach --name "p$name" --label "app=p$name" --cap-drop NET_RAW \
			localhost/box:baked \
			sh -c 'httpd -p 9999; exec httpd -f -p 5432' >/dev/null
	done
	podman run --detach --name pagent --network host box:baked sleep 1000 >/dev/null
	policy podman <<-END
		service: pclient
		select: {labels: {app: pclient}}
		egress: [{to: [{service: pserver}], ports: [5432/tcp]}]
		dns: allow
		---
		service: pserver
		select: {runtime: podman, labels: {app: pserver}}
		ingress: [{from: [{service: pclient}], ports: [5432/tcp]}]
		---
		service: pagent
		select: {name: pagent}
	END
	[ "$(endpoint pclient '[.runtime, .image, .labels, .image_labels, .resolvers]')" = \
		'["podman","localhost/box:baked",{"app":"pclient"},{},["192.0.2.53"]]' ]
	[ "$(endpoint pagent '[.labels, .image_labels]')" = '[{},{"app":"web"}]' ]
	[ "$(bulkhead endpoints --json | jq -r .name | grep -c '^netns-')" -eq 0 ]
	server=$(podman inspect --format '{{.NetworkSettings.IPAddress}}' pserver)
	await pfetch "$server" 9999
	bulkhead apply
	pfetch "$server" 5432
	refused pfetch "$server" 9999
	bulkhead status --json >"$NET_DIR/status" || [ $? -eq 1 ]
	[ "$(jq -r 'select(.services | startswith("p")) | .services + " " + .state' \
		"$NET_DIR/status" | sort | xargs)" = \
		"pagent host-network pclient protected pserver protected" ]
	podman pause pserver >/dev/null
	bulkhead apply
	podman unpause pserver >/dev/null
	pfetch "$server" 5432
	refused pfetch "$server" 9999
	podman run --detach --name proot --label app=proot --rootfs "$NET_DIR/root" \
		/bin/sleep 1000 >/dev/null
	[ "$(endpoint proot '[.labels, .image_labels]')" = '[{"app":"proot"},{}]' ]
	[ "$(endpoint proot .obstacle)" = '"raw-sockets"' ]
	rm "$NET_DIR/policies/podman.yaml"
}

# Last: nothing of ours is left in any namespace.
@test "apply --clean leaves no trace" {
	bulkhead apply --clean
	for name in web db imposter legacy admin; do
		[[ $(inside "$name" nft list tables) != *bulkhead* ]]
	done
	fetch web "$(v4 db)" 9999
}
