"""One thing at a time: every kind of peer and port in both directions, modes, guardrails, selectors."""
from . import native
from .case import Case

HOST = ["10.77.0.254/24", "fd00:77::fe/64"]
OUTSIDE = ["10.77.0.254", "fd00:77::fe", "198.51.100.7", "2001:db8::7", "10.77.0.255", "224.0.0.251",
           "169.254.169.254", "fd00:ec2::254", "fe80::1"]
INVENTORY = {"host": {"addresses": HOST}, "endpoints": [
    {"id": "subject", "labels": {"app": "subject"}, "addresses": ["10.77.0.1", "fd00:77::1"],
     "resolvers": ["10.77.0.254", "fd00:77::fe"], "netns": "/run/netns/s1"},
    {"id": "web", "name": "web-1", "labels": {"app": "web", "tier": "front"}, "compose": "shop/web",
     "image": "registry.example/web:1.2", "image_id": "sha256:" + "1" * 64,
     "image_digests": ["registry.example/web@sha256:" + "ab" * 32], "runtime": "docker",
     "addresses": ["10.77.0.2", "10.77.1.2", "fd00:77::2"], "netns": "/run/netns/s2"},
    {"id": "web2", "name": "web-2", "labels": {"app": "web", "tier": "back"}, "runtime": "podman",
     "image": "registry.example/web@sha256:" + "ab" * 32, "addresses": ["10.77.0.3"], "netns": "/run/netns/s3"},
    {"id": "db", "labels": {"app": "db", "tier": "back"}, "addresses": ["10.77.0.4", "10.77.0.9"],
     "image_labels": {"baked": "yes"}, "netns": "/run/netns/s4"},
    {"id": "six", "labels": {"app": "six"}, "addresses": ["fd00:77::6"], "netns": "/run/netns/s5"},
    {"id": "stray", "labels": {"app": "stray", "tier": "back"}, "addresses": ["10.77.0.7", "fd00:77::7"],
     "netns": "/run/netns/s6"},
    {"id": "near", "labels": {"app": "near"}, "addresses": ["10.77.0.8"], "netns": "/run/netns/s7"},
    {"id": "twin", "labels": {"app": "twin"}, "addresses": ["10.77.0.8"], "netns": "/run/netns/s7"},
    {"id": "rival", "labels": {"app": "rival"}, "addresses": ["10.77.0.9"], "netns": "/run/netns/s8"},
    {"id": "quiet", "labels": {"app": "quiet"}, "addresses": [], "netns": "/run/netns/s9"},
    {"id": "remote", "labels": {"app": "remote"}, "addresses": ["10.77.0.10", "fd00:77::a"]},
    {"id": "agent", "labels": {"app": "agent"}, "obstacle": "host-network",
     "addresses": ["10.77.0.254", "fd00:77::fe"]},
]}
NAMES = [e["id"] for e in INVENTORY["endpoints"]]
# Not the two addresses that several have: those are asked about by name.
CLEAR = ["10.77.0.1", "fd00:77::1", "10.77.0.2", "10.77.1.2", "fd00:77::2", "10.77.0.4", "10.77.0.10"]
ENDS = NAMES + CLEAR + OUTSIDE
ANYWHERE = [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]
PORTS = ["80/tcp", "443/tcp", "53/udp", "53/tcp", "9/sctp", "icmp/echo-request", "icmpv6/echo-request"]

