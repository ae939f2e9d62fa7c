#!/usr/bin/env bats
# Every ordered pair of end points x port x protocol x address family, by real packets, against
# what the policies mean: once by `explain`, once by a table written by hand.

load lib/net

ports="80/tcp 443/tcp 5432/tcp 8001/tcp 8003/tcp 53/udp 443/udp ping"

# front faces the world, api serves it, db and cache are behind; batch sends wherever others let it
# in, admin is bounded by prefixes, sealed may do nothing; no service selects stray.
managed="front api db cache batch admin sealed"
everybody="$managed stray world switch"      # switch is the host

write_policies() {
	policy front <<-'YAML'
		service: front
		select: {labels: {app: front}}
		ingress:
		  - from: [{entity: world}]
		    ports: [80/tcp, icmp/echo-request, icmpv6/echo-request]
		egress:
		  - to: [{service: api}]
		    ports: [8000-8005/tcp, 53/udp]     # api takes less
	YAML
	policy api <<-'YAML'
		service: api
		select: {labels: {app: api}}
		ingress:
		  - from: [{service: front}]
		    ports: [8000-8002/tcp, 53/udp, 443/udp]     # front sends less
		  - from: [{labels: {app: batch}}]
		    ports: [tcp]
		egress:
		  - to: [{labels: {tier: data}}]
		    ports: [5432/tcp, 53/udp, icmp/echo-request]
	YAML
	policy data <<-'YAML'
		service: db
		select: {labels: {app: db}}
		ingress:
		  - from: [{service: api}]
		    ports: [5432/tcp, icmp, icmpv6]
		  - from: [{group: operators}]
		    ports: [80, 5432, 53/udp]
		---
		service: cache
		select: {labels: {app: cache}}
		ingress:
		  - from: [{service: api}]
		    ports: [53/udp]
		  - from: [{entity: host}]
		    ports: [80/tcp]
		egress:
		  - to: [{entity: world}]
		    ports: [443/tcp]
		  - to: [{entity: host}]
		    ports: [53/udp]
		---
		service: pulse                  # a second service for db and cache: the union counts
		select: {labels: {tier: data}}
		egress:
		  - to: [{service: batch}]
		    ports: [icmp/echo-request]
		---
		group: operators
		cidrs: [10.77.0.6/31, "fd00:77::6/128"]
	YAML
	policy rest <<-'YAML'
		service: batch
		select: {labels: {app: batch}}
		ingress:
		  - from: [{entity: managed}]
		    ports: [icmp/echo-request]
		egress: follow
		---
		service: admin
		select: {name: "adm*"}
		egress:
		  - to: [{cidr: 10.77.0.0/24, except: [10.77.0.4/32, 10.77.0.192/26]}]
		    ports: [any]
		  - to: [{cidr: "fd00:77::/64", except: ["fd00:77::4/128"]}]
		    ports: [any]
		---
		service: sealed
		select: {labels: {app: sealed}}
		ingress:
		  - from: [{entity: world}]
		    ports: [80/tcp]
		    expires: 2020-01-01T00:00:00Z
	YAML
}

# What passes; all else is closed. `4` or `6` after a word is that family only.
opens() {
	cat <<-'TABLE'
		world   front   80/tcp ping
		stray   front   80/tcp ping
		front   api     8001/tcp 53/udp
		batch   api     80/tcp 443/tcp 5432/tcp 8001/tcp 8003/tcp
		api     db      5432/tcp ping4
		api     cache   53/udp
		admin   db      80/tcp 5432/tcp 53/udp
		switch  cache   80/tcp
		cache   world   443/tcp
		cache   stray   443/tcp
		cache   switch  53/udp
		db      batch   ping4
		cache   batch   ping4
		admin   batch   ping4
		admin   stray   all
		admin   world   all6
		admin   switch  all6
		stray   world   all
		world   stray   all
		stray   switch  all
		switch  stray   all
		world   switch  all
		switch  world   all
	TABLE
}

# Every cell as a line `FROM TO PORT FAMILY open|closed`, by that table.
expected() {
	opens | awk -v everybody="$everybody" -v ports="$ports" '
		{
			for (i = 3; i <= NF; i++) {
				families = "46"
				if (match($i, /[a-z][46]$/)) {
					families = substr($i, length($i))
					$i = substr($i, 1, length($i) - 1)
				}
				n = $i == "all" ? split(ports, port) : split($i, port)
				while (n)
					open[$1, $2, port[n--]] = families
			}
		}
		END {
			n = split(everybody, name)
			m = split(ports, port)
			for (i = 1; i <= n; i++)
				for (j = 1; j <= n; j++)
					for (k = 1; k <= m && i != j; k++)
						for (f = 4; f <= 6; f += 2)
							print name[i], name[j], port[k], f,
								index(open[name[i], name[j], port[k]], f) ? "open" : "closed"
		}'
}

