#!/usr/bin/env bats
# Plumbing does not matter: by whatever wire two containers meet, and whatever becomes of the host's
# own rules meanwhile, the same packets pass and the same are denied. Every cell of one table is
# asked with real packets, and compared with what the servers saw and with what `denied` says.

load lib/docker

# --- the table -------------------------------------------------------------------------------

# A row for each way to be wired. The client asks the server where that is `asked-at`; a container
# sees the addresses of `seen-at`, and asks back there. Docker's networks are such places, survey()
# makes the others. No `other` where everybody counts as the host: what Docker's proxy carries comes
# from the gateway, whoever sent it.
plumbing() {
	grep -vE "^ *(#|(${absent:-nothing}) )" <<-'END'
		# row       over client         server           other          asked-at   seen-at
		bridge      46   bridge-client  bridge-server    stranger       bridge     bridge
		user        46   user-client    user-server      stranger       user       user
		two-left    46   two-client     two-server       stranger       left       left
		two-right   46   two-client     two-server       stranger       right      right
		late        46   late-client    late-server      stranger       late       late
		shared      46   shared-client  shared-server    stranger       user       user
		macvlan     46   macvlan-client macvlan-server   stranger       macvlan    macvlan
		ipvlan      46   ipvlan-client  ipvlan-server    ipvlan-other   ipvlan     ipvlan
		published   4    caller         published-server passer-by      published  outside
		own-address 4    host           proxied-server   passer-by      own        outside
		proxy       46   host           proxied-server   -              loopback   carried
		hairpin     46   stranger       proxied-server   -              gateway    carried
		health      46   host           health-server    stranger       bridge     bridge
		health-side 46   host           side-server      stranger       side       side
		to-gateway  46   guest          host             bridge-client  bridge     bridge
		to-uplink   4    guest-uplink   host             bridge-client  uplink     uplink
		to-loopback 46   guest-loopback host             bridge-client  side       side
	END
}

# One verdict for all plumbing. Everybody but `other` listens on all these ports.
probes() {
	cat <<-'END'
		allowed      client  server  5432/tcp  open
		allowed-udp  client  server  53/udp    open
		port         client  server  9999/tcp  closed
		port-udp     client  server  54/udp    closed
		ping         client  server  icmp      closed
		other        other   server  5432/tcp  closed
		back         server  client  5432/tcp  closed
	END
}

# Without Docker's rules on the host its proxy carries what they would have rewritten. A server that
# takes an outside address, and not the host, then takes nobody; one that takes the host takes all.
unruled_plumbing() { plumbing | sed -E '/^(published|own-address) /s/ outside$/ carried/'; }
unruled_verdicts() {
	cat <<-'END'
		published    allowed      closed
		published    allowed-udp  closed
		own-address  other        open
	END
}

write_policies() {
	local name
	for name in bridge user two late shared macvlan ipvlan; do
		[ "$name" != "$absent_here" ] || continue
		cat <<-END
			service: $name-client
			select: {labels: {app: $name-client}}
			egress: [{to: [{service: $name-server}], ports: [5432/tcp, 53/udp]}]
			---
			service: $name-server
			select: {labels: {app: $name-server}}
			ingress: [{from: [{service: $name-client}], ports: [5432/tcp, 53/udp]}]
			---
		END
	done
	for name in proxied health side; do
		cat <<-END
			service: $name-server
			select: {labels: {app: $name-server}}
			ingress: [{from: [{entity: host}], ports: [5432/tcp, 53/udp]}]
			---
		END
	done
	for name in guest guest-uplink guest-loopback; do
		cat <<-END
			service: $name
			select: {labels: {app: $name}}
			egress: [{to: [{entity: host}], ports: [5432/tcp, 53/udp]}]
			---
		END
	done
	cat <<-'END'
		service: published-server
		select: {labels: {app: published-server}}
		ingress: [{from: [{cidr: 198.51.100.2}], ports: [5432/tcp, 53/udp]}]
		---
		service: rover
		select: {labels: {app: rover}}
		egress: [{to: [{entity: world}], ports: [tcp]}]
	END
}
services() { sed -n 's/^service: //p' "$NET_DIR/policies/plumbing.yaml" | xargs; }

