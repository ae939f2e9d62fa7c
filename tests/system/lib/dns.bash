# shellcheck shell=bash
# Questions to name servers, by UDP and TCP.
#
#   dns_answers PROTO ADDRESS COMMAND...   does a server say that up.example is 192.0.2.7? COMMAND runs
#                                          what follows it where the question shall come from: `ns a`
#
# Servers of tests say so with dnsmasq's --address=/up.example/192.0.2.7.

# Over TCP a message's length comes before it, in the answer as well.
dns_question='\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02up\x07example\x00\x00\x01\x00\x01'

dns_answers() { # udp|tcp ADDRESS COMMAND...
	local question=$dns_question len=44
	[ "$1" = udp ] || question="\\x00\\x1c$question" len=46
	# shellcheck disable=SC2016
	"${@:3}" timeout 1.5 bash -c 'exec 3<>"/dev/$1/$2/53" && printf "$3" >&3 && head -c "$4" <&3' \
		bash "$1" "$2" "$question" $len 2>/dev/null | od -An -v -tx1 | tr -d ' \n' |
		grep -q c0000207
}
