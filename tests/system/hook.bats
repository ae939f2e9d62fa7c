#!/usr/bin/env bats
# A container that its runtime starts with the hook runs no instruction before its policy is in force:
# with plain runc and with Podman, and when the daemon is away, hangs, is killed or started again.
# shellcheck disable=SC2034,SC2154

bats_require_minimum_version 1.5.0
load lib/oci

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	oci_up
	cat >"$NET_DIR/web.yaml" <<-'Y'
		service: web
		select: {runtime: oci, labels: {app: web}}
		on-deny: reject
		egress: [{to: [{cidr: 10.88.0.2/32}], ports: [5432/tcp]}]
		---
		service: idle
		select: {labels: {app: idle}}
	Y
	policy web <"$NET_DIR/web.yaml"
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	mkdir -p "$NET_DIR/store"
	HOOK_OPTIONS='--wait 5s'
}
teardown() {
	oci_gone
	for name in made kept; do on_host ip netns del "$name" 2>/dev/null || :; done
	policy web <"$NET_DIR/web.yaml"
	rm -f "$NET_DIR/policies/kept.yaml"
	sed -i 's/netns: true/netns: false/' "$NET_DIR/bulkhead.yaml"
	guard_gone
	rm -rf "$NET_DIR/store"
}

quiet() { # nothing is held, nor known
	[ -z "$(states)" ] && [ "$(ctl status --json | jq 'select(.daemon) | .namespaces_held')" = 0 ]
}
announced() { jq '.containers | length' "$NET_DIR/store/announced.json"; }
has_tables() { # ID
	local pid
	pid=$(oci state "$1" | jq .pid)
	on_host nsenter --net --target "$pid" nft list tables | sort | xargs
}

@test "the policy is in force at the first instruction, and each denial is recorded" {
	bundle web app=web
	guard_up
	for i in {1..10}; do
		run oci run web "web$i"
		[ "$status $output" = "0 open shut" ] || fail "start $i: $output; $(cat "$NET_DIR/guard.log")"
	done
	await quiet
	[ "$(announced)" = 0 ]
	denied() { on_host "$(realpath "$bulkhead_program")" denied --store "$NET_DIR/store" --json | jq -s '[.[] | select(.destination.port == 9999)] | length'; }
	await eval '[ "$(denied)" = 10 ]' || fail "$(denied) of 10 denials are recorded"
}

@test "a container without a service runs unheld, and one with raw sockets is weak only without a daemon" {
	bundle free app=nobody
	bundle raw app=web -- sleep 100
	config raw '.process.capabilities.bounding += ["CAP_NET_RAW"]'
	guard_up
	[ "$(oci run free free)" = "open open" ]
	oci run raw --detach raw1 >"$NET_DIR/raw.log" 2>&1 </dev/null 3>&-
	[ "$(states)" = "raw1 protected" ]
}

@test "one that exits at once leaves nothing behind" {
	bundle short app=web -- sh -c :
	guard_up
	ctl status --json >/dev/null
	before=$(on_host find "/proc/$(cat "$NET_DIR/guard.pid")/fd" -type l | wc -l)
	runs=()
	for i in {1..5}; do
		oci run short "short$i" 3>&- &
		runs+=($!)
	done
	wait "${runs[@]}"
	await quiet
	[ "$(announced)" = 0 ]
	await eval '[ "$(on_host find "/proc/$(cat "$NET_DIR/guard.pid")/fd" -type l | wc -l)" -le '"$before"' ]'
}

@test "without the daemon a start fails, or goes on with everything denied" {
	HOOK_OPTIONS='--wait 1s'
	bundle web app=web
	run oci run web web
	[ "$status" -eq 1 ]
	[[ $output == *"container web: it does not start: socket $NET_DIR/control: "* ]]
	[[ $output != *open* && $output != *shut* ]]
	HOOK_OPTIONS='--wait 1s --without-daemon quarantine'
	bundle web app=web
	run oci run web web
	[ "$status $output" = "0 shut shut" ]

	# and the daemon, when it comes, takes it over by being told again of nothing
	bundle web app=web -- sleep 100
	oci run web --detach web >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	[ "$(has_tables web)" = "table inet bulkhead table netdev bulkhead" ]
	guard_up
	[ "$(states)" = "web protected" ]
	[ "$(oci exec web first)" = "open shut" ]
}

