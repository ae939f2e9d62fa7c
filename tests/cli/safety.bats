#!/usr/bin/env bats
# What cannot be held is never called protected, and --strict refuses it: as far as that is known
# without root, from an inventory. tests/system/safety.bats has real containers.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	dir=$BATS_TEST_TMPDIR
	site=(--policies "$dir/p.yaml" --inventory "$dir/i.json" --config "$dir/c.yaml")
	: >"$dir/c.yaml"
	for service in web db; do
		printf -- '---\nservice: %s\nselect: {labels: {app: %s}}\n' $service $service
	done >"$dir/p.yaml"
}

inventory() { printf '{"endpoints": [%s]}' "$(IFS=,; echo "$*")" >"$dir/i.json"; }
endpoint() { # ID LABEL [MEMBERS]
	printf '{"id": "%s", "labels": {"app": "%s"}%s}' "$1" "$2" "${3:+, $3}"
}
# Peers alone can be looked at by anybody: nothing of theirs is on this host.
peers() { inventory "$(endpoint a web)" "$(endpoint b db)"; }

of() { grep '^{' <<<"$output" | jq -r "select((.endpoint // .id) == \"$1\") | $2"; }

@test "status: every obstacle has its word and its sentence" {
	inventory "$(endpoint a web '"obstacle": "host-network"')" \
		"$(endpoint b web '"obstacle": "no-netns"')"
	run "$bulkhead" status "${site[@]}" --json
	[ "$status" -eq 1 ]
	[ "$(of a '[.state, .finding, .obstacle] | join(" ")')" = "host-network true host-network" ]
	[[ $(of a .why) == *"host's network namespace"* ]]
	[ "$(of b '[.state, .finding, .obstacle] | join(" ")')" = "unreachable true no-netns" ]
	[[ $(of b .why) == *"was not found"* ]]
	for word in privileged net-admin raw-sockets own-stack; do
		inventory "$(endpoint a web "\"obstacle\": \"$word\", \"netns\": \"/nonexistent\"")"
		run "$bulkhead" status "${site[@]}" --json
		[ "$status" -eq 1 ]
		[ "$(of a .obstacle)" = $word ]
		run "$bulkhead" endpoints --inventory "$dir/i.json" --json
		[ "$(of a .obstacle)" = $word ]
		[ -n "$(of a '.why // ""')" ]
	done
}

@test "status: a namespace that is not there, or no namespace, is unreachable by name" {
	touch "$dir/file"
	inventory "$(endpoint a web '"netns": "/nonexistent/a"')" \
		"$(endpoint b db "\"netns\": \"$dir/file\"")"
	run "$bulkhead" status "${site[@]}" --json
	[ "$status" -eq 1 ]
	[ "$(of a '.state')" = unreachable ]
	[[ $(of a .why) == *"/nonexistent/a: No such file or directory" ]]
	[ "$(of b '.state')" = unreachable ]
	[[ $(of b .why) == *"$dir/file is not a network namespace" ]]
}

@test "status: who shares a namespace with whom" {
	inventory "$(endpoint a web '"netns": "/nonexistent/a"')" \
		"$(endpoint b db '"netns": "/nonexistent/a"')" "$(endpoint c db)"
	run "$bulkhead" status "${site[@]}" --json
	[ "$(of a '[.shares_with[], .sharers] | join(" ")')" = "b 1" ]
	[[ $(of a .why) == *"shared with b, and their services differ: each of them may do what any of web,db allows" ]]
	[ "$(of b '.shares_with | join(" ")')" = a ]
	[ "$(of c '.shares_with')" = null ]
}

@test "status: quarantine that cannot be kept is a finding" {
	inventory '{"id": "a", "obstacle": "host-network"}'
	run "$bulkhead" status "${site[@]}"
	[ "$status" -eq 0 ]
	[[ $output == *"unmanaged "* ]]
	echo 'unmanaged: quarantine' >"$dir/c.yaml"
	run "$bulkhead" status "${site[@]}"
	[ "$status" -eq 1 ]
	[[ $output == *"host-network "* ]]
}

@test "status --strict: what only is a remark counts" {
	peers
	run "$bulkhead" status "${site[@]}" --strict
	[ "$status" -eq 0 ]
	inventory "$(endpoint a web)" "$(endpoint b db)" '{"id": "c"}'
	run "$bulkhead" status "${site[@]}"
	[ "$status" -eq 0 ]
	run "$bulkhead" status "${site[@]}" --strict
	[ "$status" -eq 1 ]
	[[ $output == *"unmanaged "*"1 finding" ]]
	printf 'service: web\nmode: off\nselect: {labels: {app: web}}\n---\nservice: db\nselect: {labels: {app: db}}\n' \
		>"$dir/p.yaml"
	peers
	run "$bulkhead" status "${site[@]}"
	[ "$status" -eq 0 ]
	run "$bulkhead" status "${site[@]}" --strict
	[ "$status" -eq 1 ]
	[[ $output == *"off "*"1 finding" ]]
}

