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
	runtimes "$dir" >"$dir/daemon.json"
	docker_up --config-file "$dir/daemon.json"
	pack >/dev/null
	put_into_root "${probe_program%/*}/rawsend"
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
		#privileges: {raw-sockets: deny}
	END
	daemon_up
	container db --network shop --label app=db
	container stranger --network shop
}
teardown_file() { cp $NET_DIR/daemon.log /tmp/h/runc/x/daemon.log; docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

# bulkhead-runc as Docker's default, and beside it one whose hook is not there, and runc itself.
runtimes() { # DIR
	local own
	own=$(realpath "${bulkhead_program%/*}/bulkhead-runc")
	jq -n --arg own "$own" --arg config "--bulkhead-config=$1/bulkhead.yaml" '{
		"default-runtime": "bulkhead",
		runtimes: {
			bulkhead: {path: $own, runtimeArgs: [$config]},
			hookless: {path: $own, runtimeArgs: [$config, "--bulkhead-hook=/nowhere"]},
			itself: {path: $own, runtimeArgs: ["--bulkhead-runtime=" + $own]}}}'
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
	for _ in 1 2 3 4 5; do
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
