#!/usr/bin/env bats
# check as a linter: accept:, JSON, SARIF, --strict, and the page that explains each warning.
# What is warned of is in tests/policy/lint.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	dir=$BATS_TEST_TMPDIR
}

write_policy() { printf '%s\n' "$@" >"$dir/p.yaml"; }

# Valid, with one warning; ARGUMENTS are further lines of the rule.
one_warning() {
	write_policy 'service: a' 'select: {labels: {app: a}}' 'egress:' \
		'  - to: [{cidr: 0.0.0.0/0}]' "$@"
}
accepted() { one_warning '    accept:' "      - {lint: whole-family, reason: \"$1\"}"; }

@test "a warning: place, words, way out, id, and what is bad about it; exit 0" {
	one_warning
	run --separate-stderr "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 0 ]
	[ "$output" = "valid: 1 file, 1 service, 0 groups, 1 rule, 0 guardrails" ]
	# shellcheck disable=SC2154 # bats sets it
	[[ ${stderr_lines[0]} == "$dir/p.yaml:4:10: warning: 0.0.0.0/0 includes "*" (entity: world "*") [whole-family]" ]]
	[ "${stderr_lines[1]}" = "  whole-family: That includes containers, the host and the cloud's metadata service." ]
	[ "${#stderr_lines[@]}" -eq 2 ]
}

@test "a kind of warning is explained once" {
	one_warning '  - to: [{cidr: "::/0"}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$(grep -c 'warning: ' <<<"$output")" -eq 2 ]
	[ "$(grep -c '^  whole-family: ' <<<"$output")" -eq 1 ]
}

@test "accept: silences in place, and is counted" {
	accepted 'the proxy goes everywhere'
	run "$bulkhead" check --strict "$dir/p.yaml"
	[ "$status" -eq 0 ]
	[ "$output" = "valid: 1 file, 1 service, 0 groups, 1 rule, 0 guardrails; 1 warning is accepted" ]
	# another rule, and another lint, are not silenced by it
	printf '%s\n' '  - to: [{cidr: "::/0"}]' '    expires: 2020-01-01T00:00:00Z' >>"$dir/p.yaml"
	run "$bulkhead" check "$dir/p.yaml"
	[[ $output == *"p.yaml:7:10: "*"[whole-family]"* ]]
	[[ $output == *"p.yaml:7:5: "*"[expired-rule]"* ]]
	[[ $output != *"p.yaml:4:"* ]]
}

@test "accept: of a document is for all of its rules, and of no other document" {
	write_policy 'service: a' 'select: {labels: {app: a}}' \
		'accept: [{lint: whole-family, reason: it is the proxy}]' 'egress:' \
		'  - to: [{cidr: 0.0.0.0/0}]' '  - to: [{cidr: "::/0"}]' '---' \
		'service: b' 'select: {labels: {app: b}}' 'egress: [{to: [{cidr: 0.0.0.0/0}]}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$(grep -c 'warning: ' <<<"$output")" -eq 1 ]
	[[ $output == *"p.yaml:10:16: "*"[whole-family]"*"; 2 warnings are accepted"* ]]
}

@test "accept: changes nothing that is enforced" {
	printf '{"endpoints": [{"id": "a", "labels": {"app": "a"}, "addresses": ["10.0.0.1"]}]}' \
		>"$dir/i.json"
	site=(--policies "$dir/p.yaml" --inventory "$dir/i.json" --format nft)
	one_warning
	"$bulkhead" export "${site[@]}" | sed 's/generation [0-9a-f]*//' >"$dir/before"
	accepted 'the proxy goes everywhere'
	"$bulkhead" export "${site[@]}" | sed 's/generation [0-9a-f]*//' >"$dir/after"
	grep -q 0.0.0.0 "$dir/before"
	diff "$dir/before" "$dir/after"
}

@test "accept: without a reason, of a lint that is none, of nothing" {
	one_warning '    accept: [{lint: whole-family}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *'p.yaml:5:14: error: an entry of "accept" needs "reason"'* ]]
	one_warning '    accept: [{lint: whole-famly, reason: x}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *'p.yaml:5:21: error: there is no lint "whole-famly" (did you mean "whole-family"?) [unknown-lint]'* ]]
	one_warning '    accept: [{lint: no-peers, reason: x}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 0 ]
	[[ $output == *'p.yaml:5:14: warning: there is no "no-peers" here to accept (remove the entry) [unused-accept]'* ]]
	[[ $output == *"[whole-family]"* ]]
}

@test "--strict: 1 for a warning, 0 without, 2 for a mistake; without it warnings are no matter" {
	one_warning
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 0 ]
	run "$bulkhead" check --strict "$dir/p.yaml"
	[ "$status" -eq 1 ]
	[[ $output == *"bulkhead: check: strict: 1 warning"* ]]
	run "$bulkhead" check --strict policies
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	echo 'egres: []' >>"$dir/p.yaml"
	run "$bulkhead" check --strict "$dir/p.yaml"
	[ "$status" -eq 2 ]
}

