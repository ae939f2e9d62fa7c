# shellcheck shell=bash disable=SC2034,SC2154
# 20 flows in each of 200 namespaces: one apply against nft -f under nsenter in a loop.

load_namespaces=200

# Each namespace is a service that the ten before it may call and that calls the ten after it.
# load_site PORT: policies and inventory in $tmp/site-PORT; another port is another policy for all.
# Both are used as $tmp/site, as one directory whose files change: load_use PORT.
load_site() {
	mkdir -p "$tmp/site-$1/policies"
	awk -v p="$prefix" -v n="$load_namespaces" -v port="$1" -v dir="$tmp/site-$1" '
	function name(i) { return sprintf("%s-%03d", p, (i + n) % n) }
	function peers(i, step,   k, s) {
		for (k = 1; k <= 10; k++)
			s = s "      - service: " name(i + k * step) "\n"
		return s
	}
	BEGIN {
		inventory = dir "/inventory.json"
		print "{\"endpoints\": [" > inventory
		for (i = 0; i < n; i++) {
			s = name(i)
			printf "{\"id\": \"%s\", \"name\": \"%s\", \"labels\": {\"app\": \"%s\"}, \"addresses\": [\"10.78.0.%d\"], \"netns\": \"/run/netns/%s\"}%s\n",
				s, s, s, i + 1, s, i < n - 1 ? "," : "" > inventory
			file = dir "/policies/" s ".yaml"
			printf "service: %s\nselect:\n  labels: {app: %s}\n", s, s > file
			printf "ingress:\n  - name: clients\n    from:\n%s    ports: [%d/tcp]\n", peers(i, -1), port > file
			printf "egress:\n  - name: servers\n    to:\n%s    ports: [%d/tcp]\n", peers(i, 1), port > file
			close(file)
		}
		print "]}" > inventory
	}'
}

load_use() {
	ln -sfn "site-$1" "$tmp/site"
}

# The same rulesets as files for nft, one a namespace; a second one replaces what is there at once.
load_equal_files() {
	local port=$1 replaces=$2 i s
	mkdir -p "$tmp/equal-$port"
	load_use "$port"
	for ((i = 0; i < load_namespaces; i++)); do
		s=$(printf '%s-%03d' "$prefix" $i)
		{
			"$bulkhead" export --format nft --endpoint "$s" --policies "$tmp/site/policies" \
				--inventory "$tmp/site/inventory.json" |
				if [ -n "$replaces" ]; then cat; else sed '/^table inet bulkhead$/d; /^delete table/d'; fi
		} >"$tmp/equal-$port/$s"
	done
}

# The least that a person would write by hand: one set, no counters, no log, no IPv6.
load_minimal_files() {
	local port=$1 replaces=$2 i
	mkdir -p "$tmp/minimal-$port"
	for ((i = 0; i < load_namespaces; i++)); do
		{
			[ -z "$replaces" ] || printf 'table inet bulkhead\ndelete table inet bulkhead\n'
			load_minimal_table "$port"
		} >"$tmp/minimal-$port/$(printf '%s-%03d' "$prefix" $i)"
	done
}

load_minimal_table() {
	cat <<END
table inet bulkhead {
	set flows {
		type ipv4_addr . inet_proto . inet_service
		elements = { $(seq -s ', ' -f "10.78.0.%g . tcp . $1" 1 20) }
	}
	chain output {
		type filter hook output priority filter; policy drop;
		oif lo accept
		ct state established,related accept
		ip daddr . meta l4proto . th dport @flows accept
		drop
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iif lo accept
		ct state established,related accept
		ip saddr . meta l4proto . th dport @flows accept
		drop
	}
}
END
}

load_apply() {
	load_use "$1"
	"${@:2}" "$bulkhead" apply --policies "$tmp/site/policies" --inventory "$tmp/site/inventory.json"
}

load_clean() {
	"$bulkhead" apply --clean --inventory "$tmp/site-8080/inventory.json" >"$tmp/said" 2>&1 ||
		die "cleaning: $(cat "$tmp/said")"
}

# What the loop loads must be what apply loads, or the comparison says nothing.
load_check_equal() {
	load_use "$1"
	"$bulkhead" status --policies "$tmp/site/policies" --inventory "$tmp/site/inventory.json" \
		>"$tmp/said" 2>&1 || die "the baseline's tables are not the same: $(head -n 3 "$tmp/said")"
}

# load_round COST FILES: each side once, by COST, figures to FILES*.
load_round() {
	# shellcheck disable=SC2016
	local loop='for f in "$0"/*; do nsenter --net=/run/netns/${f##*/} nft -f "$f" || exit; done' kind
	load_clean
	load_apply 8080 "$1" "$2-first"
	load_apply 9090 "$1" "$2-replace"
	load_status "$1" "$2-status"
	for kind in equal minimal; do
		load_clean
		"$1" "$2-first-$kind" bash -c "$loop" "$tmp/$kind-8080"
		"$1" "$2-replace-$kind" bash -c "$loop" "$tmp/$kind-9090"
		[ $kind != equal ] || load_check_equal 9090
	done
}

bench_load() {
	local run
	say "load: 20 flows in each of $load_namespaces namespaces"
	namespaces $load_namespaces
	load_site 8080
	load_site 9090
	load_equal_files 8080 ''
	load_equal_files 9090 yes
	load_minimal_files 8080 ''
	load_minimal_files 9090 yes
	load_apply 8080 >"$tmp/said" # not counted: namespaces remember their first table
	for ((run = 0; run < runs; run++)); do
		load_round cost load
		load_round cost_fifo load-fifo
	done
	remove_namespaces
	load_report
}

load_status() {
	"$@" "$bulkhead" status --policies "$tmp/site/policies" \
		--inventory "$tmp/site/inventory.json"
}

load_report() {
	local eighth=0.125 sixth=0.1667 what
	for what in first replace; do
		compare "200x20 $what, equal table," load-$what load-$what-equal $eighth $sixth
		compare "200x20 $what, equal table, real-time task," load-fifo-$what load-fifo-$what-equal '' ''
		compare "200x20 $what, least table," load-$what load-$what-minimal '' ''
		compare "200x20 $what, least table, real-time task," load-fifo-$what \
			load-fifo-$what-minimal '' ''
	done
	emit "200x20 status wall" "$(in_ms "$(median load-status 2)")" '' ms '' "$runs"
}
