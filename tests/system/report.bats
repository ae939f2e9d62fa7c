#!/usr/bin/env bats
# examples/pci from start to end on real containers: what its reports say before and after.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0
load lib/docker

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	docker_up
	export OUT=$BATS_FILE_TMPDIR/out
	on_host env BULKHEAD="$(realpath "$bulkhead_program")" TMPDIR="$BATS_FILE_TMPDIR" \
		"$PWD/examples/pci/run" "$OUT" >"$BATS_FILE_TMPDIR/told" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/told"
		return 1
	}
	"$bulkhead_program" rules --policies examples/pci/policies --json >"$BATS_FILE_TMPDIR/rules" \
		2>/dev/null || true
}
teardown_file() { docker_down; }
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

verdict() { jq -r --arg id "$2" '.report.requirements[] | select(.id == $id) | .verdict' "$OUT/$1.json"; }
says() { # NAME ID TEXT
	jq -e --arg id "$2" --arg text "$3" '.report.requirements[] | select(.id == $id) |
		[.findings[], .unknown[], .evidence[]] | any(contains($text))' "$OUT/$1.json" >/dev/null ||
		fail "$1: $2 does not say: $3: $(jq --arg id "$2" \
			'.report.requirements[] | select(.id == $id)' "$OUT/$1.json")"
}

@test "it ends well, and leaves nothing behind" {
	grep -q "Reports are in" "$BATS_FILE_TMPDIR/told"
	[ -z "$(docker ps -aq)" ]
	[ -z "$(docker network ls --format '{{.Name}}' | grep bhpci)" ]
	run ! on_host pgrep -x bulkheadd
}

@test "before: the violation is found, by line, and what was denied is on the map" {
	[ "$(verdict before 1.2.5)" = finding ]
	says before 1.2.5 "on 23/tcp has no ticket (policies/violation.yaml:"
	[ "$(verdict before 1.2.6)" = finding ]
	says before 1.2.6 "is telnet, and no note"
	says before 1.2.6 "PostgreSQL without TLS: The server refuses connections without TLS"
	[ "$(verdict before 1.2.7)" = finding ]
	says before 1.2.7 "was last reviewed at 2024-02-01"
	jq -e '.report.denied.groups | any(.service == "web" and .peer == "ledger" and .port == "5432/tcp")' \
		"$OUT/before.json"
	jq -e '.report.map as $m | $m.edges | any(.state == "denied" and
		$m.nodes[.from].name == "web" and $m.nodes[.to].name == "ledger")' "$OUT/before.json"
}

@test "before: what was read back from the kernels, the trail and the daemon is met" {
	for id in 1.2.2 1.2.3 1.2.4 1.2.8 1.3.1 1.3.2 1.4.2 1.4.3 1.4.4 10.2 10.3 10.7; do
		[ "$(verdict before $id)" = met ] || fail "$id: $(jq --arg id $id \
			'.report.requirements[] | select(.id == $id)' "$OUT/before.json")"
	done
	says before 1.3.1 "4 of 4 endpoints of the scope hold exactly the rules"
	says before 1.2.8 "bulkhead verify looked at 4 namespaces"
	# each was used before the segmentation test, which hit them all, too
	says before 1.2.7 "of 6 rules of the scope none is known to have gone unused"
	[ "$(jq -c '.report.rules | [.young, .tested]' "$OUT/before.json")" = "[0,0]" ]
	[ "$(jq '.report.rules.n' "$OUT/before.json")" -eq "$(jq -s 'map(select(.scope == "cde" and
		.kind != "guardrail" and .use)) | length' "$BATS_FILE_TMPDIR/rules")" ]
	says before 10.7 "bulkheadd runs since"
	says before 10.3 "each with the SHA-256 of the one before"
}

@test "after: the violation is gone, and the comparison says so" {
	for id in 1.2.1 1.2.2 1.2.5 1.2.6 1.2.8 1.3.1 10.2 10.3; do
		[ "$(verdict after $id)" = met ] || fail "$id: $(jq --arg id $id \
			'.report.requirements[] | select(.id == $id)' "$OUT/after.json")"
	done
	jq -e '[.report.compared.parts[] | select(.title == "Flows that are closed now") | .lines[]] |
		any(startswith("support to terminal on 23/tcp"))' "$OUT/after.json"
	jq -e '[.report.compared.parts[] | select(.title == "Verdicts") | .lines[]] |
		any(. == "1.2.6: finding, then met")' "$OUT/after.json"
}

@test "the segmentation test is of these policies and of the scope" {
	expected=met
	for name in before after; do
		for id in 11.4.5 11.4.6; do
			[ "$(verdict $name $id)" = $expected ] || fail "$name: $id: $(jq .report.probe \
				"$OUT/$name.json")"
		done
	done
	[ "$(jq .report.probe.questions "$OUT/before.json")" -gt 100 ]
}

@test "what a test was denied is no attempt, whether its result or the trail tells of it" {
	for name in before after; do
		jq -e '.report.denied.left_out > 0 and (.report.denied.groups | length > 0 and
			all(.port != "3389/tcp"))' "$OUT/$name.json" || fail "$(jq -c .report.denied "$OUT/$name.json")"
	done
}

@test "every file is sealed, and the page is what a browser shows without loading anything" {
	for file in "$OUT"/*.html "$OUT"/*.md "$OUT"/before.json "$OUT"/after.json; do
		run "$bulkhead_program" report --check "$file"
		[ "$status" -eq 0 ] || fail "$file: $output"
	done
	run ! grep -Eiq '<script|src=|href="[^#]|url\(' "$OUT/before.html"
	grep -q '<svg [^>]*class="map"' "$OUT/before.html"
	grep -q '<svg [^>]*class="matrix"' "$OUT/before.html"
	grep -q '<svg [^>]*class="time"' "$OUT/before.html"
}