@test "without the daemon nobody is quarantined by the policy of another, whose namespace he joins" {
	bundle idle app=web -- sleep 100
	guard_up
	oci run idle --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	[ "$(states)" = "one protected" ]
	guard_kill
	HOOK_OPTIONS='--wait 1s --without-daemon quarantine'
	bundle guest app=nobody
	pid=$(oci state one | jq .pid)
	config guest "(.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/$pid/ns/net\"
		| .hooks.createRuntime |= .[1:]"
	run oci run guest guest
	[ "$status" -eq 1 ] || fail "$output"
	[[ $output == *"by the policy that stands in the namespace it joins, some of its packets would pass"* ]]
	[ "$(oci exec one first)" = "open shut" ] # who is in there already goes on

	# one in which all is denied is as good as one's own
	on_host ip netns add made
	for name in first second; do
		bundle "$name" app=nobody
		config "$name" '(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/made"
			| .hooks.createRuntime |= .[1:]'
		run oci run "$name" "$name"
		[ "$status $output" = "0 shut shut" ] || fail "$output"
	done
}

named() { # BUNDLE: it joins the namespace `made`
	on_host ip netns add made
	config "$1" '(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/made"'
}
lists_named() { sed -i 's/netns: false/netns: true/' "$NET_DIR/bulkhead.yaml"; }

@test "a store that cannot be written: what the next daemon would not know does not start" {
	HOOK_OPTIONS='--wait 1s'
	bundle web app=web -- sleep 100
	mkdir "$NET_DIR/store/announced.json"
	guard_up
	status=0
	oci run web --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&- || status=$?
	[ "$status" -eq 1 ] || fail "$(cat "$NET_DIR/run.log")"
	[[ $(cat "$NET_DIR/run.log") == *"cannot write $NET_DIR/store/announced.json: Is a directory"* ]]
	[ "$(grep -c 'cannot write' "$NET_DIR/guard.log")" -le 1 ]
}

@test "a daemon that hung and goes on: it does not let go of who was quarantined meanwhile" {
	HOOK_OPTIONS='--wait 1s --without-daemon quarantine'
	bundle web app=web -- sleep 100
	lists_named
	guard_up
	guard_signal STOP
	named web
	oci run web --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	[ "$(oci exec one first)" = "shut shut" ]
	guard_signal CONT
	await eval '[ "$(states)" = "one protected" ]' || fail "$(states)"
	[ "$(oci exec one first)" = "open shut" ]
}

@test "what the host file says of starts counts, and the command line wins" {
	echo 'starts: {without-daemon: quarantine, wait: 1s}' >>"$NET_DIR/bulkhead.yaml"
	HOOK_OPTIONS=''
	bundle web app=web
	run oci run web web
	HOOK_OPTIONS='--without-daemon fail'
	bundle web app=web
	first="$status $output"
	run oci run web web
	sed -i '/^starts:/d' "$NET_DIR/bulkhead.yaml"
	[ "$first" = "0 shut shut" ]
	[ "$status" -eq 1 ]
}

@test "a daemon that hangs: the start fails in time, or goes on with everything denied" {
	HOOK_OPTIONS='--wait 1s'
	bundle web app=web
	guard_up
	guard_signal STOP
	run oci run web web
	[ "$status" -eq 1 ]
	[[ $output == *"the daemon did not answer in time"* ]]
	HOOK_OPTIONS='--wait 1s --without-daemon quarantine'
	bundle web app=web
	run oci run web web
	[ "$status $output" = "0 shut shut" ]
	guard_signal CONT
	await quiet
}

asking() { on_host ss --unix --no-header state connected src "$NET_DIR/control" | grep -q . ||
	on_host pgrep -x bulkhead-oci-ho >/dev/null; }

@test "a daemon that is killed in the middle: the start waits for the next one, or fails" {
	HOOK_OPTIONS='--wait 8s'
	bundle web app=web
	guard_up
	guard_signal STOP
	oci run web web >"$NET_DIR/run.log" 2>&1 </dev/null 3>&- &
	runs=$!
	await asking
	guard_kill
	guard_up
	wait $runs
	[ "$(cat "$NET_DIR/run.log")" = "open shut" ]

	HOOK_OPTIONS='--wait 2s'
	bundle web app=web
	guard_signal STOP
	oci run web web >"$NET_DIR/run.log" 2>&1 </dev/null 3>&- &
	runs=$!
	await asking
	guard_kill
	status=0
	wait $runs || status=$?
	[ "$status" -eq 1 ]
	! grep -Eq '^(open|shut)' "$NET_DIR/run.log"
}

