#!/usr/bin/env bats
# What others read: the formats of records, and the denied packets as a pcap.

load lib/net
load lib/daemon

rawsend_program=${probe_program%/*}/rawsend

setup() {
	net_up web db
	policy shop <<-'Y'
		service: web
		owner: team-web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]
		---
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp]
	Y
	bulkhead apply
	follower='' listener=''
}
teardown() {
	for pid in $follower $listener; do kill "$pid" 2>/dev/null || true; done
	daemon_gone
	net_down
}

# denied --follow with these options, standard output to $NET_DIR/out
watch_denied() { # OPTION...
	rm -f "$NET_DIR/messages" # what an earlier one said
	bulkhead_exec denied --follow "$@" >"$NET_DIR/out" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
}
bulkhead_exec() {
	exec "$bulkhead_program" "$1" --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json" --config "$NET_DIR/bulkhead.yaml" "${@:2}"
}
watched() {
	kill -INT "$follower"
	wait "$follower"
	follower=''
}

packets() { tcpdump -nr "${1:-$NET_DIR/d.pcap}" "${@:2}" 2>"$NET_DIR/tcpdump.err"; }

@test "denied --format ocsf and ecs: the connection, by the names of those schemas" {
	watch_denied --format ocsf
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	watched
	jq -es --arg from "$(v4 web)" --arg to "$(v4 db)" '
		map(select(.src_endpoint.ip == $from)) | length >= 1 and all(
			.class_uid == 4001 and .type_uid == 400105 and .metadata.version == "1.9.0"
			and .action_id == 2 and .dst_endpoint.ip == $to and .dst_endpoint.port == 6379
			and .dst_endpoint.svc_name == "db" and .src_endpoint.svc_name == "web"
			and .connection_info.direction_id == 2 and .connection_info.protocol_num == 6
			and (.firewall_rule.uid | endswith("shop.yaml:4"))
			and (.message | contains("web may reach db on 5432/tcp, not 6379/tcp")))' "$NET_DIR/out"
	watch_denied --format ecs # another flow: the kernel logs each once
	[ "$(ask web db 6380/tcp)" = "timeout timeout" ]
	watched
	jq -es --arg to "$(v6 db)" '
		map(select(.destination.ip == $to)) | length >= 1 and all(
			.event.type == ["connection", "denied"] and .network.direction == "egress"
			and .network.type == "ipv6" and .destination.port == 6380 and .service.name == "web"
			and .observer.egress.interface.name == "eth0")' "$NET_DIR/out"
}

@test "denied --pcap: the very packets, which tcpdump reads, and what is not there is said" {
	watch_denied --pcap "$NET_DIR/d.pcap" --json
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	watched
	packets "" "tcp[tcpflags] == tcp-syn and src $(v4 web) and dst $(v4 db) and dst port 6379" |
		grep -q "IP $(v4 web)\.[0-9]* > $(v4 db)\.6379: Flags \[S\]"
	packets "" "ip6 and src $(v6 web) and dst $(v6 db)" |
		grep -q "IP6 $(v6 web)\.[0-9]* > $(v6 db)\.6379: Flags \[S\]"
	grep -q "link-type RAW" "$NET_DIR/tcpdump.err"
	# the port is the record's own, and each record of one packet has its packet
	port=$(jq -r --arg from "$(v4 web)" 'select(.source.address == $from and .source.port).source.port' "$NET_DIR/out" | head -n 1)
	packets "" "src port $port" | grep -q "$(v4 web).$port >"
	[ "$(packets | wc -l)" -eq "$(jq -s 'map(select(.tcp_flags)) | length' "$NET_DIR/out")" ]
	grep -q "bulkhead: $(packets | wc -l) packets written to $NET_DIR/d.pcap" "$NET_DIR/messages"
	counted=$(jq -s 'map(select(.tcp_flags | not)) | length' "$NET_DIR/out")
	[ "$counted" -eq 0 ] || grep -q "bulkhead: $counted records\? made from counts" "$NET_DIR/messages"
}

@test "denied --pcap -: packets on standard output while they come, and nothing else there" {
	mkfifo "$NET_DIR/fifo"
	tcpdump -nlr - <"$NET_DIR/fifo" >"$NET_DIR/seen" 2>/dev/null 3>&- &
	reader=$!
	bulkhead_exec denied --follow --pcap - >"$NET_DIR/fifo" 2>"$NET_DIR/messages" 3>&- &
	follower=$!
	await grep -q following "$NET_DIR/messages"
	ask web db 6379/tcp
	await grep -q "$(v4 db)\.6379: Flags" "$NET_DIR/seen"
	watched
	wait "$reader"
	grep -q "packets written to stdout" "$NET_DIR/messages"
}

@test "denied --pcap: of a frame that was made by hand the packet in it; without one it is counted" {
	watch_denied --pcap "$NET_DIR/d.pcap" --json
	ns web "$rawsend_program" send eth0 raw byhand from="$(v4 web)" to="$(v4 db)" dport=7777
	ns web "$rawsend_program" send eth0 raw arp what=arp-tell from="$(v4 web)" to="$(v4 db)"
	await eval "[ \"\$(grep -c raw-socket $NET_DIR/out)\" -ge 2 ]"
	watched
	packets "" "udp and dst port 7777" | grep -q "IP $(v4 web)\.[0-9]* > $(v4 db)\.7777: UDP"
	grep -Eq "1 frame without an IP packet: not in it" "$NET_DIR/messages"
}

# --- the daemon's logger -------------------------------------------------------------------------

# Datagrams that come to SOCKET, a line each.
listen_at() { # SOCKET FILE
	python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
with open(sys.argv[2], "w", buffering=1) as out:
    while True:
        out.write(s.recv(65536).decode().replace("\n", "|") + "\n")
' "$@" 3>&- &
	listener=$!
	await test -e "$2"
}

lines() { wc -l <"$1"; }
has_lines() { [ "$(lines "$1")" -ge "$2" ]; } # FILE N

@test "the logger writes to a file and to syslog, with no right but these" {
	let_through
	listen_at "$NET_DIR/log.sock" "$NET_DIR/syslog"
	cat >>"$NET_DIR/bulkhead.yaml" <<-Y
		outputs:
		  - {file: $NET_DIR/log/denied.json, format: ocsf}
		  - {syslog: $NET_DIR/log.sock, facility: local3}
	Y
	daemon_up
	await eval "ctl status --json | jq -es 'any(.logger.listening? == 2)'"
	ask web db 6379/tcp
	await has_lines "$NET_DIR/log/denied.json" 1
	await has_lines "$NET_DIR/syslog" 1
	jq -es --arg to "$(v4 db)" 'any(.class_uid == 4001 and .dst_endpoint.ip == $to)' \
		"$NET_DIR/log/denied.json"
	grep -Eq "^<157>1 .* bulkhead [0-9]+ deny \[bulkhead@32473 .*destination=\"$(v4 db)\" destination_port=\"6379\"" "$NET_DIR/syslog"
	[ "$(stat -c %a:%u "$NET_DIR/log")" = "750:$(stat -c %u "$NET_DIR/log/denied.json")" ]
	[ "$(stat -c %u "$NET_DIR/log")" -ne 0 ]

	# as logrotate does it
	mv "$NET_DIR/log/denied.json" "$NET_DIR/log/old"
	was=$(lines "$NET_DIR/log/old")
	await test -e "$NET_DIR/log/denied.json"
	ask web db 6380/tcp
	await has_lines "$NET_DIR/log/denied.json" 1
	jq -es 'any(.dst_endpoint.port == 6380)' "$NET_DIR/log/denied.json"
	[ "$(lines "$NET_DIR/log/old")" -eq "$was" ]

	# nobody reads syslog any more, and then somebody else does
	kill "$listener"
	wait "$listener" || true
	listener=''
	ask web db 6381/tcp
	await in_log "log.sock fails: Connection refused"
	rm "$NET_DIR/log.sock" "$NET_DIR/syslog"
	listen_at "$NET_DIR/log.sock" "$NET_DIR/syslog"
	ask web db 6382/tcp
	await eval "ask web db 6383/tcp; has_lines $NET_DIR/syslog 1"
	daemon_stop

	# and from the history: the very packets
	"$bulkhead_program" denied --store "$NET_DIR/store" --port 6379/tcp --pcap "$NET_DIR/d.pcap" \
		--format ecs >"$NET_DIR/out" 2>"$NET_DIR/messages"
	jq -es 'length >= 1 and all(.destination.port == 6379)' "$NET_DIR/out"
	packets "" | grep -q "IP $(v4 web)\.[0-9]* > $(v4 db)\.6379: Flags \[S\]"
	[ -z "$(packets "" "not dst port 6379")" ]
	grep -q "packets written to $NET_DIR/d.pcap" "$NET_DIR/messages"
}
