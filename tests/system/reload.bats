#!/usr/bin/env bats
# Policies and host file that change while the daemon runs: read anew as a whole when they have come to
# rest, refused as a whole, and told. The host file of this network keeps the daemon from it (net.bash);
# here it does not.

bats_require_minimum_version 1.5.0
load lib/net
load lib/daemon

setup() {
	net_up web db
	echo 'unmanaged: ignore' >"$NET_DIR/bulkhead.yaml"
	web 5432/tcp
	policy db <<<'{service: db, select: {labels: {app: db}}, ingress: [{from: [{service: web}]}]}'
	dir=$NET_DIR/policies
}
teardown() {
	daemon_gone
	net_down
}

web() { # PORT [FILE]: what web may
	echo "{service: web, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [$1]}]}" \
		>"${2:-$NET_DIR/policies/web.yaml}"
}
history_of() { "$bulkhead_program" history --store "$NET_DIR/store" "$@"; }
entries() { history_of --json | jq -r 'select(.action) | "\(.action) \(.outcome)"' | xargs -d '\n'; }
itself() { ctl status --json | jq -r 'select(.daemon) | '"$1"; } # JQ
allows() { ns web nft list ruleset | grep -q "$1"; } # PORT
# The file is what is in force.
taken() { # PORT
	await allows "$1" || fail "$(cat "$NET_DIR/daemon.log")"
	await eval '[ "$(itself .state)" = in-force ]'
	[ "$(itself .generation)" = "$(bulkhead check --json | jq -r "select(.digest).digest")" ]
}
# It has looked at the files twice since this call.
looked_again() {
	local checked
	for _ in 1 2; do
		checked=$(itself .files_checked)
		mktemp -d "$dir/strayXXXXXX" >/dev/null # an event, and nothing that is read
		await eval '[ "$(itself .files_checked)" != "'"$checked"'" ]'
	done
}
# It watches the directory of policies, by the inode.
heard() {
	cat /proc/"$daemon"/fdinfo/* 2>/dev/null | grep -q "^inotify.* ino:$(printf %x "$(stat -c %i "$dir")") "
}
not() { ! "$@"; }
lines() { grep -cF -- "$1" "$NET_DIR/daemon.log"; } # TEXT

@test "a file that is written to, renamed over, added, removed: in force, and on the trail" {
	daemon_up
	[ "$(itself .state)" = in-force ]
	web 5433/tcp
	taken 5433
	web 5434/tcp "$NET_DIR/web.new"
	mv "$NET_DIR/web.new" "$dir/web.yaml"
	taken 5434
	sed -i 's/5434/5435/' "$dir/web.yaml"
	taken 5435
	echo '{service: other, select: {labels: {app: other}}}' >"$dir/other.yml"
	await in_log "selects-nobody"
	rm "$dir/other.yml"
	await eval '[ "$(entries | wc -w)" -eq 12 ]'
	[ "$(entries)" = "start done change done change done change done change done change done" ]
	history_of --json | jq -se '[.[] | select(.action == "change")] |
		all(.who.role == "daemon" and .who.name == "bulkheadd" and .diff != "")' >/dev/null
	ctl status
	daemon_stop
}

# What is not heard of is found every 5 s: five times in a row at once is no chance.
@test "a change is in force at once" {
	local began ms all=''
	daemon_up
	await heard
	for port in 5441 5442 5443 5444 5445; do
		web $port/tcp
		began=${EPOCHREALTIME/./}
		await allows $port
		ms=$(((${EPOCHREALTIME/./} - began) / 1000))
		[ "$ms" -lt 2500 ] || fail "$ms ms"
		all+=" $ms"
	done
	echo "# in force after ms:$all" >&3
	daemon_stop
}

# A ConfigMap as Kubernetes mounts it: files are links into ..data, which is a link that is renamed over.
config_map() { # VERSION PORT
	mkdir "$dir/..$1"
	web "$2" "$dir/..$1/web.yaml"
	cp "$NET_DIR/db.yaml" "$dir/..$1/db.yaml"
	ln -s "..$1" "$dir/..data_tmp"
	mv -T "$dir/..data_tmp" "$dir/..data"
}

@test "links: a ConfigMap's, one to a file elsewhere, the directory itself, one in the middle of the path" {
	mv "$dir/db.yaml" "$NET_DIR/db.yaml"
	rm "$dir/web.yaml"
	config_map 1 5433/tcp
	ln -s ..data/web.yaml "$dir/web.yaml"
	ln -s ..data/db.yaml "$dir/db.yaml"
	daemon_up
	allows 5433
	config_map 2 5434/tcp
	taken 5434
	rm "$dir/web.yaml" # one that leads out of the directory, and is written to there
	mkdir "$NET_DIR/elsewhere"
	web 5435/tcp "$NET_DIR/elsewhere/web.yaml"
	ln -s "$NET_DIR/elsewhere/web.yaml" "$dir/web.yaml"
	taken 5435
	web 5436/tcp "$NET_DIR/elsewhere/web.yaml"
	taken 5436
	daemon_stop

	mkdir -p "$NET_DIR/v1/p" "$NET_DIR/v2/p" "$NET_DIR/v3/p"
	for v in 1 2 3; do
		web "544$v/tcp" "$NET_DIR/v$v/p/web.yaml"
		cp "$NET_DIR/db.yaml" "$NET_DIR/v$v/p"
	done
	ln -s v1/p "$NET_DIR/current"
	daemon_up --policies "$NET_DIR/current"
	allows 5441
	ln -sfn v2/p "$NET_DIR/current"
	await allows 5442
	daemon_stop

	mkdir "$NET_DIR/far" # no event tells of a link there
	ln -s ../v1 "$NET_DIR/far/middle"
	daemon_up --policies "$NET_DIR/far/middle/p"
	allows 5441
	await eval '[ "$(itself .files_checked)" != null ]' # the first look is behind it
	ln -sfn ../v3 "$NET_DIR/far/middle"
	await allows 5443
	daemon_stop
}

@test "no inotify: found all the same, and the log says why late" {
	command -v strace || fail "strace is needed"
	daemon_under strace -f -qq -o /dev/null -e trace=inotify_add_watch \
		-e inject=inotify_add_watch:error=ENOSPC
	daemon_up
	await in_log "changes of the policy files are found within 5 s"
	web 5433/tcp
	await allows 5433
	[ "$(lines "found within 5 s")" -eq 1 ]
	pkill -TERM -P "$daemon"
	daemon_ends
}

@test "a set that is not valid changes nothing, is told once and in status, until it is valid again" {
	daemon_up
	before=$(itself .generation)
	since=$(itself .since)
	ns web nft list ruleset >"$NET_DIR/before"
	echo '{service: web, select: {labels: {app: web}}, egres: [], ingres: []}' >"$dir/web.yaml"
	await in_log "the policy files have changed and are refused: "
	run -1 ctl status
	[[ ${lines[0]} == "refused "*"bulkheadd"*"policies/web.yaml:1:"*"egres"*", and 1 more" ]] || fail "$output"
	[[ ${lines[-1]} == *", 1 finding" ]]
	itself '[.finding, .refused.mistakes, .generation]' | jq -ce ". == [true, 2, \"$before\"]"
	itself .refused.place | grep -q 'policies/web.yaml:1:'
	refused_since=$(itself .refused.since)
	diff <(ns web nft list ruleset) "$NET_DIR/before"
	[ "$(entries)" = "start done change refused" ]

	# a change somewhere else: told once more, but not what was told before; since when stays
	echo '{service: other, select: {labels: {app: other}}, on: 1}' >"$dir/other.yaml"
	await in_log "other.yaml:1:"
	await eval '[ "$(itself .refused.mistakes)" = 3 ]'
	[ "$(lines 'unknown key "egres"')" -eq 2 ] # the line itself, and the first refusal's sentence
	[ "$(itself .refused.since)" = "$refused_since" ]
	touch "$dir/other.yaml" "$dir/web.yaml"
	: >"$dir/unrelated.txt"
	chmod 600 "$dir/db.yaml"
	looked_again
	[ "$(entries)" = "start done change refused change refused" ]

	# what is in force comes back: over, and no change
	rm "$dir/other.yaml"
	web 5432/tcp
	await in_log "what is in force stands in the policy files again"
	ctl status
	[ "$(itself .since)" = "$since" ]
	[ "$(entries)" = "start done change refused change refused" ]

	# and another valid one after one more that is not
	echo 'service: [' >"$dir/web.yaml"
	await eval '[ "$(itself .state)" = refused ]'
	web 5433/tcp
	taken 5433
	[ "$(itself .since)" != "$since" ]
	ctl status
	daemon_stop
}

@test "a directory that vanishes changes nothing and is told; made again, it is read again" {
	mkdir -p "$NET_DIR/a/b"
	cp -r "$dir" "$NET_DIR/a/b/policies"
	daemon_up --policies "$NET_DIR/a/b/policies"
	mv "$NET_DIR/a/b/policies" "$NET_DIR/a/b/old"
	await eval '[ "$(itself .state)" = refused ]'
	run -1 ctl status
	[[ $output == *"cannot read $NET_DIR/a/b/policies: No such file"* ]]
	allows 5432
	mv "$NET_DIR/a/b/old" "$NET_DIR/a/b/policies"
	await eval '[ "$(itself .state)" = in-force ]'
	rm "$NET_DIR"/a/b/policies/*
	await eval '[ "$(itself .state)" = refused ]'
	ctl status | grep -q 'there is no \*.yaml'
	rm -r "$NET_DIR/a"
	await eval 'ctl status | grep -q "No such file"'
	allows 5432
	[ "$(entries)" = "start done change refused change refused change refused" ]
	mkdir -p "$NET_DIR/a/b/policies"
	await eval 'ctl status | grep -q "there is no \*.yaml"'
	cp "$dir/db.yaml" "$NET_DIR/a/b/policies"
	web 5433/tcp "$NET_DIR/a/b/policies/web.yaml"
	await allows 5433
	await ctl status
	daemon_stop
}

# Writes one after the other, and how often they may be read by then: when they rest, as it may look
# where the machine is slow, every 2 s when they do not, every 5 s in any case.
writing_begins() { began=${EPOCHREALTIME/./} written=$began rests=0; }
writes_on() { # after each
	local now=${EPOCHREALTIME/./}
	((now - written < 100000)) || rests=$((rests + 1))
	written=$now
}
readings_at_most() { # by the last writing
	local seconds=$(((written - began) / 1000000))
	echo $((2 + rests + seconds / 2 + seconds / 5))
}

@test "a hundred quick writes: a few readings, the last one is in force" {
	local i
	daemon_up
	writing_begins
	for i in {1..100}; do
		web "$((6000 + i))/tcp"
		writes_on
		read -r -t 0.01 <> <(:) || true
	done
	taken 6100
	n=$(entries | tr ' ' '\n' | grep -c change)
	echo "# 100 writes: read $n times of at most $(readings_at_most)" >&3
	[ "$n" -le "$(readings_at_most)" ]
	daemon_stop
}

@test "many files at once are one change" {
	local i
	daemon_up
	writing_begins
	for i in {1..300}; do
		echo "{group: g$i, cidrs: [10.0.0.0/8]}" >"$dir/g$i.yaml"
		writes_on
	done
	await eval '[ "$(itself .generation)" = "$(bulkhead check --json | jq -r "select(.digest).digest")" ]'
	[ "$(entries | tr ' ' '\n' | grep -c change)" -le "$(readings_at_most)" ]
	rm "$dir"/g*.yaml
	await eval '[ "$(itself .generation)" = "$(bulkhead check --json | jq -r "select(.digest).digest")" ]'
	daemon_stop
}

@test "SIGHUP and apply of what is changed already are done once, and end a refusal" {
	daemon_up
	echo 'service: [' >"$dir/web.yaml"
	run -2 ctl apply
	await eval '[ "$(itself .state)" = refused ]'
	[ "$(entries)" = "start done apply refused" ] || [ "$(entries)" = "start done change refused apply refused" ]
	refused=$(entries)
	looked_again
	[ "$(entries)" = "$refused" ]
	web 5433/tcp
	kill -HUP "$daemon"
	taken 5433
	looked_again
	ctl status
	ns web nft list ruleset >/dev/null
	[[ $(entries) == "$refused"*" done" ]]
	daemon_stop
}

@test "watch: false: only apply and SIGHUP read; said again, it is watched again" {
	echo 'policies: {watch: false}' >"$NET_DIR/bulkhead.yaml"
	daemon_up
	[ "$(itself .watch)" = false ]
	web 5433/tcp
	kill -HUP "$daemon"
	await allows 5433
	web 5434/tcp
	ctl apply
	allows 5434
	echo 'policies: {watch: true}' >"$NET_DIR/bulkhead.yaml" # takes an apply as well
	web 5435/tcp
	[ "$(itself .watch)" = false ]
	ctl apply
	[ "$(itself .watch)" = true ]
	web 5436/tcp
	taken 5436
	echo 'policies: {watch: false}' >"$NET_DIR/bulkhead.yaml" # is seen by itself
	await eval '[ "$(itself .watch)" = false ]'
	entries >"$NET_DIR/entries"
	web 5437/tcp
	await not heard
	[ "$(entries)" = "$(cat "$NET_DIR/entries")" ]
	allows 5436
	daemon_stop
}

@test "the host file is read with them: what may change does, what may not is refused" {
	daemon_up
	echo 'unmanaged: quarantine' >"$NET_DIR/bulkhead.yaml"
	await eval '[ "$(entries)" = "start done change done" ]'
	history_of --json | jq -e 'select(.action == "change") | .before == .after and .detail == "the host file is another one"'
	printf 'unmanaged: ignore\nmetrics: {listen: "127.0.0.1:9467"}\n' >"$NET_DIR/bulkhead.yaml"
	await eval '[ "$(itself .state)" = refused ]'
	run -1 ctl status
	[[ ${lines[0]} == *"the host file: metrics cannot change while bulkheadd runs"* ]] || fail "$output"
	echo 'unmanagd: ignore' >"$NET_DIR/bulkhead.yaml"
	await eval 'ctl status | grep -q "bulkhead.yaml:1:1: unknown key"'
	rm "$NET_DIR/bulkhead.yaml" # it was named: it has to be there
	await eval 'ctl status | grep -q "cannot read $NET_DIR/bulkhead.yaml"'
	echo 'unmanaged: quarantine' >"$NET_DIR/bulkhead.yaml"
	await ctl status
	daemon_stop
}

@test "strict: what cannot be held is refused, and not tried again until something changes" {
	echo 'strict: true' >"$NET_DIR/bulkhead.yaml"
	daemon_up
	echo '{service: nobody, select: {labels: {app: nobody}}}' >"$dir/nobody.yaml"
	await eval 'ctl status | grep -q "strict: 1 finding, nothing was changed"'
	in_log "service nobody: it selects none"
	rm "$dir/nobody.yaml"
	await ctl status
	[ "$(entries)" = "start done change refused" ]
	daemon_stop
}

@test "who may only look reads where the mistake is, and not what the policies say" {
	daemon_up --readonly-socket "$NET_DIR/look"
	echo '{service: web, select: {labels: {app: web}}, s3cret: 1}' >"$dir/web.yaml"
	await eval '[ "$(itself .state)" = refused ]'
	ctl status | grep -q s3cret
	run -1 "$bulkhead_program" status --socket "$NET_DIR/look"
	[[ $output == *"policies/web.yaml:"* ]]
	[[ $output != *s3cret* ]] || fail "$output"
	daemon_stop
}