# --- asking ----------------------------------------------------------------------------------

# Cells become `FROM TO PORT FAMILY ... | ADDRESS of TO, ADDRESS of FROM, PORT as explain has it`.
addressed() {
	local name
	for name in $everybody; do
		echo "$name $(v4 "$name") $(v6 "$name")"
	done | awk '
		NR == FNR { at[$1, 4] = $2; at[$1, 6] = $3; next }
		{
			port = $3 != "ping" ? $3 : $4 == 4 ? "icmp/echo-request" : "icmpv6/echo-request"
			print $0, at[$2, $4], at[$1, $4], port
		}' - "$1"
}

# Ask the cells of a file from all end points at once. What should pass gets time, for a busy
# machine; what should not is asked twice, briefly, and whatever comes through late is in the logs
# of the servers.
observe() { # CELLS
	local name pids=()
	addressed "$1" >"$dir/addressed"
	for name in $everybody; do
		for patience in "open 3000" "closed 250"; do
			awk -v from="$name" -v state="${patience% *}" '$1 == from && $5 == state' \
				"$dir/addressed" >"$dir/cells.$name.${patience% *}"
			awk '{ print $6, $8 }' "$dir/cells.$name.${patience% *}" |
				ns "$name" "$probe_program" ask --timeout "${patience#* }" \
					>"$dir/verdicts.$name.${patience% *}" 3>&- &
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	for name in "$dir"/cells.*; do
		cut -d ' ' -f 1-4 "$name" | paste -d ' ' - "${name/cells./verdicts.}"
	done | sed -E 's/ (timeout|refused|unreachable)$/ closed/' | sort >"$dir/observed"
}

# What the servers saw come in, as `FROM TO PORT FAMILY`.
arrived() {
	local name
	for name in $everybody; do
		awk -v to="$name" '{ print $3, to, $2 "/" $1 }' "$NET_DIR/$name.log"
	done | sort -u | awk '
		NR == FNR { name[$2] = $1 " FROM 4"; name[$3] = $1 " FROM 6"; next }
		{ split(name[$1], from); print from[1], $2, $3, from[3] }' <(
		for name in $everybody; do
			echo "$name $(v4 "$name") $(v6 "$name")"
		done
	) - | sort
}

forget_arrivals() {
	local name
	for name in $everybody; do
		: >"$NET_DIR/$name.log"
	done
}

# A namespace on no network in which nft loads the exported text.
scratch() { # NAME whose addresses it has
	ip netns del "$NET-scratch" 2>/dev/null || true
	ip netns add "$NET-scratch"
	ns scratch ip link add eth0 type bridge
	ns scratch ip link set lo up
	ns scratch ip addr add "$(v4 "$1")/24" dev eth0
	ns scratch ip addr add "$(v6 "$1")/64" dev eth0 nodad
	ns scratch nft -f "$dir/export.nft"
}

# The table without what packets change; only rules have an order.
listing() { # NAME
	ns "$1" nft -nn -s -j list table inet bulkhead | jq -S '
		def settled:
			del(.metainfo, .[]?.handle?, .counter.packets?, .counter.bytes?)
			| if .set.name? // "" | startswith("denied") then del(.set.elem) else . end
			| if .map.elem? then .map.elem |= sort_by(tostring) else . end
			| if .set.elem? then .set.elem |= sort_by(tostring) else . end;
		.nftables | map(settled)
		| (map(select(.rule)) | group_by(.rule.chain)), (map(select(.rule | not)) | sort_by(tostring))'
}

setup_file() {
	local name
	net_up front api db:app=db,tier=data cache:app=cache,tier=data batch admin sealed stray
	outsider world
	write_policies
	for name in $everybody; do
		serve "$name" 80/tcp 443/tcp 5432/tcp 8001/tcp 8003/tcp 53/udp 443/udp
	done
}

teardown_file() { net_down; }

setup() {
	dir=$BATS_TEST_TMPDIR
	expected >"$dir/expected"
	forget_arrivals
}

teardown() { ip netns del "$NET-scratch" 2>/dev/null || true; }