@test "--strict: warnings and what cannot be held are one answer" {
	printf 'strict: true\n' >"$dir/c.yaml"
	printf '{"endpoints": [{"id": "a", "labels": {"app": "a"}}]}' >"$dir/i.json"
	one_warning
	site=(--inventory "$dir/i.json" "$dir/p.yaml")
	run "$bulkhead" check "${site[@]}" --strict # all is held, but for the warning
	[ "$status" -eq 1 ]
	[[ $output == *"strict: 1 warning"* ]]
	[[ $output != *"apply --strict would refuse"* ]]
	run "$bulkhead" check "${site[@]}" --config "$dir/c.yaml" # the host's word is about holding
	[ "$status" -eq 0 ]
	accepted 'it is the proxy'
	run "$bulkhead" check "${site[@]}" --strict
	[ "$status" -eq 0 ]
	printf '{"endpoints": [{"id": "a", "labels": {"app": "a"}, "obstacle": "host-network"}]}' \
		>"$dir/i.json"
	run "$bulkhead" check "${site[@]}" --strict # no warning, and not held
	[ "$status" -eq 1 ]
	[[ $output == *"apply --strict would refuse"* ]]
	[[ $output != *"strict: 1 warning"* ]]
}

@test "--json: an object for each finding, what is accepted with its reason, and the sums" {
	accepted 'the proxy \"goes\" everywhere'
	printf '%s\n' '  - to: [{cidr: "::/0"}]' >>"$dir/p.yaml"
	run --separate-stderr "$bulkhead" check --json "$dir/p.yaml"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	jq -se --arg file "$dir/p.yaml" 'length == 3 and
		(.[0] | .severity == "warning" and .id == "whole-family" and .file == $file and
			.line == 7 and .column == 10 and (.message | startswith("::/0 includes")) and
			(.fix | startswith("entity: world")) and (.why | length) > 10 and .accepted == null) and
		(.[1] | .line == 4 and .accepted == "the proxy \"goes\" everywhere") and
		(.[2] | .warnings == 1 and .accepted == 1 and .rules == 2)' <<<"$output"
	echo 'egres: []' >>"$dir/p.yaml"
	run --separate-stderr "$bulkhead" check --format json "$dir/p.yaml"
	[ "$status" -eq 2 ]
	jq -se '.[0].severity == "error" and .[0].id == "unknown-key" and .[-1].errors == 1' <<<"$output"
}

# Structure and rules of the standard that code hosts rely on; the schema itself is not shipped.
sarif_is_sound() {
	jq -e '
		def text: type == "string" and length > 0;
		.version == "2.1.0" and (.["$schema"] | endswith("sarif-schema-2.1.0.json")) and
		(.runs | length) == 1 and (.runs[0] |
			.columnKind == "unicodeCodePoints" and .invocations[0].executionSuccessful and
			(.tool.driver | .name == "bulkhead" and (.version | text) and (.rules | all(
				(.id | text) and (.shortDescription.text | text) and
				(.helpUri | test("^[a-z]+:///?[^ ]+/[a-z-]+\\.md#[a-z-]+$")) and
				(.defaultConfiguration.level | IN("error", "warning"))) and
				([.[].id] | length == (unique | length)))) and
			.tool.driver.rules as $rules |
			(.results | all((.message.text | text) and (.level | IN("error", "warning")) and
				$rules[.ruleIndex].id == .ruleId and (.suppressions | type == "array") and
				(.suppressions | all(.kind == "inSource" and (.justification | text))) and
				((.locations // []) | all(.physicalLocation |
					(.artifactLocation.uri | test("^[A-Za-z0-9/._~%:-]+$")) and
					((.region == null) or (.region.startLine > 0 and .region.startColumn > 0)))))))' \
		>/dev/null
}

@test "--format sarif: results, rules, suppressions" {
	accepted 'the proxy goes everywhere'
	printf '%s\n' '  - to: [{cidr: "::/0"}]' >>"$dir/p.yaml"
	run --separate-stderr "$bulkhead" check --format sarif "$dir/p.yaml"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	sarif_is_sound <<<"$output"
	jq -e --arg uri "file://$dir/p.yaml" '.runs[0] | (.results | length) == 2 and
		(.results[0] | .ruleId == "whole-family" and .level == "warning" and
			.suppressions == [] and (.locations[0].physicalLocation |
				.artifactLocation.uri == $uri and .region == {startLine: 7, startColumn: 10})) and
		(.results[1].suppressions == [{kind: "inSource", status: "accepted",
			justification: "the proxy goes everywhere"}])' <<<"$output"
	run --separate-stderr "$bulkhead" check --strict --format sarif "$dir/p.yaml"
	[ "$status" -eq 1 ]
	sarif_is_sound <<<"$output"
}

