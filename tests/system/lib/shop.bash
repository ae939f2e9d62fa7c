# shellcheck shell=bash disable=SC2034,SC2154
# A shop as Docker Compose would start it: nginx, an interface of CGI scripts with redis-cli and psql,
# Redis and PostgreSQL, from Debian's packages, in containers on the host of docker.bash.
#
#     load lib/docker
#     load lib/shop
#     setup_file() { docker_up --live-restore; shop_up; }
#
#   shop_up                   images, network, policies; the containers web-1, api-1, cache-1, db-1, the
#                             customer, who is a machine beside the host, and two who sit in the same
#                             network: stranger-1, whom no policy selects, and intruder-1, who is
#                             selected and may do nothing
#   comes_up NAME NUMBER      runs container NAME, SERVICE-N, at address NUMBER of the network, and
#                             returns when Docker has started it; goes_down NAME takes it away
#   stopped NAME, started NAME  before and after it is stopped by other commands
#   served NAME               everything that is allowed to and from it passes, over both families
#   order                     the customer's: through nginx, the interface, Redis and PostgreSQL; says
#                             its number
#   as USER VERB ...          the program, run by user $shop_team, who may change what team-data owns, or
#                             by $shop_stranger, who may nothing; both may connect
#   asks                      questions for `probe ask`: every address and port of the shop
#   may_not SERVICE NUMBER... of these with their answers, on standard input, those that should not be:
#                             an answer that came though SERVICE may not call that port, whoever has
#                             the address. At NUMBERs are strangers: strangers and the host may
#
# From its first instruction on each container asks all of them, see shop_first: what was answered is in
# $shop/answers.NAME, who came to intruders and strangers in $shop/arrivals.NAME.

shop_numbers=(11 12 13 14 15 16 21 22 23 24 25 26)
shop_ports=(80 8080 6379 5432 9999)
shop_team=65532 shop_stranger=65533 shop_staff=65531 # users, and the group that may connect
declare -gA shop_out=([web]=8080 [api]="6379 5432" [stranger]=80 [host]=80) # to be called by others

at4() { echo "10.66.0.$1"; }  # NUMBER
at6() { echo "fd00:66::$1"; } # NUMBER, its digits in both

# --- images ----------------------------------------------------------------------------------

# The files, and what they are linked with.
with_libraries() { # ROOT FILE...
	local file
	{
		printf '%s\n' "${@:2}"
		ldd "${@:2}" | grep -oE '/[^ :()]+'
	} | sort -u | while read -r file; do
		mkdir -p "$1${file%/*}" && cp -L "$file" "$1$file" || return
	done
}

# What a container does beside its work: for its first second it asks everything of everybody else.
# What got any answer is kept.
# shellcheck disable=SC2016
shop_first='#!/bin/sh
grep -vF -e "10.66.0.$NUMBER " -e "fd00:66::$NUMBER " /shop/asks >/tmp/ask
{
	for round in 1 2 3 4; do
		/probe ask --tries 1 --timeout 250 </tmp/ask >/tmp/answers
		paste -d " " /tmp/ask /tmp/answers | grep -vE " (timeout|unreachable)$"
		echo "asked $(wc -l </tmp/answers)"
	done >>"/shop/answers.$NAME" 2>&1
} &
exec "$@"'