# Every cell as a line of ROW PROBE FAMILY VERDICT, then what it takes to ask: SENDER ADDRESS PORT,
# and what the receiving end sees: RECEIVER FAMILY SOURCE DESTINATION PORT.
cells() { # open|ruled|unruled: no table of ours anywhere; ours and Docker's on the host; only ours
	local rows=plumbing exceptions=:
	[ "$1" != unruled ] || rows=unruled_plumbing exceptions=unruled_verdicts
	awk -v open="$([ "$1" != open ] || echo open)" '
		function cell(r, family,    from, to, place, seen) {
			from = r[role[$2]]
			to = r[role[$3]]
			place = $3 == "server" ? r[6] : r[7]
			if (from == "-" || $4 == "icmp" && shift[place] ||
			    $1 == "back" && !((from, place, family) in at))
				return
			seen = (to, r[7], family) in at ? family : 4
			split($4, port, "/")
			print r[1], $1, family, open ? open : (r[1], $1) in verdict ? verdict[r[1], $1] : $5,
				from, at[to, place, family], port[2] ? port[1] + shift[place] "/" port[2] : $4,
				to, seen, at[from, r[7], seen], at[to, r[7], seen], $4
		}
		BEGIN {
			role["client"] = 3; role["server"] = 4; role["other"] = 5
			shift["published"] = 10000
			shift["own"] = shift["loopback"] = shift["gateway"] = 20000
		}
		what == "places" && $3 != "-" { at[$1, $2, 4] = $3 }
		what == "places" && $4 != "-" { at[$1, $2, 6] = $4 }
		what == "plumbing" { row[++rows] = $0 }
		what == "exceptions" { verdict[$1, $2] = $3 }
		what == "probes" {
			for (i = 1; i <= rows; i++) {
				split(row[i], r)
				for (family = 4; family <= 6; family += 2)
					if (index(r[2], family))
						cell(r, family)
			}
		}' what=places "$NET_DIR/places" what=plumbing <($rows) \
		what=exceptions <($exceptions) what=probes <(probes)
}

# --- the host --------------------------------------------------------------------------------

# In a namespace that is gone afterwards; says what the kernel says.
has_ipvlan() {
	on_host unshare --net sh -c 'ip link add parent type veth peer name other &&
		ip link add link parent name child type ipvlan mode l2' 2>&1
}

network() { # NAME NUMBER [OPTION...]
	docker network create --ipv6 --subnet "10.$2.0.0/24" --subnet "fd00:$2::/64" "${@:3}" "$1" \
		>/dev/null
}

make_networks() {
	network user 66
	network left 67
	network right 68
	network late 69
	on_host ip link add lan type veth peer name lan-end
	on_host ip link set lan up
	on_host ip link set lan-end up
	network macvlan 70 --driver macvlan --opt parent=lan
	[ -n "$absent_here" ] || network ipvlan 72 --driver ipvlan --opt parent=lan-end
	docker network create --subnet 10.71.0.0/24 inner >/dev/null
	on_host ip addr add fd00:53::53/128 dev lo nodad
	outsider caller 198.51.100.1/30 198.51.100.2/30
	outsider passer-by 198.51.100.5/30 198.51.100.6/30
}

rest() { # NAME [OPTION...]: a container that does nothing, for servers to be put into
	docker run --detach --name "$1" --label app="$1" --cap-drop NET_RAW "${@:2}" box:1 \
		sleep 1000 >/dev/null
}

two() { rest "$1" --network left && docker network connect right "$1"; }
# Both are of the service: with one that is not, they would be told to be `shared`.
shared() {
	rest "pause-$1" --network user --label app="$1" && rest "$1" --network "container:pause-$1"
}

