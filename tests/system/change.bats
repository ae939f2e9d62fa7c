#!/usr/bin/env bats
# How a change of policies is judged, kept, confirmed and taken back: generations, rollback,
# apply --confirm, what a team may change, and what stands on the trail of those who may not.

load lib/net
load lib/daemon

TEAM=65532 STRANGER=65533

setup() {
	net_up web db
	policy web <<<'{service: web, owner: team-web, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [5432/tcp]}]}'
	policy db <<<'{service: db, owner: team-db, select: {labels: {app: db}}, ingress: [{from: [{service: web}], ports: [5432/tcp]}]}'
	serve db 5432/tcp 5433/tcp
	host_file ''
}
teardown() {
	daemon_gone
	net_down
	[ -z "${open_dir:-}" ] || rm -rf "$open_dir"
}

# What is applied is what this says, and nothing by itself: policies are not watched.
host_file() { printf 'policies: {watch: false}\n%s\n' "$1" >"$NET_DIR/bulkhead.yaml"; } # YAML

history_of() { "$bulkhead_program" history --store "$NET_DIR/store" "$@"; }

# ACTION OUTCOME of each entry, in one line.
entries() { history_of --json | jq -r 'select(.action) | "\(.action) \(.outcome)"' | xargs; }
last_entry() { history_of --json | jq -c 'select(.action)' | tail -n 1; }

# The generations that are kept, marks and short names, the newest last.
generations() { history_of --generations | cut -c 1-14; }
in_force() { ctl status --json | jq -r 'select(.policies) | .generation[0:12]'; }
no() { if "$@"; then fail "this should not be: $*"; fi; }
waits() { ctl status --json | jq -e 'select(.policies) | .confirm' >/dev/null; }

patiently() { await "$@" || await "$@" || await "$@" || await "$@"; } # what is tried every 30 s

move_to() { sed -i "s/543[0-9]/$1/" "$NET_DIR/policies/web.yaml" "$NET_DIR/policies/db.yaml"; } # PORT
port_of() { grep -ho '543[0-9]' "$NET_DIR/policies/web.yaml" | head -n 1; }
passes() { [ "$(ask web db "$1/tcp")" = "open open" ]; } # PORT

# A team's role, for services of team-web, and the program where it can reach it.
team_up() { # [OPTION-OF-DAEMON...]
	host_file "roles: [{user: $TEAM, role: operator, owners: [team-web]}]"
	open_dir=$(mktemp -d)
	chmod 755 "$open_dir"
	cp "$bulkhead_program" "$open_dir/bulkhead"
	daemon_up --socket "$open_dir/control" "$@"
	chmod 666 "$open_dir/control" # who may connect is the file's, who may do what is the daemon's
}
as() { # UID VERB ...
	setpriv --reuid "$1" --regid "$1" --clear-groups "$open_dir/bulkhead" "$2" --socket "$open_dir/control" "${@:3}"
}
root_says() { "$bulkhead_program" "$1" --socket "$open_dir/control" "${@:2}"; }

# --- generations and rollback ----------------------------------------------------------------

@test "every set that was in force is kept; rollback brings one back, in the files and in the kernel" {
	daemon_up
	first=$(in_force)
	passes 5432
	move_to 5433
	ctl apply
	second=$(in_force)
	[ "$first" != "$second" ]
	passes 5433
	no passes 5432
	[ "$(generations)" = "- $first"$'\n'"* $second" ] || fail "$(generations)"
	run ctl rollback
	[ "$status" -eq 0 ] || fail "$output"
	[[ $output == "rolled back: "*"2 updated"* ]] || fail "$output"
	[ "$(port_of)" = 5432 ]
	passes 5432
	no passes 5433
	[ "$(in_force)" = "$first" ]
	[ "$(entries)" = "start done apply done rollback done" ]
	last_entry | jq -e --arg a "$second" --arg b "$first" '(.before | startswith($a)) and (.after | startswith($b))
		and (.objects | index("service/web") and index("service/db") and index("owner/team-web"))
		and (.diff | contains("+{service: web"))'
	ctl rollback --json "$second" | jq -es --arg g "$second" 'map(select(.policies)) | .[0].generation | startswith($g)'
	passes 5433
	history_of --verify
	daemon_stop
}

