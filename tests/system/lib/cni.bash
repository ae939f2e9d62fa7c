# shellcheck shell=bash
# Chains of CNI plugins, called by hand as a runtime calls them, on a host of docker.bash.
#
#     load lib/docker
#     load lib/cni
#     setup_file() { host_up; cni_up; chain <examples/cni/containerd.conflist; daemon_on_host; }
#     teardown_file() { docker_down; }
#     @test "..." { pod web K8S_POD_NAME=web; add web; fetch ...; del web; unpod web; }
#
#   cni_up                    all plugins in one directory, ours among them
#   chain                     standard input, a conflist, is what add and the others go through
#   with FILTER [ARG...]      that chain through a filter of jq
#   pod NAME [ARGS]           a namespace as a runtime makes one; ARGS is its CNI_ARGS. Its id is $NET-NAME
#   in_pod NAME COMMAND...    runs a command in it
#   unpod NAME                takes it away
#   add NAME [FILTER]         ADD along the chain, each plugin with the result of the one before; the last
#                             result is printed. FILTER of jq goes over each plugin's configuration
#   check NAME, del NAME      the others, with the result of add
#   plugin COMMAND NAME       ours alone, with its configuration on standard input
#   code                      of the error object in $output
#   daemon_on_host [OPTION..] bulkheadd there; returns when it is ready. `daemon_off` ends it,
#                             `daemon_killed` with -9; `daemon_signal STOP`, and `daemon_goes_on`
#   ctl VERB...               the program, through its socket
#   state_of NAME             what its status says
#   asks FROM TO PORT/PROTO   `probe ask` over IPv4 and IPv6: two words

