#!/usr/bin/env bats
# bulkhead report, as far as it needs no root: what is asked for, what is not there, seals, comparing.
# shellcheck disable=SC2154,SC1010,SC2016

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=$(realpath "${BULKHEAD:-build/release/bulkhead}")
	dir=$BATS_TEST_TMPDIR
	shop=(--policies policies --inventory examples/inventory.json --store "$dir/store")
}

report() { "$bulkhead" report "${shop[@]}" --scope cde "$@"; }
made() { # FILE OPTION...: findings and things not assessed are 1
	run --separate-stderr report --output "$@"
	[ "$status" -eq 1 ] || { echo "$stderr" && false; }
}
verdict() { jq -r --arg id "$2" '.report.requirements[] | select(.id == $id) | .verdict' "$1"; } # FILE ID
why() { # FILE ID
	jq -r --arg id "$2" '.report.requirements[] | select(.id == $id) | .findings[], .unknown[]' "$1"
}
# A trail of entries: JSON objects with what they have besides, each with the hash of the one before.
trail() {
	mkdir -p "$dir/store" && chmod 700 "$dir/store"
	python3 - "$dir/store" "$@" <<-'END'
		import hashlib, json, sys
		path, previous = sys.argv[1], "0" * 64
		def line(e): return json.dumps(e, sort_keys=True, separators=(",", ":"))
		def sha(s): return hashlib.sha256(s.encode()).hexdigest()
		with open(path + "/audit.jsonl", "w") as out:
		    for n, more in enumerate(sys.argv[2:], 1):
		        e = dict(seq=n, action="probe", outcome="done", diff="", before="a" * 64, after="a" * 64,
		                 who=dict(uid=7, gid=7, pid=1, name="ann", role="admin"), objects=[],
		                 detail="<b>", prev=previous)
		        e.update(json.loads(more))
		        e["hash"] = sha(line(e))
		        previous = sha(line(e))
		        out.write(line(e) + "\n")
		open(path + "/audit.head", "w").write('{"hash":"%s","seq":%d}\n' % (e["hash"], n))
	END
}
at() { date -u -d "@$1" +%FT%T.000000Z; } # SECONDS since the epoch
altered() { # PATTERN
	sed "s/$1/X/" "$dir/r" >"$dir/altered"
	run "$bulkhead" report --check "$dir/altered"
	[ "$status" -eq 1 ]
	[[ $output == ALTERED:* ]]
}

@test "what is asked for: a scope, a format, days, files that are there" {
	run "$bulkhead" report "${shop[@]}"
	[ "$status" -eq 2 ]
	[[ $output == *"--scope NAME"* ]]
	run "$bulkhead" report "${shop[@]}" --scope cdf
	[ "$status" -eq 2 ]
	[[ $output == *"no scope 'cdf'; did you mean 'cde'?"* ]]
	run "$bulkhead" report "${shop[@]}" --scope $'\e[31m'
	[ "$status" -eq 2 ]
	[[ $output != *$'\e'* ]]
	for wrong in "--format pdf" "--days 0" "--days x" "--probe $dir/none" "--since $dir/none" \
		"--key $dir/none" "--key README.md" "--since README.md" "--check x"; do
		# shellcheck disable=SC2086
		run report $wrong
		[ "$status" -eq 2 ] || { echo "$wrong: $status $output" && false; }
	done
	[ ! -e "$dir/r" ]
}

@test "without a host, a daemon, a store: said of each requirement, and nothing is met by it" {
	made "$dir/r" --format json
	[[ $stderr == "bulkhead: scope cde: "*" not assessed" ]]
	jq -e '.report.requirements | length == 18 and ([.[].id] | length == (unique | length))' "$dir/r"
	for id in 1.2.2 1.2.3 1.3.1 1.3.2 1.4.2 1.4.3 1.4.4 10.2 10.3 10.7 11.4.5 11.4.6; do
		[ "$(verdict "$dir/r" $id)" = not-assessed ] || { echo "$id" && false; }
		[ -n "$(why "$dir/r" $id)" ]
	done
	[ "$(verdict "$dir/r" 1.2.8)" != met ] # who owns the files is this machine's
	[[ $(why "$dir/r" 10.2) == *"there is no history"* ]]
	[[ $(why "$dir/r" 10.3) == *"No such file"* ]]
	[[ $(why "$dir/r" 10.7) == *"no daemon was asked"* ]]
	[[ $(why "$dir/r" 11.4.5) == *"no result was given"* ]]
	# what the policies alone can show
	[ "$(verdict "$dir/r" 1.2.5)" = met ]
	jq -e '[.report.insecure[] | select(.what == "PostgreSQL without TLS" and
		(.note | contains("CHG-1044")))] | length == 1' "$dir/r"
	jq -e '.report.flows[] | select(.from == "orders" and .to == "payments") |
		.ports == "8443/tcp" and .owner == "team-payments" and .ticket == "CHG-1042"' "$dir/r"
}

@test "an empty scope is said, and nothing of it is met" {
	printf 'scope: cde\n---\nservice: web\nselect: {labels: {app: web}}\n' >"$dir/p.yaml"
	run --separate-stderr "$bulkhead" report --policies "$dir/p.yaml" --inventory \
		examples/inventory.json --scope cde --format json
	[ "$status" -eq 1 ]
	jq -e '[.report.requirements[] | select(.verdict == "met")] == []' <<<"$output"
	[[ $output == *"scope cde is empty"* ]]
}