@test "a crash anywhere in rollback: what is in force then is one of the two, and the trail says which" {
	for n in 1 2 3 4 5 6; do
		daemon_up
		passes 5432
		first=$(in_force)
		move_to 5433
		ctl apply
		second=$(in_force)
		dies_at $n
		run ctl rollback
		[ "$status" -eq 3 ]
		died
		daemon_up
		case $(in_force) in
		"$first") [[ $(entries) == *"apply done rollback done start done" ]] || [ "$n" -gt 4 ] || fail "$n: $(entries)" ;;
		"$second") [ "$n" -eq 1 ] ;;
		*) fail "$n: half of each" ;;
		esac
		no waits
		history_of --verify
		move_to 5432
		ctl apply
		daemon_stop
	done
}

@test "rollback: no such generation, an ambiguous or altered one, none before: a sentence, and nothing changes" {
	daemon_up
	run ctl rollback
	[ "$status" -eq 1 ]
	[[ $output == *"history --generations"* ]] || fail "$output"
	first=$(in_force)
	move_to 5433
	ctl apply
	second=$(in_force)
	run ctl rollback 0000000000
	[ "$status" -eq 1 ]
	[[ $output == *"no generation that is kept begins with"* ]] || fail "$output"
	run ctl rollback ../../etc
	[ "$status" -eq 2 ]
	file=$(echo "$NET_DIR/store/generations/$first"*)
	sed -i 's/5432/5434/' "$file"
	run ctl rollback "$first"
	[ "$status" -eq 3 ]
	[[ $output == *"it was altered"* || $output == *"was altered"* ]] || fail "$output"
	[ "$(in_force)" = "$second" ]
	[ "$(port_of)" = 5433 ]
	[ "$(entries)" = "start done rollback refused apply done rollback refused rollback refused rollback failed" ] || fail "$(entries)"
	daemon_stop
}

@test "rollback is refused when the policies are not one directory" {
	daemon_up --policies "$NET_DIR/policies/web.yaml" --policies "$NET_DIR/policies/db.yaml"
	move_to 5433
	ctl apply
	run ctl rollback
	[ "$status" -eq 3 ]
	[[ $output == *"not one directory"* ]] || fail "$output"
	run ctl apply --confirm 60s
	[ "$status" -eq 3 ]
	[[ $output == *"not one directory"* ]] || fail "$output"
	passes 5433
	daemon_stop
}

@test "as many generations are kept as the host file says, also after a reload; the oldest go" {
	host_file 'retention: {generations: 3}'
	daemon_up
	for port in 5433 5434 5435; do
		move_to $port
		ctl apply
	done
	[ "$(generations | wc -l)" -eq 3 ]
	host_file 'retention: {generations: 1}'
	ctl apply
	[ "$(generations)" = "* $(in_force)" ] || fail "$(generations)"
	in_log "is not kept any longer"
	daemon_stop
}

@test "a generation that cannot be kept stops nothing, and is told by the answer, the log and status" {
	daemon_up
	mv "$NET_DIR/store/generations" "$NET_DIR/store/away"
	: >"$NET_DIR/store/generations"
	move_to 5433
	run ctl apply
	[ "$status" -eq 0 ]
	[[ $output == *"no going back to these policies"* ]] || fail "$output"
	passes 5433
	in_log "no going back to these policies"
	last_entry | jq -e '.outcome == "done" and (.detail | startswith("it could not be kept: "))'
	run ctl status
	[ "$status" -eq 1 ]
	[[ $output == *"the policies"* ]] || fail "$output"
	rm "$NET_DIR/store/generations"
	ctl apply
	ctl status
	daemon_stop
}

@test "a restart keeps who applied it, and what was before" {
	daemon_up
	first=$(in_force)
	move_to 5433
	ctl apply
	daemon_kill
	daemon_up
	history_of --generations --json | jq -es '.[-1] | .in_force and .who.name == "bulkhead"'
	ctl rollback
	[ "$(in_force)" = "$first" ]
	daemon_stop
}

