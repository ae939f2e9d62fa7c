"""Addresses, prefixes and ports, as docs/policy-format.md has them.

An address is (family, number) with family 4 or 6; a prefix is (family, first, last).
"""
import ipaddress
import re

ICMP_NAMES = {
    "icmp": {"echo-request": 8, "timestamp-request": 13, "destination-unreachable": 3},
    "icmpv6": {"echo-request": 128, "echo-reply": 129, "packet-too-big": 2},
}
OF_FAMILY = {"icmp": 4, "icmpv6": 6}
HIGHEST = {"icmp": 255, "icmpv6": 255}


def address(text):
    a = ipaddress.ip_address(text)
    return (a.version, int(a))


def show(a):
    return str(ipaddress.IPv4Address(a[1]) if a[0] == 4 else ipaddress.IPv6Address(a[1]))


def prefix(text):
    n = ipaddress.ip_network(text)
    return (n.version, int(n.network_address), int(n.broadcast_address))


def inside(a, p):
    return a[0] == p[0] and p[1] <= a[1] <= p[2]


def port(written):
    """What `ports:` says, or a question: (protocol, lowest, highest); `any` has no protocol."""
    text = str(written)
    if text == "any":
        return (None, 0, 65535)
    if re.fullmatch(r"\d+(-\d+)?", text):
        text += "/tcp"
    left, slash, right = text.partition("/")
    if not slash:
        return (left, 0, HIGHEST.get(left, 65535))
    if left in ICMP_NAMES:
        kind = int(right) if right.isdigit() else ICMP_NAMES[left][right]
        return (left, kind, kind)
    low, _, high = left.partition("-")
    return (right, int(low), int(high or low))


class Questions:
    """The ports that are asked of each pair of ends. A set of them is a number, a bit for each."""

    def __init__(self, texts):
        self.texts = list(texts)
        self.asked = [port(t) for t in self.texts]
        self.known = {}
        self.all = (1 << len(self.texts)) - 1
        self.of_family = {f: self.where(lambda q: OF_FAMILY.get(q[0], f) == f) for f in (4, 6)}

    def where(self, holds):
        return sum(1 << i for i, q in enumerate(self.asked) if holds(q))

    def among(self, specs):
        """Those that one of these ports has (a tuple of what port() gives); without any, all."""
        if specs is None:
            return self.all
        if specs not in self.known:
            self.known[specs] = self.where(lambda q: any(
                protocol in (None, q[0]) and low <= q[1] <= high for protocol, low, high in specs))
        return self.known[specs]