# --- the tests, in this order ----------------------------------------------------------------

@test "before the first apply every cell is open: the servers answer, the probe asks" {
	sed 's/closed$/open/' "$dir/expected" >"$dir/all"
	observe "$dir/all"
	diff <(sort "$dir/all") "$dir/observed"
}

@test "apply: status finds every managed end point protected" {
	bulkhead apply
	run bulkhead status
	[ "$status" -eq 0 ]
	for name in $managed; do
		grep -Eq "^protected +shop/$name " <<<"$output"
	done
	grep -Eq "^unmanaged +shop/stray " <<<"$output"
	run bulkhead status --strict # stray is a finding
	[ "$status" -eq 1 ]
}

@test "explain says of every cell what the table says" {
	addressed "$dir/expected" | awk '{ print $7, $6, $8 }' |
		bulkhead explain --batch - >"$dir/explained"
	cut -d ' ' -f 1-4 "$dir/expected" | paste -d ' ' - "$dir/explained" |
		sed 's/allow$/open/; s/deny$/closed/' | diff "$dir/expected" -
}

@test "every cell by real packets is what the table says" {
	observe "$dir/expected"
	diff <(sort "$dir/expected") "$dir/observed"
	# And no packet of a closed cell came in anywhere, answered or not.
	diff <(sort "$dir/expected" | sed -n 's/ open$//p' | grep -v ping) <(arrived)
}

@test "nft, the second reader, lists in each namespace what export prints, and no more" {
	for name in $managed; do
		bulkhead export --format nft --endpoint "$name" >"$dir/export.nft"
		scratch "$name"
		listing "$name" >"$dir/theirs"
		listing scratch >"$dir/ours"
		diff "$dir/ours" "$dir/theirs"
		grep -q "\"comment\": \"endpoint shop/$name\"" "$dir/theirs"
	done
	[ -z "$(ns stray nft list ruleset)" ]
	[ -z "$(ns switch nft list ruleset)" ]
}

@test "exported text loaded by nft -f reads back as protected" {
	for name in $managed; do
		bulkhead export --format nft --endpoint "$name" >"$dir/export.nft"
		scratch "$name"
		jq --arg id "shop/$name" --arg netns "/run/netns/$NET-scratch" \
			'(.endpoints[] | select(.id == $id)).netns = $netns' \
			"$NET_DIR/inventory.json" >"$dir/inventory.json"
		run bulkhead status --inventory "$dir/inventory.json"
		[ "$status" -eq 0 ]
		grep -Eq "^protected +shop/$name " <<<"$output"
	done
}

@test "a second apply changes nothing" {
	run bulkhead apply
	[ "$status" -eq 0 ]
	[[ $output == *" 0 created, 0 updated, 7 unchanged, 0 removed"* ]]
}

@test "a hole in one table is found by the packets, by status, and closed by apply" {
	ns sealed nft insert rule inet bulkhead input udp dport 443 accept
	observe "$dir/expected"
	# It lets in those whom nobody holds back at the other end: admin, stray, world and the host.
	[ "$(arrived | grep -c ' sealed 443/udp ')" -eq 8 ]
	run bulkhead status
	[ "$status" -eq 1 ]
	grep -E "^[a-z]+ +shop/sealed " <<<"$output" | grep -vq ^protected
	bulkhead apply
	bulkhead status
	forget_arrivals
	observe "$dir/expected"
	diff <(sort "$dir/expected") "$dir/observed"
	[ -z "$(arrived | grep ' sealed ')" ]
}

@test "on-deny: reject tells the own sender at once, and is silent to those outside" {
	[ "$(ask sealed admin 80/tcp)" = "timeout timeout" ]
	sed -i 's/^service: sealed/&\non-deny: reject/' "$NET_DIR/policies/rest.yaml"
	bulkhead apply
	[ "$(ask sealed admin 80/tcp)" = "refused refused" ]
	[ "$(ask sealed admin 53/udp)" = "unreachable unreachable" ]
	[ "$(ask admin sealed 80/tcp)" = "timeout timeout" ]
	[ "$(ask admin sealed 53/udp)" = "timeout timeout" ]
}

@test "clean takes every table away and opens every cell again" {
	bulkhead apply --clean
	for name in $everybody; do
		[ -z "$(ns "$name" nft list ruleset)" ]
	done
	sed 's/closed$/open/' "$dir/expected" >"$dir/all"
	observe "$dir/all"
	diff <(sort "$dir/all") "$dir/observed"
}