# --- confirm ---------------------------------------------------------------------------------

@test "apply --confirm: confirmed in time it stays, also over a restart" {
	daemon_up
	move_to 5433
	run ctl apply --confirm 60s
	[ "$status" -eq 0 ] || fail "$output"
	[[ $output == *"bulkhead confirm"* ]] || fail "$output"
	passes 5433
	waits
	last_entry | jq -e '.detail == "to be confirmed within 60 s"'
	run ctl status
	[ "$status" -eq 0 ]
	[[ $output == *"unconfirmed"*"taken back at"* ]] || fail "$output"
	[[ $(generations) == *"? "* ]]
	ctl confirm
	no waits
	[ "$(entries)" = "start done apply done confirm done" ]
	last_entry | jq -e '.objects | index("service/web")'
	run ctl confirm
	[ "$status" -eq 1 ]
	daemon_kill
	daemon_up
	passes 5433
	daemon_stop
}

@test "apply --confirm: not confirmed it is taken back, in the kernel and in the files" {
	daemon_up
	first=$(in_force)
	move_to 5433
	ctl apply --confirm 1s
	await in_log "not confirmed in time"
	passes 5432
	no passes 5433
	[ "$(port_of)" = 5432 ]
	[ "$(in_force)" = "$first" ]
	no waits
	[ "$(entries)" = "start done apply done expire done" ]
	kill -HUP "$daemon" # what is read anew is not the unconfirmed set
	await eval '[[ $(entries) == *"reload done" ]]'
	passes 5432
	run ctl rollback # nor is that the way to it
	[ "$status" -eq 1 ]
	daemon_stop
}

@test "what a change goes back to is kept, however few generations the host file wants" {
	host_file 'retention: {generations: 1}'
	daemon_up
	move_to 5433
	ctl apply --confirm 1s
	await in_log "not confirmed in time"
	passes 5432
	daemon_stop
}

@test "while a change waits, another apply and SIGHUP are refused; rollback ends it" {
	daemon_up
	move_to 5433
	ctl apply --confirm 60s
	move_to 5434
	run ctl apply
	[ "$status" -eq 1 ]
	[[ $output == *"waits to be confirmed"* ]] || fail "$output"
	run ctl apply --confirm 60s
	[ "$status" -eq 1 ]
	kill -HUP "$daemon"
	await in_log "waits to be confirmed"
	passes 5433
	ctl rollback
	passes 5432
	no waits
	run ctl rollback # which is no way to what nobody confirmed
	[ "$status" -eq 1 ]
	[ "$(entries)" = "start done apply done apply refused apply refused reload refused rollback done rollback refused" ]
	daemon_stop
}

@test "a crash does not confirm: with time left it goes on waiting, and ends then" {
	daemon_up
	move_to 5433
	ctl apply --confirm 4s
	daemon_kill
	daemon_up
	waits
	passes 5433
	await in_log "not confirmed in time"
	passes 5432
	[ "$(port_of)" = 5432 ]
	daemon_stop
}

@test "a crash does not confirm: when the time is over, the start takes it back first" {
	daemon_up
	move_to 5433
	ctl apply --confirm 1s
	daemon_kill
	waits_for_time() { [ "$(jq .confirm.deadline "$NET_DIR/store/in-force")" -lt "$(awk '{printf "%.0f", $1 * 1000000}' /proc/uptime)" ]; }
	await waits_for_time
	daemon_up
	passes 5432
	no waits
	[ "$(port_of)" = 5432 ]
	[ "$(entries)" = "start done apply done expire done start done" ]
	daemon_stop
}

# kill -9 of the daemon as it is about to put its Nth file in place from now on.
dies_at() { # N
	strace -qq -p "$daemon" -o /dev/null -e trace=renameat -e "inject=renameat:signal=KILL:when=$1" 3>&- &
	tracer=$!
	await grep -q "^TracerPid:	$tracer$" "/proc/$daemon/status"
}
died() {
	await eval "! kill -0 $daemon"
	wait "$daemon" 2>/dev/null || true
	wait "$tracer" 2>/dev/null || true
	daemon=''
}

