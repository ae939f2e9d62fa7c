#!/usr/bin/env bats
# bulkhead diff: which flows open and which close between two policy sets, without any endpoint.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	inventory=$PWD/examples/inventory.json
	cp -r policies "$BATS_TEST_TMPDIR/old"
	cp -r policies "$BATS_TEST_TMPDIR/new"
	cd "$BATS_TEST_TMPDIR" || return
}

@test "the same, moved, reworded, in other files and order: no difference, exit 0" {
	mv new/cart.yaml new/zz.yaml
	{ cat new/web.yaml; echo ---; cat new/edge.yaml; } >new/a.yaml
	rm new/web.yaml new/edge.yaml
	sed -i 's/^owner: team-shop/owner:   "team-shop"/; s/    reason: .*/&, as ever/' new/*.yaml
	sed -i 's|ports: \[6379/tcp\]|ports: [6379]|' new/zz.yaml
	run "$bulkhead" diff old new
	[ "$status" -eq 0 ]
	[ "$output" = "0 open, 0 close, 0 end otherwise; 0 of one end only; 0 changes by name" ]
	run "$bulkhead" diff --json old new
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "a port more: what opens, by which lines, and what refused it" {
	sed -i 's|8080/tcp|8080-8081/tcp|' new/web.yaml new/catalog.yaml
	run "$bulkhead" diff old new
	[ "$status" -eq 1 ]
	grep -q '^+ opens  web -> catalog  8081/tcp$' <<<"$output"
	grep -qE '^      by new/web.yaml:21 to new/catalog.yaml:10, refused before by old/web.yaml:20$' <<<"$output"
	grep -q '^  one end opens  web -> cart  8081/tcp' <<<"$output"
	[[ ${lines[-1]} == "1 open, 0 close, 0 end otherwise; 3 of one end only; 0 changes by name" ]]
	run "$bulkhead" diff new old
	[ "$status" -eq 1 ]
	grep -q '^- closes  web -> catalog  8081/tcp$' <<<"$output"
	grep -qE '^      before by new/web.yaml:21 to new/catalog.yaml:10, refused by old/web.yaml:20$' <<<"$output"
}

@test "addresses are taken from each other exactly; the world has its name" {
	sed -i 's|203.0.113.0/25|203.0.113.0/24|; /203.0.113.192/d' new/acquirers.yaml
	sed -i 's|8080/tcp, 8443/tcp|8080/tcp|' new/edge.yaml
	run "$bulkhead" diff old new
	[ "$status" -eq 1 ]
	grep -q '^+ opens  payments -> 203.0.113.128/26  8443/tcp$' <<<"$output"
	grep -q '^- closes  the world -> edge  8443/tcp$' <<<"$output"
}

@test "what is no flow is said by name" {
	sed -i 's/^select:/mode: audit\n&/' new/web.yaml
	sed -i 's/on-deny: reject/on-deny: drop/' new/cache.yaml
	sed -i 's/{app: cart}/{app: carts}/' new/cart.yaml
	sed -i 's/169.254.0.0\/16  /169.254.0.0\/17  /' new/guardrails.yaml
	rm new/vault.yaml
	sed -i 's/{service: vault}/{service: ledger}/' new/payments.yaml
	run "$bulkhead" diff old new
	[ "$status" -eq 1 ]
	grep -q '^~ service web  mode: audit, before: enforce$' <<<"$output"
	grep -q '^~ service cache  on-deny: drop, before: reject$' <<<"$output"
	grep -q '^~ service cart  select: labels app=carts, before: labels app=cart$' <<<"$output"
	grep -q '^~ service vault  is gone' <<<"$output"
	grep -q '^      before at old/vault.yaml:' <<<"$output"
	grep -q '^~ guardrail no-metadata  denies something else$' <<<"$output"
	grep -q '^- closes  payments -> vault  8443/tcp$' <<<"$output"
	[[ $output != *"web -> "* ]] # the rules of a service in audit are the same
}

@test "a guardrail takes flows away" {
	cat >new/no.yaml <<-'END'
		guardrail: no-books
		select: {services: [payments]}
		deny:
		  - to: [{service: ledger}]
	END
	run "$bulkhead" diff old new
	[ "$status" -eq 1 ]
	grep -q '^~ guardrail no-books  is new$' <<<"$output"
	grep -q '^- closes  payments -> ledger  5432/tcp$' <<<"$output"
	grep -q 'refused by new/no.yaml:4$' <<<"$output"
}

@test "NetworkPolicies: pods that no policy selects are ends as well" {
	mkdir k1 k2
	cat >k1/a.yaml <<-'END'
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {name: db, namespace: shop}
		spec:
		  podSelector: {matchLabels: {app: db}}
		  ingress:
		    - from: [{podSelector: {matchLabels: {app: web}}}]
		      ports: [{port: 5432}]
	END
	sed 's/5432/5433/' k1/a.yaml >k2/a.yaml
	run "$bulkhead" diff k1 k2
	[ "$status" -eq 1 ]
	grep -qxF -e '- closes  pods of shop {app=web} -> k8s:shop/db  5432/tcp' <<<"$output"
	grep -qxF -e '+ opens  pods of shop {app=web} -> k8s:shop/db  5433/tcp' <<<"$output"
	[ "${lines[-1]}" = "1 open, 1 close, 0 end otherwise; 0 of one end only; 0 changes by name" ]
	# what cannot be known without containers is never called the same
	sed 's/port: 5432/port: sql/' k1/a.yaml >k2/a.yaml
	run "$bulkhead" diff k1 k2
	[ "$status" -eq 1 ]
	[[ $output == *"ports by their names is not compared"* ]]
	sed 's/{app: db}/{app: sql}/' k1/a.yaml >k2/a.yaml
	run "$bulkhead" diff k1 k2
	[ "$status" -eq 1 ]
	[[ $output == *"~ service k8s:shop/db  selects other pods"* ]]
	run "$bulkhead" diff k1 k1
	[ "$status" -eq 0 ]
}

@test "--json has it all" {
	sed -i 's|8080/tcp|8080-8081/tcp|' new/web.yaml new/catalog.yaml
	sed -i 's/^select:/mode: audit\n&/' new/cache.yaml
	run -1 --separate-stderr "$bulkhead" diff --json old new
	jq -se 'map(select(.change == "opens")) == [{change: "opens", source: "web", destination: "catalog",
		ports: "8081/tcp", before: {}, after: {source: "new/web.yaml:21", destination: "new/catalog.yaml:10"},
		refused: "old/web.yaml:20"}] and
		(map(select(.change == "named")) | length == 1 and .[0].name == "cache" and .[0].after == "new/cache.yaml:5")' <<<"$output"
}

@test "--inventory: endpoints that are other services" {
	sed -i 's/{app: cart}/{app: carts}/' new/cart.yaml
	run "$bulkhead" diff --inventory "$inventory" old new
	[ "$status" -eq 1 ]
	grep -qE '^~ endpoint .*cart.*  is no service, before: cart$' <<<"$output"
}

@test "what is wrong in either is told, exit 2" {
	echo 'service: X' >new/x.yaml
	run "$bulkhead" diff old new
	[ "$status" -eq 2 ]
	[[ $output == *"new/x.yaml:1:10: error: "* ]]
	run "$bulkhead" diff old
	[ "$status" -eq 2 ]
	[[ $output == *"give two policy directories"* ]]
	run "$bulkhead" diff old nowhere
	[ "$status" -eq 2 ]
	[[ $output == *nowhere* ]]
}
