# shellcheck shell=bash disable=SC2034,SC2154
# What the parts of the benchmark share: namespaces, timing, medians, JSON lines.

prefix=bb$$
runs=${RUNS:-5}
tmp=$(mktemp -d)
missed=0
started=() # processes that end with this one
crowds=()  # directories that are full of namespaces

say() {
	echo "bench: $*" >&2
}

die() {
	say "$*"
	exit 3
}

# cost FILE COMMAND...: adds "cpu wall" in microseconds to $tmp/FILE; the command must succeed. As
# any user runs it, under the ordinary scheduler.
cost() {
	run_cost "$build/tests/bench/cost" "$tmp/$1" "${@:2}"
}

# The same as a real-time task. The ordinary scheduler of 6.18 does not charge a task in full where
# kernel threads cut in, and charges them the less the shorter the task: this shows by how much.
fifo=()
chrt -f 10 true 2>/dev/null && fifo=(chrt -f 10)
cost_fifo() {
	run_cost "${fifo[@]}" "$build/tests/bench/cost" "$tmp/$1" "${@:2}"
}

run_cost() {
	"$@" >"$tmp/said" 2>&1 && return
	cat "$tmp/said" >&2
	die "failed: $*"
}

# median FILE COLUMN
median() {
	awk -v c="$2" '{ print $c }' "$tmp/$1" | sort -n |
		awk '{ v[NR] = $1 } END { if (NR == 0) exit 1; print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# emit NAME OURS BASELINE UNIT BOUND RUNS: one JSON line, and one for people. An empty BASELINE or
# BOUND is null; the bound holds if ours / baseline does not exceed it.
emit() {
	local ok=true ratio=null
	[ -z "$3" ] || ratio=$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.4f", a / b }')
	if [ -n "$5" ] && awk -v r="$ratio" -v b="$5" 'BEGIN { exit !(r > b) }'; then
		ok=false
		missed=1
	fi
	printf '{"name": "%s", "ours": %s, "baseline": %s, "unit": "%s", "ratio": %s, "bound": %s, "runs": %s, "ok": %s}\n' \
		"$1" "$2" "${3:-null}" "$4" "$ratio" "${5:-null}" "$6" "$ok"
	[ -n "$5" ] || ok=-
	printf '%-52s %12s %12s %-3s  ratio %-7s bound %-7s %s\n' "$1" "$2" "${3:--}" "$4" "$ratio" \
		"${5:--}" "$ok" >&2
}

# compare NAME OURS_FILE BASELINE_FILE CPU_BOUND WALL_BOUND: CPU and wall time of two commands, ms.
compare() {
	local what column=0 ours base bound
	for what in cpu wall; do
		column=$((column + 1))
		ours=$(median "$2" $column) base=$(median "$3" $column)
		[ $what = cpu ] && bound=$4 || bound=$5
		emit "$1 $what" "$(in_ms "$ours")" "$(in_ms "$base")" ms "$bound" "$(wc -l <"$tmp/$2")"
	done
}

in_ms() {
	awk -v us="$1" 'BEGIN { printf "%.2f", us / 1000 }'
}

# namespaces COUNT: makes $prefix-000 and so on.
namespaces() {
	seq -f "netns add $prefix-%03g" 0 $(($1 - 1)) >"$tmp/add"
	ip -batch "$tmp/add" || die "namespaces cannot be made"
}

remove_namespaces() {
	local file
	for file in /run/netns/"$prefix"-*; do
		[ ! -e "$file" ] || ip netns del "${file##*/}"
	done
	for file in "${crowds[@]}"; do
		umount --lazy "$file"
	done
	crowds=()
}

end_started() {
	local pid
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

clean_up() {
	[ -z "$wrapper" ] || kill $(pgrep -P "$wrapper") 2>/dev/null || true
	end_started
	remove_namespaces
	rm -rf "$tmp"
}