@test "a crash anywhere in apply --confirm: it waits, or is taken back" {
	for n in 2 3 4; do # 1 puts on disk that it will wait
		daemon_up
		passes 5432
		move_to 5433
		dies_at $n
		run ctl apply --confirm 2s
		[ "$status" -eq 3 ]
		died
		daemon_up
		await eval '! waits'
		passes 5432
		[ "$(port_of)" = 5432 ]
		history_of --verify
		daemon_stop
	done
	[ "$(entries | grep -o 'expire done' | wc -l)" -eq 3 ]
}

@test "a crash anywhere in taking it back: the next start ends it" {
	for n in 1 2 3 4 5; do
		daemon_up
		passes 5432
		move_to 5433
		ctl apply --confirm 1s
		dies_at $n
		died
		daemon_up
		await eval '! waits'
		passes 5432
		[ "$(port_of)" = 5432 ]
		[ "$(find "$NET_DIR/policies" -type f | wc -l)" -eq 2 ] || fail "$(ls -A "$NET_DIR/policies")"
		history_of --verify
		daemon_stop
	done
}

@test "a deadline of another boot is over, however far off it is" {
	daemon_up
	move_to 5433
	ctl apply --confirm 1h
	daemon_kill
	sed -i 's/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' "$NET_DIR/store/in-force"
	daemon_up
	passes 5432
	no waits
	daemon_stop
}

@test "a file in-force that was altered is told, in the log and on the trail, and keeps nothing from being enforced" {
	daemon_up
	daemon_stop
	echo '{' >"$NET_DIR/store/in-force"
	daemon_up
	in_log "in-force of the store was altered"
	[ "$(entries)" = "start done stop done expire failed start done" ] || fail "$(entries)"
	passes 5432
	ctl status
	daemon_stop
}

@test "what cannot be taken back is told, tried again, and can be resolved" {
	daemon_up
	move_to 5433
	first=$(in_force)
	ctl apply --confirm 1s
	rm "$NET_DIR/store/generations/$first"*
	await in_log "could not be taken back"
	run ctl status
	[ "$status" -eq 1 ]
	[[ $output == *"could not be taken back"* ]] || fail "$output"
	[ "$(entries)" = "start done apply done expire refused" ] || [ "$(entries)" = "start done apply done expire failed" ] || fail "$(entries)"
	run ctl apply
	[ "$status" -eq 1 ]
	ctl confirm
	no waits
	ctl status
	daemon_stop
}

@test "what cannot be taken back at first is taken back later, and the trail has both" {
	daemon_up
	move_to 5433
	first=$(in_force)
	ctl apply --confirm 1s
	mv "$NET_DIR/store/generations/$first"* "$NET_DIR/first"
	await in_log "could not be taken back"
	mv "$NET_DIR/first" "$NET_DIR/store/generations/$(jq -r .before "$NET_DIR/store/in-force")"
	patiently in_log "what was in force before is in force again"
	passes 5432
	[[ $(entries) == "start done apply done expire "*" expire done" ]] || fail "$(entries)"
	daemon_stop
}

@test "it is taken back where the endpoints cannot be listed, too" {
	daemon_up
	move_to 5433
	ctl apply --confirm 1s
	passes 5433
	mv "$NET_DIR/inventory.json" "$NET_DIR/away.json"
	await in_log "not confirmed in time"
	passes 5432
	no passes 5433
	[ "$(port_of)" = 5432 ]
	mv "$NET_DIR/away.json" "$NET_DIR/inventory.json"
	daemon_stop
}

