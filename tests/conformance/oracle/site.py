"""Who is there: the inventory (docs/endpoints.md) and what of the host file bears on a verdict."""
from .net import address, inside, prefix

# Never the world, whoever has them (docs/policy-format.md, Peers).
APART = [prefix(p) for p in (
    "127.0.0.0/8", "::1/128", "240.0.0.0/4", "169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8",
    "fd00:ec2::254/128")]
HOST = "the host"
LOOPBACK = [prefix("127.0.0.0/8"), prefix("::1/128")]


class Endpoint:
    def __init__(self, entry, image_labels_select):
        self.id = entry["id"]
        self.name = entry.get("name", self.id)
        self.labels = dict(entry.get("labels", {}))
        self.namespace = (entry.get("namespace") or self.labels.get("io.kubernetes.pod.namespace") or
                          entry.get("compose", "default").partition("/")[0])
        if image_labels_select:
            self.labels = {**entry.get("image_labels", {}), **self.labels}
        self.image = entry.get("image")
        self.image_id = entry.get("image_id")
        self.image_digests = entry.get("image_digests", [])
        self.compose = entry.get("compose")
        self.runtime = entry.get("runtime", "inventory")
        self.on_host = entry.get("obstacle") == "host-network"
        self.addresses = [address(a) for a in entry.get("addresses", [])]
        self.resolvers = [address(a) for a in entry.get("resolvers", [])]
        self.ports = entry.get("ports", [])
        # Whoever names the same namespace shares it; without a name it is one's own.
        self.lives = "netns" in entry or entry.get("obstacle", "") not in ("", "host-network")
        self.space = None if self.on_host else entry.get("netns", "own " + self.id)


class Site:
    def __init__(self, inventory, host_file=None):
        host_file = host_file or {}
        images = host_file.get("image-labels", "ignore") == "select"
        self.quarantine = host_file.get("unmanaged", "ignore") == "quarantine"
        self.endpoints = [Endpoint(e, images) for e in inventory["endpoints"]]
        given, here = inventory.get("namespaces", {}), host_file.get("namespaces", {})
        self.namespaces = {n: {**given.get(n, {}), **here.get(n, {})} for n in {*given, *here}}
        self.members = {}
        self.owners = {}
        for e in self.endpoints:
            if e.space:
                self.members.setdefault(e.space, []).append(e)
            for a in e.addresses:
                self.owners.setdefault(a, []).append(e)
        self.host = set()
        self.shared_by_host = set()
        for text in inventory.get("host", {}).get("addresses", []):
            self._host_address(text)
        self.contested = {a for a, who in self.owners.items() if self._claimants(a, who) > 1}

    def _claimants(self, a, who):
        """Namespaces that say so, the host's among them. What has none may be a name for the host."""
        spaces = {e.space or HOST for e in who}
        if a in self.host and any(e.lives for e in who):
            spaces.add(HOST)
        return len(spaces)

    def _host_address(self, text):
        bare, _, length = text.partition("/")
        a = address(bare)
        self.host.add(a)
        if not length:
            return
        bits = (32 if a[0] == 4 else 128) - int(length)
        first = a[1] >> bits << bits
        self.shared_by_host.add((a[0], first))                      # network, or subnet routers
        if a[0] == 4:
            self.shared_by_host.add((4, first + (1 << bits) - 1))   # broadcast

    def apart(self, a):
        """What no entity but `host` may have, managed containers aside."""
        return a in self.host or a in self.shared_by_host or any(inside(a, p) for p in APART)


def is_loopback(a):
    return any(inside(a, p) for p in LOOPBACK)
