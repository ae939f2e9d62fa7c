# shellcheck shell=bash
# Connections on which both ends talk all the time (tests/system/talk.c), for tests of when they
# stop. The name of a connection says what it is: PORT-PROTO-FAMILY, as 7001-tcp-6.
#
#     load lib/net
#     load lib/talk
#     @test "..." { connect a b 7001-tcp-4; ...; mark 7001-tcp-4; ...; stopped 7001-tcp-4; }
#
#   connect FROM TO FLOW      FROM calls TO; returns when both have heard the other ten times
#   look FLOW END             the status of one end (a called, b was called), read at once:
#                             sets $sent $highest $received $retransmitted $error
#   go_on N FLOW...           waits until each end of these has heard N more
#   mark FLOW...              what was said until now; what is said later has larger numbers
#   stopped FLOW...           nothing that was said after the mark was heard, both ways, though both
#                             ends went on talking
#   unharmed FLOW...          all that was said was heard, at the first try
#
# Beside these, `retransmit_late NAME...` keeps a busy machine from making TCP impatient there.

# shellcheck disable=SC2154 # of net.bash
talk_program=${probe_program%/*}/talk
declare -gA said

retransmit_late() { # NAME...
	local name
	for name in "$@"; do
		ns "$name" sysctl -qw net.ipv4.tcp_early_retrans=0
	done
}

look() { # FLOW END
	# shellcheck disable=SC2034 # for the caller
	read -r _ sent _ highest _ received _ retransmitted _ error <"$NET_DIR/$1.$2"
}

heard_more() { look "$1" "$2" && [ "$received" -ge "$3" ]; } # FLOW END N
both_heard() { heard_more "$1" a "$2" && heard_more "$1" b "$2"; }
has_said() { look "$1" "$2" && [ "$sent" -ge "$3" ]; }

connect() { # FROM TO FLOW
	local port proto family address
	IFS=- read -r port proto family <<<"$3"
	address=$(v"$family" "$2")
	start "$2" "$talk_program" "$NET_DIR/$3.b" listen "$address" "$port/$proto"
	await test -s "$NET_DIR/$3.b" || return
	start "$1" "$talk_program" "$NET_DIR/$3.a" call "$address" "$port/$proto"
	await both_heard "$3" 10
}

go_on() { # N FLOW...
	local flow targets=()
	for flow in "${@:2}"; do
		look "$flow" a
		targets+=("$flow $((received + $1))")
	done
	for flow in "${targets[@]}"; do
		await both_heard "${flow% *}" "${flow#* }" || return
	done
}

mark() { # FLOW...
	local flow end
	for flow in "$@"; do
		for end in a b; do
			look "$flow" $end
			said[$flow.$end]=$sent
		done
	done
}

silent() { # FLOW FROM TO
	await has_said "$1" "$2" $((said[$1.$2] + 20)) || return
	look "$1" "$3"
	[ "$highest" -le "${said[$1.$2]}" ] || fail "$1 goes on from $2 to $3"
}

stopped() { # FLOW...
	local flow
	for flow in "$@"; do
		silent "$flow" a b && silent "$flow" b a || return
	done
}

unharmed() { # FLOW...
	local flow end
	for flow in "$@"; do
		for end in a b; do
			look "$flow" $end
			[ "$highest $retransmitted $error" = "$received 0 0" ] ||
				fail "$flow: $(cat "$NET_DIR/$flow.$end")" || return
		done
	done
}