@test "a damaged history and trail are said" {
	mkdir -p "$dir/store/flows"
	echo nonsense >"$dir/store/flows/flows.db"
	echo nonsense >"$dir/store/audit.jsonl"
	[ "$(id -u)" -ne 0 ] || chmod 700 "$dir/store"
	made "$dir/r" --format json
	[ "$(verdict "$dir/r" 10.2)" != met ]
	[[ $(why "$dir/r" 10.2) == *"the history of denied flows: "* ]]
	[ "$(verdict "$dir/r" 10.3)" = finding ]
	echo nonsense >"$dir/store/in-force"
	made "$dir/r" --format json
	[ "$(verdict "$dir/r" 1.2.2)" != met ]
}

@test "the trail: its last change led to these policies, and time did not run backwards" {
	digest=$(made "$dir/r" --format json && jq -r .report.policies.digest "$dir/r")
	other=$(printf 'a%.0s' {1..64})
	change() { printf '{"when":"%s","after":"%s","before":"","action":"apply"}' "$1" "$2"; }
	trail "$(change 2026-01-01T00:00:00.000000Z "$other")" "$(change 2026-01-02T00:00:00.000000Z "$digest")"
	made "$dir/r" --format json
	[[ $(why "$dir/r" 10.2) != *clock* ]]
	[[ $(why "$dir/r" 1.2.2) != *"led to policies"* ]]
	jq -e '.report.trail.changes[1].who == "ann(7)"' "$dir/r"
	[ "$(jq .report.trail.n_findings "$dir/r")" -eq 0 ]
	trail "$(change 2026-01-03T00:00:00.000000Z "$digest")" "$(change 2026-01-02T00:00:00.000000Z "$other")"
	made "$dir/r" --format json
	[ "$(verdict "$dir/r" 10.2)" = finding ]
	[[ $(why "$dir/r" 10.2) == *"entry 2 of the trail"*"the clock was set back"* ]]
	[[ $(why "$dir/r" 1.2.2) == *"led to policies aaaaaaaaaaaa, and not to these"* ]]
	# newer than now
	trail "$(change 2999-01-01T00:00:00.000000Z "$digest")"
	made "$dir/r" --format json
	[[ $(why "$dir/r" 10.2) == *"the clock was set back"* ]]
	sed -i 's/ann/bob/' "$dir/store/audit.jsonl"
	made "$dir/r" --format json
	[ "$(verdict "$dir/r" 10.3)" = finding ]
}

@test "attempts of the time of a segmentation test: left out is what it sent, by the trail alone" {
	begun=$(($(date +%s) - 3600))
	mkdir -p "$dir/store/flows" && chmod 700 "$dir/store"
	cp tests/fuzz/corpus/flows/shop "$dir/store/flows/flows.db"
	# from then on: record 1 is logged, of a SYN from port 61010; 2 and 3 are made of counts
	history() { # SQL
		python3 - "$dir/store/flows/flows.db" "$1" <<-'END'
			import sqlite3, sys
			db = sqlite3.connect(sys.argv[1])
			db.execute(sys.argv[2])
			db.commit()
		END
	}
	history "UPDATE record SET first = first - (1800000000 - $begun) * 1000000"
	history "UPDATE record SET packet = CAST(substr(packet, 1, 26) || x'EE52' || substr(packet, 29) AS BLOB) WHERE id = 1"
	history "UPDATE state SET value = value - (1800000000 - $begun) * 1000000 WHERE name = 'begun'"
	run_of() { # PORT [UID [PID]]: root, and one process
		local who='"who":{"uid":'"${2:-0}"',"gid":0,"name":"bulkhead","role":"admin","pid":'
		trail '{'"$who"'1},"when":"'"$(at $((begun - 1)))"'","detail":"a segmentation test begins: 9 packets from source port '"$1"', raw ones from '$(($1 + 1))', are no attack"}' \
			'{'"$who${3:-1}"'},"when":"'"$(at $((begun + 4)))"'","detail":"the segmentation test from source port '"$1"' is done: 9 packets, 0 findings, 0 not probed"}'
	}
	listed() { jq -c '[.report.denied | .left_out, (.groups, .unclear | map(select(.service == "payments" and .port == "6379/tcp") | .records) | add)]' "$dir/r"; }
	# no test in the trail: all is listed, whatever file is given
	printf '{"schema":"bulkhead.probe/1","kind":"summary","source_port":61010,"start":"%s","end":"%s"}\n' \
		"$(at $((begun - 1)))" "$(at $((begun + 4)))" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[ "$(listed)" = "[0,3,null]" ] || { listed && false; }
	# an attacker's SYN while a test runs: from another port, from the test's port without its marks
	for port in 61000 61010; do
		run_of $port
		made "$dir/r" --format json
		[ "$(listed)" = "[0,2,1]" ] || { listed && false; }
	done
	# the test's own, if it is one
	history "UPDATE record SET packet = CAST(substr(packet, 1, 30) || x'62686270' || substr(packet, 35) AS BLOB) WHERE id = 1"
	for run in "61010 7" "61010 0 2"; do
		# shellcheck disable=SC2086
		run_of $run
		made "$dir/r" --format json
		[ "$(listed)" = "[0,3,null]" ] || { listed && false; }
	done
	run_of 61010
	made "$dir/r" --format json
	[ "$(listed)" = "[1,1,1]" ] || { listed && false; }
	jq -e '.report.requirements[] | select(.id == "10.2") | .evidence | any(contains("are not listed here: 1 ("))' "$dir/r"
	for format in html markdown; do
		made "$dir/r" --format $format
		grep -q "Denied while a segmentation test ran" "$dir/r"
	done
	# one of a port that no test takes, and one that never ended, is none
	history "UPDATE record SET packet = CAST(substr(packet, 1, 26) || x'BFF6' || substr(packet, 29) AS BLOB) WHERE id = 1"
	run_of 49142
	made "$dir/r" --format json
	[ "$(listed)" = "[0,3,null]" ] || { listed && false; }
	history "UPDATE record SET packet = CAST(substr(packet, 1, 26) || x'EE52' || substr(packet, 29) AS BLOB) WHERE id = 1"
	trail '{"who":{"uid":0,"gid":0,"name":"bulkhead","role":"admin","pid":1},"when":"'"$(at $((begun - 1)))"'","detail":"a segmentation test begins: 9 packets from source port 61010, raw ones from 61011, are no attack"}'
	made "$dir/r" --format json
	[ "$(listed)" = "[0,3,null]" ] || { listed && false; }
}

