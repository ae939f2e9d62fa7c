"""Random native documents that are valid, and whose rules are about who is there."""
import ipaddress

from . import people

ASKED = ["80/tcp", "81/tcp", "443/tcp", "443/udp", "53/udp", "53/tcp", "8000/tcp", "8005/tcp", "9/sctp",
         "80/sctp", "1/tcp", "65535/udp", "icmp/echo-request", "icmp/13", "icmpv6/echo-request",
         "icmpv6/139"]
# What the servers of the packet test have, and a ping of each family.
PACKETS = ["80/tcp", "443/tcp", "8000/tcp", "53/udp", "443/udp", "icmp/echo-request",
           "icmpv6/echo-request"]
PORTS = ["80/tcp", "81/tcp", "443", "443/tcp", "443/udp", "53/udp", "53/tcp", "9/sctp", "tcp", "udp", "sctp",
         "icmp", "icmpv6", "icmp/echo-request", "icmp/8", "icmp/timestamp-request", "icmp/13",
         "icmpv6/echo-request", "icmpv6/128", "icmpv6/139", "any", "8000-8005/tcp", "79-80/tcp",
         "81-442/tcp", "1-65535/udp", "2-65534/tcp", "1-9/sctp", "10-80/sctp", "8001-65535/tcp"]


