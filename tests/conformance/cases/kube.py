"""Random Kubernetes NetworkPolicies about who is there."""
from . import people

ASKED = ["80/tcp", "443/tcp", "8000/tcp", "8005/tcp", "53/udp", "53/tcp", "443/udp", "80/udp", "9/sctp",
         "80/sctp", "1/tcp", "65535/tcp", "icmp/echo-request", "icmpv6/echo-request"]
NUMBERS = {"TCP": [80, 443, 53, 8000, 8005], "UDP": [53, 443, 80], "SCTP": [9, 80]}
TYPES = [["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"]]


class Writer:
    """Documents about one inventory; prefixes come from the native writer, who knows the addresses."""

    def __init__(self, chance, native, scale=1):
        self.c = chance
        self.native = native
        self.endpoints = [e for e in native.endpoints if "obstacle" not in e] or native.endpoints
        self.scale = scale

    # --- selectors -----------------------------------------------------------------------------

    def selector(self, labels, table):
        """One that has to do with these labels; table: the keys and values that there are."""
        c, got = self.c, {}
        if c.percent(15):
            return c.of([{}, {}, {"matchLabels": {}}, {"matchExpressions": []}])
        if c.percent(60) and labels:
            got["matchLabels"] = dict(c.some(sorted(labels.items()), 1, 2))
        if c.percent(50) or not got:
            got["matchExpressions"] = [self.expression(table) for _ in range(c.of([1, 1, 2]))]
        return got

    def expression(self, table):
        c = self.c
        key = c.of(sorted(table) + ["nowhere"])
        got = {"key": key, "operator": c.of(["In", "NotIn", "Exists", "DoesNotExist"])}
        if got["operator"] in ("In", "NotIn"):
            got["values"] = c.some(sorted(table.get(key, ["x"])) + ["none"], 1, 2)
        return got

    def pods(self):
        return self.selector(self.c.of(self.endpoints)["labels"], people.LABELS)

    def namespaces(self):
        table = {**people.NAMESPACE_LABELS, "kubernetes.io/metadata.name": people.SPACES}
        labels = self.c.of([{"kubernetes.io/metadata.name": self.c.of(people.SPACES)},
                            {"team": "red"}, {"stage": "prod"}])
        return self.selector(labels, table)

    # --- rules ---------------------------------------------------------------------------------

    def peer(self):
        c = self.c
        if c.percent(35):
            block = {}
            self.native.cidr(block)
            if "/" not in block["cidr"]:
                block["cidr"] += "/128" if ":" in block["cidr"] else "/32"
            return {"ipBlock": block}
        got = {}
        if c.percent(65):
            got["podSelector"] = self.pods()
        if c.percent(50) or not got:
            got["namespaceSelector"] = self.namespaces()
        return got

    def port(self):
        c = self.c
        protocol = c.of(["TCP", "TCP", "TCP", "UDP", "SCTP"])
        got = {} if protocol == "TCP" and c.percent(40) else {"protocol": protocol}
        if c.percent(15):
            return got
        got["port"] = c.of(NUMBERS[protocol])
        if c.percent(20):
            got["endPort"] = c.of([got["port"], got["port"] + 1, got["port"] + 7, 65535])
        elif c.percent(25):
            got["port"] = c.of(["http", "dns", "tls", "sig"])
        return got

    def rule(self, side):
        c, got = self.c, {}
        if c.percent(80):
            got[side] = [self.peer() for _ in range(c.of([1, 1, 2, 3]))]
        elif c.percent(50):
            got[side] = []
        if c.percent(70):
            got["ports"] = [self.port() for _ in range(c.of([1, 1, 2]))]
        elif c.percent(20):
            got["ports"] = []
        return got

    def rules(self, side):
        return [self.rule(side) for _ in range(self.c.of([0, 1, 1, 1, 2]))]

    # --- documents -----------------------------------------------------------------------------

    def policy(self, i):
        c = self.c
        pod = c.of(self.endpoints)
        metadata = {"name": "np%d" % i}
        if c.percent(85):
            metadata["namespace"] = c.of([pod.get("namespace", "default")] * 3 + people.SPACES)
        spec = {"podSelector": {} if c.percent(20) else self.selector(pod["labels"], people.LABELS)}
        if c.percent(70):
            spec["ingress"] = self.rules("from")
        if c.percent(55):
            spec["egress"] = self.rules("to")
        self.types(spec)
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
                "spec": spec}

    def types(self, spec):
        """Often none; what is there has to name the directions that have rules."""
        if self.c.percent(45):
            return
        spec["policyTypes"] = list(self.c.of(TYPES))

    def documents(self):
        c = self.c
        got = [self.policy(i) for i in range(c.between(1, 5 * self.scale))]
        if len(got) > 2 and c.percent(20):
            version, kind = c.of([("v1", "List"), ("networking.k8s.io/v1", "NetworkPolicyList")])
            got[1:] = [{"apiVersion": version, "kind": kind, "items": got[1:]}]
        return got