@test "more attempts than are listed are counted, and the newest are among those that are" {
	begun=$(($(date +%s) - 3600))
	mkdir -p "$dir/store/flows" && chmod 700 "$dir/store"
	cp tests/fuzz/corpus/flows/shop "$dir/store/flows/flows.db"
	python3 - "$dir/store/flows/flows.db" "$begun" <<-'END'
		import sqlite3, sys
		db, begun = sqlite3.connect(sys.argv[1]), int(sys.argv[2])
		db.execute("UPDATE state SET value = ? WHERE name = 'begun'", ((begun - 60) * 1000000,))
		def put(table, row):
		    db.execute("INSERT INTO %s VALUES (%s)" % (table, ",".join("?" * len(row))), list(row.values()))
		db.row_factory = sqlite3.Row
		flow = dict(db.execute("SELECT * FROM flow WHERE id = 1").fetchone())
		record = dict(db.execute("SELECT * FROM record WHERE id = 1").fetchone())
		db.execute("DELETE FROM record")
		for n in range(700): # the first 450 have more packets; the port tells when it was
		    put("flow", dict(flow, id=1000 + n, port=2000 + n))
		    put("record", dict(record, id=n + 1, flow=1000 + n, first=(begun + n) * 1000000, packets=2 if n < 450 else 1))
		db.commit()
	END
	made "$dir/r" --format json
	jq -e '.report.denied | (.groups | length) == 500 and .more == 200' "$dir/r"
	jq -e '.report.denied.groups | [.[400:][].port] == [range(100) | "\(2699 - .)/tcp"]' "$dir/r"
	for format in html markdown; do
		made "$dir/r" --format $format
		grep -q "And 200 more, not listed" "$dir/r"
	done
}

@test "times without a daemon: from the trail, with their ends, boots and reasons" {
	now=$(date +%s)
	ago() { date -u -d "@$((now - $1))" +%FT%T.000Z; } # SECONDS
	entry() { jq -cn --arg when "$(at $((now - $1)))" --arg action "$2" --arg outcome "$3" --arg detail "$4" \
		'{$when, $action, $outcome, $detail}'; } # SECONDS-AGO ACTION OUTCOME DETAIL
	runs() { printf 'bulkheadd runs, on boot %s of %s: %s' "$@"; } # BOOT BOOTED BEFORE
	day=86400
	trail "$(entry $((10 * day)) start done '')" \
		"$(entry $((9 * day)) start done "$(runs aa-1 "$(ago $((9 * day + 60)))" 'of a run before nothing is known')")" \
		"$(entry $((8 * day)) stop done 'bulkheadd ends, as it was told')" \
		"$(entry $((8 * day - 30)) start done "$(runs bb-2 "$(ago $((8 * day - 10)))" "the run before was told to end at $(ago $((8 * day)))")")" \
		"$(entry $((6 * day + 1800)) change done '')" \
		"$(jq -c '.who = {uid: 0, gid: 0, pid: 1, name: "bulkhead", role: "command line"}' <<<"$(entry $((6 * day + 600)) apply done '')")" \
		"$(entry $((6 * day)) start done "$(runs bb-2 "$(ago $((8 * day - 10)))" "the run before ended without a word, and was seen last at $(ago $((6 * day + 3600))); it could not be kept: x")")" \
		"$(entry $((5 * day)) start refused '')" \
		"$(entry $((4 * day)) logger failed "denied packets are not all recorded since $(ago $((4 * day + 5))): the logger does not run: <b>")" \
		"$(entry $((4 * day - 60)) logger done "denied packets are recorded again since $(ago $((4 * day - 40)))")"
	printf '{"boot":"bb-2","booted":1,"since":%d000000,"seen":%d000000,"ended":false}' $((now - 6 * day)) \
		$((now - 3600)) >"$dir/store/running"
	gaps() { jq -c '.report.trail.runs.gaps[] | [.what, .kind, .from, .to, .seconds, .booted, .why]' "$dir/r"; }
	made "$dir/r" --format json
	diff <(gaps) - <<-END
		["bulkheadd","unknown","$(ago $((10 * day)))","$(ago $((9 * day)))",$day,null,null]
		["bulkheadd","ended","$(ago $((8 * day)))","$(ago $((8 * day - 30)))",30,"$(ago $((8 * day - 10)))",null]
		["bulkheadd","lost","$(ago $((6 * day + 1800)))","$(ago $((6 * day)))",1800,null,null]
		["logger","deaf","$(ago $((4 * day + 5)))","$(ago $((4 * day - 40)))",45,null,"the logger does not run: <b>"]
		["bulkheadd","lost","$(ago 3600)",null,null,null,null]
	END
	[ "$(jq -r .report.trail.runs.from "$dir/r")" = "$(ago $((10 * day)))" ]
	[ "$(verdict "$dir/r" 10.7)" = finding ]
	[[ $(why "$dir/r" 10.7) == *"none is known to have run from $(ago $((6 * day + 1800))) to $(ago $((6 * day))) (30 min 0 s)"* ]]
	jq -e '.report.requirements[] | select(.id == "10.7") | .evidence | any(test("machine was started anew at"))' "$dir/r"
	for format in html markdown; do
		made "$dir/r" --format $format
		grep -q "Times without bulkheadd" "$dir/r"
		run ! grep -q "run: <b>" "$dir/r"
	done
	# of the time of the report alone
	made "$dir/r" --format json --days 7
	[ "$(gaps | wc -l)" -eq 3 ]
	# told to end, and the trail could not be written
	sed -i 's/"ended":false/"ended":true/' "$dir/store/running"
	made "$dir/r" --format json
	[ "$(gaps | tail -n 1)" = '["bulkheadd","ended","'"$(ago 3600)"'",null,null,null,null]' ]
	# it runs
	printf '{"boot":"bb-2","booted":1,"since":%d000000,"seen":%d000000,"ended":false}' $((now - 6 * day)) \
		"$(date +%s)" >"$dir/store/running"
	made "$dir/r" --format json
	[ "$(gaps | wc -l)" -eq 4 ]
	trail "$(entry 60 apply done '')"
	made "$dir/r" --format json
	[[ $(why "$dir/r" 10.7) == *"the audit trail has no start of it"* ]]
}

