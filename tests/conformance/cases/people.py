"""Who is there in a random case: endpoints with labels and addresses, a host, a world around."""

LABELS = {"app": ["web", "api", "db", "job"], "tier": ["front", "back", "data"], "env": ["prod", "test"],
          "zone": ["a", "b"]}
IMAGES = ["registry.example/web@sha256:" + "ab" * 32, "registry.example/api:1.4", "docker.io/library/redis:7"]
IMAGE_IDS = ["sha256:" + d * 64 for d in "01"]
IMAGE_DIGESTS = [name + "@sha256:" + d * 32
                 for name in ("registry.example/web", "redis", "docker.io/library/redis", "localhost:5000/x")
                 for d in ("ab", "cd")]
COMPOSE = ["shop/web", "shop/db", "blog/web"]
NAMES = ["web-%d", "api.%d", "db_%d", "job%d"]
SPACES = ["shop", "blog", "ops", "default"]
NAMESPACE_LABELS = {"team": ["red", "blue"], "stage": ["prod", "dev"]}
PORT_NAMES = [("http", 80, "TCP"), ("http", 8000, "TCP"), ("dns", 53, "UDP"), ("dns", 53, "TCP"),
              ("sig", 9, "SCTP"), ("tls", 443, "TCP"), ("http", 443, "UDP")]

HOST = ["10.77.0.254/24", "fd00:77::fe/64"]
WORLD = ["198.51.100.7", "203.0.113.200", "2001:db8::7", "10.77.0.200", "10.78.0.1", "fd00:77::c8"]
ODD = ["10.77.0.255", "10.77.0.0", "fd00:77::", "224.0.0.251", "169.254.169.254", "169.254.0.1",
       "fd00:ec2::254", "fe80::1", "ff02::fb", "255.255.255.255"]


def labels(c):
    return {k: c.of(v) for k, v in LABELS.items() if c.percent(60)}


def namespaces(c):
    got = {}
    for name in SPACES:
        if c.percent(75):
            got[name] = {k: c.of(v) for k, v in NAMESPACE_LABELS.items() if c.percent(70)}
    return got


def number(c, used):
    while True:
        n = c.between(1, 199)
        if n not in used:
            used.add(n)
            return n


def addresses(c, used):
    got = []
    for _ in range(c.of([1, 1, 1, 2, 2, 3]) if c.percent(96) else 0):
        n = number(c, used)
        if c.percent(70):
            got.append("10.77.%d.%d" % (c.of([0, 0, 0, 1]), n))
        if c.percent(50):
            got.append("fd00:77::%x" % n)
    return got


def endpoint(c, i, used):
    e = {"id": "e%d" % i, "name": c.of(NAMES) % i, "labels": labels(c), "addresses": addresses(c, used)}
    if c.percent(85):
        e["netns"] = "/run/netns/conformance-%d" % i
    if c.percent(30):
        e["image_labels"] = labels(c)
    if c.percent(30):
        e["image"] = c.of(IMAGES)
    if c.percent(20):
        e["image_id"] = c.of(IMAGE_IDS)
    if c.percent(20):
        e["image_digests"] = c.some(IMAGE_DIGESTS, 1, 3)
    if c.percent(30):
        e["compose"] = c.of(COMPOSE)
    if c.percent(40):
        e["runtime"] = c.of(["docker", "podman", "netns", "cni", "oci"])
    if c.percent(70):
        e["namespace"] = c.of(SPACES)
    elif c.percent(30):
        e["labels"]["io.kubernetes.pod.namespace"] = c.of(SPACES)
    if c.percent(60):
        e["ports"] = ports(c)
    if c.percent(40):
        e["resolvers"] = [c.of(["10.77.0.254", "10.77.0.53", "198.51.100.7", "fd00:77::fe"])]
    return e


def ports(c):
    """A name may stand for several ports, but each of them says so only once."""
    got = {}
    for name, port, protocol in c.some(PORT_NAMES, 1, 4):
        got.setdefault((name, protocol), port)
    return [{"name": n, "port": p, "protocol": protocol} for (n, protocol), p in got.items()]


