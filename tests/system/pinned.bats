#!/usr/bin/env bats
# Images that a policy names by their digest: what is really run counts, as Docker and Podman say it, and
# a container of another image is never that service.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	podman_up file
	pack >"$NET_DIR/layer.tar"
	start_on_host sh -c "exec python3 $PWD/tests/system/lib/registry.py 5000 '$NET_DIR/layer.tar' \
		pay:1=good pay:2=bad other:1=other >'$NET_DIR/images'"
	await grep -q other "$NET_DIR/images" || fail "$(tail "$NET_DIR/log")"
	for i in pay:1 pay:2; do docker pull -q "127.0.0.1:5000/$i" >/dev/null || return; done
	image box:1
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }
teardown() {
	# shellcheck disable=SC2046
	docker rm -f $(docker ps -aq) >/dev/null 2>&1 || true
	podman rm --all --force --time 0 >/dev/null 2>&1 || true
}

known() { awk -v name="$1" -v n="$2" '$1 == name { print $n }' "$NET_DIR/images"; } # NAME:TAG FIELD
digest() { known "$1" 2; }
id() { known "$1" 3; }

pinned() { # PATTERN: service "pay" has the label and this image
	policy pay <<-END
		service: pay
		select: {labels: {app: pay}, image: "$1"}
	END
}
run_one() { # NAME IMAGE
	docker run --detach --name "$1" --label app=pay "$2" sleep 1000 >/dev/null
}
# The names of those that are the service.
are_pay() { bulkhead status --json | jq -r 'select(.services == "pay") | .name | split(" ")[0]' | sort; }

@test "a registry's digest: the image that is run counts, however its container was made" {
	pinned "127.0.0.1:5000/pay@$(digest pay:1)"
	docker tag 127.0.0.1:5000/pay:1 mine:7
	run_one tagged 127.0.0.1:5000/pay:1
	run_one by-digest "127.0.0.1:5000/pay@$(digest pay:1)"
	run_one both "127.0.0.1:5000/pay:1@$(digest pay:1)"
	run_one by-id "$(id pay:1)"
	run_one renamed mine:7
	run_one second 127.0.0.1:5000/pay:2
	run_one local box:1
	[ "$(are_pay | xargs)" = "both by-digest by-id renamed tagged" ] || fail "$(bulkhead endpoints --json)"
}

@test "an image whose tag was moved is that service no longer, and status and check say why" {
	pinned "127.0.0.1:5000/pay@$(digest pay:1)"
	docker tag 127.0.0.1:5000/pay:2 127.0.0.1:5000/pay:moved
	run_one evil 127.0.0.1:5000/pay:moved
	[ -z "$(are_pay)" ]
	run --separate-stderr bulkhead status --json
	[ "$(jq -r 'select(.name != null and (.name | startswith("evil"))) | .image_digest' <<<"$output")" = \
		"127.0.0.1:5000/pay@$(digest pay:2)" ] || fail "$output"
	run bulkhead check --endpoints
	[[ $output == *"evil ("*") has what service pay selects, but its image 127.0.0.1:5000/pay:moved is 127.0.0.1:5000/pay@$(digest pay:2)"*"[image-digest]"* ]] || fail "$output"
}

@test "any digest: one of that name must be known; an id is none of a registry's" {
	pinned "127.0.0.1:5000/*@sha256:*"
	docker tag box:1 127.0.0.1:5000/pay:local
	run_one good 127.0.0.1:5000/pay:1
	run_one claims 127.0.0.1:5000/pay:local
	[ "$(are_pay)" = good ] || fail "$(bulkhead endpoints --json)"
}

@test "an image that was built here, by its id" {
	pinned "box@$(docker image inspect --format '{{.Id}}' box:1)"
	docker tag box:1 mine:8
	run_one local box:1
	run_one renamed mine:8
	run_one other 127.0.0.1:5000/pay:1
	[ "$(are_pay)" = local ] || fail "$(bulkhead endpoints --json)"
}

@test "what Docker has forgotten is not known" {
	pinned "127.0.0.1:5000/pay@$(digest pay:1)"
	docker pull -q 127.0.0.1:5000/other:1 >/dev/null
	run_one known 127.0.0.1:5000/pay:1
	run_one forgotten 127.0.0.1:5000/other:1
	pinned "127.0.0.1:5000/other@$(digest other:1)"
	[ "$(are_pay)" = forgotten ]
	docker rmi -f "127.0.0.1:5000/other:1" >/dev/null
	[ -z "$(are_pay)" ]
}

@test "Podman: the same digests, and a name that was given here" {
	pinned "127.0.0.1:5000/pay@$(digest pay:1)"
	for i in 1 2; do podman pull -q --tls-verify=false "127.0.0.1:5000/pay:$i" >/dev/null; done
	podman tag 127.0.0.1:5000/pay:1 localhost/mine:7
	podman run -d --name tagged --label app=pay 127.0.0.1:5000/pay:1 sleep 1000 >/dev/null
	podman run -d --name renamed --label app=pay localhost/mine:7 sleep 1000 >/dev/null
	podman run -d --name second --label app=pay 127.0.0.1:5000/pay:2 sleep 1000 >/dev/null
	[ "$(are_pay | xargs)" = "renamed tagged" ] || fail "$(bulkhead endpoints --json)"
	pinned "localhost/mine@sha256:*"
	[ "$(are_pay | xargs)" = "renamed tagged" ] || fail "$(bulkhead endpoints --json)"
}

@test "with the daemon: the image that is meant reaches what the other does not" {
	policy pay <<-END
		service: pay
		select: {labels: {app: pay}, image: "127.0.0.1:5000/pay@$(digest pay:1)"}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: pay}], ports: [5432/tcp]}]
	END
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	start_on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--store "$NET_DIR/store" --config "$NET_DIR/bulkhead.yaml"
	await grep -q '^bulkheadd: ready' "$NET_DIR/log" || fail "$(cat "$NET_DIR/log")"
	container db --label app=db
	run_one good 127.0.0.1:5000/pay:1
	run_one evil 127.0.0.1:5000/pay:2
	await fetch good "$(v4 db)" 5432
	refused fetch evil "$(v4 db)" 5432
	[ "$(on_host "$(realpath "$bulkhead_program")" status --json |
		jq -r 'select(.services == "pay") | .name | split(" ")[0]')" = good ]
	on_host pkill -x bulkheadd
	await eval "! on_host pgrep -x bulkheadd >/dev/null"
}
