#!/usr/bin/env bats
# From packets that the kernel denied to an edit of the policies, and to packets that it lets pass.

load lib/net

setup() {
	net_up web db
	policy web <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress:
		  - to: [{service: db}]
		    ports: [5432/tcp]   # the database
	Y
	policy db <<-'Y'
		service: db
		select: {labels: {app: db}}
		ingress: []             # nobody yet
	Y
	serve db 5432/tcp 6379/tcp 8080/tcp
	bulkhead apply
}
teardown() {
	finish_anyway
	net_down
}

@test "denied, recorded, suggested, patched, applied: what was denied passes, and nothing else" {
	follow
	[ "$(ask web db 5432/tcp)" = "timeout timeout" ]
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	[ "$(ask web db icmp)" = "timeout timeout" ]
	await grep -q '"protocol":"icmpv6"' "$NET_DIR/records"
	finish
	bulkhead suggest "$NET_DIR/records" >"$NET_DIR/diff" 2>"$NET_DIR/said"
	[ "$(grep -c '^+++ ' "$NET_DIR/diff")" -eq 2 ]
	grep -q 'ports: \[5432/tcp, 6379/tcp, icmp/echo-request, icmpv6/echo-request\]   # the database' "$NET_DIR/diff"
	[ "$(ask web db 6379/tcp)" = "timeout timeout" ]
	patch -s -p1 -d / <"$NET_DIR/diff"
	bulkhead check
	bulkhead apply
	[ "$(ask web db 5432/tcp)" = "open open" ]
	[ "$(ask web db 6379/tcp)" = "open open" ]
	[ "$(ask web db icmp)" = "open open" ]
	[ "$(ask web db 8080/tcp)" = "timeout timeout" ]
	[ "$(ask db web icmp)" = "timeout timeout" ]
}

# Ingress that was denied while the sender's own policy let it go; once it went unheld.
@test "in audit mode: what was only recorded is suggested, and is clean afterwards" {
	sed -i 's/^ingress:/mode: audit\ningress:/' "$NET_DIR/policies/db.yaml"
	bulkhead apply
	follow
	[ "$(ask web db 5432/tcp)" = "open open" ]
	await grep -q '"verdict":"audit"' "$NET_DIR/records"
	finish
	bulkhead suggest "$NET_DIR/records" >"$NET_DIR/diff"
	[ "$(grep -c '^+++ ' "$NET_DIR/diff")" -eq 1 ]
	patch -s -p1 -d / <"$NET_DIR/diff"
	sed -i 's/^mode: audit/mode: enforce/' "$NET_DIR/policies/db.yaml"
	bulkhead apply
	[ "$(ask web db 5432/tcp)" = "open open" ]
}