@test "a daemon that is started again knows its containers, and holds them as before" {
	bundle idle app=web -- sleep 100
	guard_up
	for name in one two; do
		oci run idle --detach "$name" >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	done
	[ "$(states)" = $'one protected\ntwo protected' ]
	guard_kill
	[ "$(has_tables one)" = "table inet bulkhead table netdev bulkhead" ]
	oci delete --force two
	guard_up
	[ "$(states)" = "one protected" ]
	[ "$(oci exec one first)" = "open shut" ]
	[ "$(announced)" = 1 ]
	oci delete --force one
	await quiet
}

lets_5432() { # PID: the policy's, and not everything denied
	on_host nsenter --net --target "$1" nft list table inet bulkhead | grep -q 5432
}

@test "one whose process leaves its namespace, and another not: it is known, and its policy goes with it" {
	bundle leaver app=web -- sh -c 'sleep 200 & exec unshare -U -n sleep 300'
	guard_up
	oci run leaver --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	pid=$(oci state one | jq .pid)
	await eval 'stays=$(on_host pgrep -f "^sleep 200$")'
	await eval '[ "$(on_host stat -Lc %i "/proc/$pid/ns/net")" != "$(on_host stat -Lc %i "/proc/$stays/ns/net")" ]'
	[ "$(states)" = "one protected" ]
	guard_kill
	guard_up
	[ "$(states)" = "one protected" ] || fail "$(states) -- $(cat "$NET_DIR/guard.log")"
	lets_5432 "$stays"
	sed 's/5432/5433/' "$NET_DIR/web.yaml" | policy web # and it is the daemon that says what passes there
	ctl apply >/dev/null
	run lets_5432 "$stays"
	policy web <"$NET_DIR/web.yaml"
	[ "$status" -eq 1 ]
	ctl apply >/dev/null
	lets_5432 "$stays"

	# who leaves it, with nobody left, has none that could be held
	guard_kill
	on_host kill -KILL "$stays"
	guard_up
	await quiet
	[[ $(cat "$NET_DIR/guard.log") == *"container one has left its network namespace, and nobody is in there"* ]]
}

@test "who says late that a container is gone does not mean the next one of its id" {
	bundle idle app=web -- sleep 100
	guard_up
	oci run idle --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	for pid in 0 4000000; do
		hook < <(jq -n --arg bundle "$NET_DIR/bundles/idle" --argjson pid "$pid" \
			'{ociVersion: "1.0.2", id: "one", status: "stopped", pid: $pid, bundle: $bundle}')
		[ "$status $output" = "0 " ]
	done
	[ "$(states)" = "one protected" ]
	[ "$(oci exec one first)" = "open shut" ]
}

@test "word that is left while the daemon runs is heard" {
	HOOK_OPTIONS="--wait 1s --without-daemon quarantine --socket $NET_DIR/nobody"
	bundle web app=web -- sleep 100
	guard_up
	oci run web --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&- || fail "$(cat "$NET_DIR/run.log")"
	await eval '[ "$(oci exec one first)" = "open shut" ]'
	[ "$(states)" = "one protected" ]
	[ -z "$(ls "$NET_DIR.starts")" ]
}