@test "apply --confirm is refused where the files come in force by themselves" {
	echo 'policies: {watch: true}' >"$NET_DIR/bulkhead.yaml"
	daemon_up
	run ctl apply --confirm 60s
	[ "$status" -eq 3 ]
	[[ $output == *"watch: false"* ]] || fail "$output"
	move_to 5433
	await passes 5433
	ctl rollback # to what was before, and what is watched stays that
	passes 5432
	in_log "the policy files have changed"
	daemon_stop
	[ "$(entries)" = "start done apply refused change done rollback done stop done" ] || [ "$(entries)" = "start done apply failed change done rollback done stop done" ] || fail "$(entries)"
}

@test "apply --confirm: times out of range, nothing new, a changed host file" {
	daemon_up
	for time in 0s 61m 2h 60 s x -1s 1.5s; do
		run ctl apply --confirm "$time"
		[ "$status" -eq 2 ] || fail "$time: $output"
	done
	run ctl apply --confirm 60s
	[ "$status" -eq 0 ]
	[[ $output == *"nothing waits to be confirmed"* ]] || fail "$output"
	no waits
	move_to 5433
	host_file 'unmanaged: quarantine'
	run ctl apply --confirm 60s
	[ "$status" -eq 2 ]
	[[ $output == *"host file"* ]] || fail "$output"
	no passes 5433
	daemon_stop
}

@test "apply --confirm without a daemon is refused with the way out" {
	run bulkhead apply --confirm 60s
	[ "$status" -eq 3 ]
	[[ $output == *"needs a bulkheadd"* ]] || fail "$output"
	run "$bulkhead_program" confirm --socket "$NET_DIR/none"
	[ "$status" -eq 3 ]
}

# --- teams -----------------------------------------------------------------------------------

@test "a team changes its own services, and takes that back and confirms it" {
	team_up
	sed -i 's/5432/5433/' "$NET_DIR/policies/web.yaml"
	as $TEAM apply
	[ "$(history_of --json | jq -r 'select(.action == "apply") | "\(.who.uid) \(.who.role) \(.objects | join(" "))"')" = \
		"$TEAM operator owner/team-web service/web" ]
	as $TEAM rollback
	grep -q 5432 "$NET_DIR/policies/web.yaml"
	sed -i 's/5432/5433/' "$NET_DIR/policies/web.yaml"
	as $TEAM apply --confirm 60s
	as $TEAM confirm
	[ "$(entries)" = "start done apply done rollback done apply done confirm done" ]
	# what others have written, and not applied yet, is theirs as well
	sed -i 's/5432/5434/' "$NET_DIR/policies/db.yaml"
	run as $TEAM rollback
	[ "$status" -eq 3 ]
	[[ $output == *"service db is changed"* ]] || fail "$output"
	grep -q 5434 "$NET_DIR/policies/db.yaml"
	root_says rollback
	grep -q 5432 "$NET_DIR/policies/db.yaml"
	daemon_stop
}

@test "a team does not confirm what is not its own by going to it" {
	team_up
	move_to 5433
	root_says apply --confirm 60s
	run as $TEAM confirm
	[ "$status" -eq 3 ] || fail "$output"
	run as $TEAM rollback "$(jq -r '.generation[0:12]' "$NET_DIR/store/in-force")"
	[ "$status" -eq 3 ] || fail "$output"
	[[ $output == *"service db is changed"* ]] || fail "$output"
	jq -e .confirm "$NET_DIR/store/in-force"
	[ "$(entries)" = "start done apply done confirm refused rollback refused" ] || fail "$(entries)"
	root_says rollback
	passes 5432
	daemon_stop
}

