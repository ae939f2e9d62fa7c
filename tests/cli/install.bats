#!/usr/bin/env bats
# `bulkhead install` and `uninstall`: files of Docker and Podman, edited and given back. Needs no root.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
	dir=$BATS_TEST_TMPDIR
	json=$dir/daemon.json
	own=$(realpath "${bulkhead%/*}")/bulkhead-runc
}

install() { run "$bulkhead" install --docker --daemon-json "$json" "$@"; }
uninstall() { run "$bulkhead" uninstall --docker --daemon-json "$json" "$@"; }
ok() { [ "$status" -eq "${1:-0}" ] || { echo "$status: $output" >&2 && return 1; }; }
is() { [ "$1" = "$2" ] || { printf "got '%s', not '%s'\n" "$1" "$2" >&2 && return 1; }; }

@test "no file: one is made, and removed again; the directory too is made" {
	mkdir "$dir/etc"
	json=$dir/etc/docker/daemon.json
	install
	ok
	is "$(cat "$json")" "{
    \"runtimes\": {\"bulkhead\":{\"path\": \"$own\"}}
}"
	[[ $output == *"systemctl reload docker"*"install --default"* ]]
	[ "$(stat -c %a "$json")" = 644 ]
	uninstall
	ok
	[ ! -e "$json" ]
	is "$(ls -A "$dir/etc/docker")" ""
	uninstall
	ok
	[[ $output == *"nothing to do"* ]]
}

@test "what is there stays as it is laid out, and comes back byte for byte" {
	for text in '{"a":1}' $'{\n\t"log-driver": "json-file",\n\t"runtimes": {\n\t\t"kata": {"path": "/k"}\n\t},\n\t"big": 18446744073709551615,\n\t"default-runtime": "kata"\n}\n' \
		'{}' $'{ }\n' '' $' \n' '{"runtimes":{},"x":[1,2]}' '{"default-runtime":"runc"}'; do
		printf '%s' "$text" >"$json"
		cp "$json" "$dir/was"
		install --default --config /etc/b.yaml --runtime /usr/bin/crun
		ok
		jq -e --arg own "$own" '.runtimes.bulkhead == {path: $own, runtimeArgs:
			["--bulkhead-config=/etc/b.yaml", "--bulkhead-runtime=/usr/bin/crun"]}
			and ."default-runtime" == "bulkhead"' "$json" >/dev/null
		cmp "$dir/was" "$json.before-bulkhead"
		cp "$json" "$dir/once"
		install --default --config /etc/b.yaml --runtime /usr/bin/crun
		ok
		[[ $output == *"nothing to do"* ]]
		cmp "$dir/once" "$json"
		uninstall
		ok
		cmp "$dir/was" "$json"
		[ ! -e "$json.before-bulkhead" ]
	done
	# nothing else of it has moved
	printf '{\n  "a": 1,\n  "b": {"c": [ 1,2 ]}\n}\n' >"$json"
	install
	is "$(grep -v runtimes "$json")" $'{\n  "a": 1,\n  "b": {"c": [ 1,2 ]},\n}'
}

@test "edits of others since then stay, ours go" {
	printf '{"a":1,"default-runtime":"kata","runtimes":{"kata":{"path":"/k"}}}' >"$json"
	install --default
	sed -i 's/"a":1/"a":2,"new":true/' "$json"
	uninstall
	ok
	is "$(cat "$json")" '{"a":2,"new":true,"default-runtime":"kata","runtimes":{"kata":{"path":"/k"}}}'
	# somebody chose another default meanwhile
	install --default
	sed -i 's/"default-runtime":"bulkhead"/"default-runtime":"runc"/' "$json"
	uninstall
	ok
	is "$(jq -r '."default-runtime"' "$json")" runc
	# without what it was, nothing is guessed
	printf '{"a":1}' >"$json"
	install --default
	rm "$json.before-bulkhead"
	uninstall
	ok
	is "$(cat "$json")" '{"a":1}'
}

@test "what it was before is for no more eyes than it was" {
	printf '{"proxies": {"http-proxy": "http://user:secret@proxy"}}' >"$json"
	chmod 600 "$json"
	install
	ok
	is "$(stat -c %a "$json" "$json.before-bulkhead" | xargs)" "600 600"
}

@test "a later install changes ours, and what it was before stays known" {
	printf '{"a": 1}' >"$json"
	install
	install --default --config /etc/b.yaml
	ok
	is "$(jq -c '.runtimes.bulkhead.runtimeArgs' "$json")" '["--bulkhead-config=/etc/b.yaml"]'
	is "$(cat "$json.before-bulkhead")" '{"a": 1}'
	install # a default stays
	is "$(jq -r '."default-runtime"' "$json")" bulkhead
	uninstall
	is "$(cat "$json")" '{"a": 1}'
}

