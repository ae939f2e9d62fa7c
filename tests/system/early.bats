#!/usr/bin/env bats
# Everything is denied in a network namespace from the moment that it is made, and what its container
# may do is in force before its first instruction (`new-namespaces: quarantine`, which is the default).
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	image box:1
	docker network create --subnet 10.66.0.0/24 shop >/dev/null
	container db --network shop --label app=db
	container stranger --network shop
	policy shop <<-'END'
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
		---
		service: named
		select: {name: "held-*"}
	END
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	start_on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store" --config "$NET_DIR/bulkhead.yaml"
	await grep -q '^bulkheadd: ready' "$NET_DIR/log" || fail "$(cat "$NET_DIR/log")"
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }
teardown() { dockerd_goes_on; }

# nsenter, which waits for it outside, stops with it and must go on with it.
dockerd_goes_on() {
	on_host pkill -CONT -x dockerd || true
	pkill -CONT -f -- "^nsenter .* --target $DOCKER_HOST_PID -- dockerd" || true
}

ctl() { on_host "$(realpath "$bulkhead_program")" "$@"; }
states() { ctl status --json | jq -r 'select(.name != null) | "\(.name / " " | .[0]) \(.state)"'; }

# What a container's own first instructions come to: one try each, nothing is waited for.
first() { # NAME [OPTION...]: prints "ALLOWED DENIED"
	docker run --rm --name "$1" --network shop "${@:2}" box:1 /bin/sh -c "
		printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 $(v4 db) 5432 >/dev/null && a=open || a=shut
		printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 $(v4 stranger) 5432 >/dev/null && b=open || b=shut
		echo \$a \$b" 2>/dev/null
}

# A Docker that is slow may tell too late who it is: then all is denied for a moment longer.
@test "the first instruction: what is allowed passes, what is denied does not, 20 times" {
	local passed=0
	for i in {1..20}; do
		run first "web$i" --label app=web
		[[ $output == *" shut" ]] || fail "start $i: $output; $(tail -n 20 "$NET_DIR/log")"
		[[ $output != "open "* ]] || passed=$((passed + 1))
	done
	echo "# what is allowed passed at once in $passed of 20 starts" >&3
	[ "$passed" -ge 15 ]
}

@test "several at the same time under load: what is denied does not pass" {
	local pids=() load=() i
	for _ in 1 2; do
		(while :; do :; done) 3>&- &
		load+=($!)
	done
	for i in {1..6}; do
		first "par$i" --label app=web >"$NET_DIR/par$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	kill "${load[@]}"
	for i in {1..6}; do
		[[ $(cat "$NET_DIR/par$i") == *" shut" ]] || fail "$i: $(cat "$NET_DIR/par$i")"
	done
}

@test "a container that no service selects is let go of within its start" {
	run first free
	[ "$output" = "shut open" ] || fail "$output" # db lets nobody else in
	container tool --network shop
	await fetch tool "$(v4 stranger)" 5432
	states | grep -qx 'tool unmanaged'
	[ -z "$(inside tool nft list tables | grep bulkhead)" ]
}

@test "a named namespace: denied at once, its policy by its name, or let go of" {
	on_host ip netns add held-1
	on_host ip netns add other-1
	await eval "states | grep -qx 'held-1 protected'"
	await eval "states | grep -qx 'other-1 unmanaged'"
	on_host ip netns exec held-1 nft list table inet bulkhead >/dev/null
	await eval "! on_host ip netns exec other-1 nft list table inet bulkhead"
	on_host ip netns del held-1
	on_host ip netns del other-1
	await eval "! states | grep -q -e held-1 -e other-1"
}

# Made as dockerd makes them, but nobody ever says what it is for.
@test "a namespace that nobody claims stays denied, and status says so" {
	on_host unshare --net sh -c ': >/run/docker/netns/nobodys; mount --bind /proc/self/ns/net /run/docker/netns/nobodys'
	await eval "on_host nsenter --net=/run/docker/netns/nobodys nft list table inet bulkhead"
	await eval "states | grep -qx 'nobodys protected'" || fail "$(ctl status)"
	ctl status | grep 'nobodys.*not known yet whose'
	on_host nsenter --net=/run/docker/netns/nobodys nft list table inet bulkhead | grep -q 'flags owner'
	on_host umount -l /run/docker/netns/nobodys
	on_host rm /run/docker/netns/nobodys
	await eval "! states | grep -q nobodys"
}

@test "Docker that is away or silent: what starts meanwhile is denied until it is known" {
	local pid
	pid=$(on_host pgrep -x dockerd)
	docker run -d --name late --network shop --label app=web box:1 /bin/sleep 100 >/dev/null
	await eval "states | grep -qx 'late protected'"
	on_host kill -STOP "$pid"
	on_host unshare --net sh -c ': >/run/docker/netns/silent; mount --bind /proc/self/ns/net /run/docker/netns/silent'
	await eval "on_host nsenter --net=/run/docker/netns/silent nft list table inet bulkhead"
	dockerd_goes_on
	inside late nft list table inet bulkhead >/dev/null
	docker rm -f late >/dev/null
	on_host umount -l /run/docker/netns/silent
	on_host rm /run/docker/netns/silent
	await eval "ctl status && ! states | grep -q silent"
}

# It keeps its namespaces where `ip netns` does, and its service tells of no events unless it is set up to.
@test "Podman: denied until it says whose it is, then its own policy, or let go of" {
	local id
	podman_up
	pack | podman import - box:1 >/dev/null
	policy podman <<-END
		service: pweb
		select: {runtime: podman, labels: {app: pweb}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
	END
	ctl apply
	podman run --detach --name pweb --label app=pweb --cap-drop NET_RAW box:1 sleep 1000 >/dev/null
	podman run --detach --name pfree box:1 sleep 1000 >/dev/null
	await eval "states | grep -qx 'pweb protected'" || fail "$(ctl status)"
	await eval "states | grep -qx 'pfree unmanaged'" || fail "$(ctl status)"
	id=$(podman inspect --format '{{.State.Pid}}' pfree)
	await eval "! on_host nsenter --net --target $id nft list table inet bulkhead"
	podman rm --force --time 0 pweb pfree >/dev/null
	await eval "! states | grep -q -e pweb -e pfree -e netns-"
	rm "$NET_DIR/policies/podman.yaml"
	ctl apply
}