publish() { # NAME PORT...: each as PORT-ON-HOST:PORT
	local ports=("${@:2}")
	rest "$1" --network inner "${ports[@]/#/--publish=}"
}

make_containers() {
	local job jobs=()
	local all=(
		"rest bridge-client" "rest bridge-server" "rest health-server" "rest side-server"
		"rest guest" "rest guest-uplink" "rest guest-loopback" "rest rover" "rest stranger"
		"two two-client" "two two-server" "shared shared-client" "shared shared-server"
		"rest user-client --network user" "rest user-server --network user"
		"rest late-client --network user" "rest late-server --network user"
		"rest macvlan-client --network macvlan" "rest macvlan-server --network macvlan"
		"publish published-server 15432:5432 19999:9999 10053:53/udp 10054:54/udp"
		"publish proxied-server 25432:5432 29999:9999 20053:53/udp 20054:54/udp"
	)
	[ -n "$absent_here" ] || for job in client server other; do
		all+=("rest ipvlan-$job --network ipvlan")
	done
	for job in "${all[@]}"; do
		$job &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || fail "a container could not be made" || return
	done
	for job in user left right macvlan inner; do
		docker network connect $job stranger
	done
}

# Who is where: NAME PLACE IPV4 IPV6 a line in $NET_DIR/places, from Docker and from what we know.
survey() {
	local containers
	# shellcheck disable=SC2046
	containers=$(docker inspect $(docker ps --quiet))
	jq -r '.[] | .Name[1:] as $name | .NetworkSettings.Networks | to_entries[]
		| "\($name) \(.key) \(.value.IPAddress) \(.value.GlobalIPv6Address)"' \
		<<<"$containers" | sed -E 's/^pause-//; s/ $/ -/' >"$NET_DIR/places"
	cat >>"$NET_DIR/places" <<-END
		host bridge 172.17.0.1 fd00:17::1
		host uplink 198.51.100.1 -
		host side $RESOLVER fd00:53::53
		$(same guest-uplink bridge uplink)
		$(same guest-loopback bridge side)
		$(same bridge-client bridge uplink)
		$(same bridge-client bridge side)
		$(same side-server bridge side)
		$(same stranger bridge side)
		published-server published 198.51.100.1 -
		caller outside 198.51.100.2 -
		passer-by outside 198.51.100.6 -
		host outside $RESOLVER -
		$(same published-server inner outside)
		$(same proxied-server inner outside)
		proxied-server own $RESOLVER -
		proxied-server loopback 127.0.0.1 ::1
		proxied-server gateway 10.71.0.1 fd00:17::1
		$(for name in host stranger caller passer-by; do echo "$name carried 10.71.0.1 -"; done)
		$(same published-server inner carried)
		$(same proxied-server inner carried)
	END
	jq -r '.[] | "\(.Name[1:]) \(.State.Pid)"' <<<"$containers" | while read -r name pid; do
		echo "$pid" >"$NET_DIR/$name.pid"
	done
}
same() { # NAME PLACE OTHER-PLACE
	awk -v name="$1" -v place="$2" -v other="$3" \
		'$1 == name && $2 == place { $2 = other; print }' "$NET_DIR/places"
}

# To these the host is not what its bridge is called, but another address of its own.
host_appears() { # TO IPV4 IPV6
	local v4 v6 rest
	read -r rest rest v4 v6 < <(same "$1" bridge -)
	on_host ip route add "$v4/32" dev docker0 src "$2"
	on_host ip -6 route add "$v6/128" dev docker0 src "$3"
}