@test "check --strict: all findings at once, with names, exit 1" {
	inventory "$(endpoint a web '"obstacle": "host-network"')" \
		"$(endpoint b web '"netns": "/nonexistent/b"')" '{"id": "stray", "obstacle": "privileged"}'
	run "$bulkhead" check "$dir/p.yaml" --inventory "$dir/i.json" --endpoints
	[ "$status" -eq 0 ]
	run "$bulkhead" check "$dir/p.yaml" --inventory "$dir/i.json" --endpoints --strict
	[ "$status" -eq 1 ]
	[[ $output == *"bulkhead: a: host-network: it shares the host's network namespace"* ]]
	[[ $output == *"bulkhead: b: unreachable: network namespace /nonexistent/b: No such file"* ]]
	[[ $output == *"bulkhead: service db: it selects none of the 3 endpoints"* ]]
	[[ $output == *"bulkhead: check: strict: 3 findings, apply --strict would refuse"* ]]
	[[ $output != *"bulkhead: stray"* ]] # nobody promised anything
}

@test "check --strict --json: an object for each" {
	inventory "$(endpoint a web '"obstacle": "no-netns"')"
	run "$bulkhead" check "$dir/p.yaml" --inventory "$dir/i.json" --strict --json
	[ "$status" -eq 1 ]
	grep '^{' <<<"$output" >"$dir/out"
	jq -se '.[] | select(.endpoint == "a") | .state == "unreachable" and .finding and
		.obstacle == "no-netns" and (.why | length) > 10' "$dir/out"
	jq -se '.[] | select(.service == "db") | .state == "selects-nobody" and .finding' "$dir/out"
}

@test "check --strict: nothing to find is exit 0, also without endpoints" {
	peers
	run "$bulkhead" check "$dir/p.yaml" --inventory "$dir/i.json" --strict
	[ "$status" -eq 0 ]
	run "$bulkhead" check "$dir/p.yaml" --strict # then only warnings count: tests/cli/lint.bats
	[ "$status" -eq 0 ]
}

@test "strict: true in the host file is --strict for check and apply" {
	inventory "$(endpoint a web '"obstacle": "host-network"')" "$(endpoint b db)"
	run "$bulkhead" check "${site[@]}"
	[ "$status" -eq 0 ]
	echo 'strict: true' >"$dir/c.yaml"
	run "$bulkhead" check "${site[@]}"
	[ "$status" -eq 1 ]
	[[ $output == *"a: host-network"* ]]
	run "$bulkhead" check "$dir/p.yaml" --config "$dir/c.yaml" # no endpoints, nothing to say
	[ "$status" -eq 0 ]
	run "$bulkhead" apply "${site[@]}" # 1, or 3 where the kernel may not be asked
	[ "$status" -ne 0 ]
	[[ $output != *applied* ]]
	run "$bulkhead" apply "${site[@]}" --clean # letting go is never refused
	[ "$status" -eq 0 ]
	echo 'strict: yes' >"$dir/c.yaml"
	run "$bulkhead" check "${site[@]}"
	[ "$status" -eq 2 ]
	[[ $output == *'"strict" takes true or false'* ]]
}

@test "apply --strict --clean is a contradiction" {
	peers
	run "$bulkhead" apply "${site[@]}" --strict --clean
	[ "$status" -eq 2 ]
	[[ $output == *"--clean"*"--strict"* ]]
}

@test "inventory: an obstacle that does not exist is named" {
	inventory "$(endpoint a web '"obstacle": "root"')"
	run "$bulkhead" endpoints --inventory "$dir/i.json"
	[ "$status" -eq 2 ]
	[[ $output == *"endpoints[0].obstacle: must be host-network, privileged,"* ]]
}

@test "--strict says in each verb's help what it does there" {
	[[ $("$bulkhead" status --help) == *"--strict"*"count as findings too"* ]]
	[[ $("$bulkhead" apply --help) == *"--strict"*"refuse if anything that is selected cannot be held"* ]]
	[[ $("$bulkhead" check --help) == *"--strict"*"1 if there is a warning; with endpoints, also if"* ]]
}
