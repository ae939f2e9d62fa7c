"""NetworkPolicies, one thing at a time: which directions, which selectors, which peers, which ports."""
from . import kube
from .case import Case

INVENTORY = {
    "host": {"addresses": ["10.77.0.254/24"]},
    "namespaces": {"shop": {"team": "red", "stage": "prod"}, "blog": {"team": "blue"}},
    "endpoints": [
        {"id": "a", "namespace": "shop", "labels": {"app": "a", "tier": "front"},
         "addresses": ["10.77.0.1", "fd00:77::1"],
         "ports": [{"name": "http", "port": 80, "protocol": "TCP"},
                   {"name": "dns", "port": 53, "protocol": "UDP"}]},
        {"id": "b", "namespace": "shop", "labels": {"app": "b", "tier": "back"},
         "addresses": ["10.77.0.2", "fd00:77::2"],
         "ports": [{"name": "http", "port": 8000, "protocol": "TCP"},
                   {"name": "dns", "port": 53, "protocol": "TCP"},
                   {"name": "sig", "port": 9, "protocol": "SCTP"}]},
        {"id": "c", "namespace": "shop", "labels": {}, "addresses": ["10.77.0.3"]},
        {"id": "d", "namespace": "blog", "labels": {"app": "a"}, "addresses": ["10.77.0.4"],
         "ports": [{"name": "http", "port": 443, "protocol": "TCP"}]},
        {"id": "e", "labels": {"app": "b"}, "compose": "lone/x", "addresses": ["10.77.0.5"]},
        {"id": "f", "labels": {"tier": "back"}, "addresses": ["10.77.0.6", "fd00:77::6"]},
        {"id": "agent", "namespace": "shop", "labels": {"app": "a"}, "obstacle": "host-network",
         "addresses": ["10.77.0.254"]},
    ]}
ENDS = [e["id"] for e in INVENTORY["endpoints"] if e["id"] != "agent"] + [
    "10.77.0.1", "fd00:77::1", "10.77.0.254", "198.51.100.7", "2001:db8::7", "10.77.0.255"]
PORTS = ["80/tcp", "443/tcp", "53/udp", "9/sctp", "icmp/echo-request", "icmpv6/echo-request"]
ABSENT = object()


def policy(name="np", namespace="shop", pods=None, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"podSelector": {} if pods is None else pods,
                     **{k: v for k, v in spec.items() if v is not ABSENT}}}


def case(name, documents, host_file=None, ports=None):
    return Case(name, documents, INVENTORY, host_file or {}, ports or PORTS, ENDS, ENDS)


def directions():
    """policyTypes, given or not, with each way of saying nothing, everything or something."""
    says = [ABSENT, [], [{}], [{"ports": [{"port": 80}]}]]
    for types in (ABSENT, ["Ingress"], ["Egress"], ["Ingress", "Egress"]):
        for ingress in says:
            for egress in says:
                yield case("directions %s %s %s" % tuple("-" if x is ABSENT else x
                                                         for x in (types, ingress, egress)),
                           [policy(pods={"matchLabels": {"app": "a"}}, policyTypes=types,
                                   ingress=ingress, egress=egress)])


def expression(operator, key="app", *values):
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


SELECTORS = [
    {}, {"matchLabels": {}}, {"matchExpressions": []}, {"matchLabels": {"app": "a"}},
    {"matchLabels": {"app": "a", "tier": "front"}}, {"matchLabels": {"app": "a", "tier": "back"}},
    {"matchExpressions": [expression("In", "app", "a", "b")]},
    {"matchExpressions": [expression("In", "app", "x")]},
    {"matchExpressions": [expression("NotIn", "app", "a")]},
    {"matchExpressions": [expression("NotIn", "app", "a", "b")]},
    {"matchExpressions": [expression("NotIn", "nowhere", "a")]},
    {"matchExpressions": [expression("Exists", "app")]}, {"matchExpressions": [expression("Exists", "tier")]},
    {"matchExpressions": [expression("DoesNotExist", "app")]},
    {"matchExpressions": [expression("DoesNotExist", "tier")]},
    {"matchExpressions": [expression("Exists", "app"), expression("NotIn", "tier", "back")]},
    {"matchExpressions": [expression("In", "app", "a"), expression("DoesNotExist", "tier")]},
    {"matchLabels": {"app": "a"}, "matchExpressions": [expression("NotIn", "tier", "front")]},
]
OF_NAMESPACES = [
    {}, {"matchLabels": {"team": "red"}}, {"matchLabels": {"kubernetes.io/metadata.name": "lone"}},
    {"matchExpressions": [expression("NotIn", "team", "red")]},
    {"matchExpressions": [expression("DoesNotExist", "stage")]},
    {"matchExpressions": [expression("In", "kubernetes.io/metadata.name", "default", "blog")]},
    {"matchLabels": {"team": "red", "kubernetes.io/metadata.name": "blog"}},
]
BLOCKS = [{"cidr": "10.77.0.0/24"}, {"cidr": "10.77.0.2/32"}, {"cidr": "0.0.0.0/0"}, {"cidr": "::/0"},
          {"cidr": "10.77.0.0/24", "except": ["10.77.0.2/32"]}, {"cidr": "10.77.0.0/24", "except": []},
          {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "198.51.100.0/24"]},
          {"cidr": "fd00:77::/64", "except": ["fd00:77::4/126"]}]