root_of() { # IMAGE: a folder with busybox, probe and shop_first
	local root=$NET_DIR/roots/$1 name
	mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/shop" || return
	cp "$(command -v busybox)" "$root/bin/busybox" || return
	while read -r name; do
		[ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
	done < <(busybox --list)
	with_libraries "$root" "$(realpath "$probe_program")" || return
	mv "$root$(realpath "$probe_program")" "$root/probe"
	echo "$shop_first" >"$root/first"
	chmod 755 "$root/first" && chmod 1777 "$root/tmp"
	printf '%s\n' root:x:0:0::/:/bin/sh postgres:x:70:70::/:/bin/sh >"$root/etc/passwd"
	printf '%s\n' root:x:0: postgres:x:70: >"$root/etc/group"
	echo "$root"
}

packed() { # IMAGE ROOT
	tar -C "$2" -c . | docker import - "shop/$1:1" >/dev/null
}

web_image() {
	local root
	root=$(root_of web) && with_libraries "$root" /usr/sbin/nginx || return
	mkdir -p "$root/var/log/nginx" "$root/var/lib/nginx"
	cat >"$root/etc/nginx.conf" <<-'N'
		user root; worker_processes 1; pid /tmp/nginx.pid; error_log stderr error;
		events {}
		http {
			access_log off;
			resolver 127.0.0.11 ipv6=off;
			server {
				listen 80; listen [::]:80; listen 9999; listen [::]:9999;
				location = /ok { default_type text/plain; return 200 "here you are\n"; }
				location / { set $api api-1; proxy_pass http://$api:8080$request_uri; }
			}
		}
	N
	packed web "$root"
}

api_image() {
	local root
	root=$(root_of api) && with_libraries "$root" /usr/bin/redis-cli "$postgres/psql" || return
	mkdir -p "$root/www/cgi-bin"
	echo "here you are" >"$root/www/ok"
	cat >"$root/www/cgi-bin/order" <<-S
		#!/bin/sh
		n=\$(redis-cli -h cache-1 INCR orders) &&
			$postgres/psql -h db-1 -U postgres -qtA -c "INSERT INTO orders VALUES (\$n)" &&
			printf 'Status: 200 OK\r\n\r\norder %s\n' "\$n" && exit
		printf 'Status: 502 Bad Gateway\r\n\r\nno order: %s\n' "\$n"
	S
	chmod 755 "$root/www/cgi-bin/order"
	packed api "$root"
}

cache_image() {
	local root
	root=$(root_of cache) && with_libraries "$root" /usr/bin/redis-server && packed cache "$root"
}

# Its data is in a volume, made once and copied: initdb takes longer than all the rest.
db_image() {
	local root share=${postgres/\/lib\//\/share\/}
	share=${share%/bin}
	root=$(root_of db) || return
	with_libraries "$root" "$postgres/postgres" "$postgres/initdb" "$postgres/psql" \
		/usr/bin/setpriv || return
	mkdir -p "$root$share" "$root${postgres%/bin}/lib" "$root/usr/share/zoneinfo" "$root/data"
	cp -rL "$share/." "$root$share" &&
		cp -L "${postgres%/bin}/lib"/{plpgsql,dict_snowball}.so "$root${postgres%/bin}/lib" &&
		cp -L /usr/share/zoneinfo/UTC "$root/usr/share/zoneinfo/" || return
	packed db "$root"
	mkdir "$shop/data" && chown 70:70 "$shop/data" || return
	docker run --rm --network none --user 70:70 --env TZ=UTC --volume "$shop/data:/data" shop/db:1 \
		"$postgres/initdb" -D /data -U postgres -E UTF8 --locale C -A trust --no-sync \
		--wal-segsize=1 >/dev/null || return
	cat >>"$shop/data/postgresql.conf" <<-'C'
		listen_addresses = '*'
		unix_socket_directories = '/tmp'
		fsync = off
		shared_buffers = 4MB
		autovacuum = off
		jit = off
	C
	printf 'host all all %s trust\n' 10.66.0.0/24 fd00:66::/64 >>"$shop/data/pg_hba.conf"
}

box_image() {
	local root
	root=$(root_of box) && packed box "$root"
}

# --- containers ------------------------------------------------------------------------------

# What runs in a container of a service, in $image and $command, and more options in $options.
what_runs() { # NAME
	image=${1%-*} options=()
	case $image in
	web)
		command=(nginx -c /etc/nginx.conf -g 'daemon off;')
		[ "$1" != web-1 ] || options=(--publish 8080:80)
		;;
	api) command=(httpd -f -p '[::]:8080' -h /www) ;;
	cache) command=(redis-server --bind 0.0.0.0 :: --protected-mode no --save '' --dir /tmp) ;;
	db)
		options=(--volume "$shop/$1:/data")
		command=(/usr/bin/setpriv --reuid 70 --regid 70 --clear-groups "$postgres/postgres" -D /data)
		;;
	*)
		image=box
		# shellcheck disable=SC2016
		command=(sh -c 'exec /probe listen "$@" >>/shop/arrivals.$NAME' sh "${shop_ports[@]/%//tcp}")
		;;
	esac
}

comes_up() { # NAME NUMBER
	local image command options service=${1%-*}
	what_runs "$1"
	[ "$service" != db ] || [ -e "$shop/$1" ] || cp -a "$shop/data" "$shop/$1" || return
	echo "$2" >"$shop/number.$1"
	[ "$service" != stranger ] || echo "$1" >"$shop/stranger.$2"
	[ "$service" = stranger ] || options+=(--label com.docker.compose.project=shop
		--label "com.docker.compose.service=$service"
		--label "com.docker.compose.container-number=${1#*-}")
	docker run --detach --name "$1" --network shop --ip "$(at4 "$2")" --ip6 "$(at6 "$2")" \
		--env "NAME=$1" --env "NUMBER=$2" --env PATH=/bin:/usr/bin:/usr/sbin \
		--volume "$shop:/shop" "${options[@]}" "shop/$image:1" /first "${command[@]}" \
		>/dev/null && started "$1"
}

# As a file: whoever asks from inside asks often.
started() {
	docker inspect --format '{{.State.Pid}}' "$1" >"$shop/pid.$1" && mv "$shop/pid.$1" "$NET_DIR/$1.pid"
}
stopped() { rm -f "$NET_DIR/$1.pid"; }

goes_down() { # NAME
	stopped "$1"
	docker rm -f "$1" >/dev/null || return
	[[ $1 != stranger-* ]] || rm "$shop/stranger.$(<"$shop/number.$1")"
}

