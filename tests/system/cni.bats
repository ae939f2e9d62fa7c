#!/usr/bin/env bats
# bulkhead-cni in real chains of plugins: what it holds by real packets, what it answers, and what
# it is not brought to by what it is given.

bats_require_minimum_version 1.5.0
load lib/docker
load lib/cni

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	host_up
	cni_up
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	policy shop <<-END
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {name: db, namespace: shop}
		spec:
		  podSelector: {matchLabels: {app: db}}
		  ingress:
		    - from: [{podSelector: {matchLabels: {app: web}}}]
		      ports: [{port: 5432}]
		---
		service: job
		select: {runtime: cni, labels: {com.hashicorp.nomad.job_id: batch}}
		egress: [{to: [{labels: {app: db}}], ports: [5432/tcp]}]
	END
	daemon_on_host
	chain <examples/cni/containerd.conflist
	pod web "$(of_shop web)"
	pod db "$(of_shop db)"
	pod mon "IgnoreUnknown=1;K8S_POD_NAMESPACE=ops;K8S_POD_NAME=mon;app=web"
	add web >/dev/null
	add db >/dev/null
	add mon >/dev/null
	listens db 5432/tcp 9999/tcp
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	chain <examples/cni/containerd.conflist
}

of_shop() { echo "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$1;K8S_POD_UID=7;app=$1"; } # NAME

is() { [ "$1" = "$2" ] || fail "this: $1 -- should be: $2"; }
open='open open' closed='timeout timeout'

refuses() { # CODE TEXT COMMAND...
	run "${@:3}"
	[ "$status" -ne 0 ] || fail "this should fail: ${*:3}: $output"
	is "$(code)" "$1"
	[[ $(jq -r .msg <<<"$output") == *"$2"* ]] || fail "$output"
	jq -e '.cniVersion' <<<"$output" >/dev/null
}

# What ours is given behind the others.
ours() { config "$(($(plugins | wc -l) - 1))" "$@"; } # [PREVRESULT [FILTER]]
prev='{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}'

# Everything denied: nothing leaves, whatever the policies say.
is_closed() { in_pod "$1" nft list table inet bulkhead | grep -q 'policy drop'; }

@test "ADD: the policy is in force when the chain ends, over both families, by labels of CNI_ARGS" {
	is "$(state_of db '.state + " " + .services')" "protected k8s:shop/db"
	is "$(asks web db 5432/tcp)" "$open"
	is "$(asks web db 9999/tcp)" "$closed"
	is "$(asks mon db 5432/tcp)" "$closed"
}

@test "ADD: nothing passes between the namespace's making and its policy" {
	pod late "$(of_shop db)"
	listens late 9999/tcp
	add late >/dev/null
	is "$(asks web late 9999/tcp)" "$closed"
	check late
	del late
	unpod late
}

@test "the result is the one of the plugin before, in each version, and what nobody knows stays in it" {
	local version want
	pod any "$(of_shop any)"
	for version in 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		with '.cniVersion = $v' --arg v $version
		want=$(jq -c --arg v $version '{cniVersion: $v, interfaces: [{name: "eth0", mac: "x",
			sandbox: "/n", mtu: 1400, later: [1.5, null]}], ips: [{version: "4",
			address: "10.0.0.2/24", interface: 0}], routes: [], dns: {}, "é": {"a": []}}' <<<null)
		run --separate-stderr plugin ADD any < <(ours "$want")
		is "$output" "$want"
	done
	plugin DEL any < <(ours "$want")
	unpod any
}

@test "VERSION, by itself" {
	run on_host env CNI_COMMAND=VERSION "$NET_DIR/cni/bulkhead-cni" </dev/null
	is "$output" '{"cniVersion":"1.1.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}'
}

@test "labels of args and of annotations, and none that speaks for the runtime" {
	pod job "IgnoreUnknown=1;NOMAD_JOB_ID=batch;NOMAD_GROUP_NAME=g"
	add job '.args.cni.labels = [{key: "tier", value: "x"}] |
		.runtimeConfig."io.kubernetes.cri.pod-annotations" = {"app": "web", "note": "n",
			"io.kubernetes.pod.namespace": "shop"}' >/dev/null
	is "$(state_of job '.state + " " + .services')" "protected job"
	is "$(asks job db 5432/tcp)" "$closed" # its namespace is "default", whatever its annotations say
	del job
	unpod job
}

