#!/usr/bin/env bats
# Docker whose runtime is bulkhead-runc: nothing of a container runs before its policy is in force, by
# whatever command it is started.
# shellcheck disable=SC2016,SC2154 # `await eval` expands later; names of lib/docker

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	local dir=$BATS_FILE_TMPDIR/docker
	mkdir -p "$dir"
	printf 'unmanaged: ignore\nstarts: {wait: 5s}\ncontrol: {socket: %s/control}\n' "$dir" \
		>"$dir/bulkhead.yaml"
	"$bulkhead_program" install --docker --default --daemon-json "$dir/daemon.json" \
		--config "$dir/bulkhead.yaml"
	more_runtimes "$dir/daemon.json"
	docker_up --config-file "$dir/daemon.json"
	pack >/dev/null
	put_into_root "${probe_program%/*}/sockets"
	image box:1
	docker network create --subnet 10.66.0.0/24 shop >/dev/null
	policy shop <<-'END'
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
		---
		service: quiet
		select: {labels: {app: quiet}}
		ingress: [{from: [{entity: host}], ports: [5432/tcp]}]
		privileges: {raw-sockets: deny}
	END
	daemon_up
	container db --network shop --label app=db
	container stranger --network shop
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

# Beside what `install` writes, one whose hook is not there, and one that would be its own runtime.
more_runtimes() { # FILE
	local own file
	own=$(realpath "${bulkhead_program%/*}/bulkhead-runc")
	file=$(jq --arg own "$own" '.runtimes += {
		hookless: {path: $own, runtimeArgs: (.runtimes.bulkhead.runtimeArgs + ["--bulkhead-hook=/nowhere"])},
		itself: {path: $own, runtimeArgs: ["--bulkhead-runtime=" + $own]}}' "$1")
	echo "$file" >"$1"
}