shop_up() {
	export shop=$NET_DIR/shop postgres
	postgres=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	mkdir "$shop" "$NET_DIR/roots" && chmod 777 "$shop" || return
	web_image && api_image && cache_image && db_image && box_image || return
	rm -rf "$NET_DIR/roots"
	shop_policies
	cat >"$NET_DIR/bulkhead.yaml" <<-H
		new-namespaces: quarantine
		policies: {watch: false}
		roles: [{user: $shop_team, role: operator, owners: [team-data]}]
		control: {group: $shop_staff}
	H
	asks >"$shop/asks"
	docker network create --ipv6 --subnet 10.66.0.0/24 --subnet fd00:66::/64 shop >/dev/null
	outsider customer 198.51.100.1/24 198.51.100.9/24
	comes_up cache-1 13 && comes_up db-1 14 && comes_up api-1 12 && comes_up web-1 11 &&
		comes_up stranger-1 15 && comes_up intruder-1 16 || return
	await sql db-1 'CREATE TABLE orders (n integer PRIMARY KEY)'
	await order || fail "$(docker ps -a; patience=5 page customer 198.51.100.1 8080 /cgi-bin/order)"
}

# --- who may what ----------------------------------------------------------------------------

shop_policies() {
	policy web <<-'Y'
		service: web
		owner: team-front
		select: {compose: shop/web}
		ingress: [{from: [{entity: world}, {entity: host}], ports: [80/tcp]}]
		egress: [{to: [{service: api}], ports: [8080/tcp, 7001/udp]}]
		dns: allow
	Y
	policy api <<-'Y'
		service: api
		owner: team-back
		select: {compose: shop/api}
		ingress: [{from: [{service: web}], ports: [8080/tcp, 7001/udp]}]
		egress:
		  - {to: [{service: cache}], ports: [6379/tcp, 7001/udp]}
		  - {to: [{service: db}], ports: [5432/tcp]}
		dns: allow
	Y
	policy cache <<-'Y'
		service: cache
		owner: team-data
		select: {compose: shop/cache}
		ingress: [{from: [{service: api}], ports: [6379/tcp, 7001/udp]}]
	Y
	policy db <<-'Y'
		service: db
		owner: team-data
		select: {compose: shop/db}
		ingress: [{from: [{service: api}], ports: [5432/tcp]}]
	Y
	policy intruder <<-'Y'
		service: intruder
		select: {compose: shop/intruder}
	Y
}

asks() {
	local number port
	for number in "${shop_numbers[@]}"; do
		for port in icmp "${shop_ports[@]/%//tcp}"; do
			printf '%s %s\n' "$(at4 "$number")" "$port" "$(at6 "$number")" "$port"
		done
	done
}

may_not() { # SERVICE NUMBER...
	local number port but=()
	for port in ${shop_out[$1]:-}; do
		but+=(-e " $port/tcp ")
	done
	for number in "${@:2}"; do
		[[ $1 != stranger && $1 != host ]] ||
			but+=(-e "^$(at4 "$number") " -e "^$(at6 "$number") ")
	done
	grep -v -e ' timeout$' -e ' unreachable$' -e '^asked ' "${but[@]}"
}

# --- requests --------------------------------------------------------------------------------

as() { # USER VERB ...
	on_host cp "$(realpath "$bulkhead_program")" /run/bulkhead-of-all
	on_host setpriv --reuid "$1" --regid $shop_staff --clear-groups /run/bulkhead-of-all "${@:2}"
}

sql() { inside "$1" "$postgres/psql" -h 127.0.0.1 -U postgres -qtA -c "$2"; } # CONTAINER SQL

# A page from there; the whole answer of a server that closes. A connection of which the first packet
# was dropped would be tried again by itself after a second only.
page() { # FROM ADDRESS PORT PATH
	# shellcheck disable=SC2016
	inside "$1" timeout "${patience:-0.5}" bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET $3 HTTP/1.0\r\n\r\n" >&3 &&
		cat <&3' bash "${@:2}" 2>/dev/null
}

order() { patience=5 page customer 198.51.100.1 8080 /cgi-bin/order | grep '^order [0-9]'; }

# What each port's own client says when it is served.
passes() { # FROM NUMBER PORT
	local address
	for address in "$(at4 "$2")" "$(at6 "$2")"; do
		case $3 in
		6379) inside "$1" timeout 0.5 redis-cli -h "$address" PING | grep -q PONG ;;
		5432) inside "$1" "$postgres/pg_isready" -q -t 1 -h "$address" ;;
		*) page "$1" "$address" "$3" /ok | grep -q 'here you are' ;;
		esac || return
	done
}

served() { # NAME
	local number
	number=$(<"$shop/number.$1")
	case ${1%-*} in
	web) passes stranger-1 "$number" 80 && passes "$1" 12 8080 ;;
	api) passes web-1 "$number" 8080 && passes "$1" 13 6379 && passes "$1" 14 5432 ;;
	cache) passes api-1 "$number" 6379 ;;
	db) passes api-1 "$number" 5432 ;;
	stranger) passes "$1" 11 80 ;;
	intruder) inside "$1" nft list table inet bulkhead >/dev/null 2>&1 ;;
	esac
}
