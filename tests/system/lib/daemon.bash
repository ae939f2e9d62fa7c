# shellcheck shell=bash disable=SC2034
# bulkheadd on the network of net.bash.
#
#     load lib/net
#     load lib/daemon
#     setup() { net_up web db; policy web <<<'...'; }
#     teardown() { daemon_gone; net_down; }
#     @test "..." { daemon_up; ...; ctl status; daemon_stop; }
#
#   daemon_up [OPTION...]     starts it, on this network's policies, inventory and host file unless
#                             OPTION gives policies, or a folder of namespaces in the inventory's
#                             place; returns when it is ready. $daemon is its process id,
#                             $NET_DIR/daemon.log what it says, $NET_DIR/control its socket
#   daemon_start [OPTION...]  the same without waiting for it
#   daemon_ready              is it?
#   daemon_under COMMAND...   before daemon_start: runs it as COMMAND... bulkheadd
#   daemon_stop               SIGTERM; returns its exit code
#   daemon_ends               waits until it ends by itself; sets $status
#   daemon_kill               kill -9; returns when it is gone
#   daemon_gone               ends it when it runs, for teardown
#   ctl VERB ...              the program, through its socket
#   in_log TEXT               has it said this?
#   let_through               lets the logger through to $NET_DIR, for outputs there
#   descriptors               where each of its descriptors leads, a line each

# shellcheck disable=SC2154 # of net.bash
daemon_program=${bulkhead_program%/*}/bulkheadd
daemon='' under=()

daemon_under() { under=("$@"); }

daemon_start() { # [OPTION...]
	local policies=(--policies "$NET_DIR/policies") inventory=(--inventory "$NET_DIR/inventory.json")
	[[ " $* " != *" --policies "* ]] || policies=()
	[[ " $* " != *" --netns-dir "* ]] || inventory=()
	: >"$NET_DIR/daemon.log"
	(exec "${under[@]}" "$daemon_program" "${policies[@]}" "${inventory[@]}" \
		--config "$NET_DIR/bulkhead.yaml" --socket "$NET_DIR/control" --store "$NET_DIR/store" "$@" \
		>/dev/null 2>>"$NET_DIR/daemon.log" </dev/null 3>&-) &
	daemon=$!
}

daemon_ready() { grep -q '^bulkheadd: ready' "$NET_DIR/daemon.log"; }

daemon_up() { # [OPTION...]
	daemon_start "$@"
	await eval "daemon_ready || ! kill -0 $daemon"
	daemon_ready || fail "$(cat "$NET_DIR/daemon.log")"
}

daemon_stop() {
	local pid=$daemon
	daemon=''
	kill "$pid" && wait "$pid"
}

daemon_ends() {
	status=0
	await eval "! kill -0 $daemon"
	wait "$daemon" || status=$?
	daemon=''
}

daemon_kill() {
	local pid=$daemon
	daemon=''
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || [ $? -eq 137 ]
}

daemon_gone() {
	[ -z "$daemon" ] || daemon_kill || true
}

ctl() { "$bulkhead_program" "$1" --socket "$NET_DIR/control" "${@:2}"; } # VERB ...

in_log() { grep -qF -- "$1" "$NET_DIR/daemon.log"; } # TEXT

descriptors() { find "/proc/$daemon/fd" -type l -printf '%l\n'; }

# Every directory on the way must let the logger through, as those of a host do.
let_through() {
	local d=$NET_DIR
	while [ "$d" != / ]; do
		chmod o+x "$d"
		d=$(dirname "$d")
	done
}
