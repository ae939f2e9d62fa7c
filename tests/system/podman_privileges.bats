#!/usr/bin/env bats
# Podman with the hooks that `install --podman` puts into its directory: nothing runs before its policy,
# and `privileges:` is kept to.
# shellcheck disable=SC2016,SC2154 # `await eval` expands later; names of lib/docker

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	podman_up file
	printf 'unmanaged: ignore\nruntimes: {docker: false}\nstarts: {wait: 5s}\ncontrol: {socket: %s/control}\n' \
		"$NET_DIR" >"$NET_DIR/bulkhead.yaml"
	"$bulkhead_program" install --podman --hooks-dir "$NET_DIR/hooks.d" --config "$NET_DIR/bulkhead.yaml"
	pack >/dev/null
	put_into_root "${probe_program%/*}/sockets"
	pack | podman import - localhost/box:1 >/dev/null 2>&1
	policy shop <<-'END'
		service: quiet
		select: {labels: {app: quiet}}
		privileges: {raw-sockets: deny}
		---
		service: other
		select: {labels: {app: other}}
	END
	daemon_up
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

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
ctl() { on_host "$(realpath "$bulkhead_program")" "$1" --socket "$NET_DIR/control" "${@:2}"; }
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'; $(tail -n 5 "$NET_DIR/daemon.log")"; }
quiet_says() { ctl status --json | jq -r 'select(.services == "quiet") | "\(.state) \(.raw_sockets)"'; }
run_podman() { podman --hooks-dir "$NET_DIR/hooks.d" run "$@"; }

@test "a service that denies raw sockets: none, by capability and by seccomp; status says so" {
	is "$(run_podman --rm --cap-add NET_RAW --label app=quiet localhost/box:1 /bin/sockets | tr '\n' ' ')" \
		"udp ok unix ok netlink ok raw EPERM packet EPERM xdp EPERM wide-packet EPERM i386-packet EPERM "
	run_podman --detach --name quiet --label app=quiet localhost/box:1 sleep 1000 >/dev/null 3>&-
	await eval '[ "$(quiet_says)" = "protected denied" ]' || fail "$(ctl status)"
	podman rm --force --time 0 quiet >/dev/null
}

@test "others keep them" {
	run run_podman --rm --cap-add NET_RAW --label app=other localhost/box:1 /bin/sockets
	[[ $output == *$'raw ok\npacket ok\nxdp ok'* ]] || fail "$output"
}

@test "without bulkheadd nothing starts" {
	local pid
	pid=$(on_host pgrep -x bulkheadd)
	on_host kill -KILL "$pid"
	await eval "! on_host kill -0 $pid"
	run run_podman --rm --label app=quiet localhost/box:1 /bin/busybox true
	daemon_up
	[ "$status" -ne 0 ]
}