@test "CHECK: whole, and for a container that is not known" {
	run check db
	is "$status $output" "0 "
	pod nobody
	cp "$NET_DIR/results/db" "$NET_DIR/results/nobody"
	refuses 101 "does not know this container" plugin CHECK nobody < <(ours "$prev")
	# the id of one, in the namespace of another
	CNI_NETNS=$(netns_of web) refuses 101 "does not know" plugin CHECK db < <(ours "$prev")
	unpod nobody
}

@test "CHECK without the daemon: tables that are whole, altered, deleted" {
	pod odd "$(of_shop db)"
	add odd >/dev/null
	daemon_killed
	refuses 11 "its tables are whole" check odd
	in_pod odd nft insert rule inet bulkhead input accept
	refuses 101 "its tables were altered" check odd
	in_pod odd nft delete table inet bulkhead
	refuses 101 "it has no table" check odd
	daemon_on_host # mends it, and still knows it
	await check odd
	is "$(state_of odd .services)" k8s:shop/db
	del odd
	unpod odd
}

@test "DEL: again, without a namespace, without a daemon, and what outlives it stays denied" {
	pod gone "$(of_shop gone)"
	add gone >/dev/null
	is "$(state_of gone)" unmanaged
	del gone
	await is_closed gone
	is "$(state_of gone)" ""
	del gone
	unpod gone
	del gone
	CNI_NETNS='' plugin DEL gone < <(ours)
	daemon_killed
	del gone
	daemon_on_host
}

@test "DEL that comes late: of another namespace than the one that has the id by now" {
	pod again "$(of_shop db)"
	pod before
	add again >/dev/null
	CNI_NETNS=/run/netns/gone plugin DEL again < <(ours)
	CNI_NETNS=$(netns_of before) plugin DEL again < <(ours)
	is "$(state_of again '.state + " " + .services')" "protected k8s:shop/db"
	del again
	is "$(state_of again .services)" ""
	unpod again
	unpod before
}

@test "a namespace that has the path and the number of an earlier one is not that one" {
	pod next "$(of_shop db)"
	add next >/dev/null
	is "$(state_of next .services)" k8s:shop/db
	daemon_killed
	for change in . '.cookie = 1'; do # as if another had been there
		jq --arg id "$NET-next" "(.containers[] | select(.id == \$id)) |= ($change)" \
			"$NET_DIR/store/announced.json" >"$NET_DIR/changed"
		cp "$NET_DIR/changed" "$NET_DIR/store/announced.json"
		daemon_on_host
		[ "$change" != . ] || is "$(state_of next .services)" k8s:shop/db
		[ "$change" = . ] || is "$(state_of next .services)" ""
		[ "$change" != . ] || daemon_killed
	done
	is "$(state_of db .services)" k8s:shop/db
	unpod next
}

@test "DEL of one of two networks: the container stays who it is" {
	pod two "$(of_shop db)"
	add two >/dev/null
	in_pod two ip link add net1 type veth peer name net1p
	CNI_IFNAME=net1 plugin DEL two < <(ours)
	is "$(state_of two .services)" k8s:shop/db
	plugin DEL two < <(ours) # net1 is there still
	is "$(state_of two .services)" k8s:shop/db
	in_pod two ip link del net1
	plugin DEL two < <(ours)
	is "$(state_of two .services)" ""
	unpod two
}

