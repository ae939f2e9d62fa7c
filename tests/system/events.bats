#!/usr/bin/env bats
# What is heard of a real Docker, and of Podman beside it: events, one container at a time, and whose
# a new namespace is before its container's first instruction.
# shellcheck disable=SC2016,SC2030,SC2031

load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	image box:1 'LABEL baked=yes'
	docker network create --ipv6 --subnet 10.66.0.0/24 --subnet fd00:66::/64 shop >/dev/null
	on_host mkdir -p /run/docker/netns
	mkdir "$NET_DIR/marks"
	hear docker /run/docker.sock /run/docker/netns "$NET_DIR/marks"
	await heard docker '.is == "connected"'
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

# Follows an engine until the host ends; what it hears is in $NET_DIR/heard.NAME.
hear() { # NAME SOCKET [NETNS-DIR [MARKS-DIR]]
	local program
	program=$(realpath "$(dirname "$PROBE")/events")
	(on_host "$program" "$2" "$1" "${@:3}" >"$NET_DIR/heard.$1" 2>>"$NET_DIR/log" </dev/null \
		3>&-) &
}

# True when a line fits. A line that is being written is none yet.
heard() { # NAME FILTER
	[ "$(lines "$1" "$2")" -gt 0 ]
}
lines() { # NAME FILTER
	jq -Rn --arg id "${id:-}" "[inputs | fromjson? | select($2)] | length" "$NET_DIR/heard.$1"
}
# The kinds of the events of $id, in order, those of networks left out.
kinds() { # NAME
	jq -Rrn --arg id "$id" '[inputs | fromjson? | select(.is == "event" and .container == $id and
		.network == "") | .kind] | join(" ")' "$NET_DIR/heard.$1"
}
id_of() { docker inspect --format '{{.Id}}' "$1"; } # NAME

# A container whose first instruction makes a file: its mark.
marked() { # NAME [OPTION...]
	docker run --detach --name "$1" --label app=web --volume "$NET_DIR/marks:/marks" "${@:2}" box:1 \
		sh -c ": >/marks/$1; exec sleep 1000" >/dev/null
}

@test "a container's life is heard, in order" {
	docker create --name life --network shop box:1 sleep 1000 >/dev/null
	id=$(id_of life)
	await heard docker '.kind == "create" and .container == $id'
	docker start life >/dev/null
	docker rename life still
	docker pause still >/dev/null
	docker unpause still >/dev/null
	docker restart --time 0 still >/dev/null
	docker kill still >/dev/null
	await heard docker '.kind == "die" and .container == $id'
	docker rm still >/dev/null
	await heard docker '.kind == "destroy" and .container == $id'
	[ "$(kinds docker)" = "create start rename pause unpause die stop start die destroy" ]
}

@test "networks are heard with the container that joins and leaves them" {
	local network
	network=$(docker network inspect --format '{{.Id}}' bridge)
	docker run --detach --name joiner --network shop box:1 sleep 1000 >/dev/null
	id=$(id_of joiner)
	docker network connect bridge joiner
	await heard docker ".kind == \"connect\" and .container == \$id and .network == \"$network\""
	docker network disconnect bridge joiner
	await heard docker ".kind == \"disconnect\" and .container == \$id and .network == \"$network\""
	docker rm --force joiner >/dev/null
}