PEERS = [
    {"service": "web"}, {"service": "db"}, {"service": "six"}, {"service": "quiet"}, {"service": "agent"},
    {"service": "subject"}, {"service": "near"}, {"service": "rival"}, {"service": "remote"},
    {"labels": {"app": "web"}}, {"labels": {"tier": "back"}}, {"labels": {"app": "web", "tier": "back"}},
    {"labels": {"app": "stray"}}, {"labels": {"app": "agent"}}, {"labels": {"app": "nobody"}},
    {"labels": {"baked": "yes"}}, {"group": "some"}, {"group": "empty"}, {"cidr": "10.77.0.2"},
    {"cidr": "10.77.0.2/31"}, {"cidr": "10.77.0.0/24"}, {"cidr": "0.0.0.0/0"}, {"cidr": "::/0"},
    {"cidr": "fd00:77::/64"}, {"cidr": "fd00:77::2"}, {"cidr": "10.77.0.9"}, {"cidr": "10.77.0.255"},
    {"cidr": "10.77.0.0/16", "except": ["10.77.0.2/32", "10.77.0.4/30"]},
    {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, {"cidr": "::/0", "except": ["fd00::/8", "fe80::/10"]},
    {"cidr": "fd00:77::/64", "except": ["fd00:77::4/126"]}, {"cidr": "169.254.0.0/16"},
    {"cidr": "224.0.0.0/4"}, {"entity": "host"}, {"entity": "world"}, {"entity": "managed"},
    {"entity": "host", "cidr": "10.0.0.0/8"}, {"entity": "world", "cidr": "198.51.100.0/24"},
    {"entity": "world", "cidr": "10.0.0.0/8"}, {"entity": "managed", "cidr": "10.77.0.0/30"},
    {"entity": "world", "cidr": "::/0", "except": ["2001:db8::/32"]},
    {"service": "web", "cidr": "10.77.0.0/24"}, {"service": "web", "labels": {"tier": "back"}},
    {"service": "web", "cidr": "10.77.0.0/16", "except": ["10.77.0.2/32"]},
    {"service": "web", "group": "some"}, {"labels": {"app": "db"}, "group": "some"},
    {"group": "some", "cidr": "10.77.0.4"}, {"labels": {"tier": "front"}, "cidr": "fd00:77::/64"},
]
SCOPED = [{"scope": "inner"}, {"not-scope": "inner"}, {"scope": "void"}, {"not-scope": "void"},
          {"not-scope": "inner", "cidr": "10.77.0.0/24"}, {"scope": "inner", "service": "web"},
          {"not-scope": "inner", "labels": {"app": "web"}}]
SELECTS = [
    {"labels": {"app": "web"}}, {"labels": {"app": "web", "tier": "front"}}, {"labels": {"baked": "yes"}},
    {"name": "web-*"}, {"name": "web-?"}, {"name": "*"}, {"name": "*-1"}, {"name": "web"}, {"name": "?b"},
    {"image": "registry.example/*"}, {"image": "*@sha256:*"}, {"image": "registry.example/web"},
    {"image": "registry.example/web:1.?"}, {"image": "registry.example/web@sha256:" + "ab" * 32},
    {"image": "registry.example/web@sha256:" + "ac" * 32}, {"image": "other/web@sha256:*"},
    {"image": "*/web@sha256:" + "1" * 64}, {"image": "other/web@sha256:" + "1" * 64}, {"compose": "shop/web"},
    {"compose": "shop/web2"}, {"runtime": "docker"}, {"runtime": "podman"},
    {"runtime": "docker", "labels": {"tier": "back"}}, {"name": "web-*", "labels": {"tier": "back"}},
]
GROUPS = [{"group": "some", "cidrs": ["10.77.0.2/31", "fd00:77::/120", "203.0.113.0/24"]},
          {"group": "empty", "cidrs": []}]
SCOPES = [{"scope": "inner"}, {"scope": "void"}]
MANAGED = ["web", "db", "six", "near", "rival", "quiet", "remote", "agent"]


def opened(name, **more):
    """A service that lets everything pass, so that the other end decides."""
    return {"service": name, "select": {"labels": {"app": name}},
            "ingress": [{"from": ANYWHERE}], "egress": [{"to": ANYWHERE}], **more}


def subject(**more):
    return {"service": "subject", "select": {"labels": {"app": "subject"}}, **more}


def others():
    return [opened(n, **({"scope": "inner"} if n in ("web", "rival") else {})) for n in MANAGED]


SUBJECT = ["subject", "10.77.0.1", "fd00:77::1"]


def case(name, documents, host_file=None, ends=None, ports=None, focus=None):
    ends = ends or ENDS
    got = Case(name, documents + GROUPS + SCOPES, INVENTORY, host_file or {}, ports or PORTS, ends, ends)
    got.focus = focus
    return got


def side(direction):
    return ("ingress", "from") if direction == "in" else ("egress", "to")


def peers():
    for i, peer in enumerate(PEERS):
        for direction in ("in", "out"):
            section, key = side(direction)
            rule = {key: [peer], "ports": ["any"]} if i % 2 else {key: [peer]}
            yield case("peer %d %s" % (i, direction), [subject(**{section: [rule]})] + others(),
                       focus=SUBJECT)


def ports():
    for i, port in enumerate(native.PORTS):
        for direction in ("in", "out"):
            section, key = side(direction)
            rule = {key: [{"service": "web"}, {"entity": "world"}], "ports": [port]}
            yield case("port %s %s" % (port, direction), [subject(**{section: [rule]})] + others(),
                       ports=native.ASKED, ends=["subject", "web", "six", "198.51.100.7", "2001:db8::7"])


def modes():
    for first in ("enforce", "audit", "off"):
        for second in ("enforce", "audit", "off"):
            for quarantine in ("ignore", "quarantine"):
                documents = [subject(mode=first, ingress=[], egress=[{"to": [{"service": "web"}]}]),
                             {**opened("web", mode=second), "ingress": []},
                             {**opened("near", mode=first), "egress": []},
                             {**opened("twin", mode=second), "ingress": []},
                             {"service": "also", "select": {"labels": {"app": "db"}}, "mode": first,
                              "ingress": [{"from": [{"service": "web"}], "ports": [80]}]},
                             {"service": "too", "select": {"labels": {"tier": "back"}}, "mode": second,
                              "egress": [{"to": [{"entity": "world"}], "ports": [443]}]}]
                yield case("modes %s %s %s" % (first, second, quarantine), documents,
                           {"unmanaged": quarantine})


def both_ends():
    """follow, dns, expiry, and rules of which only one end has its half."""
    long_ago, some_day = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"
    lets_in = {"from": [{"service": "subject"}], "ports": [80, "icmp/echo-request"]}
    for expires in (None, long_ago, some_day):
        rule = {**lets_in, **({"expires": expires} if expires else {})}
        for egress in ("follow", [], [{"to": [{"service": "web"}], "ports": ["tcp"]}],
                       [{"to": ANYWHERE, "expires": expires or some_day}]):
            for dns in ("allow", "deny"):
                web = {**opened("web"), "ingress": [rule]}
                yield case("both ends %s %s %s" % (expires, egress, dns),
                           [subject(egress=egress, dns=dns, ingress=[{"from": [{"cidr": "10.77.0.1"}]}]),
                            web] + others()[1:])


def selectors():
    for i, select in enumerate(SELECTS):
        for images in ("ignore", "select"):
            documents = [{"service": "picked", "select": select, "egress": [{"to": [{"service": "picked"}]}]},
                         opened("subject")]
            yield case("select %d %s" % (i, images), documents, {"image-labels": images}, ends=NAMES)


def guardrails():
    unless = [None, [{"service": "web", "ports": ["80/tcp"]}], [{"cidr": "10.77.0.0/29"}, {"entity": "host"}],
              [{"scope": "inner", "ports": ["any"]}], [{"service": "db"}, {"cidr": "10.77.0.8/29"}]]
    selects = [{"all": True}, {"labels": {"app": "subject"}}, {"services": ["subject", "web"]},
               {"scope": "inner"}, {"labels": {"app": "stray"}}, {"scope": "void"},
               {"services": ["web"], "labels": {"tier": "front"}}]
    for i, peer in enumerate(PEERS + SCOPED):
        # What an entity has where two claim an address is nowhere said.
        if "entity" in peer:
            documents = [d for d in [opened("subject")] + others() if d["service"] != "rival"]
        else:
            documents = [opened("subject")] + others()
        if any(p.get("service") == "rival" for p in [peer]) or "entity" in peer:
            names = [n for n in ENDS if n not in ("rival", "db")]
        else:
            names = ENDS
        for key in ("to", "from"):
            entry = {key: [peer]}
            if i % 3:
                entry["ports"] = [["443/tcp", "icmp"], ["tcp", "icmpv6/echo-request"]][i % 2]
            if unless[i % 5]:
                entry["unless"] = unless[i % 5]
            rail = {"guardrail": "rail", "select": selects[i % len(selects)], "deny": [entry]}
            yield case("guardrail %d %s" % (i, key), documents + [rail], ends=names,
                       focus=SUBJECT + ["web", "stray"])


def cases():
    for family in (peers, ports, modes, both_ends, selectors, guardrails):
        yield from family()