# shellcheck disable=SC2154 # of net.bash
cni_up() {
	mkdir -p "$NET_DIR/cni" "$NET_DIR/results"
	cp /usr/lib/cni/* "$NET_DIR/cni/" && cp "${bulkhead_program%/*}/bulkhead-cni" "$NET_DIR/cni/"
	on_host mkdir -p /var/lib/cni && on_host mount -t tmpfs tmpfs /var/lib/cni
	on_host mkdir -p /run/netns
	NET=cnit$$
	export NET
}

chain() { cat >"$NET_DIR/conflist"; }

with() { # FILTER [ARG...]
	jq "${@:2}" "$1" "$NET_DIR/conflist" >"$NET_DIR/conflist.new" &&
		mv "$NET_DIR/conflist.new" "$NET_DIR/conflist"
}

# Its name is one that runtimes give: all is denied in it from the moment that it is there.
netns_of() { echo "/run/netns/cni-$(printf '%s' "$NET-$1" | md5sum | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')"; }

pod() { # NAME [ARGS]
	on_host ip netns add "$(basename "$(netns_of "$1")")" || return
	echo "${2:-}" >"$NET_DIR/results/$1.args"
	(in_pod "$1" sleep infinity 3>&- >/dev/null 2>&1 </dev/null &)
	in_pod "$1" ip link set lo up
}

in_pod() { on_host nsenter --net="$(netns_of "$1")" -- "${@:2}"; } # NAME COMMAND...

unpod() { # NAME
	local name pids
	name=$(basename "$(netns_of "$1")")
	mapfile -t pids < <(on_host ip netns pids "$name")
	[ ${#pids[@]} -eq 0 ] || on_host kill -KILL "${pids[@]}"
	on_host ip netns del "$name"
}

call() { # COMMAND NAME PLUGIN
	on_host env CNI_COMMAND="$1" CNI_CONTAINERID="${CNI_ID:-$NET-$2}" \
		CNI_NETNS="${CNI_NETNS-$(netns_of "$2")}" CNI_IFNAME="${CNI_IFNAME:-eth0}" \
		CNI_ARGS="$(cat "$NET_DIR/results/$2.args" 2>/dev/null)" CNI_PATH="$NET_DIR/cni" \
		"$NET_DIR/cni/$3"
}

plugin() { call "$1" "$2" bulkhead-cni; } # COMMAND NAME

# The configuration of plugin number I, as libcni makes it.
config() { # I [PREVRESULT [FILTER]]
	jq -c --argjson i "$1" --argjson prev "${2:-null}" '
		{cniVersion, name} + .plugins[$i] | if $prev then .prevResult = $prev else . end |
		'"${3:-.}" "$NET_DIR/conflist"
}

plugins() { jq -r '.plugins[].type' "$NET_DIR/conflist"; }

add() { # NAME [FILTER]
	local result='' i=0 type
	for type in $(plugins); do
		result=$(config $i "$result" "${2:-.}" | call ADD "$1" "$type") || {
			echo "$result"
			return 1
		}
		i=$((i + 1))
	done
	printf '%s\n' "$result" | tee "$NET_DIR/results/$1"
}

check() { # NAME [FILTER]
	local i=0 type
	for type in $(plugins); do
		config $i "$(cat "$NET_DIR/results/$1")" "${2:-.}" | call CHECK "$1" "$type" || return
		i=$((i + 1))
	done
}

del() { # NAME
	local i type
	for ((i = $(plugins | wc -l) - 1; i >= 0; i--)); do
		type=$(plugins | sed -n "$((i + 1))p")
		config $i "$(cat "$NET_DIR/results/$1" 2>/dev/null)" | call DEL "$1" "$type" || return
	done
}

# shellcheck disable=SC2154
code() { jq -r .code <<<"$output"; }

# --- the daemon there ------------------------------------------------------------------------

daemon_on_host() { # [OPTION...]
	: >"$NET_DIR/daemon.log"
	(on_host "$(realpath "${bulkhead_program%/*}/bulkheadd")" --policies "$NET_DIR/policies" \
		--config "$NET_DIR/bulkhead.yaml" --store "$NET_DIR/store" "$@" \
		>/dev/null 2>>"$NET_DIR/daemon.log" </dev/null 3>&-) &
	await grep -q '^bulkheadd: ready' "$NET_DIR/daemon.log" || fail "$(cat "$NET_DIR/daemon.log")"
}

daemon_pid() { on_host pgrep -x -o bulkheadd; }
daemon_signal() { on_host kill "-$1" "$(daemon_pid)"; }
# nsenter, which waits for it outside, stops with it and must go on with it.
daemon_goes_on() {
	daemon_signal CONT || true
	pkill -CONT -f -- "^nsenter .* --target $DOCKER_HOST_PID -- .*/bulkheadd " || true
}
daemon_off() { daemon_signal TERM && await eval '! daemon_pid'; }
daemon_killed() { daemon_signal KILL && await eval '! daemon_pid'; }

ctl() { on_host "$(realpath "$bulkhead_program")" "$@"; }
state_of() { # NAME [FILTER]
	ctl status --json | jq -r --arg id "${CNI_ID:-$NET-$1}" "select(.endpoint == \$id) | ${2:-.state}"
}

# --- traffic ----------------------------------------------------------------------------------

pod_address() { # NAME 4|6
	jq -r --arg v "$2" '.ips[].address | select(contains(":") == ($v == "6")) | split("/")[0]' \
		"$NET_DIR/results/$1"
}

# shellcheck disable=SC2154
listens() { # NAME PORT/PROTO...
	(in_pod "$1" "$(realpath "$probe_program")" listen --ready "$NET_DIR/$1.ready" "${@:2}" \
		>>"$NET_DIR/$1.log" 2>&1 </dev/null 3>&-) &
	await test -e "$NET_DIR/$1.ready"
}

asks() { # FROM TO PORT/PROTO
	printf '%s %s\n' "$(pod_address "$2" 4)" "$3" "$(pod_address "$2" 6)" "$3" |
		in_pod "$1" "$(realpath "$probe_program")" ask | xargs
}
