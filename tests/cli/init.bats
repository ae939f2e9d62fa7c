#!/usr/bin/env bats
# `bulkhead init`: policies from Compose files, as golden/init-NAME.yaml has them.
#
# BULKHEAD_WRITE_GOLDEN=1 writes these instead: read them before you commit.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	dir=$BATS_TEST_TMPDIR
	golden=tests/cli/golden
}

# What it makes of a file that a test writes.
init() { run "$bulkhead" init "$dir/compose.yaml" --project shop "$@"; }
write() { printf '%s\n' "$@" >"$dir/compose.yaml"; }

@test "every Compose file of tests/cli/compose: golden, valid without a warning, canonical" {
	count=0
	for file in tests/cli/compose/*/*.y*ml; do
		name=$(basename "$(dirname "$file")")
		"$bulkhead" init "$file" >"$dir/$name.yaml" 2>"$dir/$name.err"
		if [ "${BULKHEAD_WRITE_GOLDEN:-0}" = 1 ]; then
			cp "$dir/$name.yaml" "$golden/init-$name.yaml"
			[ ! -s "$dir/$name.err" ] || cp "$dir/$name.err" "$golden/init-$name.err"
		fi
		diff "$golden/init-$name.yaml" "$dir/$name.yaml"
		expect=$golden/init-$name.err
		[ -e "$expect" ] || expect=/dev/null
		diff "$expect" "$dir/$name.err"
		run "$bulkhead" check "$dir/$name.yaml"
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -eq 1 ]
		"$bulkhead" fmt --check "$dir/$name.yaml"
		count=$((count + 1))
	done
	[ "$count" -ge 6 ]
}

@test "--output writes a file a service, and overwrites none" {
	run "$bulkhead" init tests/cli/compose/wordpress/docker-compose.yml --output "$dir/out"
	[ "$status" -eq 0 ]
	[ "$output" = "$dir/out/wordpress-db.yaml"$'\n'"$dir/out/wordpress-wordpress.yaml" ]
	"$bulkhead" check "$dir/out"
	"$bulkhead" fmt --check "$dir/out"
	rm "$dir/out/wordpress-db.yaml"
	echo mine >"$dir/out/wordpress-wordpress.yaml"
	run "$bulkhead" init tests/cli/compose/wordpress/docker-compose.yml --output "$dir/out"
	[ "$status" -eq 1 ]
	[[ $output == *"$dir/out/wordpress-wordpress.yaml is there already"* ]]
	[ "$(cat "$dir/out/wordpress-wordpress.yaml")" = mine ]
	[ ! -e "$dir/out/wordpress-db.yaml" ]
}

@test "a link that leads nowhere is in the way, too" {
	mkdir "$dir/out"
	ln -s "$dir/elsewhere" "$dir/out/wordpress-db.yaml"
	run "$bulkhead" init tests/cli/compose/wordpress/docker-compose.yml --output "$dir/out"
	[ "$status" -eq 1 ]
	[ ! -e "$dir/elsewhere" ]
}

@test "the project: --project, name:, the directory as Compose spells it" {
	mkdir "$dir/_My Shop.2"
	printf 'services: {web: {image: x}}\n' >"$dir/_My Shop.2/compose.yaml"
	run "$bulkhead" init "$dir/_My Shop.2/compose.yaml"
	[ "$status" -eq 0 ]
	[[ $output == *"compose: myshop2/web"* ]]
	run "$bulkhead" init tests/cli/compose/nextcloud/compose.yaml --project other
	[[ $output == *"compose: other/App_Server"* && $output == *"service: other-app-server"* ]]
	write 'name: "${PROJECT}"' 'services: {web: {image: x}}'
	run "$bulkhead" init "$dir/compose.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"compose.yaml:1:7: error: "*"(give it with --project NAME)"* ]]
	init --project Shop
	[ "$status" -eq 2 ]
}

@test "what other files would have to say is refused, with the way out" {
	write 'include: [other.yaml]' 'services: {web: {image: x}}'
	init
	[ "$status" -eq 2 ]
	[[ $output == *":1:10: error: \"include\" is not followed (docker compose config"* ]]
	write 'services:' '  web: {extends: {file: common.yaml, service: web}}' '  db: {extends: web}'
	init
	[ "$status" -eq 2 ]
	[[ $output == *":2:18: error: \"extends\""* && $output == *":3:17: error: \"extends\""* ]]
}

@test "wrong types, unknown names and bad ports are told with their place, all of them" {
	write 'services:' '  a: [x]' '  b: {ports: 80}' '  c: {ports: ["1:2:3:4:x"]}' '  d: {depends_on: [zz]}' \
		'  e: {networks: [none]}' '  f: {ports: [70000]}' '  g: {expose: ["80:80"]}' '  h: {links: {}}' \
		'  i: {ports: [{published: 80}]}' '  j: {ports: [9-8]}' '  k: {network_mode: [x]}' '  l:' \
		'  m: {ports: ["80/foo"]}'
	init
	[ "$status" -eq 2 ]
	for line in 2 3 4 5 6 7 8 10 11 12 13 14; do
		[[ $output == *"compose.yaml:$line:"*" error: "* ]] || { echo "line $line" && false; }
	done
	[[ $output != *"compose.yaml:9:"* ]] # an empty mapping names nobody
}

@test "names that would be the same, too long, or none" {
	write 'services: {a_b: {image: x}, a.b: {image: x}}'
	init
	[ "$status" -eq 2 ]
	[[ $output == *"would both be called shop-a-b"* ]]
	write "services: {$(printf 'a%.0s' {1..70}): {image: x}}"
	init
	[ "$status" -eq 2 ]
	[[ $output == *"more than 63 letters"* ]]
	write 'services: {"a b": {image: x}}'
	init
	[ "$status" -eq 2 ]
	[[ $output == *"not the name of a service"* ]]
}

@test "an alias bomb, merge keys without end, 100 MB, binary junk: refused at once" {
	write 'a: &a {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8}' \
		'b: &b {<<: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]}' \
		'c: &c {<<: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]}' \
		'd: &d {<<: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]}' \
		'e: &e {<<: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]}' \
		'f: &f {<<: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]}' \
		'g: &g {<<: [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]}' \
		'services: {web: {<<: [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]}}'
	run timeout 5 "$bulkhead" init "$dir/compose.yaml" --project shop
	[ "$status" -eq 2 ]
	[[ $output == *"[compose-size]"* ]]
	write 'services: {web: &a {<<: *a}}'
	run timeout 5 "$bulkhead" init "$dir/compose.yaml" --project shop
	[ "$status" -eq 2 ]
	[[ $output == *"[compose-size]"* ]]
	truncate -s 100M "$dir/compose.yaml"
	run timeout 5 "$bulkhead" init "$dir/compose.yaml"
	[ "$status" -eq 2 ]
	head -c 100000 /dev/urandom >"$dir/compose.yaml"
	run timeout 5 "$bulkhead" init "$dir/compose.yaml"
	[ "$status" -eq 2 ]
	{ printf 'services: '; printf '[%.0s' {1..20000}; } >"$dir/compose.yaml"
	run timeout 5 "$bulkhead" init "$dir/compose.yaml"
	[ "$status" -eq 2 ]
}

@test "hostile words stay in their comments and off the terminal" {
	printf 'services:\n  web:\n    ports: ["${A:-\\e[31m\\nservice: x}"]\n    network_mode: "x\\n\\e[2Jmode: off"\n' \
		>"$dir/compose.yaml"
	init
	[ "$status" -eq 0 ]
	[[ $output != *$'\e'* ]]
	"$bulkhead" init "$dir/compose.yaml" --project shop 2>/dev/null >"$dir/p.yaml"
	run "$bulkhead" check "$dir/p.yaml"
	[[ $output == "valid: 1 file, 1 service,"* ]]
	"$bulkhead" fmt --check "$dir/p.yaml"
}

@test "usage: a file, one file, that can be read" {
	run "$bulkhead" init
	[ "$status" -eq 2 ]
	[[ $output == *"name the Compose file"* ]]
	run "$bulkhead" init a b
	[ "$status" -eq 2 ]
	run "$bulkhead" init "$dir/nowhere.yaml"
	[ "$status" -eq 2 ]
	run "$bulkhead" init "$dir"
	[ "$status" -eq 2 ]
}
