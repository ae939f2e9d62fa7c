#!/usr/bin/env bats
# The command line without root: usage, exit codes, messages, explain, export.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	shop=(--policies policies --inventory examples/inventory.json)
	dir=$BATS_TEST_TMPDIR
}

# A policy that is valid but for what a test adds.
write_policy() { printf '%s\n' "$@" >"$dir/p.yaml"; }

@test "no verb: the help on stderr, exit 2" {
	run "$bulkhead"
	[ "$status" -eq 2 ]
	[[ $output == *"usage: bulkhead VERB"* ]]
}

@test "--version and --help" {
	run "$bulkhead" --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^bulkhead\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run "$bulkhead" --help
	[ "$status" -eq 0 ]
	for verb in check explain apply status probe denied endpoints export history rollback confirm; do
		[[ $output == *$'\n'"  $verb "* ]]
	done
}

@test "every verb has its own help, and every option in it is taken" {
	for verb in $("$bulkhead" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^$'); do
		run "$bulkhead" "$verb" --help
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == "usage: bulkhead $verb"* ]]
		for option in $(sed -n 's/^  --\([a-z-]*\).*/\1/p' <<<"$output"); do
			run "$bulkhead" "$verb" "--$option" --inventory "$dir/none" # gets no further
			[[ $output != *"unknown option '--$option'"* ]]
		done
	done
}

@test "a misspelt verb gets a suggestion" {
	run "$bulkhead" chek
	[ "$status" -eq 2 ]
	[[ $output == *"did you mean 'check'?"* ]]
}

@test "unknown options, missing values and stray operands are usage errors" {
	run "$bulkhead" check --frob
	[ "$status" -eq 2 ]
	[[ $output == *"unknown option '--frob'"* ]]
	run "$bulkhead" check --policies
	[ "$status" -eq 2 ]
	[[ $output == *"'--policies' needs a value"* ]]
	run "$bulkhead" status stray
	[ "$status" -eq 2 ]
	[[ $output == *"unexpected 'stray'"* ]]
}

@test "a terminal is never written to by hostile words" {
	run "$bulkhead" $'\e[31mcheck'
	[ "$status" -eq 2 ]
	[[ $output != *$'\e'* ]]
}

@test "check: the shipped policies are valid and have no warning" {
	run "$bulkhead" check policies
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "valid: "*" services, "* ]]
}

@test "check --json says the digest" {
	run "$bulkhead" check policies --json
	[ "$status" -eq 0 ]
	jq -e '.services >= 8 and (.digest | length) == 64' <<<"$output"
}

@test "check --endpoints: who is what" {
	run "$bulkhead" check policies --inventory examples/inventory.json --endpoints
	[ "$status" -eq 0 ]
	grep -Eq '^  shop/vault +vault$' <<<"$output"
}

@test "check: every mistake in one run, with place, text and way out" {
	write_policy 'service: a' 'select: {labels: {app: a}}' 'ingress:' '  - form: [{service: b}]' \
		'    ports: [70000/tcp]' 'egress:' '  - to: [{cidr: 10.0.0.1/8}]'
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"p.yaml:4:5: error:"*"form"*"did you mean"*"from"* ]]
	[[ $output == *"p.yaml:5:"*"70000/tcp"* ]]
	[[ $output == *"p.yaml:7:"*"10.0.0.1/8"*"10.0.0.0/8"* ]]
}

@test "check: a missing path, an empty directory" {
	run "$bulkhead" check "$dir/nowhere"
	[ "$status" -eq 2 ]
	[[ $output == *"nowhere"* ]]
	mkdir "$dir/empty"
	run "$bulkhead" check "$dir/empty"
	[ "$status" -eq 2 ]
	[[ $output == *"empty"* ]]
}

@test "check: 100 MB, binary junk and 10,000-deep nesting fail fast and clean" {
	truncate -s 100M "$dir/big.yaml"
	run timeout 5 "$bulkhead" check "$dir/big.yaml"
	[ "$status" -eq 2 ]
	head -c 100000 /dev/urandom >"$dir/junk.yaml"
	run timeout 5 "$bulkhead" check "$dir/junk.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"junk.yaml:"* ]]
	{ printf 'service: '; printf '[%.0s' {1..10000}; } >"$dir/deep.yaml"
	run timeout 5 "$bulkhead" check "$dir/deep.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"deep.yaml:1:"* ]]
}

