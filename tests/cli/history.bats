#!/usr/bin/env bats
# The audit trail as its readers see it. The trail is made here, with jq and sha256sum alone: a second
# pair of hands for what docs/audit.md promises.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	store=$BATS_TEST_TMPDIR/store
	mkdir -m 0700 "$store"
	prev=$(printf '0%.0s' {1..64}) seq=0 hash=''
}

sum() { printf '%s' "$1" | sha256sum | cut -d ' ' -f 1; }

# One more entry; $1 is merged into it.
entry() {
	local bare line
	seq=$((seq + 1))
	bare=$(jq -cnS --argjson seq $seq --arg prev "$prev" --argjson more "${1:-{\}}" \
		'{seq: $seq, when: "2027-01-15T08:00:00.000000Z", action: "apply", outcome: "done",
		who: {uid: 1000, gid: 100, pid: 7, name: "alice", role: "operator"},
		objects: ["payments"], diff: "-a\n+b\n", before: "", after: ("a" * 64), detail: "",
		prev: $prev} + $more')
	hash=$(sum "$bare")
	line=$(jq -cS --arg hash "$hash" '. + {hash: $hash}' <<<"$bare")
	printf '%s\n' "$line" >>"$store/audit.jsonl"
	prev=$(sum "$line")
	printf '{"hash":"%s","seq":%d}\n' "$hash" $seq >"$store/audit.head"
}

history() { run "$bulkhead" history --store "$store" "$@"; }

@test "no trail: exit 3, and where it was looked for" {
	history
	[ "$status" -eq 3 ]
	[[ $output == *"$store"* ]]
	history --verify
	[ "$status" -eq 3 ]
	run "$bulkhead" history --store "$store/none"
	[ "$status" -eq 3 ]
}

@test "the list: one line an entry, and JSON" {
	entry
	entry '{"action": "rollback", "outcome": "refused", "detail": "not an operator"}'
	history
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == *" 1  2027-01-15T08:00:00.000000Z  apply done  alice(1000)  - -> aaaaaaaaaaaa  payments"* ]]
	[[ ${lines[1]} == *"rollback refused"*"not an operator" ]]
	history --json
	[ "$(jq -r '"\(.seq) \(.intact)"' <<<"$output" | xargs)" = "1 true 2 true" ]
}

@test "one entry by its generation or number, with its diff" {
	entry
	entry '{"after": "'"$(printf 'b%.0s' {1..64})"'", "diff": "-x\n+y\n"}'
	history bbbbbbbb
	[ "$status" -eq 0 ]
	[[ $output == *$'\n-x\n+y' ]]
	history 1
	[[ $output == *$'\n-a\n+b' ]]
	history --json 1
	[ "$(jq .seq <<<"$output")" = 1 ]
	history cccccccc
	[ "$status" -eq 1 ]
	history 99
	[ "$status" -eq 1 ]
	for word in bbbb ../../etc 0 BBBBBBBB -- ''; do
		[ "$word" = -- ] && continue
		history "$word"
		[ "$status" -eq 2 ]
	done
	history bbbbbbbb cccccccc
	[ "$status" -eq 2 ]
	history --verify bbbbbbbb
	[ "$status" -eq 2 ]
}

@test "--generations: none is exit 1, the file of one that was altered is told, marks by in-force" {
	history --generations
	[ "$status" -eq 1 ]
	[[ $output == *"no generation is kept in $store/generations"* ]]
	mkdir -m 0700 "$store/generations"
	id() { printf '%s-0000000000000000' "$(printf "$1%.0s" {1..64})"; }
	for n in 1 2 3; do
		jq -cn --argjson n $n --arg d "$(printf "$n%.0s" {1..64})" '{schema: "bulkhead.generation/1", number: $n,
			when: "2027-01-15T08:00:00.000000Z", usec: 1800000000000000, who: {uid: 1000, name: "alice\u001b[31m"},
			digest: $d, files: 1, host: false}' >"$store/generations/$(id $n)"
	done
	echo '{' >"$store/generations/$(id 4)"
	printf '{"schema":"bulkhead.in-force/1","generation":"%s","before":"%s"}' "$(id 2)" "$(id 1)" >"$store/in-force"
	history --generations
	[ "$status" -eq 0 ]
	[[ $output != *$'\e'* ]]
	[[ $output == *"444444444444"*"altered"* ]] || [[ $output == *"cannot be read"* ]]
	[ "$(printf '%s\n' "${lines[@]}" | grep -c '^[*?-] ')" -eq 2 ]
	[[ $output == *$'\n- 111111111111  2027-01-15T08:00:00.000Z  alice'* ]]
	[[ $output == *$'\n* 222222222222  '* ]]
	[[ $output == *$'\n  333333333333  '* ]]
	[ "$("$bulkhead" history --store "$store" --generations --json 2>/dev/null | jq -r 'select(.in_force) | "\(.number) \(.before) \(.unconfirmed)"')" = "2 false false" ]
	for more in 11111111 --verify; do
		history --generations "$more"
		[ "$status" -eq 2 ]
	done
}

@test "--verify: whole, with the hash of the last entry" {
	entry
	entry
	history --verify
	[ "$status" -eq 0 ]
	[ "$output" = "whole: 2 entries in 1 file, 0 findings; the last is 2, $hash" ]
	history --verify --json
	[ "$status" -eq 0 ]
	jq -e --arg hash "$hash" '.whole and .last == 2 and .last_hash == $hash' <<<"$output"
}

@test "--verify: a changed, a missing and a cut-off entry are named, exit 1" {
	entry
	entry
	entry
	entry
	cp -r "$store" "$store.sound"
	sed -i '2s/payments/Payments/' "$store/audit.jsonl"
	history --verify
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "audit.jsonl:2: changed: entry 2 "* ]]
	[[ ${lines[1]} == "NOT WHOLE: "* ]]
	history
	[[ ${lines[1]} == *"CHANGED"* ]]
	cp "$store.sound/audit.jsonl" "$store/audit.jsonl"
	sed -i 2d "$store/audit.jsonl"
	history --verify --json
	[ "$status" -eq 1 ]
	jq -se '.[0].finding == "missing" and .[0].first == 2 and (.[1].whole | not)' <<<"$output"
	cp "$store.sound/audit.jsonl" "$store/audit.jsonl"
	sed -i '3,$d' "$store/audit.jsonl"
	history --verify
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "cut-off: entries 3 to 4 "* ]]
}

@test "what somebody wrote into the trail reaches no terminal" {
	entry '{"who": {"uid": 0, "gid": 0, "pid": 1, "name": "a\u001b[31m\u202e", "role": "x"},
		"detail": "\u0007\u009b", "objects": ["\u001b]0;t\u0007"], "diff": "+\u001b[2J\n"}'
	for arguments in '' 1 --json --verify; do
		# shellcheck disable=SC2086 # none, or one
		history $arguments
		[ "$status" -le 1 ] # jq writes control characters in another form than we
		[ -n "$output" ]
		[ -z "$(LC_ALL=C grep -P '[^\x20-\x7e]' <<<"$output")" ]
	done
	printf '\033[31m\n' >>"$store/audit.jsonl"
	history
	[[ $output != *$'\e'* ]]
}
