#!/usr/bin/env bats
# The daemon's command line without root: help, usage, exit codes of a start that fails.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	daemon=${bulkhead}d
	dir=$BATS_TEST_TMPDIR
}

options() { "$daemon" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'; }

@test "--help and --version" {
	run "$daemon" --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "usage: bulkheadd [OPTION...]" ]]
	[ "$(options | wc -l)" -eq 9 ]
	run "$daemon" --version
	[ "$status" -eq 0 ]
	[ "$output" = "bulkheadd $("$bulkhead" --version | cut -d' ' -f2)" ]
}

@test "every option of the help is taken, wants a value, and stands in docs/daemon.md; no other does" {
	local option
	for option in $(options); do
		run "$daemon" "--$option"
		[ "$status" -eq 2 ]
		[ "${lines[0]}" = "bulkheadd: a value is missing behind '--$option'; bulkheadd --help lists the options" ]
		run "$daemon" "--$option" x stray # gets no further
		[ "$status" -eq 2 ]
		[[ $output == *"unexpected 'stray'"* ]]
	done
	diff <(options | sort) <(sed -n 's/^| `--\([a-z-]*\) .*/\1/p' docs/daemon.md | sort)
}

@test "unknown options, stray operands and hostile words are usage errors" {
	run "$daemon" --frob
	[ "$status" -eq 2 ]
	[[ $output == *"unknown option '--frob'"* ]]
	run "$daemon" -x
	[ "$status" -eq 2 ]
	[[ $output == *"unknown option '-x'"* ]]
	run "$daemon" $'\e[31mstray'
	[ "$status" -eq 2 ]
	[[ $output != *$'\e'* ]]
}

@test "more policy paths than there is room for" {
	local paths=()
	for _ in {1..65}; do paths+=(--policies policies); done
	run "$daemon" "${paths[@]}"
	[ "$status" -eq 2 ]
	[[ $output == *"too many policy paths"* ]]
}

@test "input that is wrong ends the start with 2, all mistakes in one run, and leaves no socket" {
	echo '{service: a, select: {labels: {app: a}}, egres: []}' >"$dir/p.yaml"
	echo '{"endpoints": [{"id": 7}]}' >"$dir/inventory.json"
	run timeout 5 "$daemon" --store "$dir/store" --policies "$dir/p.yaml" --inventory "$dir/inventory.json" --socket "$dir/control"
	[ "$status" -eq 2 ]
	[[ $output == *"p.yaml:1:"*egres* ]]
	[ ! -e "$dir/control" ]
	run timeout 5 "$daemon" --store "$dir/store" --policies "$dir/none" --inventory examples/inventory.json --socket "$dir/control"
	[ "$status" -eq 2 ]
	[[ $output == *"$dir/none"* ]]
	run timeout 5 "$daemon" --store "$dir/store" --policies policies --inventory "$dir/inventory.json" --socket "$dir/control"
	[ "$status" -eq 2 ]
	[[ $output == *"inventory.json"* ]]
	[ ! -e "$dir/control" ]
}

@test "a socket that cannot be made ends the start with 3" {
	: >"$dir/file"
	run timeout 5 "$daemon" --store "$dir/store" --policies policies --inventory examples/inventory.json --socket "$dir/file"
	[ "$status" -eq 3 ]
	[[ $output == "bulkheadd: "*"$dir/file"* ]]
	[ -e "$dir/file" ]
}
