# shellcheck shell=bash disable=SC2034,SC2154
# Validation and lint without a kernel: sites of four sizes, 20 rules a service, a file for each.

check_sizes=(250 500 1000 2000)
check_size=1000       # of this one there are bounds
check_time_limit=500  # ms
check_memory_limit=200 # MiB
check_growth_limit=1.3 # what a service costs in the largest site against the second

# check_site SIZE DIR [SLIPS]: selectors of four kinds; each service calls the seven after it, all call the
# first one, one in ten is in a scope. With SLIPS, the first one lets nobody in on that port.
check_site() {
	mkdir -p "$2"
	awk -v n="$1" -v dir="$2" -v slips="${3:-0}" '
	function select(i) {
		if (i % 4 == 0) return "labels: {app: svc-" i "}"
		if (i % 4 == 1) return "labels: {app: svc-" i ", tier: t" i % 7 "}"
		return i % 4 == 2 ? "compose: shop/svc-" i : "name: \"svc-" i "-*\""
	}
	function rule(key, peers, ports) {
		printf "  - %s: [%s]\n    ports: [%s]\n    reason: as drawn\n    reviewed: 2026-09-01\n", \
			key, peers, ports >file
	}
	BEGIN {
		for (i = 0; i < n; i++) {
			file = sprintf("%s/svc-%05d.yaml", dir, i)
			printf "service: svc-%d\nowner: team-%d\nselect: {%s}\n", i, i % 20, select(i) >file
			if (i % 10 == 0) printf "scope: scope-%d\n", i / 10 % 25 >file
			printf "egress:\n" >file
			for (k = 1; k < 8; k++)
				rule("to", "{service: svc-" (i + k) % n "}", 8000 + k "/tcp")
			rule("to", "{service: svc-0}", "9090/tcp")
			for (k = 0; k < 2; k++)
				rule("to", "{cidr: 10." i % 256 "." k * 16 ".0/20}, {group: group-" \
					(i + k) % 50 "}", 443 + k "/tcp")
			printf "ingress:\n" >file
			for (k = 1; k < 8; k++)
				rule("from", "{service: svc-" (i - k + n) % n "}", 8000 + k "/tcp")
			for (k = 0; k < 2; k++)
				rule("from", "{cidr: 172." 16 + k "." i % 256 ".0/24}", 9000 + k "/tcp")
			if (i > 0) {
				rule("from", "{entity: host}", "7/tcp")
			} else {
				peers = "{service: svc-0}"
				for (k = 1; k < n; k++) peers = peers ", {service: svc-" k "}"
				split(peers, half, ", ")
				for (from = 1; from <= n; from += 1000) {
					part = half[from]
					for (k = from + 1; k < from + 1000 && k <= n; k++)
						part = part ", " half[k]
					rule("from", part, slips ? "9091/udp" : "9090/tcp")
				}
			}
			close(file)
		}
		file = dir "/shared.yaml"
		for (g = 0; g < 50; g++) {
			printf "group: group-%d\ncidrs: [198.51.%d.0/28", g, g >file
			for (k = 1; k < 16; k++) printf ", 198.51.%d.%d/28", g, k * 16 >file
			printf "]\n---\n" >file
			if (g >= 25) continue
			printf "scope: scope-%d\nrequire: [owner, reviewed]\n---\n", g >file
			printf "guardrail: rail-%d\nselect: {scope: scope-%d}\ndeny:\n", g, g >file
			printf "  - to: [{cidr: 169.254.0.0/16}]\n  - from: [{entity: world}]\n---\n" >file
		}
	}' || die "check: the site"
}

check_cost() { # FILE DIR
	local i
	for ((i = 0; i < runs; i++)); do
		cost_fifo "$1" "$bulkhead" check "$2"
	done
}

bench_check() {
	local size large=$((check_sizes[${#check_sizes[@]} - 1]))
	for size in "${check_sizes[@]}"; do
		check_site "$size" "$tmp/check-site-$size"
		"$bulkhead" check --strict "$tmp/check-site-$size" >"$tmp/said" 2>&1 ||
			die "check: $(head -n 3 "$tmp/said")"
		check_cost "check-$size" "$tmp/check-site-$size"
		if [ "$size" -eq $check_size ]; then
			emit "check $size services, $((size * 20)) rules, wall" \
				"$(in_ms "$(median "check-$size" 2)")" $check_time_limit ms 1 "$runs"
			emit "the same, memory" "$(median "check-$size" 3 | awk '{ printf "%.1f", $1 / 1024 }')" \
				$check_memory_limit MiB 1 "$runs"
		else
			emit "check $size services, $((size * 20)) rules, wall" \
				"$(in_ms "$(median "check-$size" 2)")" "" ms "" "$runs"
		fi
	done
	emit "a service at $large services, at $check_size" \
		"$(awk -v us="$(median "check-$large" 1)" -v n="$large" 'BEGIN { print us / n }')" \
		"$(awk -v us="$(median "check-$check_size" 1)" -v n=$check_size 'BEGIN { print us / n }')" \
		us $check_growth_limit "$runs"
	check_site $check_size "$tmp/check-site-slips" 1
	check_cost check-slips "$tmp/check-site-slips"
	emit "check $check_size services, a slip in each, wall" \
		"$(in_ms "$(median check-slips 2)")" $check_time_limit ms 1 "$runs"
	"$bulkhead" check "$tmp/check-site-slips" 2>&1 | grep -c 'one-sided\|unreachable' |
		sed 's/^/bench: warnings there: /' >&2
}
