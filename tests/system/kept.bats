#!/usr/bin/env bats
# The history that the daemon's logger keeps, as `denied` reads it while it is written.

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
		ingress:
		  - from: [{service: web}]
		    ports: [5432/tcp]
	Y
}
teardown() {
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
	daemon_gone
	net_down
}

denied() { "$bulkhead_program" denied --store "$NET_DIR/store" "$@"; }
has() { # FILTER OPTION...
	[ -n "$(denied --json "${@:2}" | jq -c "select($1)")" ]
}

follow() { # OPTION...: records to $NET_DIR/records
	rm -f "$NET_DIR/messages" # what an earlier one said
	(exec "$bulkhead_program" denied --store "$NET_DIR/store" --follow "$@" \
		>"$NET_DIR/records" 2>"$NET_DIR/messages" 3>&-) &
	follower=$!
	await grep -q 'following the history' "$NET_DIR/messages"
}

finish() {
	kill -INT "$follower"
	wait "$follower"
	follower=
}

@test "--follow reads what the logger writes, as it comes, and only what is asked for" {
	daemon_up
	ask web db 6379/tcp
	await has '.destination.port == 6379' --service web
	follow --json --port 7000/tcp
	ask web db 6380/tcp
	ask web db 7000/tcp
	await grep -q 7000 "$NET_DIR/records"
	finish
	[ "$(jq -s 'map(.destination.port == 7000) | all' "$NET_DIR/records")" = true ]
	# what it printed is what is kept
	denied --json --port 7000/tcp | grep -qFf <(head -n 1 "$NET_DIR/records")
}

@test "root reads the history as the user whose it is" {
	local status owner
	daemon_up
	ask web db 6379/tcp
	await has '.destination.port == 6379' --service web
	follow
	owner=$(stat -c %u "$NET_DIR/store/flows")
	[ "$owner" -ne 0 ]
	status=/proc/$follower/status
	[ "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "$status")" = "$owner $owner $owner $owner" ]
	[ "$(awk '/^Cap/ { n += $2 !~ /^0+$/ } END { print n + 0 }' "$status")" -eq 0 ]
	[ "$(awk '/^Groups/ { print NF }' "$status")" -eq 1 ]
	grep -q '^NoNewPrivs:.*1' "$status"
	finish
	# and leaves nothing that the logger could not use
	[ -z "$(find "$NET_DIR/store/flows" ! -uid "$owner")" ]
	ask web db 6381/tcp
	await has '.destination.port == 6381' --service web
}

@test "groups and sums of real traffic; a restart goes on with them" {
	daemon_up
	ask web db 6379/tcp
	ask db web 22/tcp
	await has '.destination.port == 22' --container db
	await has '.destination.port == 6379' --container web
	daemon_stop
	before=$(denied --by service,peer,port,direction --json | jq -c '[.service, .peer, .port]' | sort)
	[ "$before" = $'["db","web","22/tcp"]\n["web","db","6379/tcp"]' ]
	daemon_up
	[ "$(denied --by service,peer,port,direction --json | jq -c '[.service, .peer, .port]' | sort)" = "$before" ]
	denied --summary --json | jq -e '.sum.denied > 0 and
		.sum.denied == .sum.recorded + .sum.not_recorded and
		all(.endpoints[]; .denied == .recorded + .not_recorded)'
}
