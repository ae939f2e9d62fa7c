#!/usr/bin/env bats
# The logger in trouble: a full disk, one that is read-only, a damaged history, outputs that go. It goes on,
# says so, and no system call that it makes then is missing in what it may do.
# shellcheck disable=SC2030,SC2031

load lib/net
load lib/daemon

setup() {
	net_up web db
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]
		---
		service: db
		select: {labels: {app: db}}
	Y
	flows=$NET_DIR/store/flows mounted='' listener='' outside=''
}
teardown() {
	[ -z "$listener" ] || kill "$listener" 2>/dev/null || true
	daemon_gone
	[ -z "$mounted" ] || umount "$flows"
	[ -z "$outside" ] || rm -r "$outside"
	net_down
}

logger() { pgrep -P "$daemon" -x bulkhead-logger; }
await_long() { await "$@" || await "$@" || await "$@"; } 2>/dev/null

deny() { # PORT PACKETS
	ns web "${probe_program%/*}/deny" "$(v4 db)" 1 "$1" 1 "$2" >>"$NET_DIR/deny"
}
has() { # FILTER [OPTION...]: a record fits it
	"$bulkhead_program" denied --store "$NET_DIR/store" --json "${@:2}" |
		jq -es "map(select($1)) | length > 0" >/dev/null
}
adds_up() { # denied = recorded + not recorded, and what the kernel says
	local kernel
	kernel=$(ns web nft -j list counter inet bulkhead denied.egress |
		jq '.nftables[] | select(.counter).counter.packets')
	"$bulkhead_program" denied --store "$NET_DIR/store" --summary --json |
		jq -e --argjson kernel "$kernel" '[.endpoints[] | select(.name == "web" and
			.direction == "egress")] | (map(.denied) | add) == $kernel and
			(map(.recorded + .not_recorded) | add) == $kernel' >/dev/null
}

up() { # it runs, and is not to end from here on
	daemon_up
	await_long eval '[ -n "$(logger)" ] && ctl status'
	pid=$(logger)
}
still_there() { # the same one, and it did nothing that it may not
	[ "$(logger)" = "$pid" ]
	run in_log "has ended"
	[ "$status" -eq 1 ]
	enforced
}
enforced() { [ "$(ask web db 6379/tcp)" = "timeout timeout" ]; }

small_disk() { # its own, as large as is said
	mkdir -p "$flows"
	mount -t tmpfs -o "size=$1,mode=0750" tmpfs "$flows"
	mounted=1
}

@test "a full disk: it goes on, says so, and records again when there is room" {
	small_disk 1m
	up
	deny 5000 10
	await_long has '.destination.port == 5000'
	head -c 2M /dev/zero >"$flows/fill" 2>/dev/null || true
	for port in $(seq 5001 5060); do deny "$port" 3; done
	await_long in_log "cannot be written"
	enforced
	rm "$flows/fill"
	await_long in_log "is written again"
	await_long has '.destination.port == 5060 or .aggregated'
	await_long adds_up
	still_there
}

@test "full before it began: the same" {
	small_disk 64k
	head -c 1M /dev/zero >"$flows/fill" 2>/dev/null || true
	up
	deny 5000 10
	await_long in_log "cannot be written"
	rm "$flows/fill"
	mount -o remount,size=8m "$flows"
	await_long in_log "is written again"
	deny 5001 5
	await_long has '.destination.port == 5001'
	await_long adds_up
	still_there
}

@test "a disk that is read-only when it starts, and writable later: sums go on from what they were" {
	small_disk 8m
	up
	deny 5000 10
	await_long has '.destination.port == 5000'
	daemon_stop
	mount -o remount,ro "$flows"
	up
	deny 5001 10
	await_long in_log "cannot be written"
	enforced
	# longer than it is waited for before the first look
	await_long eval "[ \"\$(ctl status --json | jq -s '.[0].logger.denied')\" -ge 20 ]"
	mount -o remount,rw "$flows"
	await_long in_log "is written again"
	await_long has '.destination.port == 5001'
	await_long adds_up
	still_there
}

@test "a history that is damaged is set aside, and the sums begin anew" {
	up
	deny 5000 10
	await_long has '.destination.port == 5000'
	daemon_stop
	printf 'no database at all, and longer than the header of one, which has a hundred bytes: %0100d' 0 \
		>"$flows/flows.db"
	up
	deny 5001 10
	await_long has '.destination.port == 5001'
	in_log "set aside"
	[ -n "$(find "$flows" -name 'flows-damaged-*.db')" ]
	await_long adds_up
	still_there
}

@test "outputs: a file that is rotated and moved away, a log and a syslog that go, and SIGHUP" {
	outside=$(mktemp -d) # the logger must come there
	chmod 0755 "$outside"
	cat >>"$NET_DIR/bulkhead.yaml" <<-Y
		outputs:
		  - {file: $outside/out/denied.json, rotate: {megabytes: 1, keep: 2}}
		  - {syslog: $outside/syslog}
		  - {journal: true}
	Y
	socat -u "UNIX-RECV:$outside/syslog,mode=0666" "CREATE:$outside/syslog.txt" 3>&- &
	listener=$!
	await test -S "$outside/syslog"
	up
	deny 5000 10
	await_long grep -q 5000 "$outside/out/denied.json"
	kill "$listener" && wait "$listener" || true
	listener=''
	rm -f "$outside/syslog"
	head -c 1100000 /dev/zero | tr '\0' '\n' >>"$outside/out/denied.json"
	deny 5001 10
	await_long grep -q 5001 "$outside/out/denied.json"
	[ -s "$outside/out/denied.json.1" ]
	mv "$outside/out/denied.json" "$outside/out/moved"
	kill -HUP "$daemon"
	deny 5002 10
	await_long grep -q 5002 "$outside/out/denied.json"
	rm -r "$outside/out"
	kill -HUP "$daemon"
	deny 5003 10
	await_long in_log "output file"
	await_long adds_up
	still_there
}