def share(c, endpoints):
    """Two in one network namespace have the same addresses and resolvers."""
    if len(endpoints) > 2 and c.percent(30):
        a, b = c.some(endpoints, 2, 2)
        a.setdefault("netns", "/run/netns/conformance-shared")
        b["netns"], b["addresses"] = a["netns"], list(a["addresses"])
        b.pop("resolvers", None)
        if "resolvers" in a:
            b["resolvers"] = list(a["resolvers"])


def contest(c, endpoints):
    """Two namespaces, or one and the host, say that one address is theirs. True if it was done."""
    if len(endpoints) > 2 and c.percent(12):
        a, b = c.some(endpoints, 2, 2)
        if a["addresses"] and a.get("netns", a["id"]) != b.get("netns", b["id"]):
            b["addresses"] = b["addresses"] + [a["addresses"][0]]
            return True
    if c.percent(8):
        e = c.of(endpoints)
        e["addresses"] = e["addresses"] + [c.of(HOST).partition("/")[0]]
        return True
    return False


def inventory(c, most):
    """An inventory; True besides if an address in it is claimed twice."""
    used = set()
    endpoints = [endpoint(c, i, used) for i in range(c.between(2, most))]
    share(c, endpoints)
    contested = contest(c, endpoints)
    if c.percent(25):
        endpoints.append({"id": "agent", "labels": labels(c), "obstacle": "host-network",
                          "addresses": [a.partition("/")[0] for a in HOST]})
    got = {"host": {"addresses": HOST if c.percent(80) else [a.partition("/")[0] for a in HOST]},
           "endpoints": endpoints}
    return got, contested


def places(inv, extra):
    """What may be asked about: everybody by name, every address that is one end's alone, the rest."""
    owner = {}
    for e in inv["endpoints"]:
        for a in e["addresses"]:
            on_host = e.get("obstacle") == "host-network"
            owner.setdefault(a, set()).add("the host" if on_host else e.get("netns", e["id"]))
    for text in inv["host"]["addresses"]:
        if text.partition("/")[0] in owner:
            owner[text.partition("/")[0]].add("the host")
    names = [e["name"] if i % 2 else e["id"]
             for i, e in enumerate(inv["endpoints"]) if e.get("name")]
    clear = [a for a, who in owner.items() if len(who) == 1]
    return names + clear + [a for a in extra if a not in owner]


# --- by real packets: the same namespaces for every case ------------------------------------------

PACKET_NAMES = ["p%d" % i for i in range(1, 7)]
PACKET_WORLD = ["10.77.0.200", "fd00:77::c8"]


def packet_endpoint(c, name, i, prefix):
    e = endpoint(c, i, set())
    e.update({"id": name, "addresses": ["10.77.0.%d" % i, "fd00:77::%x" % i],
              "netns": "/run/netns/%s-%s" % (prefix, name)})
    if "resolvers" in e:
        e["resolvers"] = [c.of(["10.77.0.254", "10.77.0.200", "fd00:77::fe"])]
    return e


def packet_inventory(c, prefix):
    """Who is there in the network that tests/system/conformance.bats makes."""
    endpoints = [packet_endpoint(c, n, i, prefix) for i, n in enumerate(PACKET_NAMES, 1)]
    if c.percent(20):       # a second container in one of the namespaces
        first = c.of(endpoints)
        second = packet_endpoint(c, "twin", 1, prefix)
        for key in ("addresses", "netns", "resolvers"):
            second.pop(key, None)
            if key in first:
                second[key] = first[key]
        second["name"] = "twin"
        endpoints.append(second)
    if c.percent(25):
        endpoints.append({"id": "agent", "labels": labels(c), "obstacle": "host-network",
                          "addresses": [a.partition("/")[0] for a in HOST]})
    return {"host": {"addresses": HOST}, "endpoints": endpoints}