@test "--format sarif: mistakes, no finding, no place" {
	write_policy 'service: a' 'select: {labels: {app: a}}' 'egres: []'
	run --separate-stderr "$bulkhead" check --format sarif "$dir/p.yaml"
	[ "$status" -eq 2 ]
	sarif_is_sound <<<"$output"
	jq -e '.runs[0].results[0] | .ruleId == "unknown-key" and .level == "error"' <<<"$output"
	run --separate-stderr "$bulkhead" check --format sarif policies
	[ "$status" -eq 0 ]
	sarif_is_sound <<<"$output"
	jq -e '[.runs[0].results[] | select(.suppressions | not)] == []' <<<"$output"
	write_policy '# nothing'
	run --separate-stderr "$bulkhead" check --format sarif "$dir/p.yaml"
	sarif_is_sound <<<"$output"
	jq -e '.runs[0].results[0] | .ruleId == "no-service" and .locations == null' <<<"$output"
	run --separate-stderr "$bulkhead" check --format sarif "$dir/none.yaml"
	[ "$status" -eq 2 ]
	sarif_is_sound <<<"$output"
	[[ $stderr == *"cannot read"* ]]
}

@test "--format sarif: names of files are URIs, relative ones stay relative; columns are of code points" {
	mkdir "$dir/a b%"
	one_warning
	sed 's/to: \[/to: [{group: g}, /' "$dir/p.yaml" >"$dir/a b%/ö#?.yaml"
	printf '%s\n' '---' '# ö' 'group: g' 'cidrs: [192.0.2.0/24] # ö' >>"$dir/a b%/ö#?.yaml"
	tool=$(realpath "$bulkhead")
	cd "$dir" || return
	run --separate-stderr "$tool" check --format sarif "./a b%"
	sarif_is_sound <<<"$output"
	jq -e '.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri ==
		"a%20b%25/%C3%B6%23%3F.yaml"' <<<"$output"
	printf 'service: a\nselect: {labels: {ö: ü}}\nowner: "ö" # %s\negress: [{to: [{labels: {ö: "ö"}}, {cidr: 0.0.0.0/0}]}]\n' ö >p.yaml
	run --separate-stderr "$tool" check --format sarif p.yaml
	jq -e '.runs[0].results[0].locations[0].physicalLocation.region == {startLine: 4, startColumn: 36}' \
		<<<"$output"
}

@test "--format: another word, and what does not go together" {
	run "$bulkhead" check --format xml policies
	[ "$status" -eq 2 ]
	[[ $output == *"--format takes text, json or sarif, not 'xml'"* ]]
	run "$bulkhead" check --format sarif --json policies
	[ "$status" -eq 2 ]
	[[ $output == *"choose one"* ]]
	run "$bulkhead" check --format sarif --endpoints --inventory examples/inventory.json policies
	[ "$status" -eq 2 ]
}

@test "a reason is hostile text, too" {
	printf 'service: a\nselect: {labels: {app: a}}\nowner: "\\e[31m"\naccept: [{lint: whole-family, reason: "\\e[31mred \\u202e"}]\negress: [{to: [{cidr: 0.0.0.0/0}]}]\n' \
		>"$dir/p.yaml"
	for format in text json sarif; do
		run "$bulkhead" check --format $format "$dir/p.yaml"
		[ "$status" -eq 0 ]
		[[ $output != *$'\e'* ]]
	done
	jq -e '.runs[0].results[0].suppressions[0].justification | contains("red")' <<<"$output"
}

@test "--lints: id, title, why and fix of each; docs/lint.md has the same words and no other section" {
	run "$bulkhead" check --lints
	[ "$status" -eq 0 ]
	[[ $output == *$'\none-sided\n  One end allows a flow that the other end certainly refuses.\n'* ]]
	"$bulkhead" check --lints --json >"$dir/lints"
	jq -r .id "$dir/lints" >"$dir/ids"
	sed '1,/^## The lints/d; /^## /,$d' docs/lint.md | sed -n 's/^### //p' >"$dir/sections"
	[ "$(wc -l <"$dir/ids")" -ge 20 ]
	diff "$dir/ids" "$dir/sections"
	while read -r id; do
		sed -n "/^### $id\$/,/^##/p" docs/lint.md | sed 1d | tr -s '\n ' ' ' >"$dir/section"
		jq -r "select(.id == \"$id\") | .title, .why, .fix" "$dir/lints" >"$dir/words"
		[ "$(wc -l <"$dir/words")" -eq 3 ]
		while read -r words; do
			grep -qF -- "$words" "$dir/section" || { echo "$id: $words"; false; }
		done <"$dir/words"
	done <"$dir/ids"
}

@test "every policy that is shipped is without a warning, also in strict" {
	for path in policies examples/*/*.yaml; do
		[ -e "$path" ] || continue
		run "$bulkhead" check --strict "$path"
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -eq 1 ]
	done
}