@test "check: kinds of documents that are not read are refused, not ignored" {
	for document in '{kind: Deployment, apiVersion: apps/v1}'; do
		write_policy "$document"
		run "$bulkhead" check "$dir/p.yaml"
		[ "$status" -eq 2 ]
		[[ $output == *"[not-supported]"* ]]
	done
}

@test "inventory: mistakes name the path and the way out" {
	printf '{"endpoints": [{"id": "a", "adresses": ["10.0.0.1"]}, {"name": "b"}, {"id": "c", "addresses": ["10.0.0.1/8"]}]}' \
		>"$dir/i.json"
	run "$bulkhead" endpoints --inventory "$dir/i.json"
	[ "$status" -eq 2 ]
	[[ $output == *"endpoints[0].adresses: there is no such key (did you mean addresses?)"* ]]
	[[ $output == *"endpoints[1]: has no id"* ]]
	[[ $output == *"endpoints[2].addresses[0]: '10.0.0.1/8' is not an IPv4 or IPv6 address"* ]]
	printf '{"endpoints": [' >"$dir/i.json"
	run "$bulkhead" endpoints --inventory "$dir/i.json"
	[ "$status" -eq 2 ]
	[[ $output == *"i.json:1:"*"not JSON"* ]]
}

@test "inventory: two endpoints of one id" {
	printf '{"endpoints": [{"id": "a"}, {"id": "a"}]}' >"$dir/i.json"
	run "$bulkhead" endpoints --inventory "$dir/i.json"
	[ "$status" -eq 2 ]
	[[ $output == *"two endpoints have the id a"* ]]
}

@test "endpoints: text and JSON" {
	run "$bulkhead" endpoints --inventory examples/inventory.json
	[ "$status" -eq 0 ]
	grep -Eq '^vault +inventory +10.77.0.8 fd00:77::8  app=vault$' <<<"$output"
	run "$bulkhead" endpoints --inventory examples/inventory.json --json
	[ "$(jq -r 'select(.id == "shop/vault").addresses | join(" ")' <<<"$output")" = \
		"10.77.0.8 fd00:77::8" ]
}

@test "explain: allow is 0, deny is 1, both ends and places are named" {
	run "$bulkhead" explain "${shop[@]}" --from payments --to vault --port 8443/tcp
	[ "$status" -eq 0 ]
	[[ $output == "allow: payments -> vault 8443/tcp"*"policies/payments.yaml:"*"policies/vault.yaml:"* ]]
	run "$bulkhead" explain "${shop[@]}" --from web --to vault --port 8443/tcp
	[ "$status" -eq 1 ]
	[[ $output == "deny at web"*"at vault"*"guardrail cde-boundary"* ]]
	run "$bulkhead" explain "${shop[@]}" --from payments --to vault --port 8444/tcp
	[ "$status" -eq 1 ]
	[[ $output == *"at vault"*"lets payments in on 8443/tcp"* ]]
}

@test "explain: a guardrail is named with its place, also where no service has a say" {
	run "$bulkhead" explain "${shop[@]}" --from resolver --to 169.254.169.254 --port 53/udp
	[ "$status" -eq 1 ]
	[[ $output == "deny at resolver (egress, guardrail policies/guardrails.yaml:"*"guardrail no-metadata denies that resolver sends to 169.254.169.254, whatever services allow" ]]
	jq '.endpoints += [{id: "stray", addresses: ["10.77.0.99"], netns: "/run/netns/stray"}]' \
		examples/inventory.json >"$dir/i.json"
	stray=("$bulkhead" explain --policies policies --inventory "$dir/i.json" --from stray)
	run "${stray[@]}" --to 169.254.169.254 --port 80/tcp
	[ "$status" -eq 1 ]
	[[ $output == "deny at stray"*"no-metadata"* ]]
	run "${stray[@]}" --to 192.0.2.1 --port 80/tcp
	[ "$status" -eq 0 ]
	[[ $output == *"stray is held by guardrails only"* ]]
	run "${stray[@]}" --to vault --port 8443/tcp --json
	jq -e '.verdict == "deny" and .destination.guardrail and (.destination.near | not) and
		(.destination.where | startswith("policies/guardrails.yaml:"))' <<<"$output"
}

