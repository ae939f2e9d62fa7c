#!/usr/bin/env bats
# Every change that the daemon is asked for stands on the audit trail, also those it refuses; who may
# ask is what the host file says.

load lib/net
load lib/daemon

setup() {
	net_up web db
	policy web <<<'{service: web, owner: team-web, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [5432/tcp]}]}'
	policy db <<<'{service: db, select: {labels: {app: db}}, ingress: [{from: [{service: web}], ports: [5432/tcp]}]}'
}
teardown() {
	daemon_gone
	net_down
	[ -z "${open_dir:-}" ] || rm -rf "$open_dir"
}

history_of() { "$bulkhead_program" history --store "$NET_DIR/store" "$@"; }

# ACTION OUTCOME, one a line.
entries() { history_of --json | jq -r 'select(.action) | "\(.action) \(.outcome)"'; }

@test "start, apply, refusal and reload: each an entry, with who, digests and what differed" {
	daemon_up
	ctl apply
	sed -i 's/5432/5433/' "$NET_DIR/policies/web.yaml"
	ctl apply
	echo 'service: [' >"$NET_DIR/policies/bad.yaml"
	run ctl apply
	[ "$status" -eq 2 ]
	rm "$NET_DIR/policies/bad.yaml"
	kill -HUP "$daemon"
	await eval '[ "$(entries | grep -c .)" -eq 5 ]'
	[ "$(entries | xargs)" = "start done apply done apply done apply refused reload done" ]
	history_of --json >"$NET_DIR/entries"
	[ "$(jq -r 'select(.action == "apply") | .who.uid' "$NET_DIR/entries" | sort -u)" = "$(id -u)" ]
	[ "$(jq -r 'select(.action == "apply") | .who.name' "$NET_DIR/entries" | sort -u)" = bulkhead ]
	[ "$(jq -rs '[.[] | select(.action == "apply")][1] | .diff' "$NET_DIR/entries" | grep -c '^[-+].*543[23]/tcp')" -eq 2 ]
	history_of --verify
	daemon_stop
}

@test "what cannot be written down is not done" {
	daemon_up
	mv "$NET_DIR/store/audit.jsonl" "$NET_DIR/away"
	mkdir "$NET_DIR/store/audit.jsonl"
	before=$(ctl status --json | jq -r 'select(.daemon) | .generation')
	sed -i 's/5432/5433/' "$NET_DIR/policies/web.yaml"
	run ctl apply
	[ "$status" -eq 3 ]
	[[ $output == *"nothing was changed: the audit trail"* ]] || fail "$output"
	[ "$(ctl status --json | jq -r 'select(.daemon) | .generation')" = "$before" ]
	rmdir "$NET_DIR/store/audit.jsonl"
	mv "$NET_DIR/away" "$NET_DIR/store/audit.jsonl"
	ctl apply
	[ "$(ctl status --json | jq -r 'select(.daemon) | .generation')" != "$before" ]
	[ "$(entries | xargs)" = "start done apply done" ] || fail "$(entries)"
	history_of --verify
	daemon_stop
}

@test "an entry that was changed afterwards is found" {
	daemon_up
	ctl apply
	daemon_stop
	sed -i '2s/"apply"/"start"/' "$NET_DIR/store/audit.jsonl"
	run history_of --verify
	[ "$status" -eq 1 ]
	[[ $output == *changed* ]]
}

@test "a user with a role may look, one without may not" {
	cat >"$NET_DIR/bulkhead.yaml" <<-'Y'
		unmanaged: ignore
		roles:
		  - {user: 65534, role: viewer}
	Y
	open_dir=$(mktemp -d)
	chmod 755 "$open_dir"
	cp "$bulkhead_program" "$open_dir/bulkhead"
	daemon_up --socket "$open_dir/control"
	chmod 666 "$open_dir/control" # who may connect is the file's, who may do what is the daemon's
	as() { setpriv --reuid "$1" --regid "$1" --clear-groups "$open_dir/bulkhead" "${@:2}" --socket "$open_dir/control"; }
	as 65534 status
	run as 65534 apply
	[ "$status" -ne 0 ]
	[[ $output == *operator* ]] || fail "$output"
	run as 65533 status
	[ "$status" -ne 0 ]
	daemon_stop
}

@test "a role of somebody who does not exist, and a setting of a later version: refused, the old ones stand" {
	daemon_up
	printf 'roles:\n  - {user: nobody-at-all, role: viewer}\n' >"$NET_DIR/bulkhead.yaml"
	run ctl apply
	[ "$status" -eq 2 ]
	[[ $output == *nobody-at-all* ]] || fail "$output"
	echo 'metrics: {listen: "127.0.0.1:9467"}' >"$NET_DIR/bulkhead.yaml"
	run ctl apply
	[ "$status" -eq 2 ]
	[[ $output == *"metrics cannot change while bulkheadd runs"* ]] || fail "$output"
	echo 'new-namespaces: ignore' >"$NET_DIR/bulkhead.yaml"
	run ctl apply
	[ "$status" -eq 2 ]
	[[ $output == *"new-namespaces cannot change while bulkheadd runs"* ]] || fail "$output"
	run ctl status
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "refused "*"new-namespaces cannot change while bulkheadd runs"* ]]
	daemon_stop
}

@test "metrics: how it stands, what was denied by service, and what was put right" {
	echo "metrics: {textfile: $NET_DIR/metrics.prom}" >"$NET_DIR/bulkhead.yaml"
	daemon_up
	await grep -q '^bulkhead_endpoints{state="protected"} 2' "$NET_DIR/metrics.prom" || {
		# the file is written every 15 seconds
		await grep -q '^bulkhead_endpoints{state="protected"} 2' "$NET_DIR/metrics.prom"
	}
	ns web ping -c 3 -i 0.2 -W 1 "$(v4 db)" || true # denied at web
	ctl apply
	tries=0
	until grep -q '^bulkhead_denied_packets_total{service="web",direction="egress"} [3-9]' "$NET_DIR/metrics.prom"; do
		((++tries < 4)) || fail "$(cat "$NET_DIR/metrics.prom")"
		await eval "[ '$NET_DIR/metrics.prom' -nt '$NET_DIR/stamp' ]" || true
		: >"$NET_DIR/stamp"
	done
	grep -q '^bulkhead_reloads_total{outcome="applied"} [2-9]' "$NET_DIR/metrics.prom"
	grep -q '^bulkhead_namespaces_held 2' "$NET_DIR/metrics.prom"
	daemon_stop
}