@test "one container is what the list says of it, also one in another one's namespace" {
	local name one all
	container web --network shop --label app=web --cap-drop NET_RAW
	docker run --detach --name sidecar --network container:web --label app=sidecar box:1 \
		sleep 1000 >/dev/null
	docker run --detach --name agent --network host box:1 sleep 1000 >/dev/null
	for name in web sidecar agent; do
		id=$(id_of "$name")
		await heard docker '.is == "container" and .container == $id'
		one=$(jq -Rnc --arg id "$id" 'inputs | fromjson? | select(.is == "container" and
			.container == $id) | [.name, .image, .netns_ino, .obstacle, .labels, .addresses,
			.resolvers]' "$NET_DIR/heard.docker")
		all=$(bulkhead endpoints --json | jq -c --arg id "$id" 'select(.id == $id) | [.name,
			.image, (.netns_ino // 0), (.obstacle // ""), .labels, .addresses, .resolvers // []]')
		[ "$one" = "$all" ] || fail "$name: $one, in the list $all" || return
	done
	docker rm --force web sidecar agent >/dev/null
}

# $1 is joined, and that before its first instruction.
joined_in_time() { # NAME
	local id
	id=$(id_of "$1")
	await heard docker ".is == \"mark\" and .name == \"$1\""
	await heard docker '.is == "container" and .container == $id'
	jq -Rne --arg id "$id" --arg name "$1" '[inputs | fromjson?] |
		(map(select(.is == "mark" and .name == $name))[0].at) as $first |
		any(.[]; .is == "joined" and .container == $id and .at < $first and .name == $name and
			.image == "box:1" and .labels == {"app": "web"})' "$NET_DIR/heard.docker" >/dev/null ||
		fail "$1: $(grep -F "$id" "$NET_DIR/heard.docker")"
}

@test "whose a new namespace is, is known before the container's first instruction" {
	docker create --name early --label app=web --network shop --volume "$NET_DIR/marks:/marks" box:1 \
		sh -c ': >/marks/early; exec sleep 1000' >/dev/null
	id=$(id_of early)
	await heard docker '.kind == "create" and .container == $id'
	docker start early >/dev/null
	joined_in_time early
	[ "$(jq -Rn --arg id "$id" -c 'inputs | fromjson? | select(.is == "joined" and .container == $id)
		| [.addresses, .resolvers]' "$NET_DIR/heard.docker")" = \
		"[[\"$(v4 early)\",\"$(v6 early)\"],[\"$RESOLVER\"]]" ]
}

@test "it is known of one that is started again, too" {
	rm -f "$NET_DIR/marks/early"
	id=$(id_of early)
	docker restart --time 0 early >/dev/null
	await eval '[ "$(lines docker ".is == \"joined\" and .container == \$id")" -eq 2 ]'
	docker rm --force early >/dev/null
}

@test "a Docker that goes and comes back: lost once, then everything is to be looked at anew" {
	local connected lost
	connected=$(lines docker '.is == "connected"')
	lost=$(lines docker '.is == "lost"')
	dockerd_stop
	await eval "[ \$(lines docker '.is == \"lost\"') -eq $((lost + 1)) ]"
	dockerd_start
	await eval "[ \$(lines docker '.is == \"connected\"') -eq $((connected + 1)) ]"
	[ "$(lines docker '.is == "lost"')" -eq $((lost + 1)) ]
	marked after --network shop
	joined_in_time after
	docker rm --force after >/dev/null
}

# In ms after the namespace appeared: known, joined, first instruction.
margins() {
	jq -Rn '[inputs | fromjson?] |
		[.[] | select(.is == "mark" and (.name | startswith("run"))) | . as $mark |
			.name as $name | $mark.at as $first |
			{name: $name, first: $first}] as $marks |
		[.[] | select(.is == "joined" and (.name | startswith("run")))] as $joins |
		[.[] | select(.is == "known")] as $known |
		[.[] | select(.is == "netns")] as $netns |
		[$joins[] | . as $j |
			($netns | map(select(.path == $j.netns))[0].at) as $t0 |
			($known | map(select(.container == $j.container))[0].at) as $k |
			($marks | map(select(.name == $j.name))[0].first) as $f |
			{known: (($k - $t0) / 1000), joined: (($j.at - $t0) / 1000),
			 first: (($f - $t0) / 1000), margin: (($f - $j.at) / 1000)}] as $all |
		def median: sort | .[length / 2 | floor];
		{starts: ($marks | length), joined: ($all | length), ms_after_the_namespace: {
			known: ([$all[].known] | median), joined: ([$all[].joined] | median),
			first_instruction: ([$all[].first] | median)},
		 ms_before_the_first_instruction: {median: ([$all[].margin] | median),
			least: ([$all[].margin] | min)}}' "$NET_DIR/heard.docker"
}

# Figures are printed, not judged: they are the machine's.
@test "how long before the first instruction: 20 starts" {
	local i
	for ((i = 0; i < 20; i++)); do
		marked "run$i" --network shop
		await heard docker ".is == \"mark\" and .name == \"run$i\""
		docker rm --force "run$i" >/dev/null
	done
	margins >"$NET_DIR/margins"
	sed 's/^/# /' "$NET_DIR/margins" >&3
	[ "$(jq .starts "$NET_DIR/margins")" -eq 20 ]
}

@test "Podman's events by the same API" {
	podman_up file
	hear podman /run/podman/podman.sock
	await heard podman '.is == "connected"'
	pack | podman import - box:1 >/dev/null
	podman create --name pod --label app=pod localhost/box:1 sleep 1000 >/dev/null
	id=$(podman inspect --format '{{.Id}}' pod)
	podman start pod >/dev/null
	await heard podman '.is == "container" and .container == $id and .labels == {"app": "pod"}'
	podman pause pod >/dev/null
	podman unpause pod >/dev/null
	podman kill pod >/dev/null
	await heard podman '.kind == "die" and .container == $id'
	podman rm pod >/dev/null
	await heard podman '.kind == "destroy" and .container == $id'
	[ "$(kinds podman)" = "create start pause unpause die destroy" ]
}