put_into_root() { # PROGRAM, with the libraries that it needs
	local file
	cp "$1" "$NET_DIR/root/bin/"
	for file in $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$NET_DIR/root${file%/*}"
		cp -L "$file" "$NET_DIR/root$file"
	done
}

daemon_up() {
	: >"$NET_DIR/daemon.log"
	(on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store" --config "$NET_DIR/bulkhead.yaml" \
		>>"$NET_DIR/daemon.log" 2>&1 </dev/null 3>&-) &
	await grep -q '^bulkheadd: ready' "$NET_DIR/daemon.log" || fail "$(cat "$NET_DIR/daemon.log")"
}
daemon_down() {
	local pid
	pid=$(on_host pgrep -x bulkheadd)
	on_host kill -KILL "$pid"
	await eval "! on_host kill -0 $pid"
}

ctl() { on_host "$(realpath "$bulkhead_program")" "$1" --socket "$NET_DIR/control" "${@:2}"; }
said() { ctl status --json | jq -r --arg name "$1 (" "select(.name // \"\" | startswith(\$name)) | $2"; } # NAME FILTER
state() { said "$1" .state; }
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'; $(tail -n 5 "$NET_DIR/daemon.log")"; }

# What a container's own first instructions come to: one try each, nothing is waited for.
calls() { # NAME...: a script
	local name
	for name in "$@"; do
		printf 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 2 %s 5432 >/dev/null && printf "open " || printf "shut "\n' \
			"$(v4 "$name")"
	done
}
first() { # [OPTION...]: "web's db, a stranger"
	docker run --rm --network shop "$@" box:1 /bin/sh -c "$(calls db stranger)"
}

@test "the first instruction: what is allowed passes, what is denied does not" {
	for _ in 1 2 3; do
		is "$(first --label app=web)" "open shut "
	done
	is "$(first)" "shut open " # nobody's
}

@test "run, stop and start, restart, exec, pause: it is held each time, before anything runs" {
	docker create --name again --network shop --label app=web box:1 \
		/bin/sh -c "$(calls db stranger); echo; exec sleep 1000" >/dev/null
	for turn in 1 2 3 4; do
		if [ "$turn" -le 2 ]; then
			docker stop --time 0 again >/dev/null
			docker start again >/dev/null
		else
			docker restart --time 0 again >/dev/null
		fi
		is "$(state again)" protected
		await eval '[ "$(docker logs again | wc -l)" -eq '$turn' ]' # a packet that is denied is waited for
	done
	is "$(docker logs again | sort -u)" "open shut "
	is "$(docker exec again sh -c "$(calls db stranger)")" "open shut "
	docker pause again >/dev/null
	docker unpause again >/dev/null
	docker rm --force again >/dev/null
}

@test "restarts by policy: held each time" {
	docker run --detach --name loop --restart on-failure:2 --network shop --label app=web box:1 \
		/bin/sh -c "$(calls db stranger); echo; exit 1" >/dev/null
	await eval '[ "$(docker logs loop | wc -l)" -eq 3 ]' || fail "$(docker logs loop)"
	is "$(docker logs loop | sort -u)" "open shut "
	docker rm --force loop >/dev/null
}

@test "--network none, host and container: as they are without us" {
	is "$(docker run --rm --network none --label app=web box:1 sh -c 'exec /bin/busybox ip -o link | wc -l')" 1
	docker run --rm --network host box:1 /bin/busybox ip -o link show docker0 | grep -q docker0
	is "$(docker run --rm --network container:db box:1 /bin/sh -c "$(calls stranger)")" "shut "
	is "$(docker run --rm --network container:stranger box:1 /bin/sh -c "$(calls stranger)")" "open "
}

@test "an image that is built: its RUN is a container, too" {
	printf 'FROM box:1\nRUN /bin/busybox true && echo "in the build"\n' | docker build -t built:1 - 2>&1 |
		grep -q '^in the build'
	docker image inspect built:1 >/dev/null
}

@test "what cannot get its hook does not start, and Docker says why" {
	run docker run --rm --runtime hookless box:1 /bin/busybox true
	[ "$status" -ne 0 ]
	[[ $output == *"bulkhead-runc: /nowhere: No such file or directory"* ]] || fail "$output"
	run docker run --rm --runtime itself box:1 /bin/busybox true
	[ "$status" -ne 0 ]
	[[ $output == *"no runtime: no program, or this one"* ]] || fail "$output"
	docker run --rm --runtime runc box:1 /bin/busybox true
}

@test "without bulkheadd nothing starts; what runs can be entered and ended" {
	container before --network shop
	daemon_down
	run docker run --rm --network shop --label app=web box:1 /bin/busybox touch /ran
	[ "$status" -ne 0 ]
	[[ $output == *bulkhead-runc:*"what it is to be started without is not known"* ]] || fail "$output"
	docker exec before sh -c :
	docker stop --time 0 before >/dev/null
	docker rm before >/dev/null
	daemon_up
	is "$(first --label app=web)" "open shut "
}

@test "a host file that is wrong: nothing starts, what runs can be ended" {
	container before --network shop
	cp "$NET_DIR/bulkhead.yaml" "$NET_DIR/kept"
	echo 'starts: {runtime: runc}' >>"$NET_DIR/bulkhead.yaml"
	run docker run --rm box:1 /bin/busybox true
	docker rm --force before >/dev/null
	cat "$NET_DIR/kept" >"$NET_DIR/bulkhead.yaml"
	[ "$status" -ne 0 ]
	[[ $output == *"bulkhead.yaml is not valid"* ]] || fail "$output"
	docker run --rm box:1 /bin/busybox true
}

all_refused=$'udp ok\nunix ok\nnetlink ok\nraw EPERM\npacket EPERM\nxdp EPERM\nwide-packet EPERM\ni386-packet EPERM'

@test "privileges: {raw-sockets: deny}: none of them, also not by exec; status says so" {
	is "$(docker run --rm --network shop --label app=quiet box:1 /bin/sockets)" "$all_refused"
	container quiet --network shop --label app=quiet
	is "$(docker exec quiet /bin/sockets)" "$all_refused"
	is "$(said quiet '"\(.state) \(.raw_sockets) \(.obstacle)"')" "protected denied null"
	ctl status | grep ' quiet .*raw sockets denied'
	docker restart --time 0 quiet >/dev/null
	is "$(docker exec quiet /bin/sockets)" "$all_refused"
	is "$(said quiet .raw_sockets)" denied
	fetch quiet 127.0.0.1 9999 # it works
	docker rm --force quiet >/dev/null
}

@test "seccomp alone refuses them, with Docker's profile and with none" {
	for option in --cap-add=SYS_ADMIN "--security-opt=seccomp=unconfined --cap-add=SYS_ADMIN"; do
		# shellcheck disable=SC2086
		is "$(docker run --rm --network shop --label app=quiet $option box:1 /bin/sockets own)" \
			"${all_refused/raw EPERM/raw ok}"
	done
}

@test "others keep what Docker gives them, and so does a service that is only watched" {
	run docker run --rm --network shop box:1 /bin/sockets
	[[ $output == *$'raw ok\npacket ok\nxdp ok'* ]] || fail "$output"
	sed -i 's/^service: quiet/service: quiet\nmode: audit/' "$NET_DIR/policies/shop.yaml"
	ctl apply >/dev/null
	run docker run --rm --network shop --label app=quiet box:1 /bin/sockets
	[[ $output == *$'raw ok\npacket ok\nxdp ok'* ]] || fail "$output"
	sed -i '/^mode: audit/d' "$NET_DIR/policies/shop.yaml"
	ctl apply >/dev/null
}

@test "a container that keeps its privileges all the same is told: weak" {
	container kept --network shop --label app=quiet --runtime runc
	await eval '[ "$(state kept)" = weak ]' || fail "$(ctl status)"
	is "$(said kept '"\(.raw_sockets) \(.finding)"')" "kept true"
	said kept .why | grep -q 'denies raw sockets, and it has CAP_NET_RAW'
	run ctl status
	[ "$status" -eq 1 ]
	docker rm --force kept >/dev/null
}

# What is new Docker reads when it is told to; what is gone it forgets when it starts.
@test "uninstall: a Docker that starts anew is without us; install: one that reads its configuration has us" {
	local json=$NET_DIR/daemon.json
	docker create --name old --network shop box:1 /bin/busybox true >/dev/null
	dockerd_stop
	"$bulkhead_program" uninstall --docker --daemon-json "$json"
	dockerd_start --config-file "$json"
	[ "$(docker info --format '{{.DefaultRuntime}}')" = runc ]
	[[ $(docker run --rm --label app=quiet box:1 /bin/sockets) == *"packet ok"* ]]
	run docker start old # it was made with ours
	[ "$status" -ne 0 ]
	"$bulkhead_program" install --docker --default --daemon-json "$json" --config "$NET_DIR/bulkhead.yaml"
	on_host kill -HUP "$(on_host cat /run/docker.pid)"
	await eval '[ "$(docker info --format "{{.DefaultRuntime}}")" = bulkhead ]'
	docker start old >/dev/null
	is "$(docker run --rm --label app=quiet box:1 /bin/sockets)" "$all_refused"
}
