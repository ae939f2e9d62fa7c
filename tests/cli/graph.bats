#!/usr/bin/env bats
# bulkhead export --format mermaid|dot|json: who may reach whom, from policies alone.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/golden" || return
	bulkhead=$(realpath "${BULKHEAD:-../../../build/release/bulkhead}")
	shop=$BATS_TEST_DIRNAME/../../policies
}

# As golden/graph.yaml; what is written there was read by a person.
golden() {
	run --separate-stderr "$bulkhead" export --policies graph.yaml --format "$1"
	[ "$status" -eq 0 ]
	diff -u "graph.$1" - <<<"$output"
}

@test "Mermaid: scopes as boxes, ports on edges, one-sided ones dashed; no name breaks out" {
	golden mermaid
	# nothing between quotes but letters, digits, some marks and entities
	grep -oE '"[^"]*"' graph.mermaid >"$BATS_TEST_TMPDIR/quoted"
	run ! grep -vE '^"([A-Za-z0-9 ._/,:=-]|#[0-9]+;)*"$' "$BATS_TEST_TMPDIR/quoted"
	[ "$(grep -c '"' graph.mermaid)" -eq "$(grep -cE '^[^"]*"[^"]*"[^"]*$' graph.mermaid)" ]
}

@test "DOT: the same, and Graphviz reads the names back as they are" {
	golden dot
	[ "$(dot -Tplain graph.dot | grep -c '^edge ')" -eq "$(grep -c -- ' -> ' graph.dot)" ]
	[ "$(dot -Tplain graph.dot | grep -c '^node ')" -eq 10 ]
	dot -Tjson graph.dot | jq -e '[.objects[] | select(.label | tostring | contains("<b>"))] | length == 1'
	"$bulkhead" export --policies "$shop" --format dot | dot -Tsvg >"$BATS_TEST_TMPDIR/shop.svg"
	grep -q '</svg>' "$BATS_TEST_TMPDIR/shop.svg"
}

@test "JSON: the same, with the lines" {
	golden json
	jq -e '.schema == "bulkhead.graph/1" and (.nodes | length) == 10 and
		(.nodes | to_entries | all(.key == .value.id))' graph.json
	jq -e '[.edges[] | {from, to, state}] | length == (unique | length)' graph.json
	# a guardrail denies it
	run ! grep -q 169.254 graph.json graph.dot graph.mermaid
}

@test "the graph is what the policies allow: each edge of the shop, both ways" {
	"$bulkhead" export --policies "$shop" --format json >"$BATS_TEST_TMPDIR/g.json"
	cd "$BATS_TEST_TMPDIR"
	cp -r "$shop" p
	rm p/tests.yaml
	# as a policy test: allowed edges between services pass, all other pairs on these ports do not
	jq -r '.nodes as $n | [$n[] | select(.kind == "service") | .id] as $s |
		[.edges[] | select(.state == "allowed" and ([.from, .to] - $s == [])) |
			.from as $f | .to as $t | .ports | split(", ")[] | [$f, $t, .]] as $allowed |
		"test: graph\nexpect:", ($s[] as $f | $s[] as $t | ($allowed | map(.[2]) | unique[]) as $p |
		"  - {from: \($n[$f].name), to: \($n[$t].name), port: \($p), verdict: \(
			if $allowed | index([[$f, $t, $p]]) then "allow" else "deny" end)}")' g.json >p/t.yaml
	[ "$(grep -c 'verdict: allow' p/t.yaml)" -gt 15 ]
	sed -i 's/^mode: audit//' p/reports.yaml
	run "$bulkhead" test p
	[ "$status" -eq 0 ]
}

@test "the same text whatever the order of the files" {
	cp -r "$shop" "$BATS_TEST_TMPDIR/a"
	cd "$BATS_TEST_TMPDIR"
	mkdir b
	for file in a/*.yaml; do { cat "$file"; echo ---; } >>b/all.yaml; done
	for format in mermaid dot; do
		cmp <("$bulkhead" export --policies a --format $format) <("$bulkhead" export --policies b --format $format)
	done
}

@test "no endpoints are taken, unknown formats are refused" {
	run "$bulkhead" export --policies graph.yaml --format dot --endpoint web
	[ "$status" -eq 2 ]
	run "$bulkhead" export --policies graph.yaml --format png
	[ "$status" -eq 2 ]
	[[ $output == *"nft, mermaid, dot, svg or json"* ]]
}

@test "SVG: a picture that is XML, with all names as text, and nothing that runs or loads" {
	"$bulkhead" export --policies graph.yaml --format svg >"$BATS_TEST_TMPDIR/g.svg"
	# another reader: the same number of nodes and edges as in JSON
	python3 - "$BATS_TEST_TMPDIR/g.svg" graph.json <<-'END'
		import json, sys, xml.etree.ElementTree as ET
		svg = ET.parse(sys.argv[1]).getroot()
		ns = "{http://www.w3.org/2000/svg}"
		graph = json.load(open(sys.argv[2]))
		allowed = {e.attrib["class"] for e in svg.iter() if "class" in e.attrib}
		tags = {e.tag.replace(ns, "") for e in svg.iter()}
		assert tags <= {"svg", "style", "title", "desc", "rect", "path", "text", "g"}, tags
		for e in svg.iter():
		    assert not [a for a in e.attrib if a.startswith("on") or "href" in a], e.attrib
		edges = [e for e in svg.iter(ns + "path") if e.find(ns + "title") is not None]
		assert len(edges) == len([e for e in graph["edges"] if e["from"] != e["to"]])
		names = {g.find(ns + "title").text for g in svg.iter(ns + "g")}
		for node in graph["nodes"]:
		    assert any(node["name"] in n for n in names), node
	END
}