@test "many restarts in order are one line of evidence, and take no room of what is a finding" {
	now=$(date +%s)
	trail_of() { # DAYS-AGO RESTARTS, and before them one that was killed
		mapfile -t entries < <(python3 - "$((now - $1 * 86400))" "$2" <<-'END'
			import json, sys, time
			begun, n = int(sys.argv[1]), int(sys.argv[2])
			def at(t): return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(t))
			def say(t, action, detail): print(json.dumps(dict(when=at(t), action=action, detail=detail)))
			def runs(before): return "bulkheadd runs, on boot a-1 of %s: %s" % (at(begun - 9), before)
			say(begun, "start", runs("of a run before nothing is known"))
			say(begun + 9, "start", runs("the run before ended without a word, and was seen last at " + at(begun + 5)))
			for i in range(n):
			    t = begun + 100 + 20 * i
			    say(t, "stop", "bulkheadd ends, as it was told")
			    say(t + 3, "start", runs("the run before was told to end at " + at(t)))
			END
		)
		trail "${entries[@]}"
		made "$dir/r" --format json
	}
	of_gaps() { jq -c "[.report.requirements[] | select(.id == \"10.7\") | $1[] | select(test(\"ended\"))]" "$dir/r"; }
	trail_of 3 260
	jq -e '.report.trail.runs | .more == 0 and .more_restarts == 61 and (.gaps | length) == 200' "$dir/r"
	[ "$(of_gaps .findings | jq length)" -eq 1 ]
	[[ $(of_gaps .findings) == *"ended without a word"* ]]
	[ "$(of_gaps .evidence | jq length)" -eq 1 ]
	[[ $(of_gaps .evidence) == *"199 times bulkheadd was ended and started again; the last time from "*"(3 s)"* ]]
	# all of it is older than the time of the report
	trail_of 100 260
	jq -e '.report.trail.runs | .more == 0 and .more_restarts == 0 and (.gaps | length) == 0' "$dir/r"
}

@test "--output to what is no regular file: written to, and never replaced" {
	mkfifo "$dir/fifo"
	timeout 20 cat "$dir/fifo" >"$dir/got" &
	reader=$!
	made "$dir/fifo" --format json
	wait "$reader"
	[ -p "$dir/fifo" ]
	"$bulkhead" report --check "$dir/got"
	# as /dev/full and /dev/null are, made here
	mknod "$dir/full" c 1 7 2>/dev/null && mknod "$dir/null" c 1 3 && : >"$dir/null" || return 0
	run report --output "$dir/full"
	[ "$status" -eq 3 ]
	[[ $output == *"cannot write $dir/full: No space left on device"* ]]
	[ -c "$dir/full" ]
	made "$dir/null"
	[ -c "$dir/null" ]
	# a disk is not even opened; there is no device of this number
	mknod "$dir/disk" b 259 65535
	run report --output "$dir/disk"
	[ "$status" -eq 3 ]
	[[ $output == *"is not replaced by a file"* ]]
	[ -b "$dir/disk" ]
}