RULE_PORTS = [
    ABSENT, [], [{}], [{"protocol": "TCP"}], [{"protocol": "UDP"}], [{"protocol": "SCTP"}], [{"port": 80}],
    [{"port": 80, "protocol": "SCTP"}], [{"port": 53, "protocol": "UDP"}], [{"port": 80, "endPort": 443}],
    [{"port": 80, "endPort": 80}], [{"port": 1, "endPort": 65535, "protocol": "UDP"}], [{"port": "http"}],
    [{"port": "dns"}], [{"port": "dns", "protocol": "UDP"}], [{"port": "sig", "protocol": "SCTP"}],
    [{"port": "http"}, {"port": 9, "protocol": "SCTP"}], [{"port": 443}, {"port": "dns", "protocol": "UDP"}],
]


def selectors():
    for i, s in enumerate(SELECTORS):
        yield case("podSelector %d" % i, [policy(pods=s)])
        for side in ("ingress", "egress"):
            key = "from" if side == "ingress" else "to"
            types = [side.capitalize()]
            yield case("peer podSelector %d %s" % (i, side),
                       [policy(policyTypes=types, **{side: [{key: [{"podSelector": s}]}]})])
            namespaces = OF_NAMESPACES[i % len(OF_NAMESPACES)]
            both = {"podSelector": s, "namespaceSelector": namespaces}
            either = [{"podSelector": s}, {"namespaceSelector": namespaces}]
            yield case("peer AND %d %s" % (i, side), [policy(policyTypes=types, **{side: [{key: [both]}]})])
            yield case("peer OR %d %s" % (i, side), [policy(policyTypes=types, **{side: [{key: either}]})])
    for i, s in enumerate(OF_NAMESPACES):
        yield case("peer namespaceSelector %d" % i, [policy(ingress=[{"from": [{"namespaceSelector": s}]}])])


def blocks():
    for i, b in enumerate(BLOCKS):
        for side, key in (("ingress", "from"), ("egress", "to")):
            yield case("ipBlock %d %s" % (i, side), [policy(policyTypes=[side.capitalize()],
                                                            **{side: [{key: [{"ipBlock": b}]}]})])


def ports():
    peers = [ABSENT, [], [{"podSelector": {}}], [{"ipBlock": {"cidr": "10.77.0.0/24"}}],
             [{"namespaceSelector": {}}]]
    for i, p in enumerate(RULE_PORTS):
        for k, who in enumerate(peers):
            for side, key in (("ingress", "from"), ("egress", "to")):
                rule = {x: v for x, v in ((key, who), ("ports", p)) if v is not ABSENT}
                yield case("ports %d peers %d %s" % (i, k, side),
                           [policy(policyTypes=[side.capitalize()], **{side: [rule]})], ports=kube.ASKED)


def together():
    """Several policies, and native documents beside them."""
    web = {"service": "web", "select": {"labels": {"app": "a"}},
           "ingress": [{"from": [{"entity": "world"}], "ports": [443]}]}
    rail = {"guardrail": "rail", "select": {"all": True},
            "deny": [{"to": [{"cidr": "10.77.0.2"}], "ports": ["tcp"]}, {"from": [{"entity": "host"}]}]}
    deny = policy("deny", policyTypes=["Ingress", "Egress"])
    some = policy("some", pods={"matchLabels": {"app": "b"}}, policyTypes=["Egress"],
                  egress=[{"to": [{"podSelector": {}}], "ports": [{"port": 80}]}])
    lets = policy("lets", pods={"matchLabels": {"app": "a"}}, ingress=[{"from": [{"podSelector": {}}]}])
    other = policy("deny", "blog", ingress=[{}])
    rest = policy("rest", "default", pods={"matchExpressions": [expression("Exists", "tier")]})
    parts = [web, rail, deny, some, lets, other, rest]
    for mode in ("enforce", "audit", "off"):
        for bits in range(1 << len(parts)):
            if bits & 1 or mode == "enforce":
                picked = [d for i, d in enumerate(parts) if bits >> i & 1]
                named = [{**d, "mode": mode} if "service" in d else d for d in picked]
                if named and bits % 3 != 2:         # two of three are enough
                    yield case("together %s %d" % (mode, bits), named)


def cases():
    for family in (directions, selectors, blocks, ports, together):
        yield from family()
