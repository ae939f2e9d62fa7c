#!/usr/bin/env python3
"""Packets and calls that attackers make (tests/system/threat.bats).

  forge.py frame DEVICE TO-MAC SHAPE [KEY=VALUE]...   out of a packet socket (CAP_NET_RAW)
  forge.py raw SHAPE [KEY=VALUE]...                   out of a raw socket, through the stack (the same)
  forge.py call WHAT [KEY=VALUE]...                   what needs no capability; says ok or an error's name
  forge.py hear DEVICE TEXT READY                     a line when a frame with TEXT comes in (the same)

from, to: addresses, of IPv4 or IPv6. sport, dport, proto (udp, tcp or a number), flags and seq (of TCP), text.
"""
import errno
import socket
import struct
import sys

UDP, TCP, ICMP, ARP = 17, 6, 1, 0x0806
FLAGS = {"syn": 2, "ack": 16, "synack": 18, "fin": 1, "null": 0, "xmas": 41, "rst": 4}


def total(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s >> 16) + (s & 0xffff)
    return ~s & 0xffff


class Packet:
    """What the keys say, and how it becomes bytes."""

    def __init__(self, keys):
        k = {"sport": "4000", "dport": "9000", "proto": "udp", "flags": "syn", "seq": "1000", "text": "forged",
             "source": "0", "smac": "", "ttl": "64"}
        k.update(keys)
        self.k = k
        self.v6 = ":" in k["to"]
        family = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.src, self.dst = (socket.inet_pton(family, k[x]) for x in ("from", "to"))
        self.proto = {"udp": UDP, "tcp": TCP}.get(k["proto"]) or int(k["proto"])
        self.sport, self.dport = int(k["sport"]), int(k["dport"])

    def upper(self, dport=None):
        """The transport's header, with its checksum, and the text."""
        ports = struct.pack("!HH", self.sport, dport or self.dport)
        text = self.k["text"].encode()
        pseudo = self.src + self.dst + struct.pack("!I", 0)
        if self.proto == TCP:
            head = ports + struct.pack("!IIBBHHH", int(self.k["seq"]),
                                       int(self.k["seq"]) + 1000 if self.k["flags"] != "syn" else 0, 5 << 4,
                                       FLAGS[self.k["flags"]], 1024, 0, 0)
            text, at = b"", 16
        elif self.proto in (UDP, 136):
            head, at = ports + struct.pack("!HH", 8 + len(text), 0), 6
        else:  # where others have their ports
            return ports + struct.pack("!II", 0, 0) + text
        size = len(head) + len(text)
        pseudo = self.src + self.dst + struct.pack("!HH", size, self.proto)
        sum_ = total(pseudo + head + text) or 0xffff
        return head[:at] + struct.pack("!H", sum_) + head[at + 2:] + text

    def ip(self, payload, offset=0, more=False, proto=None, options=b""):
        proto = self.proto if proto is None else proto
        if self.v6:
            return struct.pack("!IHBB", 6 << 28, len(payload), proto, int(self.k["ttl"])) + self.src + \
                self.dst + payload
        words = 5 + len(options) // 4
        head = struct.pack("!BBHHHBBH", 0x40 + words, 0, words * 4 + len(payload), self.ident(),
                           (more << 13) | (offset // 8), int(self.k["ttl"]), proto, 0)
        head += self.src + self.dst + options
        return head[:10] + struct.pack("!H", total(head)) + head[12:] + payload

    def ident(self):
        return 0x4000 + self.dport % 1000 + len(self.k["text"])

    def piece(self, payload, offset, more, proto=None):
        """One fragment."""
        if not self.v6:
            return self.ip(payload, offset, more)
        proto = self.proto if proto is None else proto
        return self.ip(struct.pack("!BBHI", proto, 0, offset | more, self.ident()) + payload, proto=44)


def plain(p):
    return [p.ip(p.upper())]


def pieces(p):
    u = p.upper()
    return [p.piece(u[:8], 0, True), p.piece(u[8:], 8, False)]


def backwards(p):
    return pieces(p)[::-1]


def overlap(p):
    """The port in the first fragment is an allowed one, a second one writes over it."""
    u, w = p.upper(), p.upper(7001)
    return [p.piece(w[:16], 0, True), p.piece(u[:16], 0, True), p.piece(u[16:], 16, False)]


def overlap_late(p):
    """The same, what is written over it comes first."""
    u, w = p.upper(), p.upper(7001)
    return [p.piece(u[8:], 8, False), p.piece(w[:16], 0, True), p.piece(u[:8], 0, True)]


def atomic(p):
    return [p.piece(p.upper(), 0, False)]


def options(p):
    """IPv4: options up to the header's end. IPv6: hop by hop, destination, destination."""
    if not p.v6:
        return [p.ip(p.upper(), options=b"\1" * 40)]
    u = p.upper()
    pad = b"\1\4\0\0\0\0"
    dest = struct.pack("!BB", p.proto, 0) + pad + u
    dest = struct.pack("!BB", 60, 0) + pad + dest
    return [p.ip(struct.pack("!BB", 60, 0) + pad + dest, proto=0)]


def hidden(p):
    """IPv6: the first fragment ends before the transport begins."""
    if not p.v6:
        return pieces(p)
    dest = struct.pack("!BB", p.proto, 0) + b"\1\4\0\0\0\0" + p.upper()
    return [p.piece(dest[:8], 0, True, 60), p.piece(dest[8:], 8, False, 60)]


def error(p):
    """ICMP: not reachable, about a packet that the one it goes to has sent (its ports: sport, dport)."""
    inner = Packet(dict(p.k, **{"from": p.k["to"], "to": p.k["about"]}))
    quoted = inner.ip(inner.upper()[:8]) + p.k["text"].encode()
    if p.v6:
        body = struct.pack("!BBHI", 1, 4, 0, 0) + quoted
        sum_ = total(p.src + p.dst + struct.pack("!II", len(body), 58) + body)
        return [p.ip(body[:2] + struct.pack("!H", sum_) + body[4:], proto=58)]
    body = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
    return [p.ip(body[:2] + struct.pack("!H", total(body)) + body[4:], proto=ICMP)]


def mac(text):
    return bytes(int(x, 16) for x in text.split(":"))


def neighbour(p):
    """Who says that `from` is at `smac`: an ARP answer, or a neighbour advertisement."""
    if not p.v6:
        return [struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac(p.k["smac"]) + p.src + mac(p.k["dmac"]) +
                p.dst]
    text = p.k["text"].encode()[:14].ljust(14, b"\0")
    body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + p.src + b"\2\1" + mac(p.k["smac"])
    body += b"\xfd\2" + text  # an option that nobody knows
    sum_ = total(p.src + p.dst + struct.pack("!II", len(body), 58) + body)
    p.k["ttl"] = "255"
    return [p.ip(body[:2] + struct.pack("!H", sum_) + body[4:], proto=58)]


SHAPES = {f.__name__: f for f in (plain, pieces, backwards, overlap, overlap_late, atomic, options, hidden,
                                  error, neighbour)}


def send_frames(device, dmac, shape, keys):
    with open("/sys/class/net/%s/address" % device, encoding="ascii") as f:
        own = f.read().strip()
    p = Packet(dict({"smac": own, "dmac": dmac}, **keys))
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((device, 0))
    kind = 0x86dd if p.v6 else ARP if shape == "neighbour" else 0x0800
    for packet in SHAPES[shape](p):
        s.send(mac(dmac) + mac(own) + struct.pack("!H", kind) + packet)


def send_raw(shape, keys):
    p = Packet(keys)
    family = socket.AF_INET6 if p.v6 else socket.AF_INET
    s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for packet in SHAPES[shape](p):
        s.sendto(packet, (keys["to"], 0))


# --- without a capability ----------------------------------------------------------------------

def datagram(k, level=None, name=None, value=1, kind=socket.SOCK_DGRAM, proto=0):
    v6 = ":" in k["to"]
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind, proto)
    s.settimeout(float(k.get("wait", 0.5)))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if level is not None:
        s.setsockopt(level, name, value)
    if "from" in k or "sport" in k:
        s.bind((k.get("from", ""), int(k.get("sport", 0))))
    to = (k["to"], int(k.get("dport", 9000)))
    if kind == socket.SOCK_STREAM:
        s.connect(to)
    else:
        s.sendto(k.get("text", "forged").encode(), to)


def pad4(b):
    return b + b"\0" * (-len(b) % 4)


def source_route(k):
    """IPv4's loose source route by `via`; IPv6's segment routing header."""
    if ":" not in k["to"]:
        hops = socket.inet_aton(k["via"])
        return datagram(k, socket.IPPROTO_IP, 4, pad4(bytes([131, 3 + len(hops), 4]) + hops))
    segments = b"\0" * 16 + socket.inet_pton(socket.AF_INET6, k["via"])
    return datagram(k, socket.IPPROTO_IPV6, 57, struct.pack("!BBBBBBH", 0, 4, 4, 1, 1, 0, 0) + segments)


CALLS = {
    "udp": datagram,
    "tcp": lambda k: datagram(k, kind=socket.SOCK_STREAM),
    "device": lambda k: datagram(k, socket.SOL_SOCKET, 25, b"eth0\0"),
    "freebind": lambda k: datagram(k, *((41, 78) if ":" in k["to"] else (0, 15))),
    "transparent": lambda k: datagram(k, *((41, 75) if ":" in k["to"] else (0, 19))),
    "ttl": lambda k: datagram(k, *((41, 16) if ":" in k["to"] else (0, 2))),
    "mark": lambda k: datagram(k, socket.SOL_SOCKET, 36, 1),
    "udplite": lambda k: datagram(k, proto=136),
    "route": source_route,
    "raw": lambda k: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
    "packet": lambda k: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "xdp": lambda k: socket.socket(44, socket.SOCK_RAW),
    "sctp": lambda k: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132),
}


def call(what, keys):
    try:
        CALLS[what](keys)
        print("ok")
    except socket.timeout:
        print("timeout")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))


def hear(device, text, ready):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((device, 3))
    with open(ready, "w", encoding="ascii"):
        pass
    while True:
        data, about = s.recvfrom(4096)
        if about[2] != 4 and text.encode() in data:  # not what this host sends itself
            print("heard", text, flush=True)


def main(argv):
    keys = dict(a.split("=", 1) for a in argv[1:] if "=" in a)
    words = [a for a in argv[1:] if "=" not in a]
    what = argv[0]
    if what == "frame":
        send_frames(words[0], words[1], words[2], keys)
    elif what == "raw":
        send_raw(words[0], keys)
    elif what == "call":
        call(words[0], keys)
    else:
        hear(*words)


if __name__ == "__main__":
    main(sys.argv[1:])