# Its containers outlive it, and its first bridge has IPv6.
dockerd_options=(--live-restore --ipv6 --fixed-cidr-v6 fd00:17::/64)

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up "${dockerd_options[@]}"
	image box:1
	absent_here=
	has_ipvlan >"$BATS_FILE_TMPDIR/ipvlan" || absent_here=ipvlan
	export absent_here
	make_networks
	make_containers
	survey
	host_appears side-server "$RESOLVER" fd00:53::53
	host_appears guest-loopback "$RESOLVER" fd00:53::53
	host_appears guest-uplink 198.51.100.1 fd00:53::53
	write_policies | policy plumbing
	absent=$absent_here
	for name in $(plumbing | awk '{ print $3; print $4 }' | sort -u); do
		serve "$name" 5432/tcp 9999/tcp 53/udp 54/udp
	done
}
teardown_file() { docker_down; }
setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	dir=$BATS_TEST_TMPDIR
	absent=$absent_here
}

# --- asking ----------------------------------------------------------------------------------

column() { cut -d ' ' -f "$1" "$dir/cells" | sort -u; }

verdicts() { cut -d ' ' -f 1-4 "$dir/cells" | sort; }

# All cells at once, as ROW PROBE FAMILY VERDICT. What should pass gets time, for a busy machine;
# what should not is asked twice, briefly, and what comes through late is in the servers' logs.
observe() {
	local name patience pids=()
	for name in $(column 5); do
		for patience in "open 3000" "closed 250"; do
			awk -v from="$name" -v state="${patience% *}" '$5 == from && $4 == state' \
				"$dir/cells" >"$dir/cells.$name.${patience% *}"
			awk '{ print $6, $7 }' "$dir/cells.$name.${patience% *}" |
				questions "$name" --timeout "${patience#* }" \
					>"$dir/verdicts.$name.${patience% *}" 3>&- &
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	for name in "$dir"/cells.*; do
		cut -d ' ' -f 1-3 "$name" | paste -d ' ' - "${name/cells./verdicts.}"
	done | sed -E 's/ (half|timeout|refused|unreachable)$/ closed/' | sort
}

# What came in where: SERVER SOURCE PORT. Pings leave no trace there.
arriving() { awk '$4 == "open" && $12 != "icmp" { print $8, $10, $12 }' "$dir/cells" | sort -u; }
arrived() {
	local name
	for name in $(column 8); do
		awk -v to="$name" '{ print to, $3, $2 "/" $1 }' "$NET_DIR/$name.log"
	done | sort -u
}

