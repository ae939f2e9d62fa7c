#!/usr/bin/env bats
# Frames made by hand in a container with the capabilities that Docker gives to every one of them,
# NET_RAW among them: by the device it had when its table came, and by one that comes later.
# shellcheck disable=SC2016,SC2154 # `await eval` expands later; names of lib/docker

load lib/docker

rawsend_program=${probe_program%/*}/rawsend

setup_file() {
	docker_up
	pack >/dev/null
	put_into_root "$rawsend_program"
	image box:1
	docker network create --subnet 10.66.0.0/24 shop >/dev/null
	docker network create --subnet 10.67.0.0/24 back >/dev/null
	container web --network shop --label app=web
	policy web <<<'{service: web, select: {labels: {app: web}}}'
	start_on_host "$(realpath "$rawsend_program")" catch "$NET_DIR/catches"
	await test -e "$NET_DIR/catches"
}
teardown_file() { docker_down; }

# A program with the libraries that it needs, each where it is looked for.
put_into_root() { # PROGRAM
	local file
	cp "$1" "$NET_DIR/root/bin/"
	for file in $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$NET_DIR/root${file%/*}"
		cp -L "$file" "$NET_DIR/root$file"
	done
}

is() { [ "$1" = "$2" ] || fail "got '$1', not '$2'"; }
send() { # DEVICE VIA TOKEN KEY=VALUE...
	docker exec web rawsend send "$@" what=udp from=10.67.0.2 to=10.67.0.1 dport=53
}
came() { grep -qF " $1 " "$NET_DIR/log"; } # TOKEN
state() { bulkhead status --json 2>/dev/null | jq -c "select(.services == \"web\") | $1"; }

@test "before a table is there, such frames leave" {
	for via in raw dgram bypass ring; do
		is "$(send eth0 $via before-$via)" "sent 1 refused 0 -"
		await came before-$via
	done
}

@test "after it none does, and each is recorded with its sender" {
	bulkhead apply
	follow --json
	for via in raw dgram bypass ring; do
		is "$(send eth0 $via after-$via)" "sent 0 refused 1 ENOBUFS"
	done
	await eval '[ "$(wc -l <"$NET_DIR/records")" -eq 4 ]' # the kernel logs some 100 ms later
	followed
	[[ $(cat "$NET_DIR/messages") == *"denied 4 = recorded 4 + not recorded 0"* ]]
	jq -es 'length == 4 and all(.rule.kind == "raw-socket" and .uid == 0
		and .endpoint.name == "web" and .interface == "eth0")' "$NET_DIR/records"
	refused grep " after-" "$NET_DIR/log"
}

# It tries again and again from before the device is there; 200 tries with it are enough.
eager='
end=$(($(date +%s) + 20)) n=0
while [ $n -lt 200 ] && [ $(date +%s) -lt $end ]; do
	rawsend send eth1 raw early what=udp from=10.67.0.2 to=10.67.0.1 dport=53 2>/dev/null &&
		n=$((n + 1))
done'

@test "docker network connect: the new device is held from its first frame" {
	ln -sf busybox "$NET_DIR/root/bin/date"
	docker cp "$NET_DIR/root/bin/busybox" web:/bin/date
	docker exec web sh -c "$eager" >"$NET_DIR/eager" &
	local eager_pid=$!
	docker network connect back web
	wait $eager_pid
	is "$(wc -l <"$NET_DIR/eager")" 200
	is "$(grep -cvE '^sent 0 refused 1 (ENOBUFS|ENETDOWN)$' "$NET_DIR/eager")" 0
	[ "$(grep -c ENOBUFS "$NET_DIR/eager")" -gt 0 ]
	refused came early
	# nothing else is wrong with it than what no table can hold
	is "$(state '[.state, .obstacle]')" '["weak","xdp-sockets"]'
	[[ $(state .why) == *"AF_XDP"*"drop the capability"* ]]
}

@test "the same again after clean: it was the table" {
	bulkhead apply --clean
	is "$(send eth1 raw cleaned)" "sent 1 refused 0 -"
	await came cleaned
}