@test "a team changes nothing else: everything that is not its own is named, and the trail has it" {
	team_up
	cp -r "$NET_DIR/policies" "$NET_DIR/good"
	refused_with() { # TEXT
		run as $TEAM apply
		[ "$status" -eq 3 ] || fail "$output"
		[[ $output == *"$1"* ]] || fail "$output"
		[ "$(last_entry | jq -r '"\(.action) \(.outcome) \(.who.uid)"')" = "apply refused $TEAM" ]
		rm -r "$NET_DIR/policies"
		cp -r "$NET_DIR/good" "$NET_DIR/policies"
	}
	sed -i 's/5432/5433/' "$NET_DIR/policies/db.yaml"
	refused_with "policies/db.yaml:1: service db is changed, and belonged to team-db"
	sed -i 's/team-db/team-web/' "$NET_DIR/policies/db.yaml"
	refused_with "belonged to team-db"
	sed -i 's/team-web/team-db/' "$NET_DIR/policies/web.yaml"
	refused_with "is to belong to team-db"
	policy more <<<'{guardrail: none, select: {all: true}, deny: [{to: [{cidr: 192.0.2.0/24}]}]}'
	refused_with "more.yaml:1: guardrail none is new"
	policy more <<<'{group: g, cidrs: [192.0.2.0/24]}'
	refused_with "group g is new"
	policy more <<<'{service: thief, owner: team-web, select: {labels: {app: db}}, ingress: [{from: [{cidr: 0.0.0.0/0}]}]}'
	refused_with "selects shop/db"
	echo 'unmanaged: ignore' >>"$NET_DIR/bulkhead.yaml"
	refused_with "the host file is changed"
	sed -i '$d' "$NET_DIR/bulkhead.yaml"
	passes 5432
	# layout, comments and places are no changes
	{ echo '# web'; cat "$NET_DIR/policies/web.yaml"; echo ---; cat "$NET_DIR/policies/db.yaml"; } >"$NET_DIR/all"
	rm "$NET_DIR"/policies/*
	mv "$NET_DIR/all" "$NET_DIR/policies/all.yaml"
	as $TEAM apply
	daemon_stop
}

@test "a service of a scope: its rules are the team's, its boundary is not" {
	policy scope <<-'Y'
		{scope: s}
	Y
	policy web <<<'{service: web, owner: team-web, scope: s, select: {labels: {app: web}}, egress: [{to: [{service: db}], ports: [5432/tcp]}]}'
	team_up
	sed -i 's/5432/5433/' "$NET_DIR/policies/web.yaml"
	as $TEAM apply
	sed -i 's/scope: s, //' "$NET_DIR/policies/web.yaml"
	run as $TEAM apply
	[ "$status" -eq 3 ]
	[[ $output == *"web.yaml:1: service web is changed, and with it what a scope"* ]] || fail "$output"
	daemon_stop
}

@test "a stranger and a viewer are refused, on the trail with who they are, and cannot fill it" {
	team_up --readonly-socket "$NET_DIR/readonly"
	run as $STRANGER apply
	[ "$status" -ne 0 ]
	last_entry | jq -e --argjson u $STRANGER '.action == "connect" and .outcome == "refused" and .who.uid == $u and .who.role == "none"'
	run "$bulkhead_program" apply --socket "$NET_DIR/readonly"
	[ "$status" -ne 0 ]
	last_entry | jq -e '.action == "apply" and .outcome == "refused" and .who.role == "viewer"'
	for _ in {1..20}; do as $STRANGER rollback || true; done
	[ "$(history_of --json | jq -r 'select(.action == "connect").seq' | wc -l)" -eq 8 ]
	in_log "are counted only"
	daemon_stop
	last_entry | jq -e '.action == "left-out" and (.detail | startswith("13 more"))'
	history_of --verify
}

@test "a team cannot fill the trail with what fails, either" {
	team_up
	sed -i 's/5432/5434/' "$NET_DIR"/store/generations/*
	for _ in {1..12}; do
		run as $TEAM rollback "$(jq -r .generation "$NET_DIR/store/in-force")"
		[ "$status" -eq 3 ] || fail "$output"
		[[ $output == *"was altered"* ]] || fail "$output"
	done
	[ "$(entries | grep -o "rollback failed" | wc -l)" -eq 8 ] || fail "$(entries)"
	daemon_stop
}

@test "with the capabilities of the unit: what is brought back belongs to whom it belonged" {
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' examples/systemd/bulkheadd.service | sed 's/CAP_/,+/g' | tr -d ' ' | tr A-Z a-z)
	daemon_under setpriv "--bounding-set=-all$caps" --inh-caps=-all --
	chown $TEAM:$TEAM "$NET_DIR/policies/web.yaml"
	chmod 640 "$NET_DIR/policies/web.yaml"
	daemon_up
	move_to 5433 # makes the files anew
	chown $TEAM:$TEAM "$NET_DIR/policies/web.yaml"
	chmod 640 "$NET_DIR/policies/web.yaml"
	ctl apply
	ctl rollback
	[ "$(port_of)" = 5432 ]
	[ "$(stat -c '%u %g %a' "$NET_DIR/policies/web.yaml")" = "$TEAM $TEAM 640" ]
	[ "$(stat -c '%u' "$NET_DIR/policies/db.yaml")" = 0 ]
	daemon_stop
}

@test "the read-only socket says that something waits, not by whom" {
	daemon_up --readonly-socket "$NET_DIR/readonly"
	move_to 5433
	ctl apply --confirm 60s
	"$bulkhead_program" status --socket "$NET_DIR/readonly" --json |
		jq -es 'map(select(.policies)) | .[0] | .state == "unconfirmed" and (.confirm | .seconds > 0 and (has("who") | not))'
	daemon_stop
}

# --- without a daemon ------------------------------------------------------------------------

@test "without a daemon: --store keeps and writes down what apply did, and rollback goes back" {
	bulkhead apply --store "$NET_DIR/store"
	move_to 5433
	bulkhead apply --store "$NET_DIR/store"
	passes 5433
	[ "$(generations | cut -c 1 | xargs)" = "- *" ]
	run bulkhead rollback --store "$NET_DIR/store"
	[ "$status" -eq 0 ] || fail "$output"
	passes 5432
	[ "$(port_of)" = 5432 ]
	[ "$(entries)" = "apply done apply done rollback done" ]
	last_entry | jq -e '.objects | index("service/db")'
	history_of --verify
}

@test "without a daemon: root applies the host's own policies, and it is written down; a run of its own is not" {
	program=$(realpath "$bulkhead_program")
	cat >"$NET_DIR/host" <<-'S'
		set -e
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /var/lib
		mount -t tmpfs tmpfs /etc
		mkdir -p /etc/bulkhead/policies
		cp "$2"/*.yaml /etc/bulkhead/policies
		"$1" apply --policies /etc/bulkhead/policies
		[ ! -e /var/lib/bulkhead ]
		"$1" apply
		sed -i s/5432/5433/ /etc/bulkhead/policies/web.yaml
		"$1" apply
		"$1" rollback
		grep -q 5432 /etc/bulkhead/policies/web.yaml
		"$1" apply --clean
		"$1" history --json
	S
	unshare --mount --propagation private bash "$NET_DIR/host" "$program" "$NET_DIR/policies" >"$NET_DIR/out"
	[ "$(grep '^{' "$NET_DIR/out" | jq -r '"\(.action) \(.outcome) \(.who.role)"' | xargs)" = \
		"apply done command line apply done command line rollback done command line clean done command line" ] || fail "$(cat "$NET_DIR/out")"
}

@test "without a daemon: what waits in the store of a dead one keeps apply from it, rollback does not" {
	daemon_up
	move_to 5433
	ctl apply --confirm 1h
	daemon_kill
	run bulkhead apply --store "$NET_DIR/store"
	[ "$status" -eq 1 ]
	[[ $output == *"waits to be confirmed"* ]] || fail "$output"
	bulkhead rollback --store "$NET_DIR/store"
	passes 5432
	[ "$(port_of)" = 5432 ]
	[ "$(jq .confirm "$NET_DIR/store/in-force")" = null ]
	run bulkhead rollback --store "$NET_DIR/store" # which is no way to what nobody confirmed
	[ "$status" -eq 1 ] || fail "$output"
	passes 5432
}

@test "without a daemon: a store that cannot be used keeps apply --store from changing anything" {
	: >"$NET_DIR/store"
	run bulkhead apply --store "$NET_DIR/store"
	[ "$status" -eq 3 ]
	[[ $output == *"nothing was changed"* ]] || fail "$output"
	run bulkhead status
	[ "$status" -eq 1 ]
	bulkhead apply # a run of its own writes nothing down
	passes 5432
}
