#!/usr/bin/env bats
# Who sent what was denied: the process behind the socket, and why it is unknown when it is.
# shellcheck disable=SC2154 # follower, started: net.bash

load lib/net

setup() {
	net_up web db other
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		---
		service: db
		select: {labels: {app: db}}
		---
		service: other
		select: {labels: {app: other}}
	Y
	bulkhead apply
	cat >"$NET_DIR/client.py" <<-'P'
		"""PROTOCOL ADDRESS PORT...: sends to each port, says "sent", and keeps its sockets until it is told."""
		import ctypes, os, resource, socket, sys
		protocol, address, ports = sys.argv[1], sys.argv[2], sys.argv[3:]
		family = socket.AF_INET6 if ":" in address else socket.AF_INET
		kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
		held = []
		if os.environ.get("NAME"):
		    ctypes.CDLL(None).prctl(15, os.environ["NAME"].encode())
		if os.environ.get("SUID"):
		    os.setuid(int(os.environ["SUID"]))
		if os.environ.get("FILES"):
		    resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
		files = [open(os.devnull) for _ in range(int(os.environ.get("FILES", 0)))]
		for port in ports:
		    if not held or not os.environ.get("ONE"):
		        held.append(socket.socket(family, kind))
		        held[-1].setblocking(False)
		        if os.environ.get("BIND"):
		            held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		            held[-1].bind(("", int(os.environ["BIND"])))
		        if os.environ.get("CONNECTED"):
		            held[-1].connect((address, 9))
		    try:
		        if protocol == "tcp":
		            held[-1].connect((address, int(port)))
		        else:
		            held[-1].sendto(b"x", (address, int(port)))
		    except OSError:
		        pass
		if not os.environ.get("QUIT"):
		    print("sent", flush=True)
		    sys.stdin.read()
	P
	python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
}
teardown() {
	exec 9>&- || true
	net_down
}

# A client that holds its sockets: a pipe of which we have the other end is its input.
hold() { # NAME PROTOCOL ADDRESS PORT...
	[ -p "$NET_DIR/hold" ] || mkfifo "$NET_DIR/hold"
	exec 9<>"$NET_DIR/hold"
	(exec ip netns exec "$NET-$1" "$python" "$NET_DIR/client.py" "${@:2}" <"$NET_DIR/hold" \
		>>"$NET_DIR/$1.log" 2>&1 3>&- 9>&-) &
	started=$!
	echo "$1 $started" >>"$NET_DIR/pids"
	await grep -q sent "$NET_DIR/$1.log"
}

# The first record of PORT. (Later ones are the kernel's counts: nobody looks for a process then.)
record() { jq -c "select(.destination.port == $1)" "$NET_DIR/records" | head -n 1; }
recorded() { [ -n "$(record "$1")" ]; }
process() { record "$1" | jq -r '.process | if .unknown then .unknown else "\(.pid) \(.comm) \(.exe)" end'; }
is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }

@test "TCP and UDP over IPv4 and IPv6: pid, name and program" {
	local port=1000 protocol address
	follow
	for protocol in tcp udp; do
		for address in "$(v4 db)" "$(v6 db)"; do
			NAME=the-client hold web $protocol "$address" $((++port))
			await recorded $port
			is "$(process $port)" "$started the-client $python"
			is "$(record $port | jq -c '[.direction, .source.service, .uid]')" '["egress","web",0]'
			: >"$NET_DIR/web.log"
		done
	done
	finish
}

@test "a program that has ended by then: its socket is closed" {
	local protocol
	follow
	for protocol in tcp udp; do
		QUIT=1 ns web "$python" "$NET_DIR/client.py" $protocol "$(v4 db)" 2000 </dev/null
		await recorded 2000
		is "$(process 2000)" "its socket is closed"
		mv "$NET_DIR/records" "$NET_DIR/records.$protocol"
		finish
		follow
	done
}

