#!/usr/bin/env bats
# What goes wrong is told by name and exit code, changes nothing, and keeps nobody else waiting.

load lib/net

setup() {
	net_up web db cache
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
		---
		service: cache
		select: {labels: {app: cache}}
	Y
}
teardown() { net_down; }

# Everything that nf_tables holds in the namespace of NAME, our table included, counts left out.
tables_of() { ns "$1" nft -s list ruleset; }

change_inventory() { # JQ-FILTER
	jq "$1" "$NET_DIR/inventory.json" >"$NET_DIR/changed" && mv "$NET_DIR/changed" "$NET_DIR/inventory.json"
}

all_but_cache() { # the two others got their tables
	[ -n "$(tables_of web)" ]
	[ -n "$(tables_of db)" ]
	run bulkhead status
	[ "$status" -eq 1 ]
	[[ $output =~ shop/web.*protected ]]
	[[ $output =~ shop/db.*protected ]]
}

@test "a namespace that is missing: named, exit 3, the others are done" {
	change_inventory '(.endpoints[] | select(.name == "cache")).netns = "/run/netns/'"$NET"'-none"'
	run bulkhead apply
	[ "$status" -eq 3 ]
	[[ $output == *"shop/cache"*"/run/netns/$NET-none"*"No such file or directory"* ]]
	all_but_cache
}

@test "a netns path that is no namespace, or one of another kind" {
	touch "$NET_DIR/file"
	mkfifo "$NET_DIR/fifo"
	for path in "$NET_DIR/file" "$NET_DIR/fifo" /proc/self/ns/uts /dev/zero /; do
		change_inventory "(.endpoints[] | select(.name == \"cache\")).netns = \"$path\""
		run timeout 20 "$bulkhead_program" apply --policies "$NET_DIR/policies" \
			--inventory "$NET_DIR/inventory.json"
		[ "$status" -eq 3 ]
		[[ $output == *"shop/cache"*"$path is not a network namespace"* ]]
	done
	all_but_cache
}

@test "the host's own namespace is never written to, and never called protected" {
	change_inventory '(.endpoints[] | select(.name == "cache")).netns = "/proc/self/ns/net"'
	ns switch "$bulkhead_program" apply --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json"
	[ -z "$(tables_of switch)" ]
	run ns switch "$bulkhead_program" status --policies "$NET_DIR/policies" \
		--inventory "$NET_DIR/inventory.json"
	[ "$status" -eq 1 ]
	[[ $output =~ shop/cache.*host ]]
	[[ ! $output =~ shop/cache[^$'\n']*\ protected ]]
}

@test "no permission: told, exit 3, nothing changed" {
	bulkhead apply
	before=$(tables_of web; tables_of db; tables_of cache)
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	policy more <<<'{service: more, select: {labels: {app: cache}}, egress: [{to: [{entity: world}], ports: [443/tcp]}]}'
	install -m 755 "$bulkhead_program" "$NET_DIR/bulkhead"
	for verb in apply "apply --clean" status; do
		# shellcheck disable=SC2086
		run setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- \
			"$NET_DIR/bulkhead" $verb --policies "$NET_DIR/policies" \
			--inventory "$NET_DIR/inventory.json"
		[ "$status" -ne 0 ]
		[[ $output == *"shop/web"*"ermi"* ]] # permission or permitted
		[ "$verb" = status ] || [ "$status" -eq 3 ]
	done
	[ "$(tables_of web; tables_of db; tables_of cache)" = "$before" ]
}

@test "an invalid policy set changes nothing, anywhere" {
	bulkhead apply
	before=$(tables_of web; tables_of db; tables_of cache)
	for mistake in 'service: more
form: []' 'service: x
select: {labels: {app: cache}}
ingress: [{from: [{service: nobody}], ports: [1/tcp]}]' 'service: web
select: {labels: {app: cache}}' 'a: &b [*b]' '{'; do
		policy mistake <<<"$mistake"
		run bulkhead apply
		[ "$status" -eq 2 ]
		[[ $output == *"mistake.yaml:"* && $output == *" error: "* ]]
		[ "$(tables_of web; tables_of db; tables_of cache)" = "$before" ]
	done
}

@test "an invalid inventory changes nothing" {
	bulkhead apply
	before=$(tables_of web; tables_of db; tables_of cache)
	change_inventory '.endpoints[0].labels.app = "cache" | .endpoints[1].addresses = ["10.77.0.300"]'
	run bulkhead apply
	[ "$status" -eq 2 ]
	[[ $output == *"inventory.json:"*"10.77.0.300"* ]]
	[ "$(tables_of web; tables_of db; tables_of cache)" = "$before" ]
}

@test "a namespace whose name was taken by another is not taken for it" {
	bulkhead apply
	run bulkhead status --strict
	[ "$status" -eq 0 ]
	member_gone cache
	member cache
	run bulkhead status --strict
	[ "$status" -eq 1 ]
	[[ $output =~ unprotected\ *shop/cache ]]
}

@test "a kernel without a feature we need: named, exit 3, what stood stands" {
	bulkhead apply
	before=$(tables_of cache)
	policy cache2 <<<'{service: more, select: {labels: {app: cache}}, egress: [{to: [{entity: world}], ports: [443/tcp]}]}'
	change_inventory '.endpoints |= map(select(.name == "cache"))'
	# The kernel's answer to what it does not know, given from the first batch on; what comes
	# before it is reading, as often as in a run that changes nothing.
	mv "$NET_DIR/policies/cache2.yaml" "$NET_DIR"
	strace -o "$BATS_TEST_TMPDIR/calls" -e trace=sendto,sendmsg "$bulkhead_program" apply \
		--policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json"
	reads=$(grep -c '^send' "$BATS_TEST_TMPDIR/calls")
	mv "$NET_DIR/cache2.yaml" "$NET_DIR/policies"
	run strace -o /dev/null -e inject=sendmsg,sendto:error=EOPNOTSUPP:when=$((reads + 1))+ \
		"$bulkhead_program" apply --policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json"
	[ "$status" -eq 3 ]
	[[ $output == *"shop/cache: this kernel's nf_tables lacks: "*"NFLOG"* ]]
	[ "$(tables_of cache)" = "$before" ]
}
