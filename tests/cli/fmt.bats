#!/usr/bin/env bats
# `bulkhead fmt`: printing, checking, writing; nothing is lost, nothing is half written.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$PWD/${BULKHEAD:-build/release/bulkhead}
	[[ ${BULKHEAD:-} != /* ]] || bulkhead=$BULKHEAD
	dir=$BATS_TEST_TMPDIR
	printf '%s\n' '# why' 'service: a   # name' 'dns: allow' 'select: {name: a}' >"$dir/a.yaml"
	printf '%s\n' '# why' 'service: a   # name' 'select: {name: a}' 'dns: allow' >"$dir/want"
}

@test "the shipped policies are canonical" {
	run "$bulkhead" fmt --check policies
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "it prints, and what it prints it prints again" {
	"$bulkhead" fmt "$dir/a.yaml" >"$dir/out"
	diff "$dir/want" "$dir/out"
	"$bulkhead" fmt - <"$dir/out" | diff "$dir/out" -
	"$bulkhead" fmt policies >"$dir/all"
	"$bulkhead" fmt "$dir/all" | diff "$dir/all" - # of many files, a document each at least
}

@test "--check names what differs and writes nothing" {
	before=$(stat -c %y "$dir/a.yaml")
	run "$bulkhead" fmt --check "$dir"
	[ "$status" -eq 1 ]
	[ "$output" = "$dir/a.yaml" ]
	[ "$(stat -c %y "$dir/a.yaml")" = "$before" ]
}

@test "-w writes, keeps the mode, says what it wrote, and only once" {
	chmod 0640 "$dir/a.yaml"
	run "$bulkhead" fmt -w "$dir/a.yaml"
	[ "$status" -eq 0 ]
	[ "$output" = "$dir/a.yaml" ]
	diff "$dir/want" "$dir/a.yaml"
	[ "$(stat -c %a "$dir/a.yaml")" = 640 ]
	before=$(stat -c %i "$dir/a.yaml")
	run "$bulkhead" fmt --write "$dir/a.yaml"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(stat -c %i "$dir/a.yaml")" = "$before" ]
	[ "$(find "$dir" -name '.*.new')" = "" ]
}

@test "-w writes what a link points to, and the link stays" {
	mkdir "$dir/p"
	ln -s ../a.yaml "$dir/p/link.yaml"
	run "$bulkhead" fmt -w "$dir/p"
	[ "$status" -eq 0 ]
	[ -L "$dir/p/link.yaml" ]
	diff "$dir/want" "$dir/a.yaml"
}

@test "what it cannot keep stays as it is, the other files are written" {
	printf 'service: b\nselect: {name: b}\nowner: |+\n  x\n\n' >"$dir/b.yaml"
	cp "$dir/b.yaml" "$dir/b.before"
	run "$bulkhead" fmt -w "$dir"
	[ "$status" -eq 2 ]
	[[ $output == *"b.yaml:3:8: error: "*"[not-formatted]"* ]]
	cmp "$dir/b.before" "$dir/b.yaml"
	diff "$dir/want" "$dir/a.yaml"
}

@test "a name beside that cannot be taken: the file stays, exit 3" {
	mkdir -p "$dir/.a.yaml.new/in-the-way"
	cp "$dir/a.yaml" "$dir/before"
	run "$bulkhead" fmt -w "$dir/a.yaml"
	[ "$status" -eq 3 ]
	[[ $output == *"cannot write"*"a.yaml"* ]]
	cmp "$dir/before" "$dir/a.yaml"
}

@test "mistakes in what it means are no obstacle; mistakes in YAML are" {
	printf 'service: a\nselect: {nam: a}\ningress: [{form: [{service: b}], ports: [443]}]\n' >"$dir/c.yaml"
	run "$bulkhead" fmt "$dir/c.yaml"
	[ "$status" -eq 0 ]
	[[ $output == *"{form: [{service: b}], ports: [443/tcp]}"* || $output == *"ports: [443/tcp], form"* ]]
	printf 'service: [\n' >"$dir/c.yaml"
	run "$bulkhead" fmt "$dir/c.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"[yaml-syntax]"* ]]
}

@test "usage: -w and --check, -w and -" {
	run "$bulkhead" fmt -w --check "$dir"
	[ "$status" -eq 2 ]
	run "$bulkhead" fmt -w - <"$dir/a.yaml"
	[ "$status" -eq 2 ]
	run "$bulkhead" fmt "$dir/nowhere"
	[ "$status" -eq 2 ]
}