@test "check: a scope is counted, named, and asks for what crosses it" {
	run "$bulkhead" check policies
	[ "$status" -eq 0 ]
	[[ $output == "valid: "*", 2 guardrails; 1 warning is accepted" ]]
	run "$bulkhead" check --endpoints --json "${shop[@]:1:1}" --inventory examples/inventory.json
	[ "$(jq -r 'select(.scope == "cde").endpoint' <<<"$output" | sort | xargs)" = \
		"shop/ledger shop/payments shop/vault" ]
	write_policy 'scope: s' 'require: [reason]' '---' 'service: a' 'scope: s' \
		'select: {labels: {app: a}}' 'egress:' '  - to: [{entity: world}]'
	run "$bulkhead" check "$dir/p.yaml"
	[[ $output == *'p.yaml:8:5: warning: this flow crosses scope s, which requires "reason" (add reason: to this rule of a) [scope-field]'* ]]
	sed -i '1s/s$/ss/' "$dir/p.yaml"
	run "$bulkhead" check "$dir/p.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *'p.yaml:5:8: error: there is no scope named "s" (did you mean "ss"?) [unknown-scope]'* ]]
}

@test "explain --json" {
	run "$bulkhead" explain "${shop[@]}" --from payments --to vault --port 8444/tcp --json
	[ "$status" -eq 1 ]
	jq -e '.verdict == "deny" and (.source.allowed | not) and (.destination.near_rule == "vault.in.tokens")' \
		<<<"$output"
}

@test "explain: addresses, unknown names, bad ports" {
	run "$bulkhead" explain "${shop[@]}" --from 192.0.2.1 --to edge --port 8443/tcp
	[ "$status" -eq 0 ]
	run "$bulkhead" explain "${shop[@]}" --from webb --to vault --port 8443/tcp
	[ "$status" -eq 2 ]
	[[ $output == *"webb"* ]]
	run "$bulkhead" explain "${shop[@]}" --from web --to vault --port 99999/tcp
	[ "$status" -eq 2 ]
	[[ $output == *"99999"* ]]
	run "$bulkhead" explain "${shop[@]}" --from web
	[ "$status" -eq 2 ]
}

@test "explain --batch: one verdict a line, comments skipped, a bad line named" {
	printf 'payments vault 8443/tcp\n# comment\n\nweb vault 8443/tcp\n10.77.0.6 10.77.0.8 8443\n' >"$dir/q"
	run "$bulkhead" explain "${shop[@]}" --batch "$dir/q"
	[ "$status" -eq 0 ]
	[ "$output" = $'allow\ndeny\nallow' ]
	printf 'payments vault 8443/tcp\nweb vault\n' >"$dir/q"
	run "$bulkhead" explain "${shop[@]}" --batch "$dir/q"
	[ "$status" -eq 2 ]
	[[ $output == *"q:2:"* ]]
}

@test "export --format nft is the golden text" {
	run "$bulkhead" export "${shop[@]}" --format nft
	[ "$status" -eq 0 ]
	sed 's/generation [0-9a-f]*/generation X/' <<<"$output" >"$dir/out"
	if [ "${BULKHEAD_WRITE_GOLDEN:-0}" = 1 ]; then
		cp "$dir/out" tests/cli/golden/shop.nft
	fi
	diff -u tests/cli/golden/shop.nft "$dir/out"
}

@test "export: one endpoint, an unknown one, another format" {
	run "$bulkhead" export "${shop[@]}" --format nft --endpoint vault
	[ "$status" -eq 0 ]
	[ "$(grep -c '^table inet bulkhead {' <<<"$output")" -eq 1 ]
	run "$bulkhead" export "${shop[@]}" --format nft --endpoint nobody
	[ "$status" -eq 2 ]
	run "$bulkhead" export "${shop[@]}" --format svg
	[ "$status" -eq 2 ]
}

@test "denied without --follow says what there is" {
	run "$bulkhead" denied --store "$dir/none"
	[ "$status" -eq 3 ]
	[[ $output == *"there is no history"*"--follow"* ]]
}

@test "denied: formats, and where packets go" {
	run "$bulkhead" denied --follow --format oscf
	[ "$status" -eq 2 ]
	[[ $output == *"--format takes json, ocsf, ecs or text, not 'oscf'"* ]]
	run "$bulkhead" denied --follow --format ocsf --json
	[ "$status" -eq 2 ]
	[[ $output == *"choose one"* ]]
	run "$bulkhead" denied --follow --pcap "$dir/none/d.pcap"
	[ "$status" -eq 3 ]
	[[ $output == *"cannot write $dir/none/d.pcap: No such file or directory"* ]]
}