# What is denied, as DIRECTION SERVICE PORT SOURCE ITS-SERVICE DESTINATION ITS-SERVICE: by the
# sender's table where that has one, else by the receiver's.
denied() {
	awk -v services=" $(services) " '
		function service(name) { return index(services, " " name " ") ? name : "-" }
		$4 == "closed" {
			if ($12 == "icmp")
				$12 = $9 == 4 ? "icmp/8" : "icmpv6/128"
			by = service($5) != "-" ? "egress " $5 : "ingress " $8
			print by, $12, $10, service($5), $11, service($8)
		}' "$dir/cells" | sort -u
}
recorded() { # what is aggregated names no flow
	jq -r 'select(.aggregated | not)
		| [.direction, .service,
		   if .icmp then "\(.protocol)/\(.icmp.type)"
		   else "\(.destination.port)/\(.protocol)" end,
		   .source.address, .source.service // "-",
		   .destination.address, .destination.service // "-"] | join(" ")' \
		"$NET_DIR/records" | sort -u
}

# The one place where all is compared.
ask_all() { # open|ruled|unruled
	local wrong=0
	cells "$1" >"$dir/cells"
	diff <(column 1) <(plumbing | cut -d ' ' -f 1 | sort) || return
	rm -f "$dir"/cells.* "$dir"/verdicts.*
	truncate --size 0 "$NET_DIR"/*.log
	[ "$1" = open ] || follow --json || return
	observe >"$dir/observed"
	differ "verdicts" <(verdicts) "$dir/observed" || wrong=1
	if [ "$1" != open ]; then
		followed || wrong=1
		differ "arrivals" <(arriving) <(arrived) || wrong=1
		differ "records" <(denied) <(recorded) || { cat "$NET_DIR/messages" && wrong=1; }
	fi
	return $wrong
}
differ() { diff --label "$1 expected" --label "$1" --unified=0 "$2" "$3"; }

# --- what becomes of the host ----------------------------------------------------------------

# Do bridged packets cross the host's own rules?
br_netfilter() { # 0|1
	on_host sysctl -qw net.bridge.bridge-nf-call-iptables="$1" \
		net.bridge.bridge-nf-call-ip6tables="$1" ||
		fail "kernel $(uname -r) has no br_netfilter here: not loaded, or of the first namespace only"
}

# The table under both, each proven by what the host's rules see of one bridge.
with_and_without_br_netfilter() { # ruled|unruled
	local on seen
	for on in 1 0; do
		br_netfilter $on
		on_host nft -f - <<-'END'
			table inet witness {
				chain bridged {
					type filter hook forward priority -500;
					iifname "docker0" oifname "docker0" counter
				}
			}
		END
		ask_all "$1" || fail "with br_netfilter $on" || return
		seen=$(on_host nft -j list table inet witness |
			jq '[.. | .counter?.packets? // empty] | add')
		on_host nft delete table inet witness
		[ $((seen > 0)) -eq $on ] || fail "br_netfilter $on, $seen packets seen" || return
	done
}

# --- the tests, in this order ----------------------------------------------------------------

@test "this kernel has ipvlan, or says so" {
	[ -z "$absent_here" ] || {
		grep -iE "unknown device type|not supported" "$BATS_FILE_TMPDIR/ipvlan"
		echo "# note: no row for ipvlan, this kernel: $(cat "$BATS_FILE_TMPDIR/ipvlan")" >&3
	}
}

@test "before the first apply every cell is open: the servers answer, by every wire" {
	absent+=${absent:+|}late
	ask_all open
}

@test "apply: every container that a service selects is protected" {
	bulkhead apply
	run bulkhead status
	[ "$status" -eq 0 ]
	for name in $(services); do
		grep -Eq "^protected +$name " <<<"$output"
	done
}

@test "entity: world is no way to the host, whatever its address, nor to a port published there" {
	printf '%s/tcp\n' '198.51.100.2 5432' '172.17.0.1 5432' 'fd00:17::1 5432' \
		'10.66.0.1 5432' 'fd00:66::1 5432' '198.51.100.1 5432' "$RESOLVER 5432" \
		'fd00:53::53 5432' '172.17.0.1 25432' "$RESOLVER 25432" 'fd00:17::1 25432' |
		questions rover --timeout 1000 >"$dir/verdicts"
	[ "$(uniq -c "$dir/verdicts" | xargs)" = "1 open 10 timeout" ]
}

@test "an interface that comes late is closed until the next apply" {
	for name in late-client late-server stranger; do
		docker network connect late $name
	done
	survey
	cells ruled | grep '^late ' | sed 's/ open / closed /' >"$dir/cells"
	truncate --size 0 "$NET_DIR"/late-*.log
	observe >"$dir/observed"
	differ "verdicts" <(verdicts) "$dir/observed"
	[ -z "$(arrived)" ]
	bulkhead apply
}

@test "the table, with br_netfilter and without" {
	with_and_without_br_netfilter ruled
}

@test "the same after nft flush ruleset on the host" {
	on_host nft flush ruleset
	with_and_without_br_netfilter unruled
}

@test "the same after a restart of dockerd under running containers" {
	dockerd_stop
	run bulkhead apply # who does not know the containers changes nothing
	[ "$status" -eq 3 ]
	[[ $output == *"containers are running"*"Docker does not answer"* ]]
	dockerd_start "${dockerd_options[@]}"
	with_and_without_br_netfilter ruled
}

@test "nothing of that was anything to mend" {
	run bulkhead apply
	[ "$status" -eq 0 ]
	[[ $output == *" 0 created, 0 updated, "*" unchanged, 0 removed"* ]]
	bulkhead status
}

@test "clean opens every cell again, that of the late interface, too" {
	bulkhead apply --clean
	ask_all open
}
