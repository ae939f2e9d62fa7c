#!/usr/bin/env bats
# The daemon beside a real Docker: containers that come, end and come again, without any command.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up --live-restore
	image box:1
	docker network create --subnet 10.66.0.0/24 shop >/dev/null
	container db --network shop --label app=db
	container web --network shop --label app=web
	container stranger --network shop
	policy shop <<-'END'
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
	END
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	[ -e "$NET_DIR/started" ] || daemon_up
}

# On that host, with everything as it is by default but for the policies.
daemon_up() {
	start_on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store"
	await grep -q '^bulkheadd: ready' "$NET_DIR/log"
	: >"$NET_DIR/started"
}
daemon_pid() { on_host pgrep -x bulkheadd; }
descriptors() { on_host find "/proc/$(daemon_pid)/fd" -type l -printf '%l\n'; }
ctl() { on_host "$(realpath "$bulkhead_program")" "$@"; }
state() { # NAME
	ctl status --json | jq -r --arg id "$(docker inspect --format '{{.Id}}' "$1")" \
		'select(.endpoint == $id) | .state'
}
is() { [ "$(state "$1")" = "$2" ]; } # NAME STATE
docker_is() { # STATE: as the daemon sees it
	[ "$(ctl status --json | jq -r '.engines[]? | select(.engine == "docker") | .state')" = "$1" ]
}
ms_since() { echo "$((${EPOCHREALTIME/./} / 1000 - ${1/./} / 1000))"; } # EPOCHREALTIME

@test "containers with Docker's own capabilities are protected, and what is allowed passes" {
	run ctl status
	echo "$output"
	[ "$status" -eq 0 ]
	is web protected
	is db protected
	[ "$(docker inspect --format '{{.HostConfig.CapDrop}}' web)" = '[]' ]
	fetch web "$(v4 db)" 5432
	refused fetch web "$(v4 db)" 9999
	refused fetch stranger "$(v4 db)" 5432
	run inside web setpriv "--bounding-set=-all,+net_raw" --inh-caps=-all -- \
		"$(realpath "${probe_program%/*}/xdpsend")" hold eth0 0
	[ "$status $output" = "1 bind: EBUSY" ]
	bulkhead status || [ $? -eq 1 ] # without asking it: they are weak
	bulkhead status | grep -q '^weak .*web.*AF_XDP'
}

# The namespace is gone when the other end of its devices is.
released() { [ "$(on_host ip -br link show type veth | wc -l)" -eq "$1" ]; } # VETHS
lets_go() { # COMMAND...: of web, within 2 s
	local before began fds
	before=$(on_host ip -br link show type veth | wc -l)
	fds=$(descriptors | wc -l)
	"$@" >/dev/null
	began=$EPOCHREALTIME
	await released $((before - 1)) || fail "after $*: $(descriptors)"
	[ "$(ms_since "$began")" -lt 2000 ] || fail "after $*: $(ms_since "$began") ms"
	await eval "[ \$(descriptors | wc -l) -lt $fds ]"
	echo "# $*: let go of after $(ms_since "$began") ms" >&3
}

@test "a container that ends is let go of within 2 s, however it ends" {
	lets_go docker stop --time 0 web
	docker start web >/dev/null
	await is web protected
	lets_go docker kill web
	docker start web >/dev/null
	await is web protected
	lets_go docker rm -f web
	container web --network shop --label app=web
	await is web protected
}

# From the moment that Docker gives for its first instruction.
ms_after_start() { # NAME EPOCHREALTIME
	local at
	at=$(date -d "$(docker inspect --format '{{.State.StartedAt}}' "$1")" +%s%3N)
	echo $((${2/./} / 1000 - at))
}

# No promise yet: until then it is open. It is the figure to beat.
@test "a container that is started again is held again, without a command" {
	local pid held
	for _ in 1 2 3; do
		docker restart --time 0 db >/dev/null
		pid=$(pid_of db)
		until on_host nsenter --net --target "$pid" nft list table inet bulkhead >/dev/null 2>&1; do :; done
		held=$EPOCHREALTIME
		echo "# held $(ms_after_start db "$held") ms after its start" >&3
		await is db protected
		run inside db nft delete table inet bulkhead
		[[ $output == *"Operation not permitted"* ]]
	done
	await fetch web "$(v4 db)" 5432
	refused fetch web "$(v4 db)" 9999
}

@test "a network that is joined later counts by itself" {
	docker network create --subnet 10.67.0.0/24 late >/dev/null
	docker network connect late web
	docker network connect late db
	await fetch web 10.67.0.3 5432
	refused fetch web 10.67.0.3 9999
	await is web protected
	run inside web setpriv "--bounding-set=-all,+net_raw" --inh-caps=-all -- \
		"$(realpath "${probe_program%/*}/xdpsend")" hold eth1 0
	[ "$status $output" = "1 bind: EBUSY" ]
}

@test "a Docker that is away: what it holds stays; when it is back it is asked again" {
	pid=$(pid_of db)
	await docker_is connected
	dockerd_stop # its containers run on
	await docker_is lost
	await eval 'ctl status 2>/dev/null | grep -q "^trouble *bulkheadd .* docker lost since .*the last look failed: containers are running"'
	run ctl status
	[ "$status" -eq 3 ]
	[[ $output == *"containers are running"*"Docker does not answer"* ]]
	run ctl apply
	[ "$status" -eq 3 ]
	run on_host nsenter --net --target "$pid" nft delete table inet bulkhead
	[[ $output == *"Operation not permitted"* ]] || fail "$output; $(grep -a -v level= "$NET_DIR/log" | tail -n 40)"
	dockerd_start --live-restore
	await is db protected
	await docker_is connected
	is web protected || fail "$(ctl status; grep -a -v level= "$NET_DIR/log" | tail -n 40)"
	fetch web "$(v4 db)" 5432
	docker restart --time 0 db >/dev/null
	await is db protected
}
