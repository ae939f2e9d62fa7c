#!/usr/bin/env bats
# Policies and host file that change while the daemon runs: read anew as a whole when they have come to
# rest, refused as a whole, and told. The host file of this network keeps the daemon from it (net.bash);
# here it does not.

bats_require_minimum_version 1.5.0
load lib/net
load lib/daemon

setup() {
	net_up web db
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	web 5432/tcp
	policy db <<<'{service: db, select: {labels: {app: db}}, ingress: [{from: [{service: web}]}]}'
	dir=$NET_DIR/policies
}
teardown() {
	daemon_gone
	net_down
}

web() { # PORT [FILE]: what web may
	echo "{service: web, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [$1]}]}" \
		>"${2:-$NET_DIR/policies/web.yaml}"
}
mends() { printf 'egress port of web: '; ctl plan --json | jq -r .outcome | sort -u | xargs; }
history_of() { "$bulkhead_program" history --store "$NET_DIR/store" "$@"; }
entries() { history_of --json | jq -r 'select(.action) | "\(.action) \(.outcome)"' | xargs -d '\n'; }
itself() { ctl status --json | jq -r 'select(.daemon) | '"$1"; } # JQ
allows() { ns web nft list ruleset | grep -q "$1"; } # PORT
# The file is what is in force.
taken() { # PORT
	await allows "$1" || fail "$(cat "$NET_DIR/daemon.log")"
	await eval '[ "$(itself .state)" = in-force ]'
	[ "$(itself .generation)" = "$(bulkhead check --json | jq -r .digest)" ]
}
lines() { grep -cF -- "$1" "$NET_DIR/daemon.log"; } # TEXT

@test "a file that is written to, renamed over, added, removed: in force, and on the trail" {
	daemon_up
	[ "$(itself .state)" = in-force ]
	web 5433/tcp
	taken 5433
	web 5434/tcp "$NET_DIR/web.new"
	mv "$NET_DIR/web.new" "$dir/web.yaml"
	taken 5434
	sed -i 's/5434/5435/' "$dir/web.yaml"
	taken 5435
	echo '{service: other, select: {labels: {app: other}}}' >"$dir/other.yml"
	await in_log "selects-nobody"
	rm "$dir/other.yml"
	await eval '[ "$(entries | wc -w)" -eq 12 ]'
	[ "$(entries)" = "start done change done change done change done change done change done" ]
	history_of --json | jq -se '[.[] | select(.action == "change")] |
		all(.who.role == "daemon" and .who.name == "bulkheadd" and .diff != "")' >/dev/null
	ctl status
	daemon_stop
}