@test "a list of starts that is damaged: what is held for nobody knows whom stays closed, and is told" {
	bundle idle app=web -- sleep 100
	lists_named
	on_host ip netns add kept
	policy kept <<-'Y'
		service: kept
		select: {labels: {netns: kept}}
		egress: [{to: [{cidr: 10.88.0.2/32}], ports: [5432/tcp]}]
	Y
	guard_up
	named idle
	oci run idle --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	[ "$(states)" = $'kept protected\none protected' ]
	guard_kill
	truncate --size 20 "$NET_DIR/store/announced.json"
	for run in 1 2; do # the second time nothing of it is damaged
		guard_up
		[ "$(has_tables one)" = "table inet bulkhead table netdev bulkhead" ]
		[ "$(oci exec one first)" = "shut shut" ]
		[ "$(ctl status --json | jq -r 'select(.endpoint == "kept") | .state')" = protected ]
		on_host ip netns exec kept nft list table inet bulkhead | grep -q 5432
		[ "$(ctl status --json | jq -r 'select(.endpoint // "" | startswith("net:[")) | .state')" = protected ]
		run ctl status --json
		[ "$status" -eq 1 ]
		[[ $(jq -r 'select(.daemon) | .state + " " + .why' <<<"$output") == \
			"trouble what starters said is lost: everything is denied in 1 namespaces"* ]] || fail "$output"
		[ "$run" = 2 ] || grep -q "announced.json is damaged: .*; of . namespaces with tables nobody knows" "$NET_DIR/guard.log"
		guard_kill
	done
	[ "$(stat -c %s "$NET_DIR/store/announced.json.damaged")" = 20 ]
	guard_up
	oci delete --force one
	rm "$NET_DIR/policies/kept.yaml"
	on_host ip netns del made
	await eval '[ "$(ctl status --json | jq -r "select(.daemon) | .state")" = in-force ]' || fail "$(ctl status)"
	on_host ip netns del kept
}

@test "the host's network: it starts, is told of, and with strict it does not" {
	bundle host app=web -- sh -c :
	config host 'del(.linux.namespaces[] | select(.type == "network")) | .hooks.createRuntime |= .[1:]'
	guard_up
	run oci run host host
	[ "$status" -eq 0 ]
	for name in web idle; do # strict refuses services that select nobody
		bundle "$name" "app=$name" -- sleep 100
		oci run "$name" --detach "$name" >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	done
	echo 'strict: true' >>"$NET_DIR/bulkhead.yaml"
	ctl apply >/dev/null
	run oci run host host
	sed -i '/^strict:/d' "$NET_DIR/bulkhead.yaml"
	[ "$status" -eq 1 ]
	[[ $output == *"host-network: it shares the host's network namespace"* ]]
}

# --- what a runtime must not say -------------------------------------------------------------

hook() { # runs it on standard input; the state's bundle is of the test
	run on_host "$hook_program" --socket "$NET_DIR/control" --config "$NET_DIR/bulkhead.yaml" --wait 1s
}

state() { # JQ-FILTER: a good state, changed
	jq -n --arg bundle "$NET_DIR/bundles/idle" --argjson pid "$victim" \
		'{ociVersion: "1.0.2", id: "x", status: "created", pid: $pid, bundle: $bundle,
		  annotations: {app: "web"}} | '"$1"
}

@test "bad states: each is refused, and what is wrong is named" {
	bundle idle app=web -- sleep 100
	guard_up
	on_host unshare --net sh -c 'echo $$ >"$0"; exec sleep infinity' "$NET_DIR/victim" \
		>/dev/null 2>&1 </dev/null 3>&- &
	await test -s "$NET_DIR/victim"
	victim=$(cat "$NET_DIR/victim")
	while IFS='|' read -r filter says; do
		hook < <(state "$filter")
		[ "$status" -eq 1 ] && [[ $output == *"$says"* ]] || fail "$filter: $status $output"
	done <<-'END'
		"nonsense"|it is not JSON
		[]|it is not a JSON object
		del(.id)|"id" must be a name
		.id = "../../run"|"id" must be a name, without "/"
		.id = ("a" * 300)|"id" must have 1 to 255 bytes, not 300
		del(.pid)|"pid" is missing
		.pid = 0|"pid" is missing
		.pid = "4"|"pid" must be the number of a process
		.pid = 2147483647|"pid": there is no process 2147483647
		.pid = 1|"pid": process 1 is in the host's network namespace
		.bundle = "relative"|"bundle" must be an absolute path
		.bundle = "/nonexistent"|/nonexistent/config.json: No such file
		.annotations = {"a": 7}|"annotations": "a" must be a string
		.annotations = {"a": ("x" * 5000)}|"annotations": "a" has more than 4096 bytes
		.annotations = {"a": ("x" * 1048576)}|the state: it has more than 1048576 bytes
		.annotations = reduce range(300) as $i ({}; .["k\($i)"] = "v")|"annotations" has more than 256
	END
	hook < <(printf 'garbage \377')
	[ "$status" -eq 1 ] && [[ $output == *"the state: it is not JSON"* ]]
	cp "$NET_DIR/bundles/idle/config.json" "$NET_DIR/config.json"
	config idle '.linux.namespaces |= map(if .type == "network" then .path = "/proc/1/ns/net" else . end)'
	hook < <(state .)
	[ "$status" -eq 1 ] && [[ $output == *"is in another network namespace than the bundle says"* ]]
	cp "$NET_DIR/config.json" "$NET_DIR/bundles/idle/config.json"
	[ -z "$(states)" ]
	# nor may the namespace of a container that is known be called one's own
	oci run idle --detach one >"$NET_DIR/run.log" 2>&1 </dev/null 3>&-
	bundle idle app=web -- sleep 100
	hook < <(state ".pid = $(oci state one | jq .pid)")
	[ "$status" -eq 1 ] && [[ $output == *"its network namespace is that of one"* ]]
	# and the daemon cannot be told so much of it
	hook < <(state 'reduce range(200) as $i (.; .annotations["k\($i)"] = ("v" * 1000))')
	[ "$status" -eq 1 ] && [[ $output == *"has more than 65536 bytes"* ]]
	# nobody was taken for a container, and the namespace of a stranger was left as it was
	[ "$(states)" = "one protected" ]
	[ -z "$(on_host nsenter --net --target "$victim" nft list tables)" ]
	on_host kill "$victim"
}