@test "three formats, from one object: each is sealed, and whoever alters it is seen" {
	made "$dir/r" --format json
	digest=$(jq -r .digest.value "$dir/r")
	[ "$(jq -cS .report "$dir/r" | tr -d '\n' | sha256sum | cut -c-64)" = "$digest" ]
	altered inbound
	# nothing is put beside what is sealed
	for beside in '.note = "all is met"' '.digest.note = 1' '.digest.algorithm = "md5"'; do
		jq "$beside" "$dir/r" >"$dir/beside"
		run "$bulkhead" report --check "$dir/beside"
		[ "$status" -eq 1 ] || { echo "$beside: $output" && false; }
	done
	jq -c . "$dir/r" >"$dir/beside"
	"$bulkhead" report --check "$dir/beside"
	for format in html markdown; do
		made "$dir/r" --format $format
		run "$bulkhead" report --check "$dir/r"
		[ "$status" -eq 0 ]
		[[ $output == "intact: $format, SHA-256 "*"not signed"* ]]
		seal=$(tail -n 1 "$dir/r" | sed 's/.*sha256:\([0-9a-f]*\).*/\1/')
		[ "$(head -n -1 "$dir/r" | sha256sum | cut -c-64)" = "$seal" ]
		altered inbound
		head -n -1 "$dir/r" >"$dir/cut"
		run "$bulkhead" report --check "$dir/cut"
		[ "$status" -eq 2 ]
	done
	[ "$(stat -c %a "$dir/r")" = 600 ]
	run --separate-stderr report
	[[ $output == "<!DOCTYPE html>"* ]]
}

@test "signed with a key of openssl, and openssl verifies it" {
	openssl genpkey -algorithm ed25519 -out "$dir/key.pem"
	openssl pkey -in "$dir/key.pem" -pubout -out "$dir/public.pem"
	openssl genpkey -algorithm ed25519 -out "$dir/other.pem"
	made "$dir/r" --format json --key "$dir/key.pem"
	run "$bulkhead" report --check "$dir/r" --key "$dir/public.pem"
	[ "$status" -eq 0 ]
	[[ $output == *"which is the one given" ]]
	jq -rj .digest.value "$dir/r" >"$dir/digest"
	jq -r .signature.value "$dir/r" | xxd -r -p >"$dir/signature"
	openssl pkeyutl -verify -pubin -inkey "$dir/public.pem" -rawin -in "$dir/digest" \
		-sigfile "$dir/signature"
	run "$bulkhead" report --check "$dir/r" --key "$dir/other.pem"
	[ "$status" -eq 1 ]
	[[ $output == *"NOT THE ONE GIVEN" ]]
	made "$dir/r" --key "$dir/key.pem"
	run "$bulkhead" report --check "$dir/r" --key "$dir/public.pem"
	[ "$status" -eq 0 ]
	altered inbound
	[[ $output == *"THE SIGNATURE IS WRONG"* ]]
	# sealed anew by who has no key
	made "$dir/r"
	run "$bulkhead" report --check "$dir/r" --key "$dir/public.pem"
	[ "$status" -eq 1 ]
	run report --key "$dir/public.pem"
	[ "$status" -eq 2 ]
}

@test "--since: what is another than in an earlier report, which must be whole" {
	made "$dir/before" --format json
	cp -r policies "$dir/p"
	sed -i 's|8443/tcp, 5432/tcp|&|; 0,/ports: \[8443\/tcp\]/s||ports: [8443/tcp, 8444/tcp]|' \
		"$dir/p/payments.yaml" "$dir/p/orders.yaml"
	sed -i 's|{service: orders, ports: \[8443/tcp\]}|{service: orders, ports: [8443/tcp, 8444/tcp]}|' \
		"$dir/p/guardrails.yaml"
	run --separate-stderr "$bulkhead" report --policies "$dir/p" "${shop[@]:2}" --scope cde \
		--format json --since "$dir/before"
	[ "$status" -eq 1 ]
	jq -e '[.report.compared.parts[] | select(.title | startswith("Flows that may be opened now")) |
		.lines[]] | any(contains("8444/tcp"))' <<<"$output"
	run --separate-stderr report --format markdown --since "$dir/before"
	[[ $output == *"Nothing that is compared is another"* ]]
	sed -i 's/orders/0rders/' "$dir/before"
	run report --since "$dir/before"
	[ "$status" -eq 2 ]
	[[ $output == *"that report was altered"* ]]
}

