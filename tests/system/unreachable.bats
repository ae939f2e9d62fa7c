#!/usr/bin/env bats
# Namespaces that are not what they were, kernels that lack something: status says so by name, and
# --strict refuses before anything is written.
# shellcheck disable=SC2154

load lib/net

setup() {
	net_up web db cache
	policy shop <<-'Y'
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: db}], ports: [5432/tcp]}]
		---
		service: db
		select: {labels: {app: db}}
		ingress: [{from: [{service: web}], ports: [5432/tcp]}]
		---
		service: cache
		select: {labels: {app: cache}}
	Y
	args=(--policies "$NET_DIR/policies" --inventory "$NET_DIR/inventory.json"
		--config "$NET_DIR/bulkhead.yaml")
}
teardown() {
	[ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null || true
	net_down
}

tables_of() { for name in "$@"; do ns "$name" nft -s list ruleset; done; }
cache_at() { # PATH
	jq --arg path "$1" '(.endpoints[] | select(.name == "cache")).netns = $path' \
		"$NET_DIR/inventory.json" >"$NET_DIR/changed" &&
		mv "$NET_DIR/changed" "$NET_DIR/inventory.json"
}

@test "a path that vanished, and one that is no namespace: unreachable, and why" {
	bulkhead apply
	touch "$NET_DIR/file"
	for path in "/run/netns/$NET-none" "$NET_DIR/file" /proc/self/ns/uts; do
		cache_at "$path"
		run bulkhead status
		[ "$status" -eq 1 ]
		[[ $output =~ unreachable\ +shop/cache[^$'\n']*"$path" ]]
		[[ $output == *"3 endpoints, 2 protected, 1 finding" ]]
	done
}

@test "strict: an unreachable one, and nothing is changed in the others" {
	bulkhead apply --clean
	cache_at "/run/netns/$NET-none"
	run bulkhead apply --strict
	[ "$status" -eq 1 ]
	[[ $output == *"shop/cache: unreachable: network namespace /run/netns/$NET-none: No such file or directory"* ]]
	[[ $output == *"strict: 1 finding, nothing was changed"* ]]
	[ -z "$(tables_of web db)" ]
	cache_at "/run/netns/$NET-cache"
	run bulkhead apply --strict
	[ "$status" -eq 0 ]
	[[ $output == *"3 created"* ]]
}

# The program is stopped when it has listed the namespace, and goes on when another has its name.
@test "a namespace that is replaced while status looks" {
	bulkhead apply
	strace -f -o "$NET_DIR/calls" -P "/run/netns/$NET-cache" \
		-e trace=open,openat -e inject=open,openat:signal=SIGSTOP:when=1 \
		"$bulkhead_program" status "${args[@]}" >"$NET_DIR/out" 2>&1 3>&- &
	tracer=$!
	stopped=''
	is_stopped() {
		stopped=$(pgrep --parent $tracer) && grep -q '^State:.[tT] (stopped\|^State:.[tT] (tracing' "/proc/$stopped/status"
	}
	listed() { grep -q SIGSTOP "$NET_DIR/calls" && is_stopped; }
	await listed
	listed
	ip netns del "$NET-cache"
	ip netns add "$NET-cache"
	kill -CONT "$stopped"
	stopped=''
	wait $tracer || [ $? -eq 1 ]
	grep -E '^unreachable +shop/cache .*its namespace was replaced by another; run the command again' "$NET_DIR/out"
	grep -E '^protected +shop/web' "$NET_DIR/out"
}

# What the kernel answers to the probe, which asks last: everything before it is reading, as often
# as in an apply that changes nothing.
@test "a kernel that lacks something: a line of its own, and exit 1" {
	bulkhead apply
	run bulkhead status
	[ "$status" -eq 0 ]
	[[ $output != *unsupported* ]]
	strace -o "$NET_DIR/calls" -e trace=sendto,sendmsg "$bulkhead_program" apply "${args[@]}"
	reads=$(grep -c '^send' "$NET_DIR/calls")
	lacking=(strace -o /dev/null -e "inject=sendmsg,sendto:error=EOPNOTSUPP:when=$((reads + 1))+")
	run "${lacking[@]}" "$bulkhead_program" status "${args[@]}"
	[ "$status" -eq 1 ]
	[ "$(grep -c '^protected ' <<<"$output")" -eq 3 ] # and yet
	[[ $output =~ $'\n'"unsupported  this kernel "[^$'\n']*"its nf_tables lacks: "[^$'\n']*NFLOG ]]
	[[ $output == *"3 endpoints, 3 protected, 1 finding" ]]
	run "${lacking[@]}" "$bulkhead_program" status "${args[@]}" --json
	[ "$status" -eq 1 ]
	jq -e 'select(.kernel) | .state == "unsupported" and .finding' <<<"$output"
}

# The kernel is asked first, and by nothing but batches; where nothing is changed there are no others.
@test "strict: a kernel that lacks something, and nothing is changed" {
	strace -X raw -o "$NET_DIR/calls" -e trace=sendto,sendmsg \
		-e inject=sendmsg,sendto:error=EOPNOTSUPP:when=1+ \
		"$bulkhead_program" apply --strict "${args[@]}" || true
	probes=$(grep -c 'nlmsg_type=0x10\b' "$NET_DIR/calls") # NFNL_MSG_BATCH_BEGIN
	[ "$probes" -ge 10 ]
	run strace -o /dev/null -e "inject=sendmsg,sendto:error=EOPNOTSUPP:when=1..$probes" \
		"$bulkhead_program" apply --strict "${args[@]}"
	[ "$status" -eq 1 ]
	[[ $output == *"bulkhead: this kernel: unsupported: its nf_tables lacks: "*NFLOG* ]]
	[[ $output == *"strict: 1 finding, nothing was changed"* ]]
	[ -z "$(tables_of web db cache)" ]
}

@test "strict without privileges: apply cannot ask, exit 3; check says what it did not see" {
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	install -m 755 "$bulkhead_program" "$NET_DIR/bulkhead"
	plain=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --)
	run "${plain[@]}" "$NET_DIR/bulkhead" apply --strict "${args[@]}"
	[ "$status" -eq 3 ]
	[ -z "$(tables_of web db cache)" ]
	run "${plain[@]}" "$NET_DIR/bulkhead" check --strict "${args[@]}"
	[ "$status" -eq 0 ]
	[[ $output == *"what this kernel can do was not asked"* ]]
	cache_at "/run/netns/$NET-none"
	run "${plain[@]}" "$NET_DIR/bulkhead" check --strict "${args[@]}"
	[ "$status" -eq 1 ]
	[[ $output == *"shop/cache: unreachable"* ]]
}
