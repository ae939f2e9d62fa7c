# shellcheck shell=bash disable=SC2034,SC2154
# Compiling without a kernel: a large site in full, and after one change of one endpoint.

compile_endpoints=10000
compile_services=300
compile_rounds=31
compile_full_limit=2000 # ms
compile_change_limit=10

# compile_pick WHAT: figures to $tmp/compile-WHAT, columns: microseconds, namespaces changed
compile_pick() {
	awk -v what="$1" '$1 == what { print $2, $3 }' "$tmp/compile" >"$tmp/compile-$1"
}

# compile_line WHAT TEXT LIMIT
compile_line() {
	compile_pick "$1"
	emit "$2" "$(in_ms "$(median "compile-$1" 1)")" "$3" ms 1 "$(wc -l <"$tmp/compile-$1")"
	[ "$1" = full ] || say "that changes $(median "compile-$1" 2) namespaces"
}

bench_compile() {
	local site="$compile_endpoints endpoints, $compile_services services"
	say "compile: $site"
	"${fifo[@]}" "$build/tests/bench/compile" $compile_endpoints $compile_services \
		$compile_rounds >"$tmp/compile" || die "compile"
	compile_line full "compile $site, full" $compile_full_limit
	compile_line first "the same, to go on from" $compile_full_limit
	compile_line start "one endpoint starts" $compile_change_limit
	compile_line stop "one endpoint stops" $compile_change_limit
	compile_line address "one address changes" $compile_change_limit
	compile_line label "one label changes" $compile_change_limit
	compile_line nothing "nothing changes that a policy sees" $compile_change_limit
	say "resident at most: $(awk '$1 == "memory" { print int($2 / 1024) }' "$tmp/compile") MiB"
}