class Writer:
    """Documents about one inventory."""

    def __init__(self, chance, inventory, extra, contested, scale=1):
        self.c = chance
        self.inventory = inventory
        self.endpoints = inventory["endpoints"]
        self.scale = scale
        self.contested = contested      # then guardrails name no entity: see conformance.md
        taken = [a for e in self.endpoints for a in e["addresses"]]
        self.addresses = taken * 2 + list(extra) + ["10.77.0.254", "fd00:77::fe"]
        self.services = ["s%d" % i for i in range(chance.between(1, 5 * scale))]
        self.groups = ["g%d" % i for i in range(chance.between(0, 2))]
        self.scopes = ["scope%d" % i for i in range(chance.between(0, 2))]

    # --- peers ---------------------------------------------------------------------------------

    def prefix(self, within=None):
        """A prefix around an address that is asked about, or inside another prefix."""
        c = self.c
        a = ipaddress.ip_address(c.of(self.addresses))
        if within is not None:
            inside = [x for x in map(ipaddress.ip_address, self.addresses)
                      if x.version == within.version and x in within]
            a = c.of(inside) if inside and c.percent(85) else within.network_address
        full = a.max_prefixlen
        lengths = [full, full, full - 1, full - 2, full - 4, full - 8, full - 16, full // 2, 8, 0]
        if within is not None:
            lengths = [n for n in lengths if n > within.prefixlen]
            if not lengths:
                return None
        return ipaddress.ip_network((a, c.of(lengths)), strict=False)

    def cidr(self, peer):
        c = self.c
        net = self.prefix()
        alone = net.prefixlen == net.max_prefixlen and c.percent(50)
        peer["cidr"] = str(net.network_address) if alone else str(net)
        if c.percent(45):
            holes = {str(p) for p in (self.prefix(net) for _ in range(c.between(1, 3))) if p}
            if holes:
                peer["except"] = sorted(holes)

    def some_labels(self):
        e = self.c.of(self.endpoints)
        pool = {**e.get("image_labels", {}), **e["labels"]} if self.c.percent(30) else e["labels"]
        got = dict(self.c.some(sorted(pool.items()), 1, 2))
        return got or {"app": self.c.of(["web", "nobody"])}

    def peer(self, guardrail=False):
        c = self.c
        if c.percent(20) and not (guardrail and self.contested):
            got = {"entity": c.of(["host", "world", "managed", "world"])}
            if c.percent(35):
                self.cidr(got)
            return got
        kinds = ["service", "service", "labels", "cidr", "cidr"] + (["group"] if self.groups else [])
        if guardrail and self.scopes:
            kinds += ["scope", "not-scope"]
        got = {}
        for kind in c.some(sorted(set(kinds)), 2, 2) if c.percent(20) else [c.of(kinds)]:
            self.key(got, kind)
        return got

    def key(self, peer, kind):
        c = self.c
        if kind == "cidr":
            self.cidr(peer)
        elif kind == "labels":
            peer["labels"] = self.some_labels()
        else:
            peer[kind] = c.of({"service": self.services, "group": self.groups, "scope": self.scopes,
                               "not-scope": self.scopes}[kind])

    def ports(self, says, missing=25):
        if not self.c.percent(missing):
            says["ports"] = self.c.some(PORTS, 1, 4)

    # --- documents -----------------------------------------------------------------------------

    def rule(self, side, guardrail=False):
        c = self.c
        says = {side: [self.peer(guardrail) for _ in range(c.of([1, 1, 1, 2, 3]))]}
        if c.percent(3) and not guardrail:
            says[side] = []
        self.ports(says)
        if guardrail:
            if c.percent(50):
                says["unless"] = [self.exception() for _ in range(c.between(1, 2))]
        elif c.percent(10):
            says["expires"] = c.of(["2020-01-31T00:00:00Z", "2120-01-31T00:00:00Z"])
        return says

    def exception(self):
        got = self.peer(True)
        self.ports(got, 50)
        return got

    def rules(self, side):
        return [self.rule(side) for _ in range(self.c.between(0, 4 * self.scale))]

    def select(self):
        c, e = self.c, self.c.of(self.endpoints)
        kinds = ["labels"] * 4 + [k for k in ("compose", "image", "runtime", "name") if e.get(k)]
        got = {}
        for kind in c.some(sorted(set(kinds)), 2, 2) if c.percent(12) else [c.of(kinds)]:
            if kind == "labels":
                got["labels"] = dict(c.some(sorted(e["labels"].items()), 1, 2)) or {"app": "web"}
            elif kind == "image" and c.percent(60):
                got[kind] = self.digest(e)
            elif kind == "image":
                got[kind] = self.pattern(e[kind].partition("@")[0])
            elif kind == "name":
                got[kind] = self.pattern(e[kind])
            else:
                got[kind] = e.get(kind, "docker" if kind == "runtime" else "shop/web")
        return got

    def digest(self, e):
        """Of what is known of it, of another, or any."""
        c = self.c
        known = e.get("image_digests", []) + people.IMAGE_DIGESTS[:2]
        name, _, digest = c.of(known).partition("@")
        if c.percent(30):
            name = e["image"].partition("@")[0].partition(":")[0]
        digest = c.of([digest, digest, "sha256:*", e.get("image_id", people.IMAGE_IDS[0])])
        return c.of([name, name, "*", self.pattern(name)]) + "@" + digest

    def pattern(self, text):
        c = self.c
        at = c.below(len(text))
        return c.of([text, text[:at] + "*", "*" + text[at:], text[:at] + "?" + text[at + 1:],
                     text[:at] + "*" + text[at + 1:], text[:at + 1] + "*" + text[at + 1:]])

    def service(self, name):
        c = self.c
        d = {"service": name, "select": self.select()}
        if self.scopes and c.percent(40):
            d["scope"] = c.of(self.scopes)
        if c.percent(20):
            d["mode"] = c.of(["audit", "off", "enforce"])
        if c.percent(92):
            d["ingress"] = self.rules("from")
        if c.percent(18):
            d["egress"] = "follow"
        elif c.percent(92):
            d["egress"] = self.rules("to")
        if c.percent(30):
            d["dns"] = c.of(["allow", "allow", "deny"])
        if c.percent(10):
            d["log"] = {"denied": False}
        if c.percent(10):
            d["on-deny"] = "reject"
        return d

    def guardrail(self, i):
        c = self.c
        if c.percent(35):
            select = {"all": True}
        else:
            choices = {"labels": self.some_labels(), "services": c.some(self.services, 1, 2)}
            if self.scopes:
                choices["scope"] = c.of(self.scopes)
            select = dict(c.some(sorted(choices.items()), 1, 2 if c.percent(30) else 1))
        deny = [self.rule(c.of(["from", "to"]), True) for _ in range(c.between(1, 3))]
        return {"guardrail": "rail%d" % i, "select": select, "deny": deny}

    def group(self, name):
        return {"group": name, "cidrs": sorted({str(self.prefix()) for _ in range(self.c.between(0, 3))})}

    def documents(self):
        c = self.c
        got = [self.service(name) for name in self.services]
        got += [self.group(name) for name in self.groups]
        got += [{"scope": name} for name in self.scopes]
        got += [self.guardrail(i) for i in range(c.of([0, 0, 1, 1, 2, 3]))]
        return c.some(got, len(got), len(got))      # in any order