@test "the whole world in pieces, and all ports by other names" {
	mkdir "$dir/p"
	cat >"$dir/p/all.yaml" <<-'Y'
		scope: cde
		framework: pci-dss-4.0.1
		---
		group: halves
		cidrs: [0.0.0.0/1, 128.0.0.0/1]
		---
		group: six
		cidrs: ["2000::/3", 10.0.0.0/8]
		---
		service: pay
		scope: cde
		select: {labels: {app: pay}}
		ingress: [{from: [{service: web}], ports: [1-65535/tcp]}]
		egress:
		  - {to: [{group: halves}], ports: [1/tcp]}
		  - {to: [{group: six}], ports: [2/tcp]}
		  - {to: [{cidr: 0.0.0.0/2}], ports: [10-20/tcp]}
		  - {to: [{cidr: 64.0.0.0/2}], ports: [15/tcp]}
		  - {to: [{cidr: 10.0.0.0/8}], ports: [15/tcp]}
		  - {to: [{cidr: 128.0.0.0/2}], ports: [10-19/tcp]}
		  - {to: [{cidr: 192.0.0.0/3}], ports: [15/udp]}
		  - {to: [{entity: world}], ports: [30/tcp]}
		  - {to: [{cidr: 198.51.100.0/24}], ports: [30/tcp]}
		---
		service: web
		select: {labels: {app: web}}
		egress: [{to: [{service: pay}], ports: [1-2000/tcp]}]
	Y
	run --separate-stderr "$bulkhead" report --policies "$dir/p" "${shop[@]:2}" --scope cde --format json --output "$dir/r"
	[ "$(jq -r '.report.flows[] | select(.everybody) | "\(.to) \(.ports)"' "$dir/r" | sort)" = "0.0.0.0/2 10-20/tcp
128.0.0.0/2 10-19/tcp
64.0.0.0/2 15/tcp
halves 1/tcp
six 2/tcp
world 30/tcp" ] || { jq -c '.report.flows[] | [.to, .ports, .everybody]' "$dir/r" && false; }
	[[ $(why "$dir/r" 1.3.2) == *"halves"*"for everybody outside"* ]]
	[ "$(jq -r '.report.flows[] | select(.broad) | .ports' "$dir/r")" = "1-2000/tcp" ]
	[[ $(why "$dir/r" 1.3.1) == *"1-2000/tcp"*"names no ports"* ]]
}

@test "the result of a probe: of this scope, whole, or it is no evidence" {
	summary='{"schema":"bulkhead.probe/1","kind":"summary","start":"'$(date -u +%FT%T)'.000Z","complete":true,"packets":40,"clock_jump":0,"result":"clean","host":"'$(hostname)'"}'
	pair='{"schema":"bulkhead.probe/1","kind":"pair","from":"shop/web","to":"shop/ledger","packets":22,"not_probed":0}'
	printf '%s\n' "$pair" "$summary" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[ "$(jq .report.probe.questions "$dir/r")" -eq 22 ]
	# a finding of the scope; what is of others is not said of it, and not passed over
	printf '%s\n' '{"schema":"bulkhead.probe/1","kind":"finding","fault":"let-in","from":"shop/web","to":"shop/ledger","protocol":"tcp","text":"<b>it came in</b>","where":"x"}' "$pair" "$summary" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[ "$(verdict "$dir/r" 11.4.5)" = finding ]
	[[ $(why "$dir/r" 11.4.5) == *"it came in"* ]]
	printf '%s\n' '{"schema":"bulkhead.probe/1","kind":"not-probed","from":"shop/web","to":"shop/ledger","reason":"vanished","text":"it went away"}' "$pair" "${summary/\"clean\"/\"incomplete\"}" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[ "$(verdict "$dir/r" 11.4.5)" = not-assessed ]
	[[ $(why "$dir/r" 11.4.5) == *"vanished"* ]]
	# made elsewhere; of policies that it does not name; before some came into the scope; a run behind it
	printf '%s\n' "$pair" "${summary/\"host\":\"$(hostname)/\"host\":\"other}" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[[ $(why "$dir/r" 11.4.5) == *"on another host (other)"* ]]
	[[ $(why "$dir/r" 11.4.5) == *"of which policies"*"is not known"* ]]
	[[ $(why "$dir/r" 11.4.5) == *"did not ask 2 of the endpoints"* ]]
	printf '%s\n' "$pair" "$summary" "$pair" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[[ $(why "$dir/r" 11.4.5) == *"broken off"* ]]
	# where no packet was to be sent nothing is amiss
	printf '%s\n' '{"schema":"bulkhead.probe/1","kind":"not-probed","from":"shop/web","to":"shop/ledger","reason":"no-way","text":"no way"}' "$pair" "$summary" >"$dir/probe"
	made "$dir/r" --format json --probe "$dir/probe"
	[[ $(why "$dir/r" 11.4.5) != *"no way"* ]]
	# nothing is sent from outside or from the host: who is let in from there was not tried
	[[ $(why "$dir/r" 11.4.5) != *"from outside or from the host"* ]]
	cp -r policies "$dir/p"
	sed -i 's/from: \[{service: metrics}\]/from: [{service: metrics}, {entity: host}]/' "$dir/p/payments.yaml"
	sed -i 's/- {service: metrics, ports: \[9090\/tcp\]}/&\n      - {entity: host}/' "$dir/p/guardrails.yaml"
	run "$bulkhead" report --policies "$dir/p" "${shop[@]:2}" --scope cde --format json --probe "$dir/probe" --output "$dir/r"
	[ "$(verdict "$dir/r" 11.4.5)" = not-assessed ]
	[[ $(why "$dir/r" 11.4.5) == *"from outside or from the host, and 1 flow from there is let into the scope (host to payments on 9090/tcp)"* ]]
	for broken in "$pair" 'x' '' "$pair"$'\n'"${summary/\"clock_jump\":0/\"clock_jump\":-9}" \
		"$pair"$'\n'"${summary/\"complete\":true/\"complete\":false}"; do
		printf '%s\n' "$broken" >"$dir/probe"
		made "$dir/r" --format json --probe "$dir/probe"
		[ "$(verdict "$dir/r" 11.4.5)" = not-assessed ]
	done
}

@test "rules without a hit, and what verify found: of these policies, and of all, or not assessed" {
	digest=$(made "$dir/r" --format json && jq -r .report.policies.digest "$dir/r")
	run_of='"when":"'$(date -u +%FT%T)'.000Z","host":"'$(hostname)'"'
	all() { # SCOPE [OPTION...]: each rule used, in a history
		"$bulkhead" rules --policies policies --store "$dir/none" --scope "$1" --json "${@:2}" \
			2>"$dir/said" | jq -c 'if .rule then .use = "used" | del(.why) else
				.not_yet_known = 0 | .history = true end'
	}
	used() { all "$@" >"$dir/rules"; }
	book() { jq -c "if .rule == \"ledger.in.book\" then .use = \"$1\" else . end"; }
	count() { made "$dir/r" --format json --rules "$dir/rules"; }
	unused='nothing has hit the rule ledger.in.book of ledger for 90 days (policies/ledger.yaml:12)'
	used cde && count
	[ "$(jq .report.rules.n "$dir/r")" -gt 5 ]
	[[ $(why "$dir/r" 1.2.7) != *hit* ]]
	all cde | book unused >"$dir/rules" && count
	[[ $(why "$dir/r" 1.2.7) == *"$unused"* ]]
	all cde | book not-yet-known >"$dir/rules" && count
	[ "$(verdict "$dir/r" 1.2.7)" = not-assessed ]
	# of --unused, which lists no others: those that are not known yet are in the sums
	all cde | book unused | jq -c 'select(.use != "used") | if .rules then .not_yet_known = 2 | .unused = 1 else . end' \
		>"$dir/rules" && count
	[[ $(why "$dir/r" 1.2.7) == *"$unused"*"2 rules without a hit"* ]]
	# a test hits every rule: that says nothing of who needs it
	printf '%s\n' '{"schema":"bulkhead.probe/1","kind":"summary","source_port":61000,"start":"2026-01-01T00:00:00.000Z","end":"2026-01-01T00:00:02.000Z"}' >"$dir/probe"
	hit() { all cde | jq -c "if .rule == \"ledger.in.book\" then .last_hit = \"$1\" else . end" >"$dir/rules"; }
	hit 2026-01-01T00:00:05.000Z
	made "$dir/r" --format json --rules "$dir/rules" --probe "$dir/probe"
	[[ $(why "$dir/r" 1.2.7) == *"1 rule was hit last while a segmentation test ran"* ]]
	hit 2026-01-01T01:00:00.000Z
	made "$dir/r" --format json --rules "$dir/rules" --probe "$dir/probe"
	[[ $(why "$dir/r" 1.2.7) != *"hit last while"* ]]
	# each of these is well, and is not of all rules of the scope, or not of today, or not of here
	all cde | jq -c 'if .rule then .scope = "shop" else .scopes = ["shop"] end' >"$dir/rules"
	count && [ "$(jq -r .report.rules.state "$dir/r")" = unreadable ]
	[[ $(why "$dir/r" 1.2.7) == *"not of all rules of the scope"* ]]
	used cde --service ledger && count && [ "$(jq -r .report.rules.state "$dir/r")" = unreadable ]
	used cde && sed -i /vault.in.tokens/d "$dir/rules" && count
	[ "$(jq -r .report.rules.state "$dir/r")" = unreadable ]
	for wrong in '.policies = "other"' '.history = false' '.window_seconds = 86400' \
		'.when = "2020-01-01T00:00:00.000Z"' '.when = "2999-01-01T00:00:00.000Z"' 'del(.when)' \
		'.host = "other"' '.services = ["ledger"]' '.scopes = ["shop"]' 'empty' '"x"'; do
		all cde | jq -c "if .rules then $wrong else . end" >"$dir/rules" && count
		[ "$(verdict "$dir/r" 1.2.7)" = not-assessed ] || { echo "$wrong" && false; }
	done

	sums='{"passed":true,'$run_of',"scope":"cde","policies":"'$digest'","namespaces":3,"errors":0}'
	seen=$(printf '{"endpoint":"shop/%s","state":"protected"}\n' ledger payments vault)
	printf '%s\n' "$seen" "$sums" >"$dir/verify"
	made "$dir/r" --format json --verify "$dir/verify"
	[ "$(jq -r .report.verify.state "$dir/r")" = read ]
	printf '%s\n' "$seen" '{"finding":"foreign-rewrites","severity":"error","name":"ledger","text":"a chain of others"}' \
		'{"finding":"foreign-chain","severity":"note","text":"a note"}' "${sums/true/false}" >"$dir/verify"
	made "$dir/r" --format json --verify "$dir/verify"
	[[ $(why "$dir/r" 1.2.8) == *"verify: ledger: a chain of others (foreign-rewrites)"* ]]
	[[ $(why "$dir/r" 1.2.8) != *"a note"* ]]
	# what was not looked at is not known, and not well
	printf '%s\n' "$seen" '{"finding":"vanished","severity":"warning","name":"ledger","text":"it went"}' \
		"${sums/true/false}" >"$dir/verify"
	made "$dir/r" --format json --verify "$dir/verify"
	jq -e '.report.requirements[] | select(.id == "1.2.8") | .unknown |
		any(. == "verify: ledger: it went (vanished)")' "$dir/r"
	for wrong in "$seen"$'\n'"${sums/$(date -u +%F)/2026-01-01}" "$seen"$'\n'"${sums/$(hostname)/other}" \
		"$seen"$'\n'"${sums/\"when\"/\"then\"}" "$sums" "${seen/ledger/legder}"$'\n'"$sums" "$seen"$'\n'"${sums/cde/other}" \
		"$seen"$'\n'"${sums/$digest/other}" "$seen"; do
		printf '%s\n' "$wrong" >"$dir/verify"
		made "$dir/r" --format json --verify "$dir/verify"
		[ "$(jq -r .report.verify.state "$dir/r")" = unreadable ] || { echo "$wrong" && false; }
		[[ $(why "$dir/r" 1.2.8) == *"bulkhead verify: "* ]]
	done
}

@test "many findings of verify of one kind hide none of another, and how many there are is told" {
	digest=$(made "$dir/r" --format json && jq -r .report.policies.digest "$dir/r")
	{
		printf '{"endpoint":"shop/%s","state":"protected"}\n' ledger payments vault
		yes '{"finding":"unowned","severity":"error","name":"","text":"a table"}' | head -n 1200
		yes '{"finding":"vanished","severity":"warning","name":"","text":"it went"}' | head -n 1200
		echo '{"finding":"privileged","severity":"error","name":"ledger","text":"it may all"}'
		echo '{"passed":false,"when":"'"$(date -u +%FT%T)"'.000Z","host":"'"$(hostname)"'","scope":"cde","policies":"'"$digest"'","namespaces":3}'
	} >"$dir/verify"
	made "$dir/r" --format json --verify "$dir/verify"
	for id in 1.2.8 1.3.1 1.3.2 1.4.2 1.4.3 1.4.4; do
		[ "$(verdict "$dir/r" $id)" = finding ] || { echo $id && false; }
		[[ $(why "$dir/r" $id) == *"verify: ledger: it may all (privileged)"* ]]
	done
	for format in json html markdown; do
		made "$dir/r" --format $format --verify "$dir/verify"
		grep -Eq 'and 1100 more (\\?\(|&#40;)unowned' "$dir/r"
		grep -Eq 'and 1100 more (\\?\(|&#40;)vanished' "$dir/r"
	done
}

@test "each finding of verify counts for the requirements that docs/report.md names" {
	digest=$(made "$dir/r" --format json && jq -r .report.policies.digest "$dir/r")
	seen=$(printf '{"endpoint":"shop/%s","state":"protected"}\n' ledger payments vault)
	{
		echo "$seen"
		"$bulkhead" verify --findings --json |
			jq -c '{finding: .id, severity: "error", name: "", text: "found \(.id) here"}'
		echo '{"passed":false,"when":"'"$(date -u +%FT%T)"'.000Z","host":"'"$(hostname)"'","scope":"cde","policies":"'"$digest"'","namespaces":3}'
	} >"$dir/verify"
	made "$dir/r" --format json --verify "$dir/verify"
	# "ID: REQUIREMENT, ..."
	jq -r '.report.requirements[] | .id as $id | .findings[], .unknown[] |
		capture("^verify: found (?<f>[a-z-]+) here") | "\(.f) \($id)"' "$dir/r" | sort -V >"$dir/counted"
	sed -n '/^| what `verify` finds/,/^$/p' docs/report.md | tail -n +3 | while IFS='|' read -r _ kinds ids _; do
		for kind in ${kinds//[\`,]/ }; do
			for id in ${ids//,/ }; do echo "$kind $id"; done
		done
	done | sort -V >"$dir/told"
	diff "$dir/told" "$dir/counted"
	[ "$(cut -d ' ' -f 1 "$dir/counted" | sort -u | wc -l)" -eq "$("$bulkhead" verify --findings --json | wc -l)" ]
}

@test "hostile names: no script, no markup, no escape comes through in any format" {
	cat >"$dir/p.yaml" <<-'END'
		scope: cde
		title: "</title><script>alert(1)</script>\u202e\e[31m"
		framework: "pci|dss](javascript:x)"
		---
		service: a
		scope: cde
		owner: "<img src=x onerror=alert(1)>"
		select: {labels: {app: "<script>x</script>"}}
		ingress:
		  - from: [{labels: {"x": "</text></svg><script>y</script>"}}, {service: b}]
		    ports: [5432/tcp]
		    reason: "--><script>z</script>\n| `a` | \e]0;owned\a"
		    ticket: "'\" onload=x"
		---
		service: b
		select: {labels: {app: b, x: "</text></svg><script>y</script>"}}
		egress: [{to: [{service: a}], ports: [5432/tcp]}]
	END
	jq -n '{endpoints: [{id: "<script>i</script>", name: "<script>n</script>", namespace: "d",
		labels: {app: "<script>x</script>"}, addresses: ["10.0.0.1"]}]}' >"$dir/i.json"
	for format in html markdown json; do
		run --separate-stderr "$bulkhead" report --policies "$dir/p.yaml" --inventory \
			"$dir/i.json" --scope cde --format $format
		[ "$status" -eq 1 ]
		[[ $output != *$'\e'* && $output != *$'\u202e'* ]]
		[ $format = json ] || [[ ${output,,} != *"<script"* && ${output,,} != *"<img"* ]]
		printf '%s\n' "$output" >"$dir/r"
	done
	"$bulkhead" report --policies "$dir/p.yaml" --inventory "$dir/i.json" --scope cde >"$dir/r" || [ $? -eq 1 ]
	# another reader of HTML: what elements are there, and which attributes
	python3 - "$dir/r" <<-'END'
		import sys
		from html.parser import HTMLParser
		class Reader(HTMLParser):
		    seen = set()
		    def handle_starttag(self, tag, attrs):
		        self.seen.add(tag)
		        for name, _ in attrs:
		            assert not name.startswith("on") and name not in ("src", "style"), (tag, name)
		Reader().feed(open(sys.argv[1], encoding="utf-8").read())
		extra = Reader.seen - set("""html head meta title style body header h1 h2 h3 p dl dt dd ul li b
		main table thead tbody tr th td a article span figure figcaption svg desc rect path g text
		circle div footer code""".split())
		assert not extra, extra
	END
	grep -q "default-src 'none'; style-src 'sha256-" "$dir/r"
}
