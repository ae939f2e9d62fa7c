#!/usr/bin/env bats
# Who a container is, is known while a hook holds its start, when Docker does not answer for it (nor at all,
# while it starts itself) and Podman does not either: so its whole policy is in force before its first
# instruction, and nobody becomes a service whose image is another one.
# shellcheck disable=SC2016,SC2028,SC2154

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export KEPT_OPTIONS
	KEPT_OPTIONS="--add-runtime held=$BATS_FILE_TMPDIR/held --config-file=$BATS_FILE_TMPDIR/empty.json"
	echo '{}' >"$BATS_FILE_TMPDIR/empty.json"
	hooked_runtime >"$BATS_FILE_TMPDIR/held"
	chmod +x "$BATS_FILE_TMPDIR/held"
	# shellcheck disable=SC2086
	docker_up $KEPT_OPTIONS
	image box:1 'LABEL tier=front'
	podman_up file
	pack | podman import --change 'LABEL tier=front' - localhost/box:1 >/dev/null
	mkdir "$NET_DIR/hooks"
	hook podman | jq '{version: "1.0.0", hook: ., when: {always: true}, stages: ["createRuntime"]}' \
		>"$NET_DIR/hooks/bulkhead.json"
	container db --label app=db
	policy shop <<-END
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}, {cidr: $(v4 db)/32}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}, {service: pinned}], ports: [5432/tcp]}]
		---
		service: pinned
		select: {labels: {app: pinned}, image: "box@$(docker image inspect --format '{{.Id}}' box:1)"}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: baked
		select: {labels: {tier: front}}
		egress: [{to: [{cidr: 0.0.0.0/0}]}]
	END
	printf '%s\n' 'unmanaged: quarantine' >"$NET_DIR/bulkhead.yaml"
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }
teardown() {
	guard_gone
	# shellcheck disable=SC2046
	docker rm -f $(docker ps -aq --filter label=app=web --filter label=app=pinned) >/dev/null 2>&1 || true
	docker rm -f web pinned >/dev/null 2>&1 || true
	podman rm --all --force --time 0 >/dev/null 2>&1 || true
}