new_ns() { # NAME: a process in a network namespace of its own; its pid is in $NET_DIR/NAME
	rm -f "$NET_DIR/$1"
	# shellcheck disable=SC2016
	on_host unshare --net sh -c 'echo $$ >"$0"; exec sleep infinity' "$NET_DIR/$1" \
		>/dev/null 2>&1 </dev/null 3>&- &
	await test -s "$NET_DIR/$1"
}
number_of() { on_host stat --dereference --format %i "/proc/$(cat "$NET_DIR/$1")/ns/net"; }
end_ns() { # NAME...
	for name in "$@"; do
		on_host kill "$(cat "$NET_DIR/$name")"
		rm "$NET_DIR/$name"
	done
}

@test "the number of a namespace that is gone: who gets it is nobody's guest" {
	bundle idle app=nobody
	guard_up
	for try in {1..10}; do
		new_ns first
		was=$(number_of first)
		victim=$(cat "$NET_DIR/first")
		hook < <(state '.id = "first" | .annotations = {}')
		[ "$status" -eq 0 ]
		guard_signal STOP # it does not see yet that the first one has ended
		end_ns first
		made=()
		for i in {1..20}; do
			new_ns "ns$i"
			made+=("ns$i")
			[ "$(number_of "ns$i")" != "$was" ] || break
		done
		got=$(number_of "ns$i")
		victim=$(cat "$NET_DIR/ns$i")
		(hook < <(state '.id = "second" | .annotations = {}') && echo "$output" && exit "$status") \
			>"$NET_DIR/second.log" 3>&- &
		asks=$!
		await asking
		guard_signal CONT
		code=0
		wait $asks || code=$?
		end_ns "${made[@]}"
		[ "$got" != "$was" ] || break
	done
	[ "$got" = "$was" ]
	[ "$code" -eq 0 ] || fail "$(cat "$NET_DIR/second.log")"
}

# --- Podman ----------------------------------------------------------------------------------

with_hooks() { podman --hooks-dir "$NET_DIR/hooks" "$@"; }

hooks_of() { # RUNTIME: Podman's directory, with the example
	mkdir -p "$NET_DIR/hooks"
	jq --arg hook "$hook_program" --arg socket "$NET_DIR/control" --arg config "$NET_DIR/bulkhead.yaml" \
		--arg runtime "$1" '.hook.path = $hook | .hook.args = ["bulkhead-oci-hook", "--runtime",
			$runtime, "--socket", $socket, "--config", $config, "--wait", "5s"]' \
		examples/hooks/bulkhead.json >"$NET_DIR/hooks/bulkhead.json"
	[ -e "$NET_DIR/containers.conf" ] || {
		podman_up file
		pack | podman import - box:1 >/dev/null
	}
}

@test "Podman's hooks directory: what its annotations say" {
	hooks_of oci
	guard_up
	with_hooks run --detach --name p --annotation app=web localhost/box:1 sleep 100 >/dev/null
	id=$(podman inspect --format '{{.Id}}' p)
	[ "$(states)" = "$id protected" ]
	podman rm --force --time 0 p >/dev/null
	await quiet
	guard_kill
	run with_hooks run --rm --annotation app=web localhost/box:1 echo ran
	[ "$status" -ne 0 ]
	[[ $output == *"it does not start"* && $output != ran* ]]
}

@test "Podman's hooks directory: what Podman knows of it" {
	hooks_of podman
	policy podman <<-'Y'
		service: pod
		select: {runtime: podman, labels: {app: pod}, image: "localhost/box:1"}
	Y
	guard_up --podman-socket /run/podman/podman.sock
	for i in {1..3}; do
		with_hooks run --rm --name "p$i" --label app=pod localhost/box:1 sh -c :
	done
	with_hooks run --detach --name p --label app=pod localhost/box:1 sleep 100 >/dev/null
	id=$(podman inspect --format '{{.Id}}' p)
	states >"$NET_DIR/states"
	podman rm --force --time 0 p >/dev/null
	rm "$NET_DIR/policies/podman.yaml"
	[ "$(cat "$NET_DIR/states")" = "$id protected" ]
	for i in {1..3}; do grep -q "p$i.*: updated" "$NET_DIR/guard.log"; done
}