@test "an IPv4 packet of a socket of IPv6, and one that is sent elsewhere than connected to" {
	follow
	hold web tcp "::ffff:$(v4 db)" 3000
	await recorded 3000
	is "$(process 3000 | cut -d' ' -f1)" "$started"
	: >"$NET_DIR/web.log"
	hold web udp "::ffff:$(v4 db)" 3001
	await recorded 3001
	is "$(process 3001 | cut -d' ' -f1)" "$started"
	: >"$NET_DIR/web.log"
	CONNECTED=1 hold web udp "$(v4 db)" 3002
	await recorded 3002
	is "$(process 3002 | cut -d' ' -f1)" "$started"
	finish
}

@test "a hostile name is harmless on a terminal and whole in JSON; another user's process too" {
	follow
	NAME=$'\e[2J\nevil' SUID=1234 hold web udp "$(v4 db)" 4000
	await recorded 4000
	is "$(record 4000 | jq -c '[.process.pid, .process.comm, .uid]')" "[$started,\"\\u001b[2J\\nevil\",1234]"
	finish
	[ -z "$(LC_ALL=C tr -d '\n -~' <"$NET_DIR/records")" ]
}

@test "two sockets with one port: nobody is accused" {
	follow
	BIND=4444 hold web udp "$(v4 db)" 5000 5001
	await recorded 5001
	is "$(process 5000)" "several sockets have its port"
	finish
}

@test "a socket that a process of another namespace holds" {
	follow
	mkfifo "$NET_DIR/hold"
	exec 9<>"$NET_DIR/hold"
	python3 -c '
import ctypes, os, socket, sys
libc, home = ctypes.CDLL(None), os.open("/proc/self/ns/net", os.O_RDONLY)
there = os.open(sys.argv[1], os.O_RDONLY)
assert libc.setns(there, 0x40000000) == 0
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
assert libc.setns(home, 0x40000000) == 0
try:
    s.sendto(b"x", (sys.argv[2], 6000))
except OSError:
    pass
sys.stdin.read()' "/run/netns/$NET-web" "$(v4 db)" <"$NET_DIR/hold" 3>&- 9>&- &
	local holder=$!
	await recorded 6000
	kill $holder
	is "$(process 6000)" "no process of its namespace has its socket"
	finish
}

@test "more sockets at once than are looked for; others are found all the same" {
	follow
	hold web tcp "$(v4 db)" $(seq 7000 7099)
	hold other udp "$(v4 db)" 7500
	await recorded 7500
	await recorded 7099
	is "$(process 7500 | cut -d' ' -f1)" "$started"
	finish
	jq -es 'map(select(.destination.port < 7100)) | group_by(.destination.port) | map(.[0].process) |
		(map(select(.pid)) | length) as $found | (map(select(.unknown)) | length) as $not |
		$found >= 10 and $found <= 40 and $found + $not == 100 and
		all(.pid or .unknown == "too many at once")' "$NET_DIR/records"
}

@test "a process that makes the look for it costly: bounded, and not at the expense of others" {
	follow
	FILES=5000 hold web tcp "$(v4 db)" $(seq 9000 9007)
	hold other udp "$(v4 db)" 9500
	await recorded 9500
	await recorded 9007
	is "$(process 9500 | cut -d' ' -f1)" "$started"
	finish
	jq -es 'map(select(.destination.port < 9100)) | group_by(.destination.port) | map(.[0].process.unknown) |
		(map(select(. == "there are too many descriptors to look at")) | length) as $looks |
		length == 8 and $looks >= 1 and $looks <= 3 and
		all(. == "there are too many descriptors to look at" or . == "too many at once")' "$NET_DIR/records"
}

@test "what comes in, and what is no TCP or UDP, says nothing of a process" {
	outsider stranger
	follow
	ask stranger db 8000/tcp
	ns web ping -c 1 -W 1 "$(v4 db)" || true
	await eval "jq -es 'any(.direction == \"ingress\") and any(.protocol == \"icmp\")' '$NET_DIR/records'"
	finish
	jq -es 'all(.process == null)' "$NET_DIR/records"
}
