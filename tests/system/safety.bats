#!/usr/bin/env bats
# No false safety, with real containers of a Docker daemon of the test's own: what cannot be held
# has its reason, is never called protected, and makes --strict refuse before anything is written.
# shellcheck disable=SC2030,SC2031

load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	image box:1
	docker network create --subnet 10.66.0.0/24 shop >/dev/null
	start web web --network shop
	start db db --network shop
	start pod pod --network shop
	joined pod2 pod pod
	start app app --network shop
	joined metrics metrics app
	start weak weak --network shop
	joined admin weak weak --cap-add NET_ADMIN
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	policies
}

# What a test started, whatever became of it.
teardown() { docker rm -f agent root beside sandboxed pod3 >/dev/null 2>&1 || true; }

start() { # NAME SERVICE [OPTION...]
	container "$1" --label "app=$2" --cap-drop NET_RAW "${@:3}"
}
joined() { # NAME SERVICE OTHER [OPTION...]: in OTHER's network namespace, where its servers are
	docker run --detach --name "$1" --label "app=$2" --cap-drop NET_RAW \
		--network "container:$3" "${@:4}" box:1 sleep 1000 >/dev/null
}
# A machine may itself lack what --privileged gives. Then a runtime leaves that out; what the
# engine says of the container is the same.
privileged() { # NAME SERVICE
	start "$@" --network shop --privileged 2>>"$NET_DIR/log" && return
	docker rm -f "$1" >/dev/null
	cat >"$NET_DIR/lesser" <<-'END'
		#!/bin/sh
		for arg; do
			[ "$last" != --bundle ] || bundle=$arg
			last=$arg
		done
		if [ -n "$bundle" ]; then
			jq '.process.capabilities |= map_values(["CAP_NET_ADMIN"])' \
				"$bundle/config.json" >"$bundle/lesser" &&
				mv "$bundle/lesser" "$bundle/config.json"
		fi
		exec runc "$@"
	END
	chmod +x "$NET_DIR/lesser"
	runtime lesser "$NET_DIR/lesser"
	start "$@" --network shop --privileged --runtime lesser
}
runtime() { # NAME PATH
	printf '{"runtimes": {"%s": {"path": "%s"}}}' "$1" "$2" |
		on_host sh -c 'cat >/etc/docker/daemon.json'
	on_host pkill -HUP -x dockerd
	await knows_runtime "$1"
}
knows_runtime() { docker info --format '{{json .Runtimes}}' | grep -q "\"$1\""; }

