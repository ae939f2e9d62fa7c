# shellcheck shell=bash disable=SC2034,SC2154
# A change of one entry, and of all, where egress has many networks with port ranges: the commit
# alone, the whole apply, and nft -f with the same change. Exact flows for scale.

intervals_limit=5 # ms that a commit may take
intervals_netns=$prefix-000

# intervals_entries ranges|exact COUNT old|one|all: lines "NAME NETWORK PORTS". `one` differs from
# `old` in the last entry, which is the dearest to take out of an interval set, `all` in every one.
intervals_entries() {
	awk -v kind="$1" -v n="$2" -v what="$3" 'BEGIN {
		for (i = 0; i < n; i++) {
			port = 20000 + i + (what == "all" || what == "one" && i == n - 1 ? 10000 : 0)
			printf "entry-%03d 10.%d.%d.0/%d %s\n", i, 80 + int(i / 100), i % 100 * 2,
				kind == "ranges" ? 24 : 32,
				kind == "ranges" ? port "-" port + 100 : port
		}
	}'
}

# A site of one endpoint whose egress has these entries, a rule each: in $tmp/KIND-WHAT
intervals_site() {
	local dir=$tmp/$1-$3
	mkdir -p "$dir/policies"
	{
		printf 'service: one\nselect:\n  labels: {app: one}\negress:\n'
		intervals_entries "$@" |
			awk '{ printf "  - {name: %s, to: [{cidr: %s}], ports: [%s/tcp]}\n", $1, $2, $3 }'
	} >"$dir/policies/one.yaml"
	cat >"$dir/inventory.json" <<-END
		{"endpoints": [{"id": "one", "name": "one", "labels": {"app": "one"},
		  "addresses": ["10.79.0.1"], "netns": "/run/netns/$intervals_netns"}]}
	END
}

# The same change for nft, there (to WHAT) and back: files $tmp/KIND-WHAT.nft, $tmp/KIND-old.nft.
intervals_nft() {
	local kind=$1 from=$3 to=$4 map=egress4
	[ "$kind" = exact ] || map=egress4_range
	paste -d ' ' <(intervals_entries "$kind" "$2" "$from") <(intervals_entries "$kind" "$2" "$to") |
		awk -v map="inet bulkhead $map" '
		$3 != $6 {
			sub("/32", "", $2)
			gone = gone sep $2 " . tcp . " $3
			come = come sep $2 " . tcp . " $6 " : \"one.out." $1 "\""
			sep = ", "
		}
		END { print "delete element " map " { " gone " }\nadd element " map " { " come " }" }
	' >"$tmp/$kind-$to.nft"
}

# Both sides use the name $tmp/KIND, as one site whose files change.
intervals_apply() {
	ln -sfn "$1-$2" "$tmp/$1"
	flows_apply "$1" "${@:3}"
}

# intervals_round KIND COUNT one|all: there and back by each of the three
intervals_round() {
	local to
	"${fifo[@]}" "$build/tests/bench/change" 1 "$tmp/$1-old" "$tmp/$1-$3" >>"$tmp/$1-$3-commit" ||
		die "change of $3"
	intervals_apply "$1" old >"$tmp/said" || die "apply: $(cat "$tmp/said")"
	for to in "$3" old; do
		intervals_apply "$1" "$to" cost_fifo "$1-$3-apply"
	done
	for to in "$3" old; do
		intervals_nft "$1" "$2" "$([ "$to" = old ] && echo "$3" || echo old)" "$to"
		cost_fifo "$1-$3-nft" nsenter --net="/run/netns/$intervals_netns" nft -f "$tmp/$1-$to.nft"
	done
}

# The changes of nft went back and forth as well: what stands is the old policy again.
intervals_check() {
	intervals_apply "$1" old >"$tmp/said"
	grep -q '0 updated, 1 unchanged' "$tmp/said" || die "nft -f did not do the same: $(cat "$tmp/said")"
}

intervals_kind() {
	local what run
	for what in old one all; do
		intervals_site "$1" "$2" $what
	done
	for what in one all; do
		for ((run = 0; run < runs; run++)); do
			intervals_round "$1" "$2" $what
			intervals_check "$1"
		done
		intervals_report "$1" $what "change of $what of $2 $3"
	done
	flows_clean "$1"
}

# The commit against what it may take, and all three beside each other.
intervals_report() {
	local commit apply nft n=$((2 * runs))
	commit=$(median "$1-$2-commit" 1)
	apply=$(in_ms "$(median "$1-$2-apply" 2)") nft=$(in_ms "$(median "$1-$2-nft" 2)")
	emit "$3, commit, of the time it may take" "$commit" $intervals_limit ms 1 $n
	emit "$3, commit, against nft -f" "$commit" "$nft" ms '' $n
	emit "$3, whole apply, against nft -f" "$apply" "$nft" ms '' $n
}

bench_intervals() {
	say "intervals: changes where egress has 300 networks with port ranges"
	namespaces 1
	intervals_kind ranges 300 ranges
	intervals_kind exact 10 "exact flows"
	remove_namespaces
}
