# shellcheck shell=bash disable=SC2034
# bulkheadd under a stand-in for systemd (manager.py), which keeps the descriptors that it parks.
#
#     load lib/net
#     load lib/daemon
#     load lib/manager
#     setup() { net_up web; policy web <<<'...'; managed; }
#     teardown() { daemon_gone; net_down; }
#     @test "..." { daemon_up; main_kill; ...; main_start; }
#
#   managed [OPTION...]       before daemon_up: under the stand-in, OPTION is its own. $daemon is then
#                             the stand-in's process id; both end together
#   main_pid                  bulkheadd's own
#   main_kill [SIGNAL]        ends bulkheadd; returns when its end was seen. It stays away until
#   main_start                it is started anew; returns when it is ready
#   main_begin                the same without waiting for it
#   ready_times N             it has been ready so many times
#   order WORD                see manager.py
#   parked                    the names of what is kept, sorted
#   parks N, parks_none_of PREFIX   so many, none of whose names begins so
#   given NAME:MEMBER KIND    a descriptor that is made in MEMBER's namespace is among them
#   said TEXT                 it has told its manager so; lines are parted by "|"
#   never COMMAND...          fails when the command succeeds
#   owners NAME               the netlink ports that own its tables: inet's and netdev's
#   commit_of NAME            the number of the last change there; the kernel counts
#   ino_of NAME               its namespace, as names have it

# shellcheck disable=SC2154 # of net.bash
manager=$BATS_TEST_DIRNAME/lib/manager.py

managed() { # [OPTION...]
	manager_dir=$NET_DIR/manager
	daemon_under python3 "$manager" run "$manager_dir" "$@" --
}

main_pid() { cat "$manager_dir/main"; }

main_ended() { [ ! -s "$manager_dir/main" ]; }

main_kill() { # [SIGNAL]
	await test -s "$manager_dir/main"
	kill "-${1:-KILL}" "$(main_pid)"
	await main_ended
}

order() { echo "$1" >"$manager_dir/orders"; }

ready_times() { [ "$(grep -c '^bulkheadd: ready' "$NET_DIR/daemon.log")" -ge "$1" ]; }

main_begin() { order start; }

main_start() {
	local times
	times=$(grep -c '^bulkheadd: ready' "$NET_DIR/daemon.log")
	main_begin
	await ready_times $((times + 1)) || fail "$(cat "$NET_DIR/daemon.log")"
}

parked() { sort "$manager_dir/store"; }
parks() { [ "$(wc -l <"$manager_dir/store")" -eq "$1" ]; } # N
parks_none_of() { ! grep -q "^$1" "$manager_dir/store"; }   # PREFIX

given() { # NAME:MEMBER KIND
	local name=${1%:*}
	ns "${1##*:}" python3 "$manager" give "$manager_dir" "$name" "$2"
	await grep -qxF -- "$name" "$manager_dir/store"
}

never() { if "$@"; then fail "this should not be: $*"; fi; } # COMMAND...; a ! alone fails no test

said() { grep -qF -- "$1" "$manager_dir/said"; } # TEXT

owners() { ns "$1" python3 "$manager" owner; } # NAME

commit_of() { ns "$1" python3 "$manager" commit; } # NAME

ino_of() { printf '%x' "$(stat -Lc %i "/run/netns/$NET-$1")"; } # NAME