# One file a service, so that a test can do without some.
service() { printf 'service: %s\nselect: {labels: {app: %s}}\n%s\n' "$1" "$1" "${2:-}" | policy "$1"; }
policies() {
	rm -f "${NET_DIR:?}"/policies/*
	service web 'egress: [{to: [{service: db}], ports: [5432/tcp]}]'
	service db 'ingress: [{from: [{service: web}, {service: metrics}], ports: [5432/tcp]}]'
	service pod
	service app
	service metrics 'egress: [{to: [{service: db}], ports: [5432/tcp]}]'
	service weak
}
# Only what can be held is asked to be.
holdable() { rm "$NET_DIR"/policies/{app,metrics,weak}.yaml && service db; service web; }

id_of() { docker inspect --format '{{.Id}}' "$1"; }
state() { # NAME FILTER [OPTION...]
	bulkhead status --json "${@:3}" 2>/dev/null |
		jq -cr --arg id "$(id_of "$1")" "select(.endpoint == \$id) | $2"
}
tables() { # of all containers that have a namespace of their own
	local name
	for name in web db pod app weak; do inside "$name" nft --stateless --handle list ruleset; done
}
has_table() { [[ $(inside "$1" nft list tables) == *bulkhead* ]]; }

# --- several in one namespace ----------------------------------------------------------------

@test "equal services in one namespace: protected, and both say who the other is" {
	bulkhead apply
	for pair in "pod pod2" "pod2 pod"; do
		read -r one other <<<"$pair"
		[ "$(state "$one" '[.state, .finding, .sharers]')" = '["protected",false,1]' ]
		[ "$(state "$one" '.shares_with[]')" = "$(id_of "$other")" ]
		[[ $(state "$one" .why) == "its network namespace is shared with $other ("* ]]
		[ "$(state "$one" .finding --strict)" = true ]
	done
	[ "$(state web '[.state, .finding, .shares_with]' --strict)" = '["protected",false,null]' ]
}

@test "differing services in one namespace: a finding for both, for the one can what the other may" {
	bulkhead apply
	fetch app "$(v4 db)" 5432 # its own service allows it nothing
	for pair in "app metrics" "metrics app"; do
		read -r one other <<<"$pair"
		[ "$(state "$one" '[.state, .finding]')" = '["shared",true]' ]
		[[ $(state "$one" .why) == "its network namespace is shared with $other ("*"differ"*"app,metrics"* ]]
	done
	run bulkhead status
	[ "$status" -eq 1 ]
	grep -Eq '^shared +app \(.*shared with metrics' <<<"$output"
}

@test "a container that no service selects shares what the others may, and that is a finding" {
	rm "$NET_DIR/policies/metrics.yaml"
	service app 'egress: [{to: [{service: db}], ports: [5432/tcp]}]'
	service db 'ingress: [{from: [{service: app}], ports: [5432/tcp]}]'
	bulkhead apply
	fetch metrics "$(v4 db)" 5432
	[ "$(state app '[.state, .services]')" = '["shared","app"]' ]
	[ "$(state metrics '[.state, .services]')" = '["shared",""]' ]
}

@test "NET_ADMIN of one member weakens all of the namespace" {
	bulkhead apply
	has_table weak
	[ "$(state weak '[.state, .finding, .obstacle]')" = '["weak",true,"net-admin"]' ]
	[ "$(state weak .obstacle_of)" = "$(id_of admin)" ]
	[[ $(state weak .why) == "admin ("*"is in its network namespace and cannot be held (it has CAP_NET_ADMIN"* ]]
	[ "$(state admin '[.state, .finding, .obstacle, .obstacle_of]')" = '["weak",true,"net-admin",null]' ]
	# The reason is true: root in the one takes the table of the other away.
	on_host nsenter --net --target "$(docker inspect --format '{{.State.Pid}}' admin)" -- \
		setpriv --inh-caps=-all,+net_admin --bounding-set=-all,+net_admin -- \
		nft delete table inet bulkhead
	[ "$(state weak .state)" = unprotected ]
	bulkhead apply
}

@test "a member that has gone weakens nobody any more" {
	joined pod3 pod pod --cap-add NET_ADMIN
	bulkhead apply
	[ "$(state pod .state)" = weak ]
	docker rm -f pod3 >/dev/null
	bulkhead apply # the table names the first of its members, which may have been that one
	[ "$(state pod .state)" = protected ]
}

# --- containers of the other kinds -----------------------------------------------------------

@test "--network host and --privileged: each with its own state and reason" {
	start agent web --network host
	privileged root web
	bulkhead apply
	[ "$(state agent '[.state, .finding, .obstacle]')" = '["host-network",true,"host-network"]' ]
	[ "$(state root '[.state, .finding, .obstacle]')" = '["weak",true,"privileged"]' ]
	[[ $(state root .why) == "it is privileged: "* ]]
	joined beside web root
	bulkhead apply
	[ "$(state beside '[.state, .obstacle]')" = '["weak","privileged"]' ]
	run bulkhead status
	[ "$status" -eq 1 ]
}

@test "a runtime with a network stack of its own, by its name" {
	on_host sh -c "ln -s \"\$(command -v runc)\" '$NET_DIR/runsc'"
	runtime runsc "$NET_DIR/runsc"
	start sandboxed web --network shop --runtime runsc
	bulkhead apply
	[ "$(state sandboxed '[.state, .finding, .obstacle]')" = '["weak",true,"own-stack"]' ]
	[[ $(state sandboxed .why) == *"network stack of its own"* ]]
}

# --- strict ----------------------------------------------------------------------------------

@test "apply --strict: what can be held is held" {
	holdable
	bulkhead apply --clean
	bulkhead check --endpoints --strict
	run bulkhead apply --strict
	[ "$status" -eq 0 ]
	[[ $output == *"applied: 3 created"* ]]
	[ "$(state web .state)" = protected ]
}

@test "apply --strict: one that cannot be held, and nothing is changed anywhere" {
	bulkhead apply --clean
	before=$(tables)
	run bulkhead apply --strict
	[ "$status" -eq 1 ]
	[[ $output == *"bulkhead: weak ("*"): weak: admin ("*"CAP_NET_ADMIN"* ]]
	[[ $output == *"bulkhead: admin ("*"): weak: it has CAP_NET_ADMIN"* ]]
	[[ $output == *"bulkhead: app ("*"): shared: "* ]]
	[[ $output == *"bulkhead: metrics ("*"): shared: "* ]]
	[[ $output == *"strict: 4 findings, nothing was changed"* ]]
	[ "$(tables)" = "$before" ]
	refused has_table web
	run bulkhead check --endpoints --strict
	[ "$status" -eq 1 ]
	[[ $output == *"strict: 4 findings"* ]]
	bulkhead apply # without it, what can be done is done
	has_table web
	has_table weak
}

@test "apply --strict: what stood stays as it was" {
	holdable
	bulkhead apply --strict
	before=$(tables)
	service db 'ingress: [{from: [{service: web}], ports: [9999/tcp]}]'
	service nobody
	run bulkhead apply --strict
	[ "$status" -eq 1 ]
	[[ $output == *"service nobody: it selects none of the "*"endpoints"* ]]
	[ "$(tables)" = "$before" ]
}

@test "strict: true in the host file refuses, too" {
	before=$(tables)
	echo 'strict: true' >"$NET_DIR/strict.yaml"
	run bulkhead apply --config "$NET_DIR/strict.yaml" --json
	[ "$status" -eq 1 ]
	[ "$(grep '^{' <<<"$output" | jq -r '[.state, .obstacle // "-"] | join(" ")' | sort | xargs -n 2)" = \
		"$(printf '%s\n' 'shared -' 'shared -' 'weak net-admin' 'weak net-admin')" ]
	[ "$(tables)" = "$before" ]
}

# --- namespaces that are not there -----------------------------------------------------------

# What is between two restarts: the process has ended, the engine still says it runs.
@test "a container that ended while it is listed is left out; one that is started anew is unprotected" {
	bulkhead apply
	docker kill db >/dev/null
	[ -z "$(state db .state)" ]
	docker start db >/dev/null
	[ "$(state db '[.state, .finding]')" = '["unprotected",true]' ]
}