hook() { # RUNTIME: as config.json has it
	jq -n --arg hook "$(realpath "${bulkhead_program%/*}/bulkhead-oci-hook")" --arg runtime "$1" \
		'{path: $hook, args: ["bulkhead-oci-hook", "--runtime", $runtime]}'
}

# A runtime that gives each container the hook.
hooked_runtime() {
	cat <<-END
		#!/bin/bash
		for ((i = 1; i < \$#; i++)); do
			[ "\${!i}" != --bundle ] || { next=\$((i + 1)) && bundle=\${!next}; }
		done
		case " \$* " in *" create "*)
			jq --argjson hook '$(hook docker | jq -c)' '.hooks.createRuntime += [\$hook]' \
				"\$bundle/config.json" >"\$bundle/hooked.json" &&
				mv "\$bundle/hooked.json" "\$bundle/config.json" || exit
		esac
		exec runc "\$@"
	END
}

guard_up() {
	: >"$NET_DIR/guard.log"
	(on_host "${guard_program:-$(realpath "${bulkhead_program%/*}/bulkheadd")}" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store" --config "$NET_DIR/bulkhead.yaml" >"$NET_DIR/guard.log" 2>&1 </dev/null 3>&-) &
	await grep -q '^bulkheadd: ready' "$NET_DIR/guard.log" || fail "$(cat "$NET_DIR/guard.log")"
}
guard_gone() {
	on_host pkill -x bulkheadd || return 0
	await eval "! on_host pgrep -x bulkheadd >/dev/null"
}
state_of() { # NAME: state and services
	on_host "$(realpath "$bulkhead_program")" status --json |
		jq -r --arg name "$1 " 'select(.name != null and (.name | startswith($name))) | "\(.state) \(.services)"'
}

# One try each at the first instruction: what is allowed, what is not.
tries() { # [ADDRESS]
	local to=${1:-$(v4 db)}
	echo "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 $to 5432 >/dev/null 2>&1 && a=open || a=shut
		printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 $to 9999 >/dev/null 2>&1 && b=open || b=shut
		echo \$a \$b"
}

@test "Docker: given labels select at the first instruction, those of the image do not" {
	guard_up
	for i in {1..5}; do
		run docker run --rm --runtime held --name "web$i" --label app=web box:1 sh -c "$(tries)"
		[ "$status $output" = "0 open shut" ] || fail "start $i: $output; $(cat "$NET_DIR/guard.log")"
	done
	run docker run --rm --runtime held --name baked box:1 sh -c "$(tries)"
	[ "$status $output" = "0 shut shut" ] || fail "$output; $(cat "$NET_DIR/guard.log")"
}

@test "Docker: one whose image is another never becomes the service that it would be" {
	guard_up
	pack | docker import --change 'ENV other=1' - box:2 >/dev/null
	docker tag box:2 box:moved
	run docker run --rm --runtime held --name pinned --label app=pinned box:1 sh -c "$(tries)"
	[ "$status $output" = "0 open shut" ] || fail "$output; $(cat "$NET_DIR/guard.log")"
	run docker run --rm --runtime held --name pinned --label app=pinned box:moved sh -c "$(tries)"
	[ "$status $output" = "0 shut shut" ] || fail "$output; $(cat "$NET_DIR/guard.log")"
}

# dockerd starts it before its API answers, and the daemon has never heard of it.
@test "Docker starts itself and what shall always run: it runs, and is who it is, also for a daemon that is new" {
	on_host sh -c "mkdir -p /etc/docker && echo '{\"data-root\": \"$NET_DIR/data\"}' >/etc/docker/daemon.json"
	guard_up
	docker run -d --restart always --runtime held --name web --label app=web box:1 \
		sh -c "$(tries); exec sleep 1000" >/dev/null
	await eval '[ "$(docker logs web)" = "open shut" ]'
	docker rm -f db >/dev/null
	docker run -d --restart always --name db --label app=db box:1 \
		sh -c 'httpd -p 9999; exec httpd -f -p 5432' >/dev/null
	guard_gone
	dockerd_stop
	guard_up
	# shellcheck disable=SC2086
	dockerd_start $KEPT_OPTIONS
	await eval '[ "$(docker inspect --format "{{.State.Running}}" web)" = true ]' || fail "$(cat "$NET_DIR/guard.log" "$NET_DIR/log")"
	await eval '[ "$(state_of web)" = "protected web" ]' || fail "$(state_of web)"
	[ "$(docker logs web | wc -l)" -eq 2 ] || await eval '[ "$(docker logs web | wc -l)" -eq 2 ]'
	[[ $(docker logs web | tail -n 1) == *" shut" ]]
	await fetch web "$(v4 db)" 5432
	on_host rm /etc/docker/daemon.json
}

@test "Podman: given labels select at the first instruction, those of the image do not, at a restart as well" {
	local tries
	podman run --detach --name pdb --label app=db localhost/box:1 \
		sh -c 'httpd -p 9999; exec httpd -f -p 5432' >/dev/null
	tries=$(tries "$(podman inspect --format '{{.NetworkSettings.IPAddress}}' pdb)")
	guard_up
	podman --hooks-dir "$NET_DIR/hooks" run --name web --label app=web localhost/box:1 sh -c "$tries" >"$NET_DIR/out" 2>&1 ||
		fail "$(cat "$NET_DIR/out" "$NET_DIR/guard.log")"
	[ "$(cat "$NET_DIR/out")" = "open shut" ] || fail "$(cat "$NET_DIR/out" "$NET_DIR/guard.log")"
	run podman --hooks-dir "$NET_DIR/hooks" start --attach web
	[ "$output" = "open shut" ] || fail "$output; $(cat "$NET_DIR/guard.log")"
	run podman --hooks-dir "$NET_DIR/hooks" run --rm --name baked localhost/box:1 sh -c "$tries"
	[ "$output" = "shut shut" ] || fail "$output; $(cat "$NET_DIR/guard.log")"
}

# Podman's list waits for the start, which waits for the daemon: here two seconds, for a logger.
@test "Podman: who asks for status, or changes a policy, while a start is held does not keep it from starting" {
	local pid guard_program=$NET_DIR/alone/bulkheadd
	mkdir -p "$NET_DIR/alone"
	cp "${bulkhead_program%/*}/bulkheadd" "$guard_program"
	guard_up
	podman --hooks-dir "$NET_DIR/hooks" run --name web --label app=web localhost/box:1 sh -c 'echo runs' \
		>"$NET_DIR/held.out" 2>&1 3>&- &
	pid=$!
	await on_host pgrep -f "bulkhead-oci-hook --runtime podman"
	await eval '[ "$(on_host "$(realpath "$bulkhead_program")" status --json | jq -s "map(select(.name)) | length")" -ge 1 ]'
	policy extra <<<'{service: extra, select: {labels: {app: none}}}'
	on_host "$(realpath "$bulkhead_program")" apply >/dev/null
	kill -0 "$pid" # all this came before it started
	wait "$pid" || fail "$(cat "$NET_DIR/held.out" "$NET_DIR/guard.log")"
	[ "$(cat "$NET_DIR/held.out")" = runs ] || fail "$(cat "$NET_DIR/held.out")"
}
