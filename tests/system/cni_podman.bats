#!/usr/bin/env bats
# Podman whose networks are chains of CNI plugins, bulkhead-cni the last of them: what a container may
# do is in force before its first instruction, and nothing else passes.

load lib/docker
load lib/cni

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	host_up
	cni_up
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	policy shop <<-END
		service: web
		select: {runtime: podman, labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {runtime: podman, labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
	END
	podman_up file cni
	cp examples/cni/podman.conflist "$NET_DIR/podman/networks/"
	pack | podman import - box:1 >/dev/null
	daemon_on_host
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

run_pod() { # NAME [OPTION...] -- COMMAND...
	local name=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	podman run --name "$name" --network shop --cap-drop NET_RAW "${options[@]}" box:1 "${@:2}"
}

address() { # NAME: both
	podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}' "$1"
}
knows() { ctl status --json | jq -r --arg n "$1" 'select(.name // "" | startswith($n + " ")) | "\(.state) \(.services)"'; } # NAME

@test "the first instruction: what is allowed passes, what is denied does not, over both families" {
	local v4 v6
	run_pod db --detach --label app=db -- sh -c 'httpd -p 9999; exec httpd -f -p 5432' >/dev/null
	read -r v4 v6 < <(address db)
	[ -n "$v4" ] && [ -n "$v6" ]
	[ "$(knows db)" = "protected db" ]
	# shellcheck disable=SC2016
	run run_pod web --label app=web -- sh -c 'for to in "$@"; do
			for port in 5432 9999; do
				printf "GET / HTTP/1.0\r\n\r\n" | nc -w 2 $to $port >/dev/null 2>&1 && echo open || echo shut
			done
		done' sh "$v4" "$v6"
	[ "$(xargs <<<"$output")" = "open shut open shut" ] || fail "$output"
	run run_pod other -- sh -c "nc -w 1 $v4 5432 </dev/null 2>/dev/null && echo open || echo shut"
	[ "$output" = shut ] || fail "$output"
	podman rm -f web other >/dev/null
}

@test "a network that is left and joined again, and a container that ends" {
	podman network disconnect shop db
	[ "$(knows db)" = "protected db" ]
	podman network connect shop db
	[ "$(knows db)" = "protected db" ]
	podman rm -f db >/dev/null
	await eval '[ -z "$(knows db)" ]'
}