@test "host file: strict like the policies" {
	printf 'unmanagd: ignore\n' >"$dir/c.yaml"
	run "$bulkhead" check policies --config "$dir/c.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"c.yaml:1:1: error:"*"did you mean"*"unmanaged"* ]]
	run "$bulkhead" check policies --config "$dir/none.yaml"
	[ "$status" -eq 2 ]
}

@test "host file: policies, a key twice, a slip of the pen, one of another shape" {
	printf 'policies: {watch: false}\nstrict: true\n' >"$dir/c.yaml"
	run "$bulkhead" check policies --config "$dir/c.yaml"
	[ "$status" -eq 0 ]
	printf 'policies: {wath: true, watch: maybe}\nstrict: true\nstrict: true\nretention: {generation: 3}\noutputs: {}\n' \
		>"$dir/c.yaml"
	run "$bulkhead" check policies --config "$dir/c.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *'c.yaml:1:12: error: unknown key "wath" in policies (did you mean "watch"?)'* ]]
	[[ $output == *'c.yaml:1:31: error: "watch" takes true or false, not "maybe"'* ]]
	[[ $output == *'c.yaml:3:1: error: duplicate key "strict", first on line 2'* ]]
	[[ $output == *'c.yaml:4:13: error: unknown key "generation" in retention (did you mean "generations"?)'* ]]
	[[ $output == *'c.yaml:5:10: error: "outputs" takes a list, not a mapping'* ]]
}

@test "host file: all its mistakes, and those of the policies, in one run" {
	printf 'roles: [{user: a, role: root}]\nmetrics: {listen: "0.0.0.0:9467"}\nlimits: {flow: 1}\n' \
		>"$dir/c.yaml"
	write_policy 'service: A'
	run "$bulkhead" check "$dir/p.yaml" --config "$dir/c.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"c.yaml:1:25: error:"*"viewer, operator or admin"* ]]
	[[ $output == *"c.yaml:2:19: error:"*"loopback"* ]]
	[[ $output == *"c.yaml:3:10: error:"*'did you mean "flows"'* ]]
	[[ $output == *"p.yaml:1:"* ]]
}

@test "host file: the example is valid, and says nothing of this machine" {
	run "$bulkhead" check policies --config examples/bulkhead.yaml
	[ "$status" -eq 0 ]
	printf 'roles: [{user: nobody-has-this-name, role: viewer}]\n' >"$dir/c.yaml"
	run "$bulkhead" check policies --config "$dir/c.yaml"
	[ "$status" -eq 0 ]
}

@test "a wrong inventory and wrong policies are told in one run" {
	write_policy 'service: A'
	printf '{"endpoint": []}' >"$dir/i.json"
	run "$bulkhead" check "$dir/p.yaml" --inventory "$dir/i.json"
	[ "$status" -eq 2 ]
	[[ $output == *"p.yaml:"* ]]
	[[ $output == *"did you mean endpoints?"* ]]
}

# --- NetworkPolicies of Kubernetes ------------------------------------------------------------------

pods() { "$bulkhead" "$1" --policies examples/kubernetes/policies.yaml --inventory examples/kubernetes/inventory.json "${@:2}"; }

@test "docs/kubernetes.md: the example is what the page shows" {
	sed -n 's/^    //p' docs/kubernetes.md >"$dir/page"
	pods check --endpoints >"$dir/said"
	pods explain --from prometheus --to web --port 9090/tcp >>"$dir/said" && false
	while read -r line; do
		grep -qxF -- "    $line" docs/kubernetes.md || grep -qxF -- "      $line" docs/kubernetes.md
	done <"$dir/said"
	[ "$(wc -l <"$dir/said")" -eq 5 ]
}

@test "NetworkPolicies: explained by name and place, counted, and not edited" {
	run pods explain --from web --to db --port 5432/tcp
	[ "$status" -eq 0 ]
	[[ $output == *"web sends by examples/kubernetes/policies.yaml:5 (k8s_shop_default-deny.out.not-isolated)"* ]]
	run pods check --json
	[[ $output == *'"services": 0, "network_policies": 3,'* ]]
	run pods suggest --from prometheus --to web --port 9090/tcp
	[ "$status" -eq 1 ]
	[[ $output == *"NetworkPolicy shop/web has a say here"*"policies.yaml:14"* ]]
}