@test "GC: those of this network that are not in the list are forgotten, and no others" {
	local i
	with '.cniVersion = "1.1.0" | .name = "other" | .plugins = [.plugins[-1]]'
	for i in a b c; do
		pod $i "$(of_shop db)"
		config 0 "${prev/1.0.0/1.1.0}" | plugin ADD $i >/dev/null
	done
	for i in c a; do
		config 0 "" ".\"cni.dev/valid-attachments\" = [{containerID: \"$NET-a\", ifname: \"eth0\"},
			{containerID: \"$NET-$i\", ifname: \"eth0\"}]" | plugin GC x
		await eval '[ "$(state_of b)" = "" ]'
		is "$(state_of a .services)" k8s:shop/db
		await is_closed b
	done
	is "$(state_of c)" ""
	is "$(state_of db .services)" k8s:shop/db # of another network
	for i in a b c; do unpod $i; done
}

@test "GC of more than one message" {
	with '.cniVersion = "1.1.0" | .name = "many" | .plugins = [.plugins[-1]]'
	pod last "$(of_shop db)"
	pod first "$(of_shop db)"
	for i in first last; do config 0 "${prev/1.0.0/1.1.0}" | plugin ADD $i >/dev/null; done
	config 0 "" ".\"cni.dev/valid-attachments\" = [(range(3000) | {containerID: \"$NET-k\\(.)\",
		ifname: \"eth0\"}), {containerID: \"$NET-last\"}]" | plugin GC x
	is "$(state_of first)" ""
	is "$(state_of last .services)" k8s:shop/db
	unpod last
	unpod first
}

@test "STATUS: a daemon that answers, hangs, is not there" {
	with '.cniVersion = "1.1.0"'
	status_of() { ours '' '.wait = "1s"' | on_host env CNI_COMMAND=STATUS "$NET_DIR/cni/bulkhead-cni"; }
	run status_of
	is "$status $output" "0 "
	daemon_signal STOP
	refuses 50 "cannot take containers" status_of
	daemon_goes_on
	daemon_killed
	refuses 50 "cannot take containers" status_of
	daemon_on_host
	run status_of
	is "$status $output" "0 "
}

@test "ADD while the daemon hangs or is gone: denied, and refused or quarantined as configured" {
	pod stuck "$(of_shop db)"
	daemon_signal STOP
	refuses 11 "not in force" plugin ADD stuck < <(ours "$prev" '.wait = "1s"')
	is_closed stuck
	daemon_goes_on
	daemon_killed
	unpod stuck
	pod stuck "$(of_shop db)"
	refuses 11 "not in force" plugin ADD stuck < <(ours "$prev" '.wait = "1s"')
	is_closed stuck
	run --separate-stderr plugin ADD stuck < <(ours "$prev" '.wait = "1s" | .withoutDaemon = "quarantine"')
	is "$status $output" "0 $prev"
	[[ $stderr == *"everything denied"* ]] || fail "$stderr"
	is_closed stuck
	daemon_on_host # it finds word of it, and so knows who it is
	is "$(state_of stuck '.state + " " + .services')" "protected k8s:shop/db"
	plugin DEL stuck < <(ours)
	unpod stuck
}

@test "bad input is refused with a code and a sentence, and nothing of it is taken" {
	local before
	pod bad
	before=$(ctl status --json | grep -c '"endpoint"')
	refuses 4 CNI_COMMAND plugin ad bad <<<'{}'
	refuses 6 "no JSON object" plugin ADD bad <<<'garbage'
	refuses 6 "no JSON object" plugin ADD bad </dev/null
	refuses 6 "no JSON object" plugin ADD bad < <(head -c 100000 /dev/urandom)
	refuses 6 "more than" plugin ADD bad < <(head -c 5000000 /dev/zero)
	refuses 1 "0.2.0" plugin ADD bad < <(ours "$prev" '.cniVersion = "0.2.0"')
	refuses 7 prevResult plugin ADD bad < <(ours)
	refuses 7 prevResult plugin CHECK bad < <(ours)
	refuses 2 '"soket": 1 (did you mean "socket"?)' plugin ADD bad < <(ours "$prev" '.soket = 1')
	CNI_ID=../../etc/passwd refuses 4 CNI_CONTAINERID plugin ADD bad < <(ours "$prev")
	CNI_ID=a/b refuses 4 CNI_CONTAINERID plugin DEL bad < <(ours)
	CNI_IFNAME=../eth0 refuses 4 CNI_IFNAME plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/run/netns/../../etc/passwd refuses 4 CNI_NETNS plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/proc/self/ns/mnt refuses 4 CNI_NETNS plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/run/netns/none refuses 4 CNI_NETNS plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/dev/zero refuses 4 CNI_NETNS plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/proc/1/ns/net refuses 4 "the host's own" plugin ADD bad < <(ours "$prev")
	CNI_NETNS=$(netns_of db) refuses 100 "is that of" plugin ADD bad < <(ours "$prev")
	CNI_NETNS=/proc/self/ns/net refuses 4 "the host's own" plugin CHECK bad < <(ours "$prev")
	refuses 7 "at most 256 labels" plugin ADD bad < <(ours "$prev" \
		'.runtimeConfig."io.kubernetes.cri.pod-annotations" = ([range(20000) | {"k\(.)": "a value of forty bytes, more or less...."}] | add)')
	echo 'a=b;a' >"$NET_DIR/results/bad.args"
	refuses 4 CNI_ARGS plugin ADD bad < <(ours "$prev")
	echo >"$NET_DIR/results/bad.args"
	is "$(state_of bad)" ""
	is "$(ctl status --json | grep -c '"endpoint"')" "$before"
	[[ $(on_host nft list tables) != *bulkhead* ]] # the host's own
	# one annotation of a megabyte is no label: no policy could name it
	run --separate-stderr plugin ADD bad < <(ours "$prev" \
		'.runtimeConfig."io.kubernetes.cri.pod-annotations" = {big: ("x" * 1000000)}')
	is "$output" "$prev"
	is "$(state_of bad)" unmanaged
	unpod bad
}
