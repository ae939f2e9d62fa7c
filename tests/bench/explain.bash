# shellcheck shell=bash disable=SC2034,SC2154
# Answering many questions from policies alone: explain --batch, as a pipeline asks it.

explain_endpoints=1000
explain_services=300
explain_questions=1000000
explain_limit=3000 # ms

# Policies, an inventory with an address of each family, and questions, the same each time.
explain_site() {
	awk -v n=$explain_services 'function other() { return int(rand() * n) }
	BEGIN {
		srand(7)
		for (i = 0; i < n; i++) {
			printf "---\nservice: s%d\nselect: {labels: {app: s%d}}\ndns: allow\ningress:\n", i, i
			for (k = 0; k < 4; k++)
				printf "  - from: [{service: s%d}, {service: s%d}]\n    ports: [%d/tcp, 9000-9010/tcp]\n",
					other(), other(), 8000 + k
			if (i % 10 == 0) print "  - from: [{labels: {team: t3}}]\n    ports: [443/tcp]"
			if (i % 7 == 0) print "  - from: [{entity: world}]\n    ports: [443/tcp, icmp/echo-request]"
			if (i % 3 == 0) { print "egress: follow"; continue }
			print "egress:"
			for (k = 0; k < 4; k++)
				printf "  - to: [{service: s%d}]\n    ports: [%d/tcp]\n", other(), 8000 + k
			printf "  - to: [{cidr: 10.%d.0.0/16}]\n    ports: [5432/tcp]\n", i % 250
		}
		print "---\nguardrail: metadata\nselect: {all: true}\ndeny:\n  - to: [{cidr: 169.254.0.0/16}]"
	}' >"$tmp/explain.yaml"
	awk -v n=$explain_endpoints -v s=$explain_services 'BEGIN {
		printf "{\"endpoints\": ["
		for (i = 0; i < n; i++)
			printf "%s{\"id\": \"site/e%d\", \"name\": \"e%d\", \"labels\": {\"app\": \"s%d\", \"team\": \"t%d\"}, \"addresses\": [\"10.77.%d.%d\", \"fd00::%x\"]}",
				i ? ",\n" : "", i, i, i % s, i % 9, int(i / 250), i % 250 + 1, i + 1
		print "]}"
	}' >"$tmp/explain.json"
	awk -v n=$explain_endpoints -v q=$explain_questions 'function who(net) {
		return rand() < 0.9 ? "e" int(rand() * n) : net "." int(rand() * 250) ".0.9"
	}
	BEGIN {
		srand(8)
		k = split("8000/tcp 8001/tcp 8002/tcp 8003/tcp 9005/tcp 443/tcp 5432/tcp 53/udp icmp/echo-request", port, " ")
		for (i = 0; i < q; i++)
			print who("203"), who("10"), port[int(rand() * k) + 1]
	}' >"$tmp/explain.questions"
}

bench_explain() {
	local i what="explain $explain_questions questions"
	say "explain: $explain_questions questions, $explain_endpoints endpoints, $explain_services services"
	explain_site
	for ((i = 0; i < runs; i++)); do
		cost_fifo explain-batch "$bulkhead" explain --policies "$tmp/explain.yaml" \
			--inventory "$tmp/explain.json" --batch "$tmp/explain.questions"
	done
	emit "$what cpu" "$(in_ms "$(median explain-batch 1)")" $explain_limit ms 1 "$runs"
	emit "$what wall" "$(in_ms "$(median explain-batch 2)")" $explain_limit ms 1 "$runs"
	say "allowed: $(grep -c '^allow' "$tmp/said") of $(grep -cE '^(allow|deny)' "$tmp/said")"
	[ "$(grep -cE '^(allow|deny)' "$tmp/said")" -eq $explain_questions ] || die "not all answered"
}