@test "what is not understood is refused with its place, and nothing is written" {
	while IFS='|' read -r text why; do
		printf '%b' "$text" >"$json"
		cp "$json" "$dir/was"
		install --default
		ok 2
		[[ $output == *"$json: "*"$why"* ]] || { echo "$text: $output" >&2 && return 1; }
		cmp "$dir/was" "$json"
		[ ! -e "$json.before-bulkhead" ]
	done <<-'END'
		{"a": 1} // so|1:10: JSON has no comments
		{\n  # so\n}|2:3: JSON has no comments
		{"a": 1,}|1:9:
		{"a": 1, "a": 2}|duplicate
		[]|it is no object
		{"runtimes": []}|"runtimes" is no object
		{"default-runtime": 1}|"default-runtime" is no string
		{"Runtimes": {}}|twice, or in another case
		{"runtimes": {"bulkhead": {"path": "/usr/bin/other"}}}|that is not ours
		{"a":\x001}|
	END
	head -c 1200000 /dev/zero | tr '\0' ' ' >"$json"
	install
	ok 3
	mkdir "$dir/d"
	json=$dir/d
	install
	ok 3
}

@test "links: what they lead to is edited, and they stay links" {
	mkdir "$dir/real"
	printf '{"a":1}' >"$dir/real/d.json"
	chmod 600 "$dir/real/d.json"
	ln -s real/d.json "$json"
	install
	ok
	[ -L "$json" ]
	[ "$(stat -c %a "$dir/real/d.json")" = 600 ]
	[ -e "$dir/real/d.json.before-bulkhead" ]
	uninstall
	ok
	is "$(cat "$dir/real/d.json")" '{"a":1}'
	rm "$dir/real/d.json"
	install
	ok 3
	[[ $output == *"leads nowhere"* ]]
}

@test "--dry-run shows the difference and changes nothing" {
	printf '{\n  "a": "\\u001b]0;x"\n}\n' >"$json"
	cp "$json" "$dir/was"
	install --dry-run --default
	ok 1
	[[ $output == *"--- $json"*"+++ $json"*'+  "default-runtime": "bulkhead"'* ]]
	cmp "$dir/was" "$json"
	is "$(ls -A "$dir")" $'daemon.json\nwas'
	install --default
	uninstall --dry-run
	ok 1
	[[ $output == *'-  "default-runtime": "bulkhead"'* ]]
	install --dry-run --default
	ok 0
	printf '{"a":"\033[31m"}' >"$json" # a terminal sees no control characters, and JSON has none
	install --dry-run
	ok 2
	[[ $output != *$'\033'* ]]
}

@test "Podman: two hooks, valid, and removed; what is not ours stays" {
	run "$bulkhead" install --podman --hooks-dir "$dir/hooks.d" --config /etc/b.yaml
	ok
	jq -e --arg own "${own%-runc}-oci-hook" '.version == "1.0.0" and .hook.path == $own and
		.hook.args == ["bulkhead-oci-hook", "--runtime", "podman", "--config", "/etc/b.yaml"] and
		.stages == ["createRuntime", "poststop"] and .when == {always: true}' "$dir/hooks.d/bulkhead.json"
	jq -e --arg own "$own" '.hook.path == $own and .stages == ["precreate"] and .hook.args ==
		["bulkhead-runc", "--bulkhead-precreate", "--bulkhead-engine=podman",
		"--bulkhead-config=/etc/b.yaml"]' "$dir/hooks.d/bulkhead-privileges.json"
	run "$bulkhead" install --podman --hooks-dir "$dir/hooks.d" --config /etc/b.yaml
	ok
	[[ $output == *"nothing to do"*"nothing to do"* ]]
	run "$bulkhead" uninstall --podman --hooks-dir "$dir/hooks.d"
	ok
	is "$(ls -A "$dir/hooks.d")" ""
	echo '{}' >"$dir/hooks.d/bulkhead.json"
	run "$bulkhead" uninstall --podman --hooks-dir "$dir/hooks.d"
	ok 2
	is "$(cat "$dir/hooks.d/bulkhead.json")" '{}'
}

@test "what goes with what" {
	for words in "" "--default" "--docker --hooks-dir $dir" "--podman --default" "--docker --config b.yaml" \
		"--docker --runtime runc"; do
		# shellcheck disable=SC2086
		run "$bulkhead" install $words --daemon-json "$dir/none.json"
		ok 2
	done
	[ ! -e "$dir/none.json" ]
}
